"""Whether a model's weights fit into memory, asked before any of them is read."""

from collections.abc import Callable
from pathlib import Path

import torch

from worldreel.core.errors import WorldreelError
from worldreel.core.parse import parse
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
from worldreel.models.vace import build, config_class
from worldreel.weights.description import ModelDescription
from worldreel.weights.open_models import OPEN_MODELS, TEXT_WEIGHTS

PLACE_BYTES = 1_000_000_000
"""Left for the tensors of a step; what a larger video needs, `worldreel estimate` says."""


def check_memory(
    description: ModelDescription,
    dtype: torch.dtype,
    device: torch.device,
    free: Callable[[torch.device], int] | None = None,
) -> None:
    """Raises WorldreelError where a device cannot hold what makes the steps, with what it can.

    Args:
        free: the bytes that are free on a device; asked of the system by default.
    """
    there = (free or free_bytes)(device)
    need = weights_bytes(description, dtype) + PLACE_BYTES
    if device.type == "cpu":
        need += dtype.itemsize * TEXT_WEIGHTS * (description.transformer["text_dim"] == 4096)
    if need <= there:
        return
    fitting = [
        model.name
        for model in OPEN_MODELS.values()
        if there
        >= PLACE_BYTES + (model.memory_bytes if device.type == "cpu" else model.device_bytes)
    ]
    models = f"Models that fit: {', '.join(fitting)}." if fitting else "No open model fits there."
    raise WorldreelError(
        f"{description.name} needs {need / 1e9:.1f} GB on the device {str(device)!r}; "
        f"{there / 1e9:.1f} GB are free.",
        remedy=f"{models} Close other programs, or use a larger machine.",
    )


def weights_bytes(description: ModelDescription, dtype: torch.dtype) -> int:
    """Bytes of the transformers and the autoencoder of an open model in memory."""
    channels = description.autoencoder["latent_channels"]
    values = {"latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    with torch.device("meta"):
        shape = description.transformer
        transformer = build(parse(config_class(shape), shape))
        config = parse(CausalAutoencoderConfig, {**values, **description.autoencoder})
        autoencoder = CausalAutoencoder(config)
    experts = 1 if description.sampling.boundary is None else 2
    numbers = experts * sum(weight.numel() for weight in transformer.parameters())
    return dtype.itemsize * (numbers + sum(weight.numel() for weight in autoencoder.parameters()))


def free_bytes(device: torch.device) -> int:
    """Bytes that are free on a device; of the machine's memory, within a container's limit."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = 1 << 62
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    limit, used = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and limit[0].isdigit() and used:
        free = min(free, int(limit[0]) - int(used[0]))
    return free


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return []
