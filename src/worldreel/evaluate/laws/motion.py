"""Law 4: what rolls keeps its speed, and what slides is slowed down evenly until it rests."""

from dataclasses import dataclass

import numpy as np

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws.fits import (
    MIN_FRAMES,
    Floats,
    Path,
    ball_path,
    plane_path,
    standing_points,
)
from worldreel.evaluate.observe import Observation

GRAVITY = 9.81

FRICTION = (0.12 * GRAVITY, 0.3 * GRAVITY)
"""Deceleration, m/s², of what slides in the simulator: Coulomb friction of 0.12 to 0.3."""

MIN_WAY_M = 0.3
"""What moves less far than this did not roll or slide."""

WINDOW_FRAMES = 12
"""Acceleration is read from windows of one second."""

MIN_ALONG = 0.8
"""An object moves along a line if its net way is this share of the way between the extremes."""


@dataclass(frozen=True, kw_only=True)
class Slide:
    """An even deceleration until rest, fitted to a path.

    Args:
        deceleration: m/s². stop_s: when it comes to rest, seconds from the first frame seen.
        way_m: how far it slides. error_m: root mean square distance to the fit.
        reversal_m: how far it comes back after its farthest place.
    """

    deceleration: float
    stop_s: float
    way_m: float
    error_m: float
    reversal_m: float


def residual_acceleration(path: Path) -> float | None:
    """Median acceleration along a path, m/s², over windows of a second; None without motion."""
    seen = path.seen
    time_s, along = path.time_s[seen], path.along[seen]
    if len(along) < MIN_FRAMES or abs(along[-1] - along[0]) < max(
        MIN_WAY_M, MIN_ALONG * float(np.ptp(along))
    ):
        return None
    width = min(WINDOW_FRAMES, len(along))
    return float(
        np.median(
            [
                abs(2 * np.polyfit(time_s[i : i + width], along[i : i + width], 2)[0])
                for i in range(len(along) - width + 1)
            ]
        )
    )


def fit_slide(path: Path) -> Slide | None:
    """The even deceleration that explains a path best; None without motion."""
    seen = path.seen
    time_s, along = path.time_s[seen], path.along[seen]
    if len(along) < MIN_FRAMES:
        return None
    time_s = time_s - time_s[0]
    direction = np.sign(along[-1] - along[0])
    along = direction * (along - along[0])
    if along[-1] < MIN_WAY_M:
        return None
    best: tuple[float, float, float] | None = None
    # up to four times the clip: what stops later is not told from what never stops
    for stop in np.geomspace(0.2, 4 * max(float(time_s[-1]), 0.5), 120):
        error, way = _until(time_s, along, float(stop))
        if way > 0 and (best is None or error < best[0]):
            best = (error, float(stop), way)
    if best is None:
        return None
    error, stop, way = best
    return Slide(
        deceleration=2 * way / stop**2,
        stop_s=stop,
        way_m=min(way, float(along.max())),
        error_m=error,
        reversal_m=float(along.max() - along[-3:].max()),
    )


def _until(time_s: Floats, along: Floats, stop: float) -> tuple[float, float]:
    """Error, metres, and way of the path that is slowed down evenly until ``stop``."""
    left = np.maximum(1 - time_s / stop, 0)
    rows = np.stack([np.ones_like(time_s), 1 - left**2], axis=1)
    fit, *_ = np.linalg.lstsq(rows, along, rcond=None)
    return float(np.sqrt(np.mean((rows @ fit - along) ** 2))), float(fit[1])


def _motion(case: Case, observation: Observation) -> dict[str, float | None] | None:
    return _roll(case, observation) if case.group == "roll" else _slide(case, observation)


def _roll(case: Case, observation: Observation) -> dict[str, float | None] | None:
    path = ball_path(observation, case.things[0])
    acceleration = None if path is None else residual_acceleration(path)
    return None if acceleration is None else {"residual_acceleration": acceleration}


def _slide(case: Case, observation: Observation) -> dict[str, float | None] | None:
    points = standing_points(observation, case.things[0], case.scene.event)
    path = plane_path(observation, points)
    slide = None if path is None else fit_slide(path)
    if slide is None:
        return None
    low, high = FRICTION
    return {
        "friction_error": max(low - slide.deceleration, slide.deceleration - high, 0.0),
        "uneven_pct": 100 * slide.error_m / slide.way_m,
        "reversal_pct": 100 * slide.reversal_m / slide.way_m,
    }


MOTION = Law(
    number=4,
    name="inertia and friction",
    question="Does what rolls keep its speed, and does friction stop what slides, evenly?",
    groups=("roll", "slide"),
    metrics=(
        Metric(
            name="residual_acceleration",
            label="acceleration when rolling (m/s²)",
            perfect=0.0,
            worst=1.0,
            floor="shuffled_frames",
            groups=("roll",),
        ),
        Metric(
            name="friction_error",
            label="friction, outside its range by (m/s²)",
            perfect=0.0,
            worst=FRICTION[0],
            floor="constant_velocity",
            groups=("slide",),
        ),
        Metric(
            name="uneven_pct",
            label="uneven deceleration (% of the way)",
            perfect=0.0,
            worst=25.0,
            floor="shuffled_frames",
            groups=("slide",),
        ),
        Metric(
            name="reversal_pct",
            label="way back after the stop (%)",
            perfect=0.0,
            worst=50.0,
            floor="shuffled_frames",
            groups=("slide",),
        ),
    ),
    measure=_motion,
)
