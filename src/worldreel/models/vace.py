"""A transformer that is shown a video to keep, change or follow (VACE, arXiv 2503.07598).

Beside the blocks of the transformer run fewer others, which see what is given and say to every
few of them what to add.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from worldreel.core.errors import UsageError
from worldreel.models.attention import Heard
from worldreel.models.transformer import Block, Transformer
from worldreel.models.transformer_config import TransformerConfig


@dataclass(frozen=True, kw_only=True)
class VaceConfig(TransformerConfig):
    """The shape of a transformer and of what stands beside it.

    ``vace_layers`` are the blocks that are told what to add, the first one among them;
    ``vace_in_channels`` are the channels of what is given.

    Raises:
        UsageError: a value outside its range.
    """

    vace_layers: tuple[int, ...]
    vace_in_channels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = tuple(self.vace_layers)
        object.__setattr__(self, "vace_layers", layers)
        is_rising = list(layers) == sorted(set(layers))
        if not (layers and is_rising and layers[0] == 0 and layers[-1] < self.num_layers):
            raise UsageError(
                f"vace_layers is {list(layers)}; it must rise from 0 to below num_layers = "
                f"{self.num_layers}.",
                remedy="Name the blocks that are told what to add, the first one among them.",
            )
        if self.vace_in_channels < 1:
            raise UsageError(
                f"vace_in_channels is {self.vace_in_channels}; it must be at least 1.",
                remedy="Wan2.1-VACE has 96: two times 16 of latents and 64 of the mask.",
            )
        if self.image_dim is not None:
            raise UsageError(
                "vace_layers and image_dim are both set; this family takes no image states.",
                remedy="Set one of them.",
            )

    @property
    def all_channels(self) -> int:
        """Of the input: the noisy latents, then what is given."""
        return self.in_channels + self.vace_in_channels


class Control(nn.Module):
    """The blocks beside: from what is given to what is added after some of the main blocks."""

    def __init__(self, config: VaceConfig) -> None:
        super().__init__()
        patch = math.prod(config.patch_size)
        self.patch_in = nn.Linear(config.vace_in_channels * patch, config.dim)
        self.project_in = nn.Linear(config.dim, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in config.vace_layers)
        self.outs = nn.ModuleList(nn.Linear(config.dim, config.dim) for _ in config.vace_layers)

    def forward(
        self, patches: Tensor, x: Tensor, time: Tensor, heard: Sequence[Tensor | Heard], *more: Any
    ) -> list[Tensor]:
        """Hints ``b n d``, one for each block.

        Args:
            patches: of what is given, ``b n p``.
            x: the tokens ``b n d`` that the first main block sees; ``more`` as blocks take it.
        """
        control = self.project_in(self.patch_in(patches)) + x
        hints = []
        for block, out, hears in zip(self.blocks, self.outs, heard, strict=True):
            control = block(control, time, hears, *more)
            hints.append(out(control))
        return hints


class VaceTransformer(Transformer):
    """A transformer whose input has further channels: what is given, as its family says it.

    These are, for Wan, the latents of what is kept, those of what is to be changed, and a mask of
    pixels.
    """

    config: VaceConfig

    def __init__(self, config: VaceConfig) -> None:
        super().__init__(config)
        self.control = Control(config)

    def hearing(self) -> list[Block]:
        """All blocks that hear the text: first the main ones, then those beside."""
        beside = [block for block in self.control.blocks if isinstance(block, Block)]
        return [*super().hearing(), *beside]

    def run_blocks(
        self, patches: Tensor, time: Tensor, heard: Sequence[Tensor | Heard], *more: Any
    ) -> Tensor:
        """As for every transformer; ``patches`` have those of what is given behind them."""
        noisy = self.patch_in.in_features
        x = self.patch_in(patches[..., :noisy])
        beside = heard[len(self.blocks) :]
        hints = self.control(patches[..., noisy:], x, time, beside, *more)
        added = dict(zip(self.config.vace_layers, hints, strict=True))
        for number, (block, hears) in enumerate(zip(self.blocks, heard, strict=False)):
            x = block(x, time, hears, *more, hint=added.get(number))
        return x


def config_class(values: Mapping[str, Any]) -> type[TransformerConfig]:
    """The kind of configuration that these are the values of."""
    return VaceConfig if "vace_layers" in values else TransformerConfig


def build(config: TransformerConfig) -> Transformer:
    """The transformer of a configuration, its weights not set."""
    return VaceTransformer(config) if isinstance(config, VaceConfig) else Transformer(config)
