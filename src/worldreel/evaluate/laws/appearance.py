"""Law 8: an object keeps its colour, its size and its shape.

Only frames count in which nothing covers the object: not the picture's edge, and nothing that
it touches in the picture.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.regions import (
    Region,
    clean_track,
    has_wall,
    regions,
    shrunk,
    wall,
)
from worldreel.evaluate.tracker import lab
from worldreel.world.vocabulary import COLORS, SIZES

MIN_FRAMES = 4
"""An object that is seen whole in fewer frames cannot be judged."""

FILL_WEIGHT = 3.0
NEAR_PX = 2.0
OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])
"""Which way the sides of a box, left, top, right and bottom, move as it grows."""

MIN_COVER_PIXELS = 60
MOSTLY = 0.8
FLIP = 0.12
"""A silhouette's descriptor that jumps by more than this is another shape's.

A disc has (0, 1), a square (0, 0.95), a triangle as wide as high (0.14, 0.83).
"""

_COLORS_LAB = lab(np.array(list(COLORS.values())))
COLOR_CHANCE = float(np.linalg.norm(_COLORS_LAB - np.median(_COLORS_LAB, axis=0), axis=1).mean())
"""Delta E from the median of an object whose colour is drawn anew in every frame."""

SIZE_CHANCE = 100 * float(np.std(list(SIZES.values())) / np.mean(list(SIZES.values())))
"""CV in % of an object whose size is drawn anew in every frame."""

FLIP_CHANCE = 78.0
"""In %, if the shape is drawn anew from the five in every frame; measured on simulator clips."""

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

STEADY: tuple[Group, ...] = (
    *("fall", "throw", "roll", "collide", "swing", "occlude", "ramp", "slide"),
)
"""In a tower that topples things turn, and their silhouettes with them."""

GROUPS: tuple[Group, ...] = (*STEADY, "topple")


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """How one object looks, frame by frame, ``(t,)``; all false where it is not seen.

    Args:
        num_pixels: its area; 0 where it is not found.
        uncovered: it is seen, and neither the picture's edge nor what touches it in the
            picture can hide a part of it.
        colors: mean Lab without its rim, ``t 3``.
        shapes: ln of its ellipse's length over width, and `FILL_WEIGHT` times the share of
            that ellipse that it fills, ``t 2``. Neither knows turns or size.
    """

    num_pixels: NDArray[np.int64]
    uncovered: Booleans
    colors: Floats
    shapes: Floats


def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    """How far the objects asked for change; None where the actor cannot be judged.

    Figures are means over the objects that can be.
    """
    lens, changes = observation.lens, []
    hiding = wall(observation) if has_wall(case.scene) else None
    for thing in case.things:
        looks = look(observation, thing.color, hiding)
        points = lens.lift_ball(clean_track(observation, thing.color), thing.radius)
        changes.append((_color_change(looks), _size_change(looks, points), _flips(looks)))
    if changes[0][0] is None:
        return None
    color, size, flips = (_mean(column) for column in zip(*changes, strict=True))
    return {"color_delta_e": color, "size_cv_pct": size, "shape_flips_pct": flips}


def _mean(values: tuple[float | None, ...]) -> float | None:
    """Of those that are there; None if the actor's, the first, is not."""
    if values[0] is None:
        return None
    return float(np.mean([value for value in values if value is not None]))


def look(observation: Observation, color: str, hiding: Booleans | None) -> Look:
    """The largest region of ``color`` in every frame; ``hiding`` ``h w`` is what may hide it."""
    num_frames, height, width = observation.classes.shape
    num_pixels = np.zeros(num_frames, np.int64)
    uncovered = np.zeros(num_frames, bool)
    colors, shapes = np.full((num_frames, 3), np.nan), np.full((num_frames, 2), np.nan)
    for t, here in enumerate(regions(observation)[color]):
        inner = shrunk(np.pad(here[0].pixels, 1))[1:-1, 1:-1] if here else np.zeros(0, bool)
        if not inner.any():
            continue
        region = here[0]
        crop = observation.frames[t, region.top : region.bottom, region.left : region.right]
        num_pixels[t] = region.num_pixels
        colors[t] = lab(crop[inner]).mean(axis=0)
        shapes[t] = _silhouette(region.pixels)
        if not region.at_edge(height, width):
            # what stands lower in the picture is nearer, and what is in the air even more so
            before_all = all(
                it.bottom <= region.bottom for it in _neighbours(observation, color, region)
            )
            uncovered[t] = before_all and (hiding is None or not _meets(region, hiding))
    return Look(num_pixels=num_pixels, uncovered=uncovered, colors=colors, shapes=shapes)


