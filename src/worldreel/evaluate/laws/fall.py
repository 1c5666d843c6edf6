"""Law 1, free fall, and law 2, the bounce."""

from typing import cast

import numpy as np
from scipy.signal import find_peaks

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws.fits import Floats, ball_points, plane_path
from worldreel.evaluate.observe import Observation

GRAVITY = 9.81

RESTITUTION = {"fall": (0.55, 0.8), "throw": (0.4, 0.65)}
"""From which range the simulator draws a ball's speed after over before a bounce."""

MIN_DROP_M = 0.3
"""Less than this is no fall."""

MIN_BOUNCE_M = 0.04
"""Less than this is no bounce."""

LANDED_M = 0.05
"""A ball that does not bounce has landed this close to its lowest place."""

MIN_FLIGHT_FRAMES = 5
"""A flight of fewer frames fits a parabola by accident."""

LONG_FLIGHT_FRAMES = 6
"""A fall that is seen in fewer frames before the first contact gives way to a longer flight."""

ENOUGH_FRAMES = 7
"""So many frames in the upper half of a flight tell g as well as the whole flight does."""

MAX_ARC_FRAMES = 10
"""So many frames on either side tell the speeds of a bounce."""

MAX_UNEXPLAINED = 0.1
"""What two parabolas explain less of than the rest of this is no bounce."""

MADE = 1.03
"""A bounce that is faster afterwards than this makes energy; below is the noise of a fit."""


def _heights(case: Case, observation: Observation) -> tuple[Floats, Floats] | None:
    """Time and height of the falling ball where it is seen, in seconds and metres.

    Its depth is read from its sizes in the flight alone: after it, the ball may be pushed aside.
    """
    points = ball_points(observation, case.things[0])
    path = plane_path(observation, points)
    if path is None:
        return None
    seen = np.flatnonzero(path.seen)
    _, stop = _flights(path.height[seen])[0]
    flight = slice(int(seen[0]), int(seen[min(stop + 1, len(seen) - 1)]) + 1)
    path = plane_path(observation, points, flight) or path
    seen = path.seen
    height = path.height[seen]
    if np.ptp(height) < MIN_DROP_M:
        return None
    return path.time_s[seen], height


def _contacts(height: Floats) -> list[int]:
    """The frames in which a bouncing ball is lowest."""
    return find_peaks(-height, prominence=MIN_BOUNCE_M)[0].tolist()


def _flights(height: Floats) -> list[tuple[int, int]]:
    """From which frame to which (exclusive) a ball is in the air, before and between contacts."""
    contacts = _contacts(height)
    if contacts:
        return [(a + 1, b) for a, b in zip([-1, *contacts[:-1]], contacts, strict=True)]
    top = int(height.argmax())
    landed = top + int(np.argmax(height[top:] <= height[top:].min() + LANDED_M))
    return [(0, len(height) if landed == len(height) - 1 else landed)]


def _free_fall(case: Case, observation: Observation) -> dict[str, float | None] | None:
    heights = _heights(case, observation)
    if heights is None:
        return None
    time_s, height = heights
    flights = _flights(height)
    start, stop = flights[0]
    if stop - start < LONG_FLIGHT_FRAMES:  # it came from above the picture
        start, stop = max(flights, key=lambda flight: flight[1] - flight[0])
    time_s, height = time_s[start:stop], height[start:stop]
    if len(height) < MIN_FLIGHT_FRAMES or np.ptp(height) < MIN_DROP_M:
        return None
    upper = height >= 0.5 * (height.min() + height.max())
    if np.count_nonzero(upper) >= ENOUGH_FRAMES:  # lower down, it may meet another object
        time_s, height = time_s[upper], height[upper]
    curve = np.polynomial.Polynomial.fit(time_s, height, 2)
    g = -float(curve.deriv(2)(0.0))
    unexplained = float(np.mean((height - curve(time_s)) ** 2) / np.var(height))
    # a parabola that opens upwards is no fall, however well it fits
    return {
        "g_error_pct": 100 * abs(g / GRAVITY - 1),
        "r2": 1 - unexplained if g > 0 else 0.0,
    }


