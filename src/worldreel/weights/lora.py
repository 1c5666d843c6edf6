"""Low-rank changes of a transformer's weights (LoRA, arXiv 2106.09685), merged or for one request.

Files are read in the layouts of ``diffusers``, of Wan's own names (``diffusion_model.``), and of
the trainers that write those with underscores (``lora_unet_``).
"""

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.experts import Experts
from worldreel.models.packed import PackedLinear
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.models.vace import build
from worldreel.models.wan_keys import (
    ORIGINAL_INNER,
    ORIGINAL_OUTER,
    diffusers_module,
    diffusers_name,
    from_diffusers,
)
from worldreel.weights.lora_use import LoraUse
from worldreel.weights.shards import read_tensors

PREFIXES = ("base_model.model.", "transformer.", "model.diffusion_model.", "diffusion_model.")
LOW_PREFIX = "transformer_2."
FLAT_PREFIX = "lora_unet_"
LEAVES = {
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
    ".lora_B.bias": "diff_b",
    ".diff_b": "diff_b",
    ".diff": "diff",
}
ANOTHER = "Take one that was trained for this model; its page names the model."


@dataclass(kw_only=True)
class Change:
    """What is added to one matrix: ``scale * up @ down``."""

    down: Tensor
    up: Tensor
    scale: float


@dataclass(kw_only=True)
class Lora:
    """Everything that one file changes, by our names; ``low`` is of a second transformer.

    Args:
        changes: by the name of a linear module.
        differences: what is added to whole parameters, by their names.
    """

    source: Path
    changes: dict[str, Change] = field(default_factory=dict)
    differences: dict[str, Tensor] = field(default_factory=dict)
    low: "Lora | None" = None


def read_lora(path: Path, config: TransformerConfig) -> Lora:
    """Reads a file for transformers of one shape.

    Raises:
        WorldreelError: not safetensors, a weight that the architecture has no place for, or one
            of another shape: the LoRA is for another model.
    """
    modified = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path, modified, config)


@lru_cache(maxsize=8)
def _read(path: Path, modified: int, config: TransformerConfig) -> Lora:
    parts: dict[tuple[bool, str], dict[str, Tensor]] = {}
    flat = {name.replace(".", "_"): name for name in _modules(config)}
    for key, tensor in read_tensors([path]):
        is_low, module, leaf = _split(key, flat, path)
        parts.setdefault((is_low, module), {})[leaf] = tensor
    alphas = _alphas(path)
    lora, low = Lora(source=path), Lora(source=path)
    for (is_low, module), found in parts.items():
        _add(low if is_low else lora, module, found, alphas, config)
    if low.changes or low.differences:
        lora.low = low
    if not (lora.changes or lora.differences or lora.low):
        raise WorldreelError(f"{path} changes nothing.", remedy=ANOTHER)
    return lora


def merge(transformer: Transformer | Experts, uses: Sequence[LoraUse]) -> None:
    """Adds the changes of several files to a transformer's own weights, for good.

    Raises:
        WorldreelError: as for `read_lora`.
    """
    for network, lora, weight in _targets(transformer, uses):
        with torch.no_grad():
            for name, change in lora.changes.items():
                module = network.get_submodule(name)
                if isinstance(module, PackedLinear) or getattr(module, "weight", None) is None:
                    raise WorldreelError(
                        "The transformer's weights are packed, rounded or offloaded: nothing can "
                        "be merged into them.",
                        remedy="Merge before `make_ready` and without offload, or use `applied`.",
                    )
                matrix = module.get_parameter("weight")
                delta = change.up.float() @ change.down.float() * (weight * change.scale)
                matrix.copy_(matrix.float() + delta.to(matrix.device))
            for name, difference in lora.differences.items():
                parameter = network.get_parameter(name)
                parameter.copy_(parameter.float() + weight * difference.to(parameter.device))


@contextlib.contextmanager
def applied(transformer: Transformer | Experts, uses: Sequence[LoraUse]) -> Iterator[None]:
    """Uses several files inside the block; afterwards the weights are as they were, bit for bit.

    Matrices stay as they are and their low-rank changes are computed beside them, which takes
    little memory; whole parameters that a file changes are kept and put back.

    Raises:
        WorldreelError: as for `read_lora`.
    """
    with contextlib.ExitStack() as undo:
        for network, lora, weight in list(_targets(transformer, uses)):
            for name, change in lora.changes.items():
                module = network.get_submodule(name)
                bias = module.get_parameter("bias")  # weights may be packed
                up = change.up.float() * (weight * change.scale)
                down, up = change.down.to(bias.device, bias.dtype), up.to(bias.device, bias.dtype)
                hook = module.register_forward_hook(partial(_beside, down=down, up=up))
                undo.callback(hook.remove)
            for name, difference in lora.differences.items():
                parameter = network.get_parameter(name)
                undo.callback(_overwrite, parameter, parameter.detach().clone())
                added = weight * difference.to(parameter.device)
                _overwrite(parameter, parameter.detach().float() + added)
        yield


