"""The published widths of Wan's transformers, for benchmarks that build them with fewer layers."""

from typing import Any

SHAPES = {  # heads, MLP, channels
    "1.3b": (12, 8960, 16),
    "5b": (24, 14336, 48),
    "14b": (40, 13824, 16),
}


def config_of(shape: str, num_layers: int) -> Any:
    """The configuration of a transformer; PyTorch is loaded only now, as memory is measured."""
    from worldreel.models.transformer_config import TransformerConfig

    heads, ffn, channels = SHAPES[shape]
    return TransformerConfig(
        num_heads=heads,
        head_dim=128,
        in_channels=channels,
        out_channels=channels,
        text_dim=4096,
        ffn_dim=ffn,
        num_layers=num_layers,
    )
