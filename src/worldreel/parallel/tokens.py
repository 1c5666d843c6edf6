"""How the tokens of a clip are dealt out, and attention among dealt tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from worldreel.parallel.mesh import Group

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Deal:
    """A share of each run of tokens for every device; the last shares are filled up.

    A run is what shares one noise level (a frame, or all tokens): so each device has a part of
    every run, and what belongs to runs needs no dealing.

    Args:
        num_tokens: of the clip, a multiple of ``num_runs``.
        rank, size: which device this is, and of how many.
    """

    num_tokens: int
    num_runs: int
    rank: int
    size: int

    @property
    def share(self) -> int:
        """Tokens of each run that a device has, filling included."""
        return -(-self.num_tokens // self.num_runs // self.size)

    @property
    def is_filled(self) -> bool:
        """Whether some of the tokens are there only so that all devices have as many."""
        return self.share * self.size * self.num_runs != self.num_tokens

    def mine(self, x: Tensor, axis: int) -> Tensor:
        """This device's part of ``x``, whose ``axis`` is the tokens; filled up with zeros."""
        runs = x.unflatten(axis, (self.num_runs, -1))
        first = min(self.rank * self.share, runs.shape[axis + 1])
        mine = runs.narrow(axis + 1, first, min(self.share, runs.shape[axis + 1] - first))
        missing = self.share - mine.shape[axis + 1]
        if missing:
            mine = F.pad(mine, [0, 0] * (mine.ndim - axis - 2) + [0, missing])
        return mine.flatten(axis, axis + 1)

    def together(self, parts: Tensor) -> Tensor:
        """All tokens ``b n d`` in their order, of every device's part ``r b n/r d``."""
        runs = parts.unflatten(2, (self.num_runs, -1)).permute(1, 2, 0, 3, 4)  # b g r n/gr d
        per_run = self.num_tokens // self.num_runs
        return runs.flatten(2, 3)[:, :, :per_run].flatten(1, 2)

    def real(self, device: torch.device) -> Tensor | None:
        """Where tokens are not filling, among all parts one after the other; None if nowhere."""
        if not self.is_filled:
            return None
        place = torch.arange(self.size * self.share, device=device).view(self.size, 1, self.share)
        is_real = (place < self.num_tokens // self.num_runs).expand(-1, self.num_runs, -1)
        return is_real.flatten().nonzero()[:, 0]


def attend_dealt(
    query: Tensor, key: Tensor, value: Tensor, deal: Deal, group: Group, attend: Attend
) -> Tensor:
    """Attention among all tokens where each device has a part of them (Ulysses, 2309.14509).

    Parts of all heads are exchanged for all tokens of some heads, and back.

    Args:
        query, key, value: ``b n/r h e``; h a multiple of the devices r.
        attend: attention on one device, ``b n h e`` to ``b n (h e)``.

    Returns:
        ``b n/r (h e)``.
    """
    size = group.size
    sent = torch.stack((query, key, value)).unflatten(3, (size, -1))  # 3 b n/r r h/r e
    received = group.all_to_all(sent.permute(3, 0, 1, 2, 4, 5))  # r 3 b n/r h/r e
    query, key, value = (part.transpose(0, 1).flatten(1, 2) for part in received.unbind(1))
    real = deal.real(query.device)
    if real is not None:  # filling may ask, but is not to be seen
        key, value = key[:, real], value[:, real]
    seen = attend(query, key, value)  # b n (h/r e)
    back = group.all_to_all(seen.unflatten(1, (size, -1)).transpose(0, 1))  # r b n/r (h/r e)
    return back.permute(1, 2, 0, 3).flatten(2)