def speed_ratio(time_s: Floats, height: Floats) -> float | None:
    """Speed after over before the highest bounce of a ball; 0 if it falls and does not bounce.

    A parabola before and one after the contact, of one curvature, cross in the contact.

    Args:
        time_s, height: ``(t,)``, seconds and metres, of the frames in which it is seen.

    Returns:
        None where there is no contact to which both sides can be fitted.
    """
    contacts = _contacts(height)
    if not contacts:
        top = int(height.argmax())
        return 0.0 if height[top] - height[top:].min() > MIN_DROP_M else None
    bounds = [-1, *contacts, len(height)]
    arcs = [
        (np.arange(start + 1, at)[-MAX_ARC_FRAMES:], np.arange(at + 1, stop)[:MAX_ARC_FRAMES])
        for start, at, stop in zip(bounds[:-2], contacts, bounds[2:], strict=True)
    ]
    tops = [max(height[a].max(initial=-9), height[b].max(initial=-9)) for a, b in arcs]
    best = int(np.argmax(np.array(tops) - height[contacts]))
    at, (before, after) = contacts[best], arcs[best]
    before, after = _aloft(height, at, before[::-1])[::-1], _aloft(height, at, after)
    if min(len(before), len(after)) < 2 or len(before) + len(after) < 6:
        return None
    t = time_s - time_s[at]
    first = np.concatenate([np.ones(len(before)), np.zeros(len(after))])
    used = np.concatenate([before, after])
    rows = np.stack([t[used] ** 2, first * t[used], first, (1 - first) * t[used], 1 - first], 1)
    fit = np.linalg.lstsq(rows, height[used], rcond=None)[0]
    unexplained = float(np.mean((rows @ fit - height[used]) ** 2) / np.var(height[used]))
    a, b_1, c_1, b_2, c_2 = (float(v) for v in fit)
    if b_1 == b_2 or unexplained > MAX_UNEXPLAINED:
        return None
    contact = (c_2 - c_1) / (b_1 - b_2)
    down, up = -(2 * a * contact + b_1), 2 * a * contact + b_2
    margin = 2 * float(np.median(np.diff(time_s)))
    if abs(contact) > margin or down <= 0:
        return None
    return max(up / down, 0.0)


def _aloft(height: Floats, at: int, frames: np.ndarray) -> np.ndarray:
    """The frames, counted away from the contact, of the arc next to it, without any rest."""
    rise = height[frames] - height[at]
    low = np.flatnonzero(rise < 0.1 * rise.max(initial=0.0))
    top = int(rise.argmax()) if len(rise) else 0
    ended = low[low > top]
    return frames[: int(ended[0])] if len(ended) else frames


def _bounce(case: Case, observation: Observation) -> dict[str, float | None] | None:
    if case.group == "throw" and case.split == "outside":
        return {}  # that far it leaves the picture before it lands
    heights = _heights(case, observation)
    if heights is None:
        return None
    ratio = speed_ratio(*heights)
    if ratio is None:
        return None
    low, high = RESTITUTION[cast(str, case.group)]
    return {
        "ratio_error": max(low - ratio, ratio - high, 0.0),
        "energy_made": float(ratio > MADE),
    }


FREE_FALL = Law(
    number=1,
    name="free fall",
    question="Does a ball in the air accelerate downwards by 9.81 m/s²?",
    groups=("fall", "throw"),
    metrics=(
        Metric(
            name="g_error_pct",
            label="error of g (%)",
            perfect=0.0,
            worst=100.0,
            floor="frozen",
        ),
        Metric(
            name="r2",
            label="R² of a parabola through the heights",
            perfect=1.0,
            worst=0.0,
            floor="shuffled_frames",
        ),
    ),
    measure=_free_fall,
)

BOUNCE = Law(
    number=2,
    name="bounce",
    question="Does a ball bounce as high as the simulator's, and never faster than it came?",
    groups=("fall", "throw"),
    metrics=(
        Metric(
            name="ratio_error",
            label="ratio of speeds, outside its range by",
            perfect=0.0,
            worst=0.5,
            floor="constant_velocity",
        ),
        Metric(
            name="energy_made",
            label="faster after the bounce (share)",
            perfect=0.0,
            worst=1.0,
            floor="reversed",
        ),
    ),
    measure=_bounce,
)
