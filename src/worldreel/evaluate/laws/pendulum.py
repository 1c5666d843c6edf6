"""Law 5: a pendulum keeps the period of its length and its amplitude."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ellipk

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws.fits import Floats, Path, ball_path, circle
from worldreel.evaluate.observe import Observation

GRAVITY = 9.81

MIN_ARC_RAD = 0.4
"""What swings through less than this does not swing."""

MIN_EXPLAINED = 0.8
"""A swing that a wave of one period explains less of than this has no period."""

PERIODS_S = (0.6, 6.0)
LENGTHS_M = (0.2, 5.0)
"""Between these, pendulums are looked for."""


@dataclass(frozen=True, kw_only=True)
class Pendulum:
    """A pendulum as it is seen.

    Args:
        length_m: from the pivot to the middle of the bob: the radius of its path.
        amplitude: radians. period_s: seconds.
        growth: amplitude after one period over that before.
    """

    length_m: float
    amplitude: float
    period_s: float
    growth: float

    def expected_period_s(self, bob_radius_m: float) -> float:
        """The period of a ball of this radius that is fixed to a string of this length: of a
        physical pendulum, exact for any amplitude (complete elliptic integral)."""
        length = self.length_m + 0.4 * bob_radius_m**2 / self.length_m
        return 4 * math.sqrt(length / GRAVITY) * float(ellipk(math.sin(self.amplitude / 2) ** 2))


def find_pendulum(path: Path) -> Pendulum | None:
    """The pendulum whose bob takes a path; None where it does not swing."""
    seen = path.seen
    time_s, along, height = path.time_s[seen], path.along[seen], path.height[seen]
    pivot_along, pivot_height, length = circle(along, height)
    if pivot_height <= height.mean() or not LENGTHS_M[0] < length < LENGTHS_M[1]:
        return None
    angle = np.arctan2(along - pivot_along, pivot_height - height)
    if np.ptp(angle) < MIN_ARC_RAD:
        return None
    omegas = (2 * math.pi / np.geomspace(*PERIODS_S, 120)).tolist()
    # first without the third harmonic, or a third of the frequency would do as well
    errors = [np.sum(_residual((omega, 0.0), time_s, angle, (1,)) ** 2) for omega in omegas]
    start = omegas[int(np.argmin(errors))]
    found = least_squares(_residual, [start, 0.0], args=(time_s, angle))
    omega, rate = (float(v) for v in found.x)
    unexplained = float(np.mean(found.fun**2) / np.var(angle))
    if omega <= 0 or unexplained > 1 - MIN_EXPLAINED:
        return None
    period = 2 * math.pi / omega
    if not PERIODS_S[0] < period < PERIODS_S[1]:
        return None
    return Pendulum(
        length_m=length,
        amplitude=_amplitude(omega, rate, time_s, angle),
        period_s=period,
        growth=math.exp(max(min(rate * period, 5.0), -5.0)),
    )


def _waves(omega: float, rate: float, time_s: Floats, harmonics: tuple[int, ...]) -> Floats:
    """Columns of a wave and its harmonics in an envelope ``exp(rate t)``, ``t 1+2h``."""
    phase, envelope = omega * time_s, np.exp(np.clip(rate * time_s, -5, 5))
    waves = [envelope * wave(k * phase) for k in harmonics for wave in (np.cos, np.sin)]
    return np.stack([np.ones_like(time_s), *waves], axis=1)


def _residual(
    swing: Sequence[float], time_s: Floats, angle: Floats, harmonics: tuple[int, ...] = (1, 3)
) -> Floats:
    """What the best wave of ``swing`` (angular frequency and rate of growth) leaves, ``(t,)``."""
    rows = _waves(swing[0], swing[1], time_s, harmonics)
    fit, *_ = np.linalg.lstsq(rows, angle, rcond=None)
    return rows @ fit - angle


def _amplitude(omega: float, rate: float, time_s: Floats, angle: Floats) -> float:
    """Half of what a wave goes through from side to side, in the middle of the clip."""
    rows = _waves(omega, rate, time_s, (1, 3))
    fit, *_ = np.linalg.lstsq(rows, angle, rcond=None)
    middle = float(np.exp(rate * time_s.mean()))
    once = _waves(omega, 0.0, np.linspace(0, 2 * math.pi / omega, 60), (1, 3))
    return 0.5 * middle * float(np.ptp(once @ fit))


def _swing(case: Case, observation: Observation) -> dict[str, float | None] | None:
    bob = case.things[0]
    path = ball_path(observation, bob)
    pendulum = None if path is None else find_pendulum(path)
    if pendulum is None:
        return None
    expected = pendulum.expected_period_s(bob.radius)
    return {
        "period_error_pct": 100 * abs(pendulum.period_s / expected - 1),
        "amplitude_change_pct": 100 * abs(pendulum.growth - 1),
    }


PENDULUM = Law(
    number=5,
    name="pendulum",
    question="Does a ball on a string swing in the period of its length, as wide as before?",
    groups=("swing",),
    metrics=(
        Metric(
            name="period_error_pct",
            label="error of the period (%)",
            perfect=0.0,
            worst=50.0,
            floor="shuffled_frames",
        ),
        Metric(
            name="amplitude_change_pct",
            label="change of amplitude a period (%)",
            perfect=0.0,
            worst=50.0,
            floor="shuffled_frames",
        ),
    ),
    measure=_swing,
)