def _overwrite(parameter: nn.Parameter, value: Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(value)


def _beside(
    module: nn.Module, arguments: tuple[Any, ...], output: Tensor, *, down: Tensor, up: Tensor
) -> Tensor:
    (x,) = arguments
    return output + F.linear(F.linear(x.to(down.dtype), down), up).to(output.dtype)


def _targets(
    transformer: Transformer | Experts, uses: Sequence[LoraUse]
) -> Iterator[tuple[Transformer, Lora, float]]:
    """Each transformer with what is added to it."""
    for use in uses:
        lora = read_lora(Path(use.path), transformer.config)
        if isinstance(transformer, Experts):
            if use.expert in ("both", "high"):
                yield transformer.high, lora, use.weight
            if use.expert in ("both", "low"):
                yield transformer.low, lora.low or lora, use.weight
        elif use.expert != "both":
            raise UsageError(
                f"The LoRA {use.path} is meant for the {use.expert} one of two transformers; this "
                "model has one.",
                remedy=f"Leave @{use.expert} out.",
            )
        else:
            yield transformer, lora, use.weight


def _modules(config: TransformerConfig) -> Iterator[str]:
    """The modules of Wan's own repositories, by their names there."""
    yield from ORIGINAL_OUTER
    for index in range(config.num_layers):
        yield from (f"blocks.{index}.{inner}" for inner in ORIGINAL_INNER)


def _split(key: str, flat: dict[str, str], path: Path) -> tuple[bool, str, str]:
    """Whether a key is of the second transformer, its module in diffusers' names, and its part."""
    leaf = next((ending for ending in LEAVES if key.endswith(ending)), None)
    if leaf is not None:
        name, is_low = key[: -len(leaf)], False
        if name.startswith(FLAT_PREFIX):
            name = flat.get(name.removeprefix(FLAT_PREFIX), name)
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        if name.startswith(LOW_PREFIX):
            name, is_low = name.removeprefix(LOW_PREFIX), True
        name = name.removesuffix(".default")
        with contextlib.suppress(WorldreelError):
            return is_low, _module(name), LEAVES[leaf]
    raise WorldreelError(
        f'{path} holds "{key}", which is no change to a Wan transformer.',
        remedy=ANOTHER,
    )


def _module(name: str) -> str:
    """A module's name in diffusers' layout, or a parameter's that stands alone."""
    for candidate in (f"{name}.weight", name):
        with contextlib.suppress(WorldreelError):
            return diffusers_name(candidate).removesuffix(".weight")
    return diffusers_module(name) or diffusers_name(name)


def _alphas(path: Path) -> dict[str, Any]:
    """What the file's header says of alphas, where diffusers wrote it."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        written = (file.metadata() or {}).get("lora_adapter_metadata")
    try:
        values = json.loads(written) if written else {}
    except ValueError:
        return {}
    return {key.removeprefix("transformer."): value for key, value in values.items()}


def _add(
    lora: Lora,
    module: str,
    found: dict[str, Tensor],
    alphas: dict[str, Any],
    config: TransformerConfig,
) -> None:
    """Adds what a file says of one module, under our name and in our order of rows."""
    if ("down" in found) != ("up" in found):
        missing = "up" if "down" in found else "down"
        raise WorldreelError(
            f"{lora.source} has no {missing} matrix for {module}.", remedy="Get the file again."
        )
    if "down" in found:
        down, up = found["down"].flatten(1), found["up"].flatten(1)
        ((name, up),) = from_diffusers({f"{module}.weight": up}, config).items()
        name = name.removesuffix(".weight")
        wanted = _shape(name, config)
        if down.ndim != 2 or up.shape[1] != down.shape[0] or (len(up), down.shape[1]) != wanted:
            raise WorldreelError(
                f"{lora.source} changes {module} by {tuple(up.shape)} times {tuple(down.shape)}; "
                f"this model's matrix is {wanted}.",
                remedy=ANOTHER,
            )
        lora.changes[name] = Change(
            down=down, up=up, scale=_scale(module, len(down), found.get("alpha"), alphas)
        )
    for leaf, parameter in (("diff", f"{module}.weight"), ("diff_b", f"{module}.bias")):
        if leaf in found:
            parameter = module if module.endswith(("_table", "pos_embed")) else parameter
            ((name, value),) = from_diffusers({parameter: found[leaf]}, config).items()
            wanted = tuple(_skeleton(config).get_parameter(name).shape)
            if tuple(value.shape) != wanted:
                raise WorldreelError(
                    f"{lora.source} changes {parameter}, shape {tuple(value.shape)}; this model's "
                    f"is {wanted}.",
                    remedy=ANOTHER,
                )
            lora.differences[name] = value.float()


def _scale(module: str, rank: int, alpha: Tensor | None, written: dict[str, Any]) -> float:
    """Alpha over the rank; 1 where a file says nothing of it."""
    if alpha is not None:
        return float(alpha) / rank
    if "lora_alpha" not in written:
        return 1.0
    value = float((written.get("alpha_pattern") or {}).get(module, written["lora_alpha"]))
    return value / (math.sqrt(rank) if written.get("use_rslora") else rank)


def _shape(name: str, config: TransformerConfig) -> tuple[int, ...]:
    try:
        module = _skeleton(config).get_submodule(name)
    except AttributeError:
        raise WorldreelError(
            f"A LoRA changes {name}, which this model does not have.", remedy=ANOTHER
        ) from None
    return tuple(module.get_parameter("weight").shape)


@lru_cache(maxsize=2)
def _skeleton(config: TransformerConfig) -> Transformer:
    """A transformer without storage, for its names and shapes."""
    with torch.device("meta"):
        return build(config)
