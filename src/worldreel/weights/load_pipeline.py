"""From a folder in the layout of ``diffusers`` to networks that are ready to run."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from worldreel.core.errors import WorldreelError
from worldreel.core.parse import parse
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
from worldreel.models.clip import ImageEncoder, load_clip
from worldreel.models.experts import Experts
from worldreel.models.packed import can_pack, pack
from worldreel.models.text import TextEncoder
from worldreel.models.transformer import Transformer, TransformerConfig
from worldreel.models.umt5 import load_umt5
from worldreel.models.vace import VaceTransformer, build, config_class
from worldreel.models.wan_autoencoder_keys import from_diffusers as autoencoder_from_diffusers
from worldreel.models.wan_keys import from_diffusers, to_diffusers_layout
from worldreel.weights.description import ModelDescription
from worldreel.weights.offload import Offload, is_brought
from worldreel.weights.shards import GET_AGAIN, read_tensors, shard_files

FLOAT32_MODULES = ("time_in", "time_projection")
"""Modules whose matrices stay in float32: modulation is computed so (as Wan does)."""

Network = TypeVar("Network", bound=nn.Module)
Tensors = Iterable[tuple[str, Tensor]]
KeyMap = Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]]


def load_pipeline_transformer(
    folder: Path,
    description: ModelDescription,
    dtype: torch.dtype,
    offload: Offload | None = None,
) -> Transformer | Experts:
    """The transformer of a pipeline's folder, or both of them behind one interface.

    Args:
        offload: what brings the matrices of blocks; without it all of them are read.

    Raises:
        WorldreelError: a file is missing or not safetensors, or its weights do not fit the
            configuration beside it.
    """
    values = description.transformer
    config = _parse(config_class(values), values, folder / "transformer")
    high = load_transformer(shard_files(folder / "transformer"), config, dtype, offload)
    boundary = description.sampling.boundary
    if boundary is None:
        return high
    low = load_transformer(shard_files(folder / "transformer_2"), config, dtype, offload)
    return Experts(high, low, boundary)


def load_transformer(
    files: list[Path],
    config: TransformerConfig,
    dtype: torch.dtype,
    offload: Offload | None = None,
) -> Transformer:
    """A transformer from safetensors in diffusers' layout or that of Wan's own repositories."""
    with torch.device("meta"):
        transformer = build(config)
    is_outline = None if offload is None else is_brought(transformer)
    tensors = to_diffusers_layout(read_tensors(files, is_outline))
    keep = partial(_in_float32, transformer)
    fill(transformer, tensors, partial(from_diffusers, config=config), files[0], dtype, keep)
    if offload is not None:
        offload.take_over(transformer, files)
    return transformer


def make_ready(transformer: Transformer | Experts) -> None:
    """Packs the matrices of all blocks where the machine is faster with that: bf16 on its CPU.

    Before it LoRAs can be merged; afterwards they can still be applied.
    """
    if can_pack() and next(transformer.parameters()).device.type == "cpu":
        networks = (
            (transformer.high, transformer.low)
            if isinstance(transformer, Experts)
            else (transformer,)
        )
        for network in networks:
            pack(network.blocks)
            if isinstance(network, VaceTransformer):
                pack(network.control.blocks)


def load_pipeline_autoencoder(
    folder: Path, description: ModelDescription, dtype: torch.dtype
) -> CausalAutoencoder:
    """The autoencoder of a pipeline's folder; errors as for the transformer."""
    config = _parse(CausalAutoencoderConfig, description.autoencoder, folder / "vae")
    with torch.device("meta"):
        autoencoder = CausalAutoencoder(config)
    files = shard_files(folder / "vae")
    keys = partial(autoencoder_from_diffusers, config=config)
    fill(autoencoder, read_tensors(files), keys, files[0], dtype, lambda name: False)
    autoencoder.reset_statistics()
    autoencoder.lay_out_channels_last()
    return autoencoder


def load_pipeline_text(
    folder: Path, description: ModelDescription, dtype: torch.dtype, *, keeps: bool = True
) -> TextEncoder:
    """The text encoder of a pipeline's folder; its weights are read when they are needed.

    Args:
        keeps: whether they stay in memory then.
    """
    files = shard_files(folder / "text_encoder")
    return load_umt5(
        folder / "text_encoder" / "config.json",
        folder / "tokenizer" / "tokenizer.json",
        lambda: read_tensors(files),
        num_tokens=description.text.num_tokens,
        dtype=dtype,
        keeps=keeps,
    )


def load_pipeline_image(
    folder: Path, description: ModelDescription, dtype: torch.dtype
) -> ImageEncoder | None:
    """The image encoder of a pipeline's folder; None where its transformer takes no states."""
    if description.transformer.get("image_dim") is None:
        return None
    files = shard_files(folder / "image_encoder")
    return load_clip(
        folder / "image_encoder" / "config.json",
        folder / "image_processor" / "preprocessor_config.json",
        lambda: read_tensors(files),
        dtype,
    )


def fill(
    network: Network,
    tensors: Tensors,
    our_names: KeyMap,
    source: Path,
    dtype: torch.dtype,
    in_float32: Callable[[str], bool],
) -> Network:
    """Gives a network on the meta device its weights, one by one; memory holds them once.

    Args:
        our_names: the state dict of one of their tensors.
        in_float32: whether a parameter of this name stays in float32.

    Raises:
        WorldreelError: a weight is missing, unknown or of another shape.
    """
    missing = dict(network.state_dict())
    for key, tensor in tensors:
        for name, value in our_names({key: tensor}).items():
            if name not in missing:
                raise WorldreelError(
                    f"{source.parent} holds {key}, which the config.json beside it has no place "
                    "for, or holds it twice.",
                    remedy=GET_AGAIN,
                )
            wanted = missing.pop(name)
            if value.shape != wanted.shape:
                raise WorldreelError(
                    f"{source.parent} does not fit the config.json beside it: {key} has shape "
                    f"{tuple(value.shape)}, expected {tuple(wanted.shape)}.",
                    remedy=GET_AGAIN,
                )
            value = value.to(torch.float32 if in_float32(name) else dtype).contiguous()
            module, _, leaf = name.rpartition(".")
            parameter = nn.Parameter(value, requires_grad=False)
            setattr(network.get_submodule(module), leaf, parameter)
    if missing:
        raise WorldreelError(
            f"{source.parent} lacks {len(missing)} weights of its network, the first of them "
            f"(by our names) {sorted(missing)[0]}.",
            remedy=GET_AGAIN,
        )
    return network.eval()


def _in_float32(transformer: Transformer, name: str) -> bool:
    """Norms, tables and the path of the noise level."""
    module = transformer.get_submodule(name.rpartition(".")[0])
    return not isinstance(module, nn.Linear) or name.startswith(FLOAT32_MODULES)


def _parse(kind: type, values: dict, folder: Path):
    try:
        return parse(kind, values)
    except WorldreelError as error:
        raise WorldreelError(
            f"{folder / 'config.json'} describes a network that is not known here: {error.message}",
            remedy=error.remedy or "A newer version of worldreel may be needed.",
        ) from error
