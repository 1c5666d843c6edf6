"""Wan's published weights, in the layout of ``diffusers``, onto our parameter names."""

from collections.abc import Iterable, Iterator, Mapping

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
    "vace_patch_embedding": "control.patch_in",
    "vace_blocks.0.proj_in": "control.project_in",
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
BESIDE = "vace_blocks."
"""The blocks beside those of the transformer, in VACE."""
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
    if module in OUTER:
        return f"{OUTER[module]}.{leaf}"
    if module.startswith(("blocks.", BESIDE)):
        _, index, inner = (*module.split(".", 2), "")[:3]
        blocks = "control.blocks" if module.startswith(BESIDE) else "blocks"
        if not inner and leaf == "scale_shift_table":
            return f"{blocks}.{index}.{leaf}"
        if inner == "proj_out" and module.startswith(BESIDE):
            return f"control.outs.{index}.{leaf}"
        if inner in INNER:
            return f"{blocks}.{index}.{INNER[inner]}.{leaf}"
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
        if name.endswith("patch_in.weight"):
            tensor = tensor.flatten(1)
        elif name.endswith("scale_shift_table") or name == "image_in.positions":
            tensor = tensor.squeeze(0)
        elif (
            ".self_attention." in name
            and name.split(".")[-2] in ROTATED
            and tensor.shape[:1] == (config.dim,)  # another shape is refused by who asked
        ):
            pairs = tensor.unflatten(0, (config.num_heads, config.head_dim // 2, 2))
            tensor = pairs.transpose(1, 2).flatten(0, 2)
        ours[name] = tensor
    return ours


ORIGINAL_OUTER = {
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
    "patch_embedding": "patch_embedding",
    "head.head": "proj_out",
}
ORIGINAL_ATTENTION = {
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "o": "to_out.0",
    "norm_q": "norm_q",
    "norm_k": "norm_k",
    "k_img": "add_k_proj",
    "v_img": "add_v_proj",
    "norm_k_img": "norm_added_k",
}
ORIGINAL_INNER = {
    **{
        f"self_attn.{theirs}": f"attn1.{name}"
        for theirs, name in ORIGINAL_ATTENTION.items()
        if "img" not in theirs
    },
    **{f"cross_attn.{theirs}": f"attn2.{name}" for theirs, name in ORIGINAL_ATTENTION.items()},
    # their third norm is the one before cross-attention, which diffusers calls the second
    "norm3": "norm2",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
ORIGINAL_WHOLE = {
    "head.modulation": "scale_shift_table",
    "img_emb.emb_pos": "condition_embedder.image_embedder.pos_embed",
}
PREFIXES = ("model.diffusion_model.", "diffusion_model.")
"""What tools put before the names of Wan's own layout."""


def diffusers_module(module: str) -> str | None:
    """The name in diffusers' layout of a module in that of Wan's own repositories; None if none.

    >>> diffusers_module("blocks.3.cross_attn.norm_k_img")
    'blocks.3.attn2.norm_added_k'
    """
    if module.startswith("blocks."):
        _, index, inner = (*module.split(".", 2), "")[:3]
        return f"blocks.{index}.{ORIGINAL_INNER[inner]}" if inner in ORIGINAL_INNER else None
    return ORIGINAL_OUTER.get(module)


def diffusers_name(key: str) -> str:
    """A parameter's name in diffusers' layout, given either that or Wan's own.

    Raises:
        WorldreelError: neither of them has it.
    """
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    if key in ORIGINAL_WHOLE:
        return ORIGINAL_WHOLE[key]
    module, _, leaf = key.rpartition(".")
    if leaf == "modulation" and module.startswith("blocks."):
        return f"{module}.scale_shift_table"
    theirs = diffusers_module(module)
    if theirs is not None:
        return f"{theirs}.{leaf}"
    our_name(key)  # raises where it is not theirs either
    return key


def to_diffusers_layout(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Weights in either layout, under the names of diffusers'."""
    for key, tensor in tensors:
        yield diffusers_name(key), tensor
