"""The noise levels of latent frames in training: what teaches one model every canvas.

A frame at level 1 is dreamt, at level 0 it is given. A model that has seen clips
with some of their frames given continues, animates and joins clips (Diffusion Forcing,
Chen et al. 2407.01392; noise on the given frames makes it forgive its own mistakes
when it continues what it made itself, Song et al. 2502.06764).
"""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from worldreel.core.errors import UsageError
from worldreel.diffusion.schedule import sample_logit_normal

KINDS = ("shared", "independent_groups", "independent_frames", "prefix", "suffix", "both_ends")
"""The kinds of canvas a clip is trained as; `LevelsConfig` has a weight for each."""


@dataclass(frozen=True, kw_only=True)
class LevelsConfig:
    """How often a clip is trained as which kind of canvas, and at which levels."""

    mean: float = 0.0
    """Mean of the logit-normal times; higher is more noise."""
    std: float = 1.0
    shift: float = 1.0
    shared: float = 0.5
    """Weight of clips whose frames all share one level."""
    independent_groups: float = 0.1
    """Weight of clips with a level of its own for every ``group`` frames."""
    independent_frames: float = 0.1
    """Weight of clips with a level of its own for every frame."""
    prefix: float = 0.2
    """Weight of clips whose first frames are given: animate a picture, continue a clip."""
    suffix: float = 0.05
    both_ends: float = 0.05
    group: int = 4
    """Latent frames that share a level in ``independent_groups``."""
    region: float = 0.0
    """Share of the batches whose clips are given but for a region, or free but for one."""
    single_frame: float = 0.25
    """How often what is given at an end is one frame; otherwise any length is as likely."""
    noisy_given: float = 0.25
    """How often given frames carry a little noise instead of none."""
    noisy_given_max: float = 0.2
    """The highest level of that little noise; it is uniform between 0 and this."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value) or (field.name != "mean" and value < 0):
                raise UsageError(
                    f"levels.{field.name} is {value}; it must be a finite number"
                    + ("." if field.name == "mean" else " of 0 or more."),
                    remedy="Correct it in the recipe.",
                )
        for name in ("region", "single_frame", "noisy_given", "noisy_given_max"):
            if getattr(self, name) > 1:
                raise UsageError(
                    f"levels.{name} is {getattr(self, name)}; it must be from 0 to 1.",
                    remedy="Correct it in the recipe.",
                )
        if self.std == 0 or self.shift == 0 or self.group < 1:
            raise UsageError(
                f"levels has std {self.std}, shift {self.shift} and group {self.group}; "
                "std and shift must be above 0 and group at least 1.",
                remedy="Correct them in the recipe.",
            )
        if sum(self.weights) <= 0:
            raise UsageError(
                f"The weights of levels ({', '.join(KINDS)}) are all 0.",
                remedy="Give at least one of them a weight above 0.",
            )

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights in the order of `KINDS`, not normalised."""
        return tuple(getattr(self, kind) for kind in KINDS)


def training_levels(
    batch: int, num_frames: int, generator: torch.Generator, *, config: LevelsConfig
) -> Tensor:
    """The noise levels of a batch of clips for one training step.

    At least one frame of every clip is free; a clip of a single frame is always free.
    The same state of ``generator`` gives the same levels.

    Returns:
        ``(batch, num_frames)`` float32 in [0, 1), one level per latent frame.
    """
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    def times(*shape: int) -> Tensor:
        return sample_logit_normal(shape, config.mean, config.std, config.shift, generator)

    weights = torch.tensor(config.weights, dtype=torch.float32, device=device)
    kind = torch.multinomial(weights, batch, replacement=True, generator=generator)[:, None]

    # every kind is drawn for every clip, and one of them taken
    shared = times(batch, 1).expand(batch, num_frames)
    num_groups = math.ceil(num_frames / config.group)
    groups = times(batch, num_groups).repeat_interleave(config.group, dim=1)[:, :num_frames]
    frames = times(batch, num_frames)

    is_kind = {name: kind == index for index, name in enumerate(KINDS)}
    both_ends = is_kind["both_ends"]
    # one given stretch leaves a frame free; two leave one frame between them
    longest = torch.where(both_ends, num_frames - 2, num_frames - 1)
    one = _length(longest, config.single_frame, uniform(2, batch, 1))
    other = _length(num_frames - 1 - one, config.single_frame, uniform(2, batch, 1))
    swap = uniform(batch, 1) < 0.5
    none = torch.zeros_like(one)
    other = torch.where(both_ends & (one > 0), other, none)
    first = torch.where(both_ends & swap, other, one)
    last = torch.where(both_ends & ~swap, other, one)
    first = torch.where(both_ends | is_kind["prefix"], first, none)
    last = torch.where(both_ends | is_kind["suffix"], last, none)
    position = torch.arange(num_frames, device=device)
    given = (position < first) | (position >= num_frames - last)

    noisy = uniform(batch, 1) < config.noisy_given
    given_level = torch.where(noisy, config.noisy_given_max * uniform(batch, 1), 0.0)

    level = torch.where(is_kind["independent_groups"], groups, shared)
    level = torch.where(is_kind["independent_frames"], frames, level)
    return torch.where(given, torch.minimum(given_level, level), level)


def region_levels(
    batch: int, shape: tuple[int, int, int], generator: torch.Generator, *, config: LevelsConfig
) -> Tensor:
    """The noise levels of a batch of clips that are given but for a region, or the reverse.

    The region is a box that stands still or moves on a line: what erasing and replacing
    leave free, and, the other way round, the clip inside a larger picture.

    Args:
        shape: latent frames, rows and columns.

    Returns:
        ``(batch, *shape)`` float32 in [0, 1); every clip is free somewhere.
    """
    device = generator.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=device)

    inside = torch.ones((batch, *shape), dtype=torch.bool, device=device)
    travels = uniform(batch) < 0.5
    clock = torch.linspace(0, 1, shape[0], device=device)
    for axis in (2, 3):
        count = shape[axis - 1]
        half = (0.15 + 0.35 * uniform(batch, 1)) * count  # of the side: 30% to all of it
        start, end = uniform(2, batch, 1) * count
        centre = start + torch.where(travels[:, None], end - start, 0.0) * clock  # b t
        cells = torch.arange(count, device=device) + 0.5
        near = (cells - centre[..., None]).abs() <= half[..., None].clamp(min=0.5)  # b t side
        inside &= near.unsqueeze(5 - axis)
    turned = uniform(batch) < 0.5
    free = inside ^ turned[:, None, None, None]
    free |= ~free.flatten(1).any(dim=1)[:, None, None, None]

    level = sample_logit_normal((batch,), config.mean, config.std, config.shift, generator)
    noisy = uniform(batch) < config.noisy_given
    given = torch.where(noisy, config.noisy_given_max * uniform(batch), 0.0)
    level, given = level[:, None, None, None], given[:, None, None, None]
    return torch.where(free, level, torch.minimum(given, level))


def _length(longest: Tensor, single: float, u: Tensor) -> Tensor:
    """Lengths from 1 to ``longest`` out of two uniform numbers each; 0 where none is possible."""
    any_length = 1 + (u[0] * longest).long().clamp(min=0)
    length = torch.where(u[1] < single, torch.ones_like(any_length), any_length)
    return torch.minimum(length, longest).clamp(min=0)
