"""Which process is which, and how processes exchange tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from worldreel.core.errors import WorldreelError


class LostDevice(WorldreelError):
    """Another process is not there any more; the exchange with it cannot be finished."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"A device that works on the same video is lost: {detail.splitlines()[0]}",
            remedy="Start again; with fewer devices if memory ran out.",
        )


Explain = Callable[[str], WorldreelError]
"""Makes the error that people see of what an exchange that failed said."""


class Group:
    """Some of the processes, in an order.

    Args:
        rank: which of them this one is.
        size: how many they are.
        handle: as ``torch.distributed`` knows them.
    """

    def __init__(
        self,
        rank: int,
        size: int,
        handle: dist.ProcessGroup | None = None,
        explain: Explain = LostDevice,
    ) -> None:
        self.rank, self.size, self.handle, self._explain = rank, size, handle, explain

    def all_to_all(self, x: Tensor) -> Tensor:
        """Sends ``x[r]`` to each rank r, and returns what each has sent, in the same shape."""
        x = x.contiguous()
        received = torch.empty_like(x)
        self._exchange(lambda: dist.all_to_all_single(received, x, group=self.handle))
        return received

    def all_gather(self, x: Tensor) -> Tensor:
        """The ``x`` of every rank, in their order along a new first axis."""
        x = x.contiguous()
        gathered = x.new_empty(self.size * len(x), *x.shape[1:])
        self._exchange(lambda: dist.all_gather_single(gathered, x, group=self.handle))
        return gathered.unflatten(0, (self.size, -1))

    def broadcast(self, x: Tensor) -> None:
        """Makes ``x``, contiguous, what it is on the first rank."""
        self._exchange(lambda: dist.broadcast(x, group=self.handle, group_src=0))

    def _exchange(self, call: Callable[[], object]) -> None:
        try:
            call()
        except RuntimeError as error:
            raise self._explain(str(error)) from error


@dataclass(frozen=True, eq=False)
class Mesh:
    """All processes that make one video, and the two ways in which they share the work.

    Args:
        whole: all of them.
        half: the half of them that this one is in; all of them if their number is odd.
        pair: this one and the one at its place in the other half; itself if there is none.
    """

    whole: Group
    half: Group
    pair: Group

    def split(self, batch: int, num_heads: int) -> tuple[Group, Group]:
        """Who shares the clips of a batch, and who shares the tokens of each.

        Clips come first, as the prompt and its absence: they need no exchange before the end.
        """
        if batch % self.pair.size == 0:
            return self.pair, self.half
        if num_heads % self.whole.size == 0:
            return SINGLE, self.whole
        return SINGLE, self.half


SINGLE = Group(0, 1)


def make_mesh(explain: Explain = LostDevice) -> Mesh:
    """The mesh of the processes that called ``torch.distributed.init_process_group``.

    All of them must call it.
    """
    rank, size = dist.get_rank(), dist.get_world_size()
    whole = Group(rank, size, dist.group.WORLD, explain)
    if size % 2:
        return Mesh(whole, whole, SINGLE)
    middle = size // 2
    halves = [range(middle), range(middle, size)]
    pairs = [list(pair) for pair in zip(*halves, strict=True)]
    half = _own([list(ranks) for ranks in halves], rank, explain)
    return Mesh(whole, half, _own(pairs, rank, explain))


def _own(groups: Sequence[list[int]], rank: int, explain: Explain) -> Group:
    """Makes all groups, which all processes must, and returns that of ``rank``."""
    handles: list[Any] = [dist.new_group(ranks) for ranks in groups]
    (mine,) = [n for n, ranks in enumerate(groups) if rank in ranks]
    return Group(groups[mine].index(rank), len(groups[mine]), handles[mine], explain)
