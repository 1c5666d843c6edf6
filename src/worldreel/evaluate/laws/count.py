"""Law 7: as many objects as there were.

An object may come and go at the picture's edges, and behind or before other things; nowhere
else may one begin or end, of whatever colour. A birth is a region that is seen in three frames
at least and that nothing within reach had been in the three frames before; a death likewise.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.regions import (
    LOST_FRAMES,
    Booleans,
    Course,
    courses,
    has_wall,
    regions,
    speed,
    wall,
)

MIN_FRAMES = 3
"""A course of fewer frames is flicker."""

MIN_OBJECT_PIXELS = 60
"""A course that never covers this much is a fringe; the smallest object covers 100."""

NEAR_PX = 4.0
"""Closer than this to something else, an object may go behind it."""

MOST = 8.0

GROUPS: tuple[Group, ...] = (
    *("fall", "throw", "roll", "slide", "collide", "swing", "occlude", "ramp", "topple"),
)


def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    """Births and deaths in a clip; None where the actor's colour is never seen."""
    actor = observation.tracks[case.things[0].color]
    if np.count_nonzero(actor.seen) < MIN_FRAMES:
        return None
    hiding = wall(observation) if has_wall(case.scene) else None
    objects = [course for course in courses(observation) if _is_object(course)]
    births = sum(_born(course, observation, hiding) for course in objects)
    deaths = sum(_dies(course, observation, hiding) for course in objects)
    return {
        "births_and_deaths": float(births + deaths),
        "births": float(births),
        "deaths": float(deaths),
    }


def _is_object(course: Course) -> bool:
    largest = max(region.num_pixels for region in course.regions)
    return len(course.regions) >= MIN_FRAMES and largest >= MIN_OBJECT_PIXELS


def _born(course: Course, observation: Observation, hiding: Booleans | None) -> bool:
    first = course.first
    if first.frame == 0:
        return False
    return _in_the_open(
        course, observation, hiding, first.box, -speed(course.regions[:2]), first.frame
    )


def _dies(course: Course, observation: Observation, hiding: Booleans | None) -> bool:
    last = course.last
    if last.frame >= observation.num_frames - 1 - LOST_FRAMES:
        return False
    return _in_the_open(
        course, observation, hiding, last.box, speed(course.regions[-2:]), last.frame
    )


def _in_the_open(
    course: Course,
    observation: Observation,
    hiding: Booleans | None,
    box: NDArray[np.float64],
    step: NDArray[np.float64],
    frame: int,
) -> bool:
    """Whether the ``box``, and the place one ``step`` on, is away from edges and other things."""
    _, height, width = observation.classes.shape
    on = box + np.tile(step, 2)
    reach = np.concatenate([np.minimum(box, on)[:2] - NEAR_PX, np.maximum(box, on)[2:] + NEAR_PX])
    if reach[0] <= 0 or reach[1] <= 0 or reach[2] >= width or reach[3] >= height:
        return False
    for color, by_frame in regions(observation).items():
        if color == course.color:
            continue
        for here in by_frame[max(frame - 1, 0) : frame + 2]:
            if any(_touch(reach, region.box) for region in here):
                return False
    left, top, right, bottom = np.clip(reach, 0, [width, height, width, height]).astype(int)
    return hiding is None or not hiding[top:bottom, left:right].any()


def _touch(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool(np.all(a[:2] < b[2:]) and np.all(b[:2] < a[2:]))


COUNT = Law(
    number=7,
    name="count",
    question="Does no object appear or vanish in the open?",
    groups=GROUPS,
    metrics=(
        Metric(
            name="births_and_deaths",
            label="births and deaths in the open (per clip)",
            perfect=0.0,
            worst=MOST,
            floor="shuffled_frames",
        ),
        Metric(
            name="births",
            label="births in the open (per clip)",
            perfect=0.0,
            worst=MOST,
            floor="shuffled_frames",
        ),
        Metric(
            name="deaths",
            label="deaths in the open (per clip)",
            perfect=0.0,
            worst=MOST,
            floor="shuffled_frames",
        ),
    ),
    measure=measure,
)
