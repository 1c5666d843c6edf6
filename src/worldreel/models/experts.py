"""Two transformers in the place of one: each serves one part of the noise levels (Wan 2.2)."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from worldreel.models.transformer import Read, Transformer, TransformerConfig

ROUNDING = 1e-6
"""By so much a level may be below the boundary for being kept in float32."""


@dataclass(frozen=True, eq=False)
class BothRead:
    """A text as each of two transformers hears it."""

    high: Read
    low: Read


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

    def read(self, text: Tensor) -> BothRead:
        """Reads a prompt's states for all steps of both."""
        return BothRead(self.high.read(text), self.low.read(text))

    def forward(
        self, x: Tensor, level: Tensor, text: Tensor | BothRead, *more: Any, **named: Any
    ) -> Tensor:
        """As the transformer that serves; the highest of the levels decides."""
        is_high = float(level.max()) >= self.boundary - ROUNDING
        if isinstance(text, BothRead):
            text_read = text.high if is_high else text.low
            return (self.high if is_high else self.low)(x, level, text_read, *more, **named)
        return (self.high if is_high else self.low)(x, level, text, *more, **named)


def networks_of(transformer: Transformer | Experts) -> tuple[Transformer, ...]:
    """The transformer, or both where there are two."""
    if isinstance(transformer, Experts):
        return transformer.high, transformer.low
    return (transformer,)
