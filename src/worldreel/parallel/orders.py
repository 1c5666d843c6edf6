"""The arguments of a transformer's call, from the process that makes it to those that share it."""

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from worldreel.core.errors import UsageError
from worldreel.models.attention import Heard
from worldreel.models.transformer import Read
from worldreel.parallel.mesh import Group


class Sender:
    """Says what a call's arguments are, and sends their tensors after it.

    What a text was read as is sent once, for all steps.
    """

    def __init__(self, whole: Group) -> None:
        self._whole = whole
        self._sent: weakref.WeakKeyDictionary[Read, int] = weakref.WeakKeyDictionary()
        self._num_sent = 0

    def describe(self, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], list[Tensor]]:
        """What is told of the arguments, and the tensors to send once it is told."""
        tensors: list[Tensor] = []

        def shape(x: Tensor) -> dict[str, Any]:
            tensors.append(x)
            return {"shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch.")}

        told: dict[str, Any] = {}
        for name, value in arguments.items():
            if isinstance(value, Tensor):
                told[name] = shape(value)
            elif isinstance(value, Read):
                is_new = value not in self._sent
                if is_new:
                    self._num_sent += 1
                    self._sent[value] = self._num_sent
                told[name] = {"read": self._sent[value], "batch": value.batch}
                if is_new:
                    told[name]["parts"] = [shape(part) for part in _parts(value)]
            elif value is None:
                told[name] = None
            else:
                raise UsageError(
                    f"The argument {name} of a transformer is a {type(value).__name__}, which "
                    "several devices cannot share.",
                    remedy="Use one device.",
                )
        return {"arguments": told, "kept": sorted(self._sent.values())}, tensors

    def send(self, tensors: list[Tensor]) -> None:
        """Sends what was described."""
        for tensor in tensors:
            self._whole.broadcast(tensor.contiguous())


class Receiver:
    """Makes a call's arguments of what is told of them and what is sent."""

    def __init__(self, whole: Group, device: torch.device) -> None:
        self._whole, self._device = whole, device
        self._reads: dict[int, Read] = {}

    def receive(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by their names."""
        self._reads = {n: read for n, read in self._reads.items() if n in order["kept"]}
        return {name: self._value(told) for name, told in order["arguments"].items()}

    def _value(self, told: Mapping[str, Any] | None) -> Any:
        if told is None:
            return None
        if "shape" in told:
            x = torch.empty(told["shape"], dtype=getattr(torch, told["dtype"]), device=self._device)
            self._whole.broadcast(x)
            return x
        if "parts" in told:
            keys, values, *bias = (self._value(part) for part in told["parts"])
            heard = tuple(
                Heard(key, value, bias[0] if bias else None)
                for key, value in zip(keys, values, strict=True)
            )
            self._reads[told["read"]] = Read(heard, told["batch"])
        return self._reads[told["read"]]


def _parts(read: Read) -> list[Tensor]:
    """All blocks' keys, all their values, and the one bias that they have, if any."""
    biases = {id(heard.bias): heard.bias for heard in read.heard}
    assert len(biases) == 1, "blocks hear the same places of a text"
    (bias,) = biases.values()
    stacked = [torch.stack([getattr(h, name) for h in read.heard]) for name in ("key", "value")]
    return stacked if bias is None else [*stacked, bias]
