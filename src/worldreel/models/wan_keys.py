"""Wan's published weights, in the layout of ``diffusers``, onto our parameter names."""

from collections.abc import Mapping

from torch import Tensor

from worldreel.core.errors import WorldreelError
from worldreel.models.transformer import TransformerConfig

OUTER = {
    "patch_embedding": "patch_in",
    "condition_embedder.time_embedder.linear_1": "time_in.up",
    "condition_embedder.time_embedder.linear_2": "time_in.down",
    "condition_embedder.time_proj": "time_projection",
    "condition_embedder.text_embedder.linear_1": "text_in.up",
    "condition_embedder.text_embedder.linear_2": "text_in.down",
    "condition_embedder.image_embedder.norm1": "image_in.norm_in",
    "condition_embedder.image_embedder.ff.net.0.proj": "image_in.mlp.up",
    "condition_embedder.image_embedder.ff.net.2": "image_in.mlp.down",
    "condition_embedder.image_embedder.norm2": "image_in.norm_out",
    "proj_out": "head",
}
ATTENTION = {
    "to_q": "query",
    "to_k": "key",
    "to_v": "value",
    "to_out.0": "out",
    "norm_q": "query_norm",
    "norm_k": "key_norm",
    "add_k_proj": "image_key",
    "add_v_proj": "image_value",
    "norm_added_k": "image_key_norm",
}
INNER = {
    **{f"attn1.{theirs}": f"self_attention.{ours}" for theirs, ours in ATTENTION.items()},
    **{f"attn2.{theirs}": f"cross_attention.{ours}" for theirs, ours in ATTENTION.items()},
    "norm2": "cross_norm",
    "ffn.net.0.proj": "mlp.up",
    "ffn.net.2": "mlp.down",
}
ROTATED = ("query", "key", "query_norm", "key_norm")  # of self-attention


def our_name(key: str) -> str:
    """The name of one of their parameters here.

    >>> our_name("blocks.3.attn1.to_out.0.bias")
    'blocks.3.self_attention.out.bias'

    Raises:
        WorldreelError: no such parameter in this architecture.
    """
    if key == "scale_shift_table":
        return key
    if key == "condition_embedder.image_embedder.pos_embed":
        return "image_in.positions"
    module, _, leaf = key.rpartition(".")
    if module.startswith("blocks."):
        _, index, inner = (*module.split(".", 2), "")[:3]
        if not inner and leaf == "scale_shift_table":
            return key
        if inner in INNER:
            return f"blocks.{index}.{INNER[inner]}.{leaf}"
    elif module in OUTER:
        return f"{OUTER[module]}.{leaf}"
    raise WorldreelError(
        f'The weights hold "{key}", which is no part of a Wan transformer.',
        remedy="Check that the file is a Wan 2.1 or 2.2 transformer in diffusers' layout.",
    )


def from_diffusers(weights: Mapping[str, Tensor], config: TransformerConfig) -> dict[str, Tensor]:
    """State dict for ``Transformer`` from that of ``diffusers.WanTransformer3DModel``.

    The convolution that embeds patches becomes a matrix, tables lose their leading 1, and the
    neighbouring channel pairs that rotary positions turn become the two halves of a head.

    Raises:
        WorldreelError: a key that the architecture does not have.
    """
    ours: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        name = our_name(key)
        if name == "patch_in.weight":
            tensor = tensor.flatten(1)
        elif name.endswith("scale_shift_table") or name == "image_in.positions":
            tensor = tensor.squeeze(0)
        elif ".self_attention." in name and name.split(".")[-2] in ROTATED:
            pairs = tensor.unflatten(0, (config.num_heads, config.head_dim // 2, 2))
            tensor = pairs.transpose(1, 2).flatten(0, 2)
        ours[name] = tensor
    return ours
