"""Law 10: a ball's shadow lies where the light throws it.

The prompt does not say where the light comes from; the simulator's falls at a slope of
`LIGHT_SLOPE` from any side. The side that explains the clip's shadows best is found first, and
with it the height of the eye within what is uncertain of it: two numbers for a whole clip. What
is measured is how far the dark part of the floor is, frame by frame, from where a ball at the
measured place throws it, while the ball moves and its height changes. (Of a ball that rolls, the
ball itself hides most of its shadow.)
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.regions import clean_classes, grown, lift_ball, seen_in_full
from worldreel.evaluate.tracker import cells, color_distance
from worldreel.world.textures import FLAT_SHADES, floor_colors

LIGHT_SLOPE = 0.42
"""Metres to the side for every metre down; see `worldreel.world.physics.build`."""

DARK = 0.75
"""Shades of `FLAT_SHADES` below this are in shadow."""

MIN_PIXELS = 12
"""Of a shadow that should be seen; of fewer nothing is asked."""

MISSING_SHARE = 0.35
"""With less than this share of its pixels dark, a shadow is missing."""

WINDOW = 1.7
"""Dark pixels within this many times the shadow's own size may be its own."""

MIN_FRAMES = 4
CHANCE_PX = 7.2
"""Mean over simulator clips of the groups if the light is drawn anew (at most `WORST_PX` each)."""

WORST_PX = 12.0

GROUPS: tuple[Group, ...] = ("fall", "throw")

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """The floor of a clip as the still camera sees it.

    Args:
        dark: pixels in shadow, ``t h w``. free: pixels of floor that no object hides, ``t h w``.
        places: where on the floor each pixel of the picture is, ``h w 2``, metres for an eye
            at a height of 1 m; nan above the horizon.
    """

    dark: Booleans
    free: Booleans
    places: Floats


def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    """Distance in pixels and missing shadows in %; None where the ball is not seen."""
    ball = case.things[0]
    if not seen_in_full(ball.color, case.scene.floor):
        return {}
    centres = lift_ball(observation, ball.color, ball.radius)
    frames = np.flatnonzero(np.isfinite(centres).all(axis=1))
    if len(frames) < MIN_FRAMES:
        return None
    ground = ground_of(observation)
    eye_m = observation.lens.eye_height_m(case.scene.event)
    light, eye_m = find_light(observation, ground, centres, frames, ball.radius, eye_m)
    off, missing = residuals(ground, centres, frames, ball.radius, light, eye_m)
    if len(missing) < MIN_FRAMES:
        return None
    missing_pct = 100 * float(np.mean(missing))
    enough = np.count_nonzero(~missing) >= MIN_FRAMES
    return {
        "shadow_px": float(np.mean(off[~missing])) if enough else None,
        "shadow_missing_pct": missing_pct,
    }


@lru_cache(maxsize=8)
def _dark_table(floor: str) -> Booleans:
    """Which coarse colours, ``LEVELS LEVELS LEVELS``, are rather this floor's in shadow."""
    colors = floor_colors(floor).reshape(len(FLAT_SHADES), -1, 3)
    dark = np.array(FLAT_SHADES) < DARK
    return color_distance(colors[dark].reshape(-1, 3)) < color_distance(
        colors[~dark].reshape(-1, 3)
    )


def ground_of(observation: Observation) -> Ground:
    lens = observation.lens
    height, width = lens.height, lens.width
    free = ~grown(clean_classes(observation) > 0)
    row, column = np.mgrid[:height, :width] + 0.5
    still = float(np.median(lens.pitch))
    down, right = (row - height / 2) / lens.focal_px, (column - width / 2) / lens.focal_px
    drop = np.sin(still) + down * np.cos(still)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.stack([right, np.cos(still) - down * np.sin(still)], axis=-1) / drop[..., None]
    places[drop < 0.05] = np.nan
    free &= np.isfinite(places[..., 0])
    dark = _dark_table(observation.floor)[cells(observation.frames)] & free
    return Ground(dark=dark, free=free, places=places)


def _thrown(centres: Floats, light: Floats, eye_m: Floats | float) -> Floats:
    """Where on the floor the shadows of ``centres`` ``... 3`` have their centres, ``... 2``."""
    height = centres[..., 2] + eye_m
    return centres[..., :2] + light * height[..., None]


def light_from(azimuth: Floats | float) -> Floats:
    """Metres to the right and forward for every metre down, ``... 2``; azimuth in radians."""
    return LIGHT_SLOPE * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)


