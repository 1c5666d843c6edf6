"""The safetensors files of one network: which they are, and their tensors one by one."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldreel.core.errors import WorldreelError

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
GET_AGAIN = "Get it again: worldreel pull, or the download that it came from."


def shard_files(folder: Path) -> list[Path]:
    """The files that hold a network: those of its index, or the only one.

    Raises:
        WorldreelError: there is none, one that the index names is missing, or all are pickles.
    """
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if indices:
        return _indexed(indices[0])
    files = sorted(folder.glob("*.safetensors"))
    if len(files) == 1:
        return files
    if files:
        names = ", ".join(path.name for path in files[:3])
        raise WorldreelError(
            f"{folder} holds {len(files)} safetensors files ({names}) and no index that says "
            "which belong together.",
            remedy=f"The index ends with .safetensors.index.json. {GET_AGAIN}",
        )
    pickles = [path.name for path in sorted(folder.glob("*")) if path.suffix in PICKLES]
    if pickles:
        raise WorldreelError(
            f"{folder} holds {pickles[0]}, a pickle: loading one can run any program that is "
            "hidden in it, so nothing is ever unpickled here.",
            remedy="Take the same model's repository in diffusers' layout, whose name ends with "
            "-Diffusers: its files are safetensors. `worldreel models` names them.",
        )
    raise WorldreelError(f"{folder} holds no safetensors file.", remedy=GET_AGAIN)


def read_tensors(
    files: list[Path], is_outline: Callable[[str, list[int]], bool] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Every tensor by its name, one at a time, as it is stored.

    Args:
        is_outline: by name and shape, whether a tensor is not read: it comes without storage,
            on the meta device.

    Raises:
        WorldreelError: a file that is missing, cut off or not safetensors.
    """
    for path in files:
        with open_shard(path) as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                if is_outline is not None:
                    shape = file.get_slice(name).get_shape()
                    if is_outline(name, shape):
                        yield name, torch.empty(shape, device="meta")
                        continue
                yield name, file.get_tensor(name)


@contextlib.contextmanager
def open_shard(path: Path) -> Iterator[Any]:
    """A safetensors file, mapped into memory; errors as for `read_tensors`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError as error:
        raise WorldreelError(f"{path} is missing.", remedy=GET_AGAIN) from error
    except (SafetensorError, OSError) as error:
        raise WorldreelError(
            f"{path} is cut off, or not a safetensors file: {error}.",
            remedy=f"Only safetensors is ever loaded. {GET_AGAIN}",
        ) from error


def _indexed(index: Path) -> list[Path]:
    try:
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorldreelError(f"{index} cannot be read: {error}.", remedy=GET_AGAIN) from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name:
            raise WorldreelError(f"{index} names {name!r}, no plain file.", remedy=GET_AGAIN)
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise WorldreelError(
            f"{index.parent / missing[0]} is missing: {len(missing)} of {len(names)} files of "
            "this network are not here.",
            remedy=GET_AGAIN,
        )
    return [index.parent / name for name in names]
