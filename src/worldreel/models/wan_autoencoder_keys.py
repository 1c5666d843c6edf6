"""Weights of Wan's autoencoders, in the layout of ``diffusers``, onto our parameter names."""

import re
from collections.abc import Mapping

from torch import Tensor

from worldreel.core.errors import WorldreelError
from worldreel.models.causal_autoencoder import CausalAutoencoderConfig

BLOCK = {
    "norm1.gamma": "norm_1.weight",
    "conv1.weight": "conv_1.weight",
    "conv1.bias": "conv_1.bias",
    "norm2.gamma": "norm_2.weight",
    "conv2.weight": "conv_2.weight",
    "conv2.bias": "conv_2.bias",
    "conv_shortcut.weight": "shortcut.weight",
    "conv_shortcut.bias": "shortcut.bias",
}
RESAMPLE = {
    "resample.1.weight": "conv.weight",
    "resample.1.bias": "conv.bias",
    "time_conv.weight": "time.weight",
    "time_conv.bias": "time.bias",
}
ATTENTION = {
    "norm.gamma": "norm.weight",
    "to_qkv.weight": "qkv.weight",
    "to_qkv.bias": "qkv.bias",
    "proj.weight": "out.weight",
    "proj.bias": "out.bias",
}
ENDS = {
    "conv_in.weight": "conv_in.weight",
    "conv_in.bias": "conv_in.bias",
    "conv_out.weight": "conv_out.weight",
    "conv_out.bias": "conv_out.bias",
    "norm_out.gamma": "norm_out.weight",
}
MATRICES = ("qkv", "out", "shortcut")
"""Convolutions over single positions."""
OUTER = {"quant_conv": "encoder_out", "post_quant_conv": "decoder_in"}

RULES: tuple[tuple[str, dict[str, str]], ...] = (
    (r"mid_block\.resnets\.(?P<middle>[01])\.", BLOCK),
    (r"mid_block\.attentions\.0\.", ATTENTION),
    (r"(?:down|up)_blocks\.(?P<stage>\d+)\.resnets\.(?P<block>\d+)\.", BLOCK),
    (r"(?:down|up)_blocks\.(?P<stage>\d+)\.(?:upsamplers\.0|upsampler|downsampler)\.", RESAMPLE),
    (r"down_blocks\.(?P<flat>\d+)\.", BLOCK | RESAMPLE),
    (r"", ENDS),
)
"""Beginnings of a key inside the encoder or decoder, and what may follow each."""


def our_name(key: str, config: CausalAutoencoderConfig) -> str:
    """The name of one of their parameters here.

    Raises:
        WorldreelError: no such parameter in this architecture.
    """
    half, _, rest = key.partition(".")
    if half in OUTER and rest in ("weight", "bias"):
        return f"{OUTER[half]}.{rest}"
    if half in ("encoder", "decoder"):
        for beginning, leaves in RULES:
            found = re.match(beginning, rest)
            if found and rest[found.end() :] in leaves:
                leaf = rest[found.end() :]
                return f"{half}.{_place(found, leaf, config)}{leaves[leaf]}"
    raise WorldreelError(
        f'The weights hold "{key}", which is no part of a Wan autoencoder.',
        remedy="Check that the file is the autoencoder of Wan 2.1 or 2.2 in diffusers' layout.",
    )


def _place(found: re.Match[str], leaf: str, config: CausalAutoencoderConfig) -> str:
    """Where in an encoder or decoder a rule's parameters are, up to the last dot."""
    groups = found.groupdict()
    if "middle" in groups:
        return f"middle.block_{int(groups['middle']) + 1}."
    if leaf in ATTENTION:
        return "middle.attention."
    if "flat" in groups:  # Wan 2.1's encoder numbers blocks and changes of size in one row
        stage, block = divmod(int(groups["flat"]), config.num_res_blocks + 1)
        inner = "resample" if leaf in RESAMPLE else f"blocks.{block}"
        return f"stages.{stage}.{inner}."
    if "block" in groups:
        return f"stages.{groups['stage']}.blocks.{groups['block']}."
    return f"stages.{groups['stage']}.resample." if "stage" in groups else ""


def from_diffusers(
    weights: Mapping[str, Tensor], config: CausalAutoencoderConfig
) -> dict[str, Tensor]:
    """State dict for ``CausalAutoencoder`` from that of ``diffusers.AutoencoderKLWan``.

    Convolutions over single positions become matrices, gains plain vectors, and of what the
    encoder says last only the half that is the mean is kept.

    Raises:
        WorldreelError: a key that the architecture does not have.
    """
    ours: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        name = our_name(key, config)
        if key.endswith(".gamma"):
            tensor = tensor.flatten()
        elif name.startswith(("encoder_out", "decoder_in")) or name.rsplit(".", 2)[-2] in MATRICES:
            tensor = tensor.flatten(1) if tensor.ndim > 1 else tensor
        if name.startswith("encoder_out"):
            tensor = tensor[: config.latent_channels]
        ours[name] = tensor
    return ours