def find_light(
    observation: Observation,
    ground: Ground,
    centres: Floats,
    frames: NDArray[np.int64],
    radius: float,
    eye_m: float,
) -> tuple[Floats, float]:
    """The light and the eye's height whose shadows are darkest inside and least outside."""
    chosen = frames[:: -(-len(frames) // 20)]  # every place counts, not every frame
    azimuths = np.radians(np.arange(0, 360, 10.0))
    eyes = eye_m * np.linspace(0.92, 1.08, 7)
    score = _scores(observation, ground, centres, chosen, radius, azimuths, eyes)
    best_azimuth, best_eye = np.unravel_index(score.argmax(), score.shape)
    azimuths = azimuths[best_azimuth] + np.radians(np.linspace(-9, 9, 10))
    eyes = eyes[best_eye] * np.linspace(0.98, 1.02, 5)
    score = _scores(observation, ground, centres, chosen, radius, azimuths, eyes)
    best_azimuth, best_eye = np.unravel_index(score.argmax(), score.shape)
    return light_from(azimuths[best_azimuth]), float(eyes[best_eye])


_ANGLES = np.arange(12) * np.pi / 6
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
_INSIDE = np.concatenate([[[0.0, 0.0]], 0.45 * _RING[::2], 0.8 * _RING])
_OUTSIDE = 1.3 * _RING


def _scores(
    observation: Observation,
    ground: Ground,
    centres: Floats,
    frames: NDArray[np.int64],
    radius: float,
    azimuths: Floats,
    eyes: Floats,
) -> Floats:
    """How well the shadows of each light and eye agree with what is dark, ``a e``."""
    light = light_from(azimuths)
    along = light / LIGHT_SLOPE
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    probes = np.concatenate([_INSIDE, _OUTSIDE])
    stretch = np.hypot(1, LIGHT_SLOPE)
    around = radius * (
        stretch * probes[:, None, :1] * along + probes[:, None, 1:] * across
    )  # p a 2
    middle = _thrown(centres[frames], light[:, None, None], eyes[:, None])  # a e t 2
    spots = middle[None] + around[:, :, None, None]  # p a e t 2
    x, y, visible = _pixels(observation, spots, eyes)
    t = np.broadcast_to(frames, x.shape)
    visible &= ground.free[t, y, x]
    sign = np.where(np.arange(len(probes)) < len(_INSIDE), 1, -1)[:, None, None, None]
    agrees = np.where(ground.dark[t, y, x], sign, -sign) * visible
    weight = np.where(sign > 0, 1 / len(_INSIDE), 1 / len(_OUTSIDE)) * visible
    return (agrees * weight).sum(axis=(0, 3)) / np.maximum(weight.sum(axis=(0, 3)), 1)


def _pixels(
    observation: Observation, spots: Floats, eyes: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], Booleans]:
    """Columns and rows of points on the floor ``p a e t 2``, and which are in the picture."""
    lens = observation.lens
    pitch = float(np.median(lens.pitch))
    sin, cos = np.sin(pitch), np.cos(pitch)
    drop = -eyes[:, None]
    depth = spots[..., 1] * cos - drop * sin
    down = -spots[..., 1] * sin - drop * cos
    depth = np.maximum(depth, 1e-3)
    x = np.floor(lens.width / 2 + lens.focal_px * spots[..., 0] / depth).astype(np.int64)
    y = np.floor(lens.height / 2 + lens.focal_px * down / depth).astype(np.int64)
    inside = (x >= 0) & (x < lens.width) & (y >= 0) & (y < lens.height)
    return np.clip(x, 0, lens.width - 1), np.clip(y, 0, lens.height - 1), inside


def residuals(
    ground: Ground,
    centres: Floats,
    frames: NDArray[np.int64],
    radius: float,
    light: Floats,
    eye_m: float,
) -> tuple[Floats, Booleans]:
    """Pixels between each shadow and where it should be, and whether it is missing at all.

    Only for frames in which enough of it should be seen: both ``(n,)``, nan where missing.
    """
    middles = _thrown(centres[frames], light, eye_m)
    along = light / LIGHT_SLOPE
    off, missing = [], []
    for t, middle in zip(frames, middles, strict=True):
        away = eye_m * ground.places - middle
        u = (away @ along) / np.hypot(1, LIGHT_SLOPE)
        v = away @ np.array([-along[1], along[0]])
        with np.errstate(invalid="ignore"):
            ratio = np.hypot(u, v) / radius
            due = (ratio <= 1) & ground.free[t]
            dark = (ratio <= WINDOW) & ground.dark[t]
        if np.count_nonzero(due) < MIN_PIXELS:
            continue
        missing.append(np.count_nonzero(due & dark) < MISSING_SHARE * np.count_nonzero(due))
        off.append(np.nan if missing[-1] else _between(due, dark))
    return np.array(off), np.array(missing, bool)


def _between(a: Booleans, b: Booleans) -> float:
    (ay, ax), (by, bx) = np.nonzero(a), np.nonzero(b)
    return float(np.hypot(ax.mean() - bx.mean(), ay.mean() - by.mean()))


SHADOW = Law(
    number=10,
    name="shadow",
    question="Does the shadow lie where the light throws it?",
    groups=GROUPS,
    metrics=(
        Metric(
            name="shadow_px",
            label="shadow from its place (px)",
            perfect=0.0,
            worst=WORST_PX,
            floor="chance",
            chance=CHANCE_PX,
        ),
        Metric(
            name="shadow_missing_pct",
            label="shadows missing (% of frames)",
            perfect=0.0,
            worst=100.0,
            floor="chance",
            chance=100.0,
        ),
    ),
    measure=measure,
)
