"""Which way time runs in a clip, from the objects that the network of features follows.

What moves loses energy: slides end, bounces get lower, towers fall. A clip is judged
against its own reverse, so that nothing but the order of its frames can decide
(Pickup et al., "Seeing the Arrow of Time", CVPR 2014; Wei et al., CVPR 2018).
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from worldreel.evaluate.features.network import OBJECT_FEATURES, State

CLUES = OBJECT_FEATURES + 3 + 2 + 2 + 1
WIDTH = 48

UNDECIDED = 1e-3
"""A clip whose logit is nearer to 0 than this says nothing, as one that stands still."""


class ArrowNetwork(nn.Module):
    """Scores how much a sequence of states looks as if time ran forward; 40 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        widths = (CLUES, WIDTH, WIDTH, WIDTH)
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, (5, 1), padding=(2, 0)) for a, b in pairwise(widths)
        )
        self.drop = nn.Dropout(0.2)
        self.out = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 1))

    def forward(self, clues: Tensor) -> Tensor:
        """Clues of `look_for_clues`, ``b s 10 48``, to scores ``b``."""
        weight = clues[..., -1:].permute(0, 3, 1, 2)  # b 1 s 10
        x = clues.permute(0, 3, 1, 2)
        for i, layer in enumerate(self.layers):
            y = F.gelu(layer(x))
            x = x + y if i else y
        x = self.drop(x) * weight
        total = x.sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1)
        return self.out(torch.cat([total, x.amax(dim=(2, 3))], dim=1)).squeeze(-1)


def look_for_clues(state: State) -> Tensor:
    """What the arrow is read from, ``b s 10 48``; the last is how surely the object is there."""
    present = state.present.sigmoid()[..., None]
    parts = (state.tokens, state.place, state.motion, state.contact.sigmoid())
    return torch.cat([torch.cat(parts, dim=-1) * present, present], dim=-1)


def arrow_logit(network: ArrowNetwork, forward: Tensor, backward: Tensor) -> Tensor:
    """Logit that ``forward`` and not ``backward``, clues of the same clips reversed, is the way
    it went; changes its sign if they are exchanged. ``b s 10 48`` each, to ``b``."""
    return network(forward) - network(backward)


def arrow_logits(clips: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Logit for each clip, uint8 ``t h w 3``, that time runs forward in it; above 0: it does.

    The reverse of a clip of an even number of frames has the opposite logit, to rounding.

    Raises:
        WorldreelError: the weights are missing or altered.
        UsageError: a clip is shorter than two steps of the network.
    """
    from worldreel.evaluate.features.weights import as_input, load_networks

    networks = load_networks()
    logits = []
    with torch.inference_mode():
        for clip in clips:
            forward = look_for_clues(networks.state(as_input(clip)))
            backward = look_for_clues(networks.state(as_input(clip[::-1])))
            logits.append(float(arrow_logit(networks.arrow, forward, backward)))
    return np.array(logits, np.float64)


def forward_share(clips: Iterable[NDArray[np.uint8]]) -> float:
    """The share of clips, uint8 ``t h w 3``, in which time is judged to run forward.

    A clip that says nothing (`UNDECIDED`) counts half. nan for no clips. Errors are those of
    `arrow_logits`.
    """
    return share_above(arrow_logits(clips))


def share_above(logits: NDArray[np.float64]) -> float:
    """Share of ``logits`` above 0, an undecided one counting half; nan of none."""
    if not len(logits):
        return float("nan")
    decided = np.abs(logits) > UNDECIDED
    return float(np.where(decided, logits > 0, 0.5).mean())
