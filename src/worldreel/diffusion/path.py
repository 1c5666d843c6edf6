"""The straight path from data to noise (Liu et al. 2209.03003, Lipman et al. 2210.02747)."""

import torch
from torch import Tensor

Time = Tensor | float
"""A number in [0, 1], or a tensor of them that broadcasts against ``x``."""


def interpolate(x_0: Tensor, eps: Tensor, t: Time) -> Tensor:
    """The point ``x_t = (1 - t) x_0 + t eps`` of the path; ``t`` broadcasts against ``x_0``."""
    return (1 - t) * x_0 + t * eps


def velocity(x_0: Tensor, eps: Tensor) -> Tensor:
    """The velocity ``v = eps - x_0`` of the path, the same at every ``t``."""
    return eps - x_0


def x_0_from_velocity(x_t: Tensor, v: Tensor, t: Time) -> Tensor:
    """The data ``x_0 = x_t - t v`` to which a velocity at time ``t`` points."""
    return x_t - t * v


def velocity_from_x_0(x_t: Tensor, x_0: Tensor, t: Time, t_min: float = 0.02) -> Tensor:
    """The velocity ``v = (x_t - x_0) / max(t, t_min)`` that a prediction of the data implies.

    ``t_min`` keeps the division finite where ``t`` is near 0; above it the round trip
    with `x_0_from_velocity` is exact.
    """
    return (x_t - x_0) / torch.as_tensor(t, dtype=x_t.dtype, device=x_t.device).clamp(min=t_min)
