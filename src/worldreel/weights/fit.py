"""Whether a model's weights fit into memory, asked before any of them is read."""

from collections.abc import Callable
from pathlib import Path

import torch

from worldreel.core.errors import WorldreelError
from worldreel.core.parse import parse
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
from worldreel.models.transformer import Transformer
from worldreel.models.vace import build, config_class
from worldreel.weights.description import ModelDescription
from worldreel.weights.offload import streamed_names
from worldreel.weights.open_models import OPEN_MODELS, TEXT_WEIGHTS

PLACE_BYTES = 1_000_000_000
"""Left for the tensors of a step; what a larger video needs, `worldreel estimate` says."""


def check_memory(
    description: ModelDescription,
    dtype: torch.dtype,
    device: torch.device,
    free: Callable[[torch.device], int] | None = None,
    *,
    offload: bool = False,
    copies: int = 1,
) -> None:
    """Raises WorldreelError where a device cannot hold what makes the steps, with what it can.

    Args:
        offload: whether blocks are brought one by one.
        copies: how many processes have the weights in the memory of this device.
        free: the bytes that are free on a device; asked of the system by default.
    """
    there = (free or free_bytes)(device)
    text = 0
    if device.type == "cpu" and description.transformer["text_dim"] == 4096:
        text = dtype.itemsize * TEXT_WEIGHTS

    def needed(offload: bool) -> int:
        weights = copies * weights_bytes(description, dtype, offload=offload)
        return weights + (max(text, PLACE_BYTES) if offload else text + PLACE_BYTES)

    need = needed(offload)
    if need <= there:
        return
    fitting = [
        model.name
        for model in OPEN_MODELS.values()
        if there
        >= PLACE_BYTES + (model.memory_bytes if device.type == "cpu" else model.device_bytes)
    ]
    models = f"Models that fit: {', '.join(fitting)}." if fitting else "No open model fits there."
    hint = ""
    if copies > 1:
        hint = "Each of several devices holds the whole model: ask for fewer. "
    elif not offload and (less := needed(True)) <= there:
        hint = f"With --offload it needs {less / 1e9:.1f} GB. "
    raise WorldreelError(
        f"{description.name}{f' in {copies} processes' if copies > 1 else ''} needs "
        f"{need / 1e9:.1f} GB on the device {str(device)!r}; "
        f"{there / 1e9:.1f} GB are free.",
        remedy=f"{hint}{models} Close other programs, or use a larger machine.",
    )


def weights_bytes(
    description: ModelDescription, dtype: torch.dtype, *, offload: bool = False
) -> int:
    """Bytes of the transformers and the autoencoder of an open model in memory.

    With ``offload``, two blocks of one transformer stand for all of them.
    """
    channels = description.autoencoder["latent_channels"]
    values = {"latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    transformer = _outline(description)
    with torch.device("meta"):
        config = parse(CausalAutoencoderConfig, {**values, **description.autoencoder})
        autoencoder = CausalAutoencoder(config)
    experts = 1 if description.sampling.boundary is None else 2
    numbers = experts * sum(weight.numel() for weight in transformer.parameters())
    if offload:
        blocks = len(transformer.hearing())
        numbers -= round(_brought(transformer) * (experts - 2 / blocks))
        # what is left is little enough for this to show: the path of the level is in float32
        wide = sum(
            weight.numel()
            for name, weight in transformer.named_parameters()
            if name.startswith(("time_in", "time_projection"))
        )
        numbers += experts * wide * (4 - dtype.itemsize) // dtype.itemsize
    return dtype.itemsize * (numbers + sum(weight.numel() for weight in autoencoder.parameters()))


def brought_weights(description: ModelDescription) -> int:
    """Numbers in the matrices of all blocks of one transformer: what an evaluation brings."""
    return _brought(_outline(description))


def _brought(transformer: Transformer) -> int:
    return sum(transformer.get_parameter(name).numel() for name in streamed_names(transformer))


def has_room(description: ModelDescription, dtype: torch.dtype) -> bool:
    """Whether the machine's own memory can keep the blocks of all transformers, and the text's."""
    experts = 1 if description.sampling.boundary is None else 2
    need = dtype.itemsize * (experts * brought_weights(description) + TEXT_WEIGHTS)
    return need + PLACE_BYTES <= free_bytes(torch.device("cpu"))


def _outline(description: ModelDescription) -> Transformer:
    """A model's transformer without storage."""
    values = description.transformer
    with torch.device("meta"):
        return build(parse(config_class(values), values))


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
