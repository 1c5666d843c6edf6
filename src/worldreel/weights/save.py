"""From state dicts to a model's folder: safetensors, their hashes, and the description."""

import dataclasses
import hashlib
from collections.abc import Mapping
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


def save_model(
    folder: Path,
    description: ModelDescription,
    states: Mapping[str, Mapping[str, Tensor]],
    dtypes: Mapping[str, StorageDtype],
) -> ModelDescription:
    """Writes a folder that `worldreel.weights.load.load_model` takes.

    The description is written last, so that a write that was interrupted leaves
    weights that nothing loads.

    Args:
        folder: made if it is missing; files of the same names in it are replaced.
        description: its ``files`` are filled in here.
        states: ``transformer`` and ``autoencoder``, each a state dict.
        dtypes: what floating-point tensors of each are stored as.

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
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = WeightsFile(sha256=sha256, size_bytes=path.stat().st_size)
    description = dataclasses.replace(description, files=files)
    with atomic_target(folder / FILE_NAME) as part:
        part.write_text(description.to_json(), encoding="utf-8")
    return description


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
