"""Processes of a mesh as threads of this one: the exchanges without the network between."""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from worldreel.parallel.mesh import SINGLE, Group, Mesh

WAIT_S = 120.0


class Table:
    """Where the threads of a group lay down what they have for the others."""

    def __init__(self, size: int) -> None:
        self.laid: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=WAIT_S)


class ThreadGroup(Group):
    """A group whose ranks are threads."""

    def __init__(self, rank: int, table: Table) -> None:
        super().__init__(rank, len(table.laid))
        self.table = table

    def all_to_all(self, x: Tensor) -> Tensor:
        return torch.stack([other[self.rank] for other in self._swap(x)])

    def all_gather(self, x: Tensor) -> Tensor:
        return torch.stack(self._swap(x))

    def _swap(self, x: Tensor) -> list[Tensor]:
        self.table.laid[self.rank] = x
        self.table.barrier.wait()
        laid = list(self.table.laid)
        self.table.barrier.wait()  # nobody lays down the next before all have seen this
        return laid


def meshes(size: int) -> list[Mesh]:
    """A mesh for each of ``size`` threads."""
    whole = Table(size)
    wholes = [ThreadGroup(rank, whole) for rank in range(size)]
    if size % 2:
        return [Mesh(group, group, SINGLE) for group in wholes]
    middle = size // 2
    halves, pairs = [Table(middle) for _ in range(2)], [Table(2) for _ in range(middle)]
    return [
        Mesh(
            wholes[rank],
            ThreadGroup(rank % middle, halves[rank // middle]),
            ThreadGroup(rank // middle, pairs[rank % middle]),
        )
        for rank in range(size)
    ]


def together(call: Callable[[int], Any], size: int) -> list[Any]:
    """What ``call(rank)`` returns in each of ``size`` threads that run at the same time."""
    results: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            with torch.inference_mode():
                results[rank] = call(rank)
        except Exception as error:
            results[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results
