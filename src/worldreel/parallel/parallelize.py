"""Deals the work of one transformer out among the processes of a mesh."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.models.attention import Heard, SelfAttention
from worldreel.models.transformer import Read, Transformer
from worldreel.models.vace import VaceTransformer
from worldreel.parallel.mesh import SINGLE, Group, Mesh
from worldreel.parallel.sizes import check_size
from worldreel.parallel.tokens import Deal, attend_dealt


def parallelize(transformer: Transformer, mesh: Mesh) -> None:
    """Lets the processes of a mesh share every call of a transformer, which all of them make.

    Each has the whole transformer and gives it the same arguments; each gets the whole result.
    In between, the two halves of the processes take half of the clips each (guidance makes two:
    the prompt and its absence), and inside a half each process has a part of the tokens. Only
    self-attention looks beyond a token; around it, tokens are exchanged for heads. For inference.

    Raises:
        UsageError: the devices cannot share the attention heads evenly.
    """
    check_size(mesh.whole.size, transformer.config.num_heads)
    Shared(transformer, mesh)


class Shared:
    """The hooks on one transformer, and what they know during a call."""

    def __init__(self, transformer: Transformer, mesh: Mesh) -> None:
        self.mesh, self.num_heads = mesh, transformer.config.num_heads
        self.clips, self.tokens = SINGLE, SINGLE  # who shares them, in this call
        self.deal: Deal | None = None
        self.dealt: dict[str, Tensor] = {}
        transformer.register_forward_pre_hook(self._begin, with_kwargs=True)
        transformer.register_forward_hook(self._finish)
        for block in transformer.hearing():
            block.register_forward_pre_hook(self._enter, with_kwargs=True)
            self._wrap(block.self_attention)
        chains = [transformer.blocks]
        if isinstance(transformer, VaceTransformer):  # whose hints are for dealt tokens
            chains.append(transformer.control.blocks)
        for blocks in chains:
            blocks[0].register_forward_pre_hook(self._deal_out, with_kwargs=True, prepend=True)
        transformer.blocks[-1].register_forward_hook(self._put_together)

    def _begin(self, transformer: nn.Module, args: Any, kwargs: Any) -> tuple[tuple, dict]:
        """Of every argument, the rows of this process's clips."""
        assert not torch.is_grad_enabled(), "exchanges between devices have no gradient"
        bound = inspect.signature(transformer.forward).bind(*args, **kwargs)
        self.clips, self.tokens = self.mesh.split(len(bound.arguments["x"]), self.num_heads)
        rows = {name: rows_of(value, self.clips) for name, value in bound.arguments.items()}
        return (), rows

    def _finish(self, transformer: nn.Module, args: Any, output: Tensor) -> Tensor:
        return output if self.clips.size == 1 else self.clips.all_gather(output).flatten(0, 1)

    def _deal_out(self, block: nn.Module, args: Any, kwargs: Any) -> tuple[tuple, dict] | None:
        """At the first block of several: this process's part of all that belongs to tokens."""
        self.dealt, self.deal = {}, None
        if self.tokens.size == 1:
            return None
        given = inspect.signature(block.forward).bind(*args, **kwargs).arguments
        num_tokens, num_levels = given["x"].shape[1], given["time"].shape[1]
        num_runs = num_levels if num_levels < num_tokens else 1
        deal = Deal(num_tokens, num_runs, self.tokens.rank, self.tokens.size)
        self.dealt = {name: deal.mine(given[name], 0) for name in ("cos", "sin")}
        if num_levels == num_tokens:
            self.dealt["time"] = deal.mine(given["time"], 1)
        if given.get("text_bias") is not None:
            self.dealt["text_bias"] = deal.mine(given["text_bias"], 1)
        self.deal = deal
        return (), {**given, "x": deal.mine(given["x"], 1)}

    def _enter(self, block: nn.Module, args: Any, kwargs: Any) -> tuple[tuple, dict] | None:
        if self.deal is None:
            return None
        given = inspect.signature(block.forward).bind(*args, **kwargs).arguments
        return (), {**given, **self.dealt}

    def _put_together(self, block: nn.Module, args: Any, output: Tensor) -> Tensor:
        if self.deal is None:
            return output
        return self.deal.together(self.tokens.all_gather(output))

    def _wrap(self, attention: SelfAttention) -> None:
        """Puts the exchange around the attention of one block."""
        alone = attention.attend

        def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            if self.deal is None:
                return alone(query, key, value)
            return attend_dealt(query, key, value, self.deal, self.tokens, alone)

        attention.attend = attend


def rows_of(value: Any, clips: Group) -> Any:
    """A process's rows of an argument of the transformer: all of them have one for each clip."""
    if clips.size == 1:
        return value
    if isinstance(value, Tensor):
        return value.chunk(clips.size)[clips.rank]
    if isinstance(value, Read):
        heard = tuple(
            Heard(*(rows_of(part, clips) for part in (h.key, h.value, h.bias))) for h in value.heard
        )
        return Read(heard, value.batch // clips.size)
    assert value is None, type(value)
    return None
