"""Two transformers in the place of one: each serves one part of the noise levels (Wan 2.2)."""

from typing import Any

from torch import Tensor, nn

from worldreel.models.transformer import Transformer, TransformerConfig

ROUNDING = 1e-6
"""By so much a level may be below the boundary for being kept in float32."""


class Experts(nn.Module):
    """Hands each call to the transformer that was trained at its noise level.

    Args:
        high: serves from ``boundary`` up.
        low: serves below it.
        boundary: a level in [0, 1].
    """

    def __init__(self, high: Transformer, low: Transformer, boundary: float) -> None:
        super().__init__()
        self.high, self.low, self.boundary = high, low, boundary

    @property
    def config(self) -> TransformerConfig:
        """The shape that both of them have."""
        return self.high.config

    def forward(self, x: Tensor, level: Tensor, *more: Any, **named: Any) -> Tensor:
        """As the transformer that serves; the highest of the levels decides."""
        expert = self.high if float(level.max()) >= self.boundary - ROUNDING else self.low
        return expert(x, level, *more, **named)
