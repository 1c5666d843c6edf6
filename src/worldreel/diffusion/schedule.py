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


def timesteps(num_steps: int, shift: float = 1.0) -> Tensor:
    """The ``num_steps + 1`` times of a sampler, float64, strictly falling from 1 to 0."""
    assert num_steps >= 1, num_steps
    return shift_time(torch.linspace(1, 0, num_steps + 1, dtype=torch.float64), shift)


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
