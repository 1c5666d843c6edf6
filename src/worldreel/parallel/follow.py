"""What a process on another device does: it shares every call that the first process makes."""

import contextlib
import json
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import torch
import torch.distributed as dist

from worldreel.core.errors import WorldreelError
from worldreel.models.transformer import Transformer
from worldreel.parallel.children import EXIT_LOST
from worldreel.parallel.crew import join
from worldreel.parallel.mesh import LostDevice, make_mesh
from worldreel.parallel.orders import Receiver
from worldreel.parallel.parallelize import parallelize

Load = Callable[[Mapping[str, Any]], Sequence[Transformer]]
Contexts = Mapping[str, Callable[..., AbstractContextManager[Any]]]


def follow(load: Load, contexts: Contexts) -> int:
    """Does what is said on standard input until that ends; returns the code to exit with.

    Args:
        load: makes the transformers that the first process has, of what it says first.
        contexts: what it may have this process enter, by name.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process to handle
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not taken for an answer
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    try:
        _work(orders, out, load, contexts)
    except LostDevice:
        return EXIT_LOST
    except WorldreelError as error:
        _say(out, {"error": error.message, "remedy": error.remedy})
        return 1
    except Exception as error:
        if os.environ.get("WORLDREEL_DEBUG") == "1":
            raise
        first_line = (str(error).splitlines() or [""])[0][:200]
        _say(out, {"error": f"{type(error).__name__}: {first_line}"})
        return 1
    return 0


def _work(
    orders: "queue.SimpleQueue[dict[str, Any]]", out: BinaryIO, load: Load, contexts: Contexts
) -> None:
    hello = orders.get()
    device = torch.device(hello["device"])
    networks = load(hello)
    _say(out, {"ready": "yes"})
    try:
        join(hello["rank"], hello["size"], Path(hello["store"]), device)
        mesh = make_mesh()
    except RuntimeError as error:
        raise LostDevice(str(error)) from error
    for network in networks:
        parallelize(network, mesh)
    receiver = Receiver(mesh.whole, device)
    entered: list[contextlib.ExitStack] = []
    while (order := orders.get())["do"] != "end":
        if order["do"] == "enter":
            entered.append(contextlib.ExitStack())
            entered[-1].enter_context(contexts[order["what"]](**order["with"]))
        elif order["do"] == "leave":
            entered.pop().close()
        else:
            _share(networks[order["network"]], order, receiver, device)
    dist.destroy_process_group()


def _share(
    network: Transformer, order: Mapping[str, Any], receiver: Receiver, device: torch.device
) -> None:
    """This process's part of a call; the result is of no use here."""
    rounded = order["autocast"]
    dtype = torch.bfloat16 if rounded is None else getattr(torch, rounded)
    with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=rounded is not None):
        network(**receiver.receive(order))


def _listen(orders: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Without the first process there is nothing to wait for, whatever is being waited for."""
    with os.fdopen(os.dup(0), "rb") as lines:
        for line in lines:
            orders.put(order := json.loads(line))
            if order.get("do") == "end":
                return
    os._exit(EXIT_LOST)


def _say(out: BinaryIO, told: Mapping[str, str]) -> None:
    with contextlib.suppress(OSError):
        out.write(json.dumps(told).encode() + b"\n")
        out.flush()
