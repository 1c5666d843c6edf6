"""``worldreel models``: every model that can be run, and what of it fits this machine."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from worldreel.app import machine
from worldreel.app.options import Flag
from worldreel.weights.description import ModelDescription

GB = 1e9
WORKING_BYTES = 3e9
"""Beside the weights: the libraries, and the widest tensors of a step or of decoding."""
PACKAGED_FACTOR = 4
"""Weights inside the package are stored in 16 bits and loaded in 32 first."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One model.

    Args:
        device_bytes: memory of the device that makes the steps.
        memory_bytes: memory of the machine, with the text encoder.
        is_here: whether its weights are on this machine.
        fits: where it can run: on a GPU, on the processor, or nowhere here.
    """

    name: str
    license: str
    summary: str
    takes: tuple[str, ...]
    download_bytes: float
    device_bytes: float
    memory_bytes: float
    is_here: bool
    fits: Literal["gpu", "cpu", "no"]


@dataclass(frozen=True, kw_only=True)
class Models:
    """Lists the models: licence, download, memory, what they take, and what fits this machine."""

    json: Flag = False
    """Print JSON instead of a table."""

    def run(self) -> int:
        gpu_bytes = max((int(gpu["memory_size_bytes"]) for gpu in _gpus()), default=0)
        found = listed(machine.memory_size_bytes(), gpu_bytes)
        if self.json:
            print(json.dumps([asdict(model) for model in found], indent=2))
            return 0
        for line in _table(found):
            print(line)
        return 0


def listed(memory_bytes: int, gpu_bytes: int) -> list[Listed]:
    """All models, and whether they fit a machine of so much memory and so large a GPU."""
    from worldreel.weights.catalogue import describe, packaged_models
    from worldreel.weights.hub import find_pulled
    from worldreel.weights.open_models import OPEN_MODELS

    found = []
    for name in packaged_models():
        description = describe(name)
        need = 1e9 + PACKAGED_FACTOR * description.size_bytes
        found.append(_listed(description, 0.0, need, need, True, memory_bytes, gpu_bytes))
    for model in OPEN_MODELS.values():
        found.append(
            _listed(
                model.description,
                model.download_bytes,
                model.device_bytes + WORKING_BYTES,
                model.memory_bytes + WORKING_BYTES,
                find_pulled(model) is not None,
                memory_bytes,
                gpu_bytes,
            )
        )
    return found


def _listed(
    description: ModelDescription,
    download_bytes: float,
    device_bytes: float,
    memory_bytes: float,
    is_here: bool,
    machine_bytes: int,
    gpu_bytes: int,
) -> Listed:
    beside = memory_bytes - device_bytes + WORKING_BYTES  # text is encoded on the processor
    fits = "gpu" if gpu_bytes >= device_bytes and machine_bytes >= beside else "no"
    if fits == "no" and machine_bytes >= memory_bytes:
        fits = "cpu"
    return Listed(
        name=description.name,
        license=description.license,
        summary=description.summary,
        takes=description.takes,
        download_bytes=download_bytes,
        device_bytes=device_bytes,
        memory_bytes=memory_bytes,
        is_here=is_here,
        fits=fits,
    )


def _gpus() -> list[dict]:
    """The GPUs; torch is only asked where the system shows one."""
    return machine.accelerators() if Path("/dev/nvidia0").exists() else []


def _table(models: list[Listed]) -> list[str]:
    heads = ("name", "licence", "download", "on the device", "in all", "here", "fits", "takes")
    rows: list[tuple[str, ...]] = [heads]
    for model in models:
        download = f"{model.download_bytes / GB:.0f} GB" if model.download_bytes else "-"
        rows.append(
            (
                model.name,
                model.license,
                download,
                f"{model.device_bytes / GB:.0f} GB",
                f"{model.memory_bytes / GB:.0f} GB",
                "yes" if model.is_here else "no",
                {"gpu": "on the GPU", "cpu": "on the CPU", "no": "no"}[model.fits],
                ", ".join(model.takes).replace("_", " "),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
