"""Which times a model is trained at, and at which it is asked when sampling."""

from collections.abc import Sequence

import torch
from torch import Tensor


def shift_time(t: Tensor, shift: float) -> Tensor:
    """Moves times in [0, 1] towards noise: ``shift t / (1 + (shift - 1) t)``.

    0 and 1 stay; ``shift = 1`` changes nothing; larger for larger videos
    (Esser et al. 2403.03206, equation 23).
    """
    return shift * t / (1 + (shift - 1) * t)


def timesteps(num_steps: int, shift: float = 1.0, levels: int | None = None) -> Tensor:
    """The ``num_steps + 1`` times of a sampler, float64, strictly falling from 1 to 0.

    Args:
        levels: the noise levels of a model that counts them. As the Wan models are sampled,
            times then fall evenly to the least level instead of 0, before the last step goes
            there; and the first is a hair below 1, in float32, as theirs is.
    """
    assert num_steps >= 1, num_steps
    if levels is None:
        return shift_time(torch.linspace(1, 0, num_steps + 1, dtype=torch.float64), shift)
    step = (1 / levels - 1) / num_steps
    times = shift_time(torch.arange(num_steps + 1, dtype=torch.float64) * step + 1, shift)
    times[0] = torch.tensor(1 - 1e-6, dtype=torch.float32)
    times[-1] = 0
    return times


def told_level(t: Tensor, levels: int) -> Tensor:
    """The whole level, in units of ``1 / levels``, that a model is told at times ``t``; float64."""
    return (t.double() * levels).floor() / levels


def sample_logit_normal(
    shape: Sequence[int], mean: float, std: float, shift: float, generator: torch.Generator
) -> Tensor:
    """Training times ``sigmoid(N(mean, std^2))``, shifted: float32 of ``shape`` in (0, 1).

    Esser et al. 2403.03206, equation 19.
    """
    z = torch.randn(tuple(shape), generator=generator, device=generator.device)
    return shift_time(torch.sigmoid(mean + std * z), shift)


def wait_at(times: Tensor, level: Tensor) -> Tensor:
    """The times of elements that are given at their own noise level: ``min(t_k, level)``.

    An element given at ``level`` waits there until the clock reaches it; a free one
    has level 1.

    Args:
        times: ``(num_steps + 1,)``, falling.
        level: any shape, in [0, 1].

    Returns:
        ``(num_steps + 1, *level.shape)`` in the dtype of ``times``.
    """
    clock = times.reshape(-1, *[1] * level.ndim)
    return torch.minimum(clock, level.to(times).unsqueeze(0))
