"""Offload: the matrices of a transformer's blocks are brought when a block's turn comes.

Two blocks are in memory at a time, the one that computes and the one that comes next, which a
thread reads meanwhile. On a CPU they come from the safetensors files; for a GPU the machine's own
memory keeps them, where there is room, and a stream of their own copies them. What is small
(biases, norms, tables, everything outside of the blocks) always stays where it is used, and the
numbers are the same, bit for bit.
"""

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worldreel.models.packed import PackedLinear, can_pack, packed_matrix
from worldreel.models.transformer import Transformer
from worldreel.models.wan_keys import diffusers_name, from_diffusers
from worldreel.weights.shards import open_shard


@dataclass(frozen=True)
class Matrix:
    """A matrix of a block: the layer that needs it, and where it lies.

    Args:
        key: its name in the file.
        shaped: what makes ours of the tensor in the file.
    """

    layer: nn.Module
    path: Path
    key: str
    shaped: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Brought:
    """The matrices of a block on the device, and on a GPU when they will be there."""

    matrices: list[Tensor]
    event: torch.Event | None = None


class Offload:
    """Brings the matrices of blocks, which are all of a transformer's memory but a little.

    One evaluation after the other: two threads cannot compute with the same networks.

    Args:
        device: where the blocks compute.
        dtype: of the matrices.
        keeps: whether the machine's own memory keeps what was read, for a GPU.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, *, keeps: bool = False) -> None:
        self.device, self.dtype, self.keeps = device, dtype, keeps
        is_packed = device.type == "cpu" and dtype == torch.bfloat16 and can_pack()
        self._packs = is_packed
        self._blocks: list[list[Matrix]] = []
        self._after: dict[int, int] = {}  # which block came after which, as far as is known
        self._kept: dict[int, list[Tensor]] = {}
        self._here: int | None = None
        self._coming: tuple[int, Future[Brought]] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="offload")
        self._copying = torch.cuda.Stream(device) if device.type == "cuda" else None

    def take_over(self, network: Transformer, files: list[Path]) -> None:
        """Has the matrices of a network's blocks brought from now on.

        Args:
            network: its streamed matrices have no storage (they are on the meta device).
            files: which hold them, checked when the rest was read.
        """
        places = self._places(network, files)
        names = {module: name for name, module in network.named_modules()}
        first = len(self._blocks)
        for block in network.hearing():
            index = len(self._blocks)
            matrices = []
            for parent in list(block.modules()):
                for name, layer in list(parent.named_children()):
                    if not isinstance(layer, nn.Linear):
                        continue
                    path, key, shaped = places[f"{names[layer]}.weight"]
                    layer.register_parameter("weight", None)
                    if self._packs:
                        layer = PackedLinear(layer)
                        setattr(parent, name, layer)
                    layer.register_forward_pre_hook(partial(self._before, index))
                    matrices.append(Matrix(layer, path, key, shaped))
            self._blocks.append(matrices)
            self._after[index] = index + 1
        self._after[len(self._blocks) - 1] = first

    def _places(
        self, network: Transformer, files: list[Path]
    ) -> Mapping[str, tuple[Path, str, Callable[[Tensor], Tensor]]]:
        """Of every matrix that is brought, by our names: file, name there, what makes it ours."""
        streamed = streamed_names(network)
        places = {}
        for path in files:
            with open_shard(path) as file:
                for key in file.keys():  # noqa: SIM118 (not a mapping)
                    name = _our_name(key, file.get_slice(key).get_shape(), network)
                    if name in streamed:
                        places[name] = path, key, partial(_ours, key, network)
        return places

    def _before(self, index: int, layer: nn.Module, arguments: Any) -> None:
        """A layer of a block is about to compute."""
        if index == self._here:
            return
        brought = self._wait_for(index)
        if brought.event is not None:
            computing = torch.cuda.current_stream(self.device)
            computing.wait_event(brought.event)
            for matrix in brought.matrices:
                matrix.record_stream(computing)
        if self._here is not None:
            self._after[self._here] = index
            for matrix in self._blocks[self._here]:
                _set(matrix.layer, None)
        for matrix, tensor in zip(self._blocks[index], brought.matrices, strict=True):
            _set(matrix.layer, tensor)
        self._here = index
        following = self._after[index]
        if following != index:
            self._coming = following, self._thread.submit(self._bring, following)

    def _wait_for(self, index: int) -> Brought:
        coming, self._coming = self._coming, None
        if coming is not None and coming[0] == index:
            return coming[1].result()
        if coming is not None:
            coming[1].cancel()
        return self._thread.submit(self._bring, index).result()

    def _bring(self, index: int) -> Brought:
        """Reads a block; on the thread."""
        with torch.no_grad():
            if self._copying is None:
                return Brought(self._read(index))
            host = self._kept.get(index)
            if host is None:
                host = [matrix.pin_memory() for matrix in self._read(index)]
            if self.keeps:
                self._kept[index] = host
            with torch.cuda.stream(self._copying):
                there = [matrix.to(self.device, non_blocking=True) for matrix in host]
                return Brought(there, self._copying.record_event())

    def _read(self, index: int) -> list[Tensor]:
        read = []
        with contextlib.ExitStack() as stack:
            files: dict[Path, Any] = {}
            for matrix in self._blocks[index]:
                if matrix.path not in files:
                    files[matrix.path] = stack.enter_context(open_shard(matrix.path))
                tensor = matrix.shaped(files[matrix.path].get_tensor(matrix.key))
                if self._packs:
                    read.append(packed_matrix(tensor.to(self.dtype)))
                else:
                    read.append(tensor.to(self.dtype, copy=True).contiguous())
        return read


def streamed_names(network: Transformer) -> set[str]:
    """The names of the matrices that are brought."""
    names = {module: name for name, module in network.named_modules()}
    return {
        f"{names[module]}.weight"
        for block in network.hearing()
        for module in block.modules()
        if isinstance(module, nn.Linear)
    }


def is_brought(network: Transformer) -> Callable[[str, list[int]], bool]:
    """Says of a tensor in a file, by its name and shape there, whether it is brought."""
    streamed = streamed_names(network)
    return lambda key, shape: _our_name(key, shape, network) in streamed


def _our_name(key: str, shape: list[int], network: Transformer) -> str:
    outline = torch.empty(shape, device="meta")
    (name,) = from_diffusers({diffusers_name(key): outline}, network.config)
    return name


def _ours(key: str, network: Transformer, tensor: Tensor) -> Tensor:
    (ours,) = from_diffusers({diffusers_name(key): tensor}, network.config).values()
    return ours


def _set(layer: nn.Module, matrix: Tensor | None) -> None:
    if isinstance(layer, PackedLinear):
        layer.packed = matrix
    else:
        weight = None if matrix is None else nn.Parameter(matrix, requires_grad=False)
        layer.register_parameter("weight", weight)
