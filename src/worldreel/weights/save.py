"""From state dicts to a model's folder: safetensors, their hashes, the description, the card."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from worldreel.core.errors import WorldreelError
from worldreel.media.atomic import atomic_target
from worldreel.weights.description import FILE_NAME, ModelDescription, WeightsFile

StorageDtype = Literal["bf16", "fp16", "fp32"]
DTYPES: dict[str, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}

MODE = 0o644
"""Of every file: a published model is for all to read, whatever the umask was."""


def save_model(
    folder: Path,
    description: ModelDescription,
    states: Mapping[str, Mapping[str, Tensor]],
    dtypes: Mapping[str, StorageDtype],
    card: Callable[[ModelDescription], str] | None = None,
) -> ModelDescription:
    """Writes a folder that `worldreel.weights.load.load_model` takes.

    The description is written last, so that a write that was interrupted leaves
    weights that nothing loads.

    Args:
        folder: made if it is missing; files of the same names in it are replaced.
        description: its ``files`` are filled in here.
        states: ``transformer`` and ``autoencoder``, each a state dict.
        dtypes: what floating-point tensors of each are stored as.
        card: the text of its README.md, from the description with its ``files``.

    Raises:
        WorldreelError: a weight that is not finite as stored, or the disk fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, state in states.items():
        stored = {key: _store(f"{name}.{key}", t, dtypes[name]) for key, t in state.items()}
        path = folder / f"{name}.safetensors"
        with atomic_target(path) as part:
            save_file(stored, part)
            part.chmod(MODE)
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = WeightsFile(sha256=sha256, size_bytes=path.stat().st_size)
    description = dataclasses.replace(description, files=files)
    if card is not None:
        _write_text(folder / "README.md", card(description))
    _write_text(folder / FILE_NAME, description.to_json())
    return description


def _write_text(path: Path, text: str) -> None:
    with atomic_target(path) as part:
        part.write_text(text, encoding="utf-8")
        part.chmod(MODE)


def _store(name: str, tensor: Tensor, dtype: StorageDtype) -> Tensor:
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.to(DTYPES[dtype])
        if not tensor.isfinite().all():
            raise WorldreelError(
                f"{name} holds a value that is not finite as {dtype}.",
                remedy="Store it as bf16 or fp32." if dtype == "fp16" else "Check the training.",
            )
    return tensor.contiguous().clone()
