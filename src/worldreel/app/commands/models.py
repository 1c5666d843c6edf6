"""``worldreel models``: every model that can be run, and what of it fits this machine."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from worldreel.app import machine
from worldreel.app.options import Flag
from worldreel.weights.description import ModelDescription

GB = 1e9
LIBRARIES_BYTES = 1e9
DECODING_BYTES = 2e9
"""Beside the weights: this, or the widest tensors of a step where they are larger."""
PACKAGED_FACTOR = 4
"""Weights inside the package are stored in 16 bits and loaded in 32 first."""


Fits = Literal["gpu", "cpu", "no"]


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One model.

    Args:
        device_bytes: memory of the device that makes the steps.
        memory_bytes: memory of the machine, with the text encoder.
        offloaded_bytes: memory of the device with ``--offload``; None for what is not offloaded.
        is_here: whether its weights are on this machine.
        fits: where it can run: on a GPU, on the processor, or nowhere here.
        fits_offloaded: the same with ``--offload``.
    """

    name: str
    license: str
    summary: str
    takes: tuple[str, ...]
    download_bytes: float
    device_bytes: float
    memory_bytes: float
    is_here: bool
    fits: Fits
    offloaded_bytes: float | None = None
    fits_offloaded: Fits = "no"


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
        need = LIBRARIES_BYTES + PACKAGED_FACTOR * description.size_bytes
        found.append(
            Listed(
                **_told(description),
                download_bytes=0.0,
                device_bytes=need,
                memory_bytes=need,
                is_here=True,
                fits="gpu" if gpu_bytes >= need else "cpu" if memory_bytes >= need else "no",
            )
        )
    for model in OPEN_MODELS.values():
        working = LIBRARIES_BYTES + max(DECODING_BYTES, model.step_bytes)
        text = model.memory_bytes - model.device_bytes
        offloaded = model.offloaded_bytes + working
        # the text encoder is read on the processor, and offload lets it go before the first step
        offloaded_in_all = model.offloaded_bytes + max(text, working)

        def place(on_device: float, in_all: float, beside: float = text + LIBRARIES_BYTES) -> Fits:
            if gpu_bytes >= on_device and memory_bytes >= beside:
                return "gpu"
            return "cpu" if memory_bytes >= in_all else "no"

        found.append(
            Listed(
                **_told(model.description),
                download_bytes=model.download_bytes,
                device_bytes=model.device_bytes + working,
                memory_bytes=model.memory_bytes + working,
                is_here=find_pulled(model) is not None,
                fits=place(model.device_bytes + working, model.memory_bytes + working),
                offloaded_bytes=offloaded,
                fits_offloaded=place(offloaded, offloaded_in_all),
            )
        )
    return found


def _told(description: ModelDescription) -> dict[str, Any]:
    names = ("name", "license", "summary", "takes")
    return {name: getattr(description, name) for name in names}


def _gpus() -> list[dict]:
    """The GPUs; torch is only asked where the system shows one."""
    return machine.accelerators() if Path("/dev/nvidia0").exists() else []


def _table(models: list[Listed]) -> list[str]:
    heads = ("name", "licence", "download", "on the device", "in all", "here", "fits")
    heads = (*heads, "with --offload", "takes")
    places: dict[Fits, str] = {"gpu": "on the GPU", "cpu": "on the CPU", "no": "no"}
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
                places[model.fits],
                _offloaded(model, places),
                ", ".join(model.takes).replace("_", " "),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]


def _offloaded(model: Listed, places: dict[Fits, str]) -> str:
    if model.offloaded_bytes is None:
        return "-"
    return f"{model.offloaded_bytes / GB:.0f} GB, {places[model.fits_offloaded]}"
