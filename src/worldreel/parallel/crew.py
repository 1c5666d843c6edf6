"""The first of several devices, which runs the program, and leads those that share its networks."""

import contextlib
import inspect
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.transformer import Transformer
from worldreel.parallel.children import Children
from worldreel.parallel.mesh import make_mesh
from worldreel.parallel.orders import Sender
from worldreel.parallel.parallelize import parallelize

STORE = "store"
INTERFACE = "GLOO_SOCKET_IFNAME"


class Crew:
    """Processes on other devices of this machine that compute their share of every call.

    This process alone reads requests, encodes texts and pictures, decodes, writes and speaks; the
    others only hold the transformers. They end with this process, however it ends.

    Args:
        size: how many devices there are, this one included.
        module: what the others run: it calls `worldreel.parallel.follow.follow`.
        device: of this process; on CUDA the others take the GPUs after the first.
        hello: what the others need to know to load the same transformers.
    """

    def __init__(
        self, size: int, module: str, device: torch.device, hello: Mapping[str, Any]
    ) -> None:
        if dist.is_initialized():
            raise UsageError(
                "This process already shares its work with others.",
                remedy="Close the model that is on several devices before loading another.",
            )
        self.size, self._device = size, device
        self._threads_before = torch.get_num_threads()
        environment = {**_loopback(), **os.environ}
        if device.type == "cpu":
            threads = max(1, self._threads_before // size)
            torch.set_num_threads(threads)
            environment.setdefault("OMP_NUM_THREADS", str(threads))
        self._folder = Path(tempfile.mkdtemp(prefix="worldreel-"))
        hellos = [
            {
                **hello,
                "rank": rank,
                "size": size,
                "store": str(self._folder / STORE),
                "device": f"cuda:{rank}" if device.type == "cuda" else device.type,
            }
            for rank in range(1, size)
        ]
        self._children = Children(module, hellos, environment)
        self._sender: Sender | None = None
        self._is_closed = False

    @property
    def splits_batch(self) -> bool:
        """Whether two clips in one batch take as long as one."""
        return self.size % 2 == 0

    @property
    def process_ids(self) -> list[int]:
        """Of the other devices' processes."""
        return [process.pid for process in self._children.processes]

    def lead(self, networks: Sequence[Transformer]) -> None:
        """Waits until the others have the same transformers, and shares all calls of these.

        Raises:
            WorldreelError: one of the others ended, with its reason.
            UsageError: so many devices cannot share their attention heads.
        """
        self._children.wait_until_ready()
        try:
            join(0, self.size, self._folder / STORE, self._device)
            mesh = make_mesh(self._children.error)
        except RuntimeError as error:
            raise self._children.error(str(error)) from error
        self._sender = Sender(mesh.whole)
        for number, network in enumerate(networks):
            network.register_forward_pre_hook(partial(self._send, number), with_kwargs=True)
            parallelize(network, mesh)
            network.register_forward_hook(self._done)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Around all calls: the crew is closed where one of them is left before its end."""
        try:
            yield
        except BaseException:
            if self._children.is_waiting:
                self.close()
            raise

    @contextlib.contextmanager
    def entered(self, what: str, **named: Any) -> Iterator[None]:
        """Has the others enter one of the contexts that they know, and leave it after the block."""
        self._order({"do": "enter", "what": what, "with": named})
        try:
            yield
        finally:
            if not self._is_closed and not self._children.is_waiting:
                self._order({"do": "leave"})

    def close(self) -> None:
        """Ends the others; what they shared cannot be called any more."""
        if self._is_closed:
            return
        self._is_closed = True
        is_idle = not self._children.is_waiting
        self._children.close(are_idle=is_idle)
        if dist.is_initialized() and (is_idle or self._device.type == "cpu"):
            dist.destroy_process_group()
        shutil.rmtree(self._folder, ignore_errors=True)
        torch.set_num_threads(self._threads_before)

    def _order(self, order: Mapping[str, Any]) -> None:
        if self._is_closed or self._children.is_waiting:
            why = "were closed" if self._is_closed else "are out of step since an interruption"
            raise WorldreelError(
                f"The {self.size} devices of this model {why}.", remedy="Load the model again."
            )
        self._children.is_waiting = True
        self._children.tell(order)
        if order["do"] != "forward":
            self._children.is_waiting = False

    def _send(self, number: int, network: nn.Module, args: Any, kwargs: Any) -> None:
        """Before a call: lets the others make the same one."""
        assert self._sender is not None
        arguments = inspect.signature(network.forward).bind(*args, **kwargs).arguments
        told, tensors = self._sender.describe(arguments)
        kind = self._device.type
        rounded = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        autocast = None if rounded is None else str(rounded).removeprefix("torch.")
        self._order({"do": "forward", "network": number, "autocast": autocast, **told})
        self._sender.send(tensors)

    def _done(self, network: nn.Module, args: Any, output: Tensor) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()  # exchanges come to their end here, or it is known where not
        self._children.is_waiting = False


def join(rank: int, size: int, store: Path, device: torch.device) -> None:
    """Joins the processes of a store; all of them must."""
    with _set_in_environment({} if INTERFACE in os.environ else _loopback()):
        own = None
        if device.type == "cuda":
            own = torch.device("cuda", rank)
            torch.cuda.set_device(own)
        dist.init_process_group(
            "gloo" if own is None else "nccl",
            init_method=f"file://{store}",
            rank=rank,
            world_size=size,
            device_id=own,
        )


def _loopback() -> dict[str, str]:
    """Nothing outside of this machine is to take part."""
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    return {INTERFACE: names[0]} if names else {}


@contextlib.contextmanager
def _set_in_environment(values: Mapping[str, str]) -> Iterator[None]:
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