def _neighbours(observation: Observation, color: str, region: Region) -> list[Region]:
    """Regions of other colours whose box comes within `NEAR_PX` of the box of ``region``."""
    reach = region.box + NEAR_PX * OUTWARDS
    return [
        it
        for other, by_frame in regions(observation).items()
        for it in (by_frame[region.frame] if other != color else ())
        if it.num_pixels >= MIN_COVER_PIXELS
        and np.all(reach[:2] < it.box[2:])
        and np.all(it.box[:2] < reach[2:])
    ]


def _meets(region: Region, hiding: Booleans) -> bool:
    left, top, right, bottom = np.maximum(region.box + NEAR_PX * OUTWARDS, 0).astype(int)
    return bool(hiding[top:bottom, left:right].any())


def _silhouette(pixels: Booleans) -> Floats:
    points = np.stack(np.nonzero(pixels)).astype(np.float64)
    # a pixel is itself a square of variance 1/12
    spread = np.cov(points, bias=True) + np.eye(2) / 12
    narrow, long = np.sqrt(np.linalg.eigvalsh(spread))
    fill = points.shape[1] / (4 * np.pi * narrow * long)
    return np.array([np.log(long / narrow), FILL_WEIGHT * fill])


def _color_change(looks: Look) -> float | None:
    """Mean delta E (CIE76) from its median colour; None if it is seen too little."""
    if np.count_nonzero(looks.num_pixels) < MIN_FRAMES:
        return None
    # of what is half hidden only the light side may be left
    mostly = looks.num_pixels >= MOSTLY * np.percentile(looks.num_pixels[looks.num_pixels > 0], 75)
    colors = looks.colors[mostly]
    return float(np.linalg.norm(colors - np.median(colors, axis=0), axis=1).mean())


def _size_change(looks: Look, points: Floats) -> float | None:
    """Spread in % of the distance that its size implies about a smooth course.

    Everything that the groups show moves in an upright plane: the distance forward is a
    straight line in time and in what is to the right.
    """
    usable = looks.uncovered & np.isfinite(points).all(axis=1)
    if np.count_nonzero(usable) < MIN_FRAMES:
        return None
    right, forward = points[usable, 0], points[usable, 1]
    terms = np.stack([np.ones(len(right)), np.flatnonzero(usable) / len(usable), right], axis=1)
    course = terms @ np.linalg.lstsq(terms, forward, rcond=1e-6)[0]
    return 100 * float(np.std(forward / course))


def _flips(looks: Look) -> float | None:
    """Frames in % in which the silhouette jumps; None if it is never seen whole twice running."""
    pairs = looks.uncovered[1:] & looks.uncovered[:-1]
    if not pairs.any():
        return None
    jumps = np.linalg.norm(np.diff(looks.shapes, axis=0)[pairs], axis=1)
    return 100 * float(np.mean(jumps > FLIP))


APPEARANCE = Law(
    number=8,
    name="appearance",
    question="Do objects keep their colour, size and shape?",
    groups=GROUPS,
    metrics=(
        Metric(
            name="color_delta_e",
            label="change of colour (delta E)",
            perfect=0.0,
            worst=COLOR_CHANCE,
            floor="chance",
            chance=COLOR_CHANCE,
        ),
        Metric(
            name="size_cv_pct",
            label="change of size after depth (CV, %)",
            perfect=0.0,
            worst=SIZE_CHANCE,
            floor="chance",
            chance=SIZE_CHANCE,
            groups=STEADY,
        ),
        Metric(
            name="shape_flips_pct",
            label="jumps of the silhouette (% of frames)",
            perfect=0.0,
            worst=FLIP_CHANCE,
            floor="chance",
            chance=FLIP_CHANCE,
            groups=STEADY,
        ),
    ),
    measure=measure,
)
