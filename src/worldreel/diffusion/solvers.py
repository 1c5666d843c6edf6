"""Solvers of the flow's differential equation ``dx/dt = v(x, t)``, from noise to data.

Time may differ from element to element: a latent frame that is given waits at its
own level, so its time is the same at several steps in a row. Where two consecutive
times are equal, ``x`` stays as it is, bit for bit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor

Solver = Literal["euler", "unipc"]
SOLVERS: tuple[str, ...] = get_args(Solver)

VelocityFn = Callable[[Tensor, Tensor], Tensor]
"""``velocity_fn(x, t) -> v``; ``t`` is an entry of the times, as it was given."""

OnStep = Callable[[int, Tensor, Tensor], None]
"""``on_step(done, x, x_0)`` after each step: where ``x`` is, and the data it points to."""


def integrate(
    velocity_fn: VelocityFn,
    x: Tensor,
    times: Sequence[Tensor] | Tensor,
    solver: Solver = "euler",
    on_step: OnStep | None = None,
) -> Tensor:
    """Follows the velocity from ``times[0]`` to ``times[-1]`` with one evaluation per step.

    Args:
        velocity_fn: the velocity at ``x`` and time ``t``.
        x: the start, of any shape; the state keeps its dtype, so give float32 or more.
        times: ``num_steps + 1`` tensors in [0, 1], each a scalar or broadcastable to
            ``x``; every element's time falls or stays from one to the next.
        solver: ``euler`` is of first order, ``unipc`` of second.
        on_step: called after each step; it may raise to stop.
    """
    assert solver in SOLVERS, solver
    assert len(times) >= 2, len(times)
    solve = {"euler": _euler, "unipc": _unipc}[solver]
    return solve(velocity_fn, x, list(times), on_step)


def _euler(velocity_fn: VelocityFn, x: Tensor, times: list[Tensor], on_step: OnStep | None):
    for step, (s, t) in enumerate(pairwise(times)):
        v = velocity_fn(x, s)
        x_0 = x - s.to(x) * v
        x = torch.where(s > t, x + (t - s).to(x) * v, x)
        if on_step is not None:
            on_step(step + 1, x, x_0)
    return x


def _unipc(velocity_fn: VelocityFn, x: Tensor, times: list[Tensor], on_step: OnStep | None):
    """UniPC of order 2 with ``B_2(h)`` on the predicted data (Zhao et al. 2302.04867, alg. 5 to 8).

    ``m`` is the data predicted at each time. Each step first corrects the point that it
    starts from, with the evaluation made there (UniC), then predicts the next (UniP).
    """
    m: list[Tensor] = []
    x_before, before = x, None  # the corrected point that the last step started from
    for step, (s, t) in enumerate(pairwise(times)):
        m.append(x - s.to(x) * velocity_fn(x, s))
        if before is not None:
            x = before.unic(x_before, m)
        x_before = x
        before = _Step.between(times[step - 1] if step else None, s, t)
        x = before.unip(x, m)
        if on_step is not None:
            on_step(step + 1, x, m[-1])
        m = m[-2:]
    return x


@dataclass(frozen=True)
class _Step:
    """The coefficients of one step from ``s`` to ``t``, per element, float64.

    With ``lambda = log((1 - t) / t)`` and ``h = lambda_t - lambda_s``, and ``r h`` the way
    back to the time before, coefficients are in terms of ``1 / r``: that is 0 where there is
    nothing to look back on, where the time before was pure noise, and its term vanishes.
    """

    moves: Tensor
    ratio: Tensor  # sigma_t / sigma_s
    alpha_b: Tensor  # alpha_t B_2(h)
    inv_r: Tensor
    rho_p: Tensor  # the predictor's weight of the difference before
    rho_c: tuple[Tensor, Tensor]  # the corrector's, of the difference before and after

    @classmethod
    def between(cls, before: Tensor | None, s: Tensor, t: Tensor) -> "_Step":
        lambda_s, lambda_t = _lambda(s), _lambda(t)
        lambda_before = lambda_s if before is None else _lambda(before)
        h = lambda_t - lambda_s
        # an element that has waited until now has no point before; the step into t = 0
        # is infinitely long in lambda: both are of first order
        second = (lambda_before != lambda_s) & (lambda_t != torch.inf)
        inv_r = torch.where(second, h / (lambda_before - lambda_s), 0.0)

        b = torch.expm1(-h)  # B_2(h), and h phi_1(h)
        h_phi_2 = b / -h - 1
        h_phi_3 = h_phi_2 / -h - 1 / 2
        b_1, b_2 = h_phi_2 / b, 2 * h_phi_3 / b
        # R_2 rho = (b_1, b_2) with R_2 = ((1, 1), (r, 1)); 1/2 at first order (section 3.2)
        rho_before = torch.where(second, (b_1 - b_2) * inv_r / (inv_r - 1), 0.0)
        rho_after = torch.where(second, b_1 - rho_before, 0.5)
        return cls(
            moves=s > t,
            ratio=t.double() / s.double(),
            alpha_b=(1 - t.double()) * b,
            inv_r=inv_r,
            rho_p=torch.where(second, 0.5, 0.0),
            rho_c=(rho_before, rho_after),
        )

    def unip(self, x: Tensor, m: list[Tensor]) -> Tensor:
        """The predictor: from ``x`` at ``s`` to ``t``, with the data predicted until ``s``."""
        d = self._difference_before(m)
        return self._advance(x, m[-1] + self.rho_p.to(x) * d)

    def unic(self, x: Tensor, m: list[Tensor]) -> Tensor:
        """The corrector: the same step again, now that the data predicted at ``t`` is known."""
        *until_s, m_t = m
        rho_before, rho_after = self.rho_c
        d_before, d_after = self._difference_before(until_s), m_t - until_s[-1]
        return self._advance(
            x, until_s[-1] + rho_before.to(x) * d_before + rho_after.to(x) * d_after
        )

    def _difference_before(self, m: list[Tensor]) -> Tensor:
        return (m[max(0, len(m) - 2)] - m[-1]) * self.inv_r.to(m[-1])

    def _advance(self, x: Tensor, data: Tensor) -> Tensor:
        return torch.where(self.moves, self.ratio.to(x) * x - self.alpha_b.to(x) * data, x)


def _lambda(t: Tensor) -> Tensor:
    """Half the log of the signal-to-noise ratio, ``log(alpha / sigma)``, in float64."""
    t = t.double()
    return torch.log1p(-t) - torch.log(t)
