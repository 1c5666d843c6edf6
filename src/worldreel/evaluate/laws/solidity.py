"""Law 9: objects are solid, and something bears what rests.

Where a ball is, is told in two ways that no prompt can bend: its apparent size says how far it
is in radii; and if it stands on the floor, its direction says how far that is in heights of the
eye. Two balls on the floor give their overlap in radii free of any scale. A ball's height above
the floor needs both the radius that the prompt's word means and the eye's height, which is known
to 2.5% (4 cm): less than `TOLERANCE_M` above or below the floor cannot be told from resting on
it, and is not held against a clip. A ball drawn smaller than asked for reads as farther and
lower, as it would to anybody with one eye.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.regions import clean_track, lift_ball, seen_in_full
from worldreel.evaluate.tracks import Track
from worldreel.world.vocabulary import SIZES

TOLERANCE_M = 0.1
"""Two and a half times what the eye's height is uncertain by."""

FLOATING_M = 0.2
"""Height from which on a ball at rest counts as floating: five times that."""

REST_PX = 1.0
"""A ball that moves by no more than this in four frames rests."""

MIN_FRAMES = 4

FLYING: tuple[Group, ...] = ("fall", "throw")
ON_FLOOR: tuple[Group, ...] = ("fall", "throw", "roll", "collide")

Floats = NDArray[np.float64]


def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    """The figures of a clip; None where the actor is not seen whole in `MIN_FRAMES` frames.

    White on gray concrete is seen in part only, so that its size tells nothing.
    """
    ball = clean_track(observation, case.things[0].color)
    figures: dict[str, float | None] = {}
    floor = case.scene.floor
    if case.group == "collide" and all(seen_in_full(t.color, floor) for t in case.things[:2]):
        figures["overlap_pct"] = _overlap(case, observation)
    if not seen_in_full(case.things[0].color, floor):
        return figures
    if np.count_nonzero(ball.whole) < MIN_FRAMES:
        return None
    eye_m = observation.lens.eye_height_m(case.scene.event)
    unit = lift_ball(observation, ball.color, 1.0)  # in radii
    radius = case.things[0].radius
    figures["below_floor_pct"] = _below(eye_m + radius * (unit[:, 2] - 1), radius)
    if case.group in FLYING:
        # whatever its size may be of all that words have
        largest = max(radius, *SIZES.values())
        figures["floating_pct"] = _floating(ball, eye_m + largest * (unit[:, 2] - 1))
    return figures


def _below(bottom_m: Floats, radius_m: float) -> float | None:
    """How deep it is below the floor in % of its radius, at the deepest of most frames."""
    depth = -bottom_m[np.isfinite(bottom_m)] - TOLERANCE_M
    if len(depth) < MIN_FRAMES:
        return None
    return 100 * max(float(np.percentile(depth, 90)), 0.0) / radius_m


def _floating(ball: Track, bottom_m: Floats) -> float:
    """Frames in % of those that show it in which it rests in the air."""
    x, y = (np.pad(c, 2, mode="edge") for c in (ball.x, ball.y))
    moved = np.hypot(x[4:] - x[:-4], y[4:] - y[:-4])
    with np.errstate(invalid="ignore"):
        floats = (moved <= REST_PX) & (bottom_m > FLOATING_M)
    return 100 * float(np.count_nonzero(floats & ball.whole) / np.count_nonzero(ball.seen))


def _overlap(case: Case, observation: Observation) -> float | None:
    """How far two balls on the floor are inside each other, in % of the smaller one's radius."""
    centres, radii = [], []
    for thing in case.things[:2]:
        ball = clean_track(observation, thing.color)
        unit = lift_ball(observation, thing.color, 1.0)
        # it stands on the floor: eye = radius + drop, and the drop is in radii
        sizes = 1 / (1 - unit[:, 2])
        if np.count_nonzero(np.isfinite(sizes)) < MIN_FRAMES:
            return None
        radius = float(np.nanmedian(sizes))  # in heights of the eye
        centres.append(observation.lens.lift_to_floor(ball.x, ball.y, 1 - radius))
        radii.append(radius)
    apart = np.linalg.norm(centres[0] - centres[1], axis=1)
    apart = np.sort(apart[np.isfinite(apart)])
    if len(apart) < MIN_FRAMES:
        return None
    # the nearest of all may be one in which one hides a part of the other
    inside = sum(radii) - apart[1]
    return 100 * max(float(inside), 0.0) / min(radii)


SOLIDITY = Law(
    number=9,
    name="solidity and support",
    question="Does nothing go into another thing or the floor, and does nothing rest on air?",
    groups=ON_FLOOR,
    metrics=(
        Metric(
            name="floating_pct",
            label="at rest without contact (% of frames)",
            perfect=0.0,
            worst=100.0,
            floor="frozen",
            groups=FLYING,
        ),
        Metric(
            name="overlap_pct",
            label="overlap (% of radius)",
            perfect=0.0,
            worst=100.0,
            floor="constant_velocity",
            groups=("collide",),
        ),
        Metric(
            name="below_floor_pct",
            label="depth below the floor (% of radius)",
            perfect=0.0,
            worst=100.0,
            floor="chance",
            chance=100.0,
        ),
    ),
    measure=measure,
)
