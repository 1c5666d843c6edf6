"""What of a picture is floor, shadow on it, sky or set, where it is no object."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracker import cells, color_distance
from worldreel.world.textures import (
    FLAT_SHADES,
    SKIES,
    backdrop_colors,
    floor_colors,
    sky_colors,
)
from worldreel.world.vocabulary import FLOORS

FLOOR, SHADOW, SKY, SET = range(4)

DARK = 0.75
"""A floor of less than this share of its full light lies in shadow."""


@lru_cache(maxsize=len(FLOORS))
def _table(floor: str) -> NDArray[np.uint8]:
    """From a coarse colour to what it is nearest to."""
    shades = np.array(FLAT_SHADES)
    colors = floor_colors(floor).reshape(len(shades), -1, 3)
    sky = sky_colors()
    distances = (
        color_distance(colors[shades >= DARK].reshape(-1, 3)),
        color_distance(colors[shades < DARK].reshape(-1, 3)),
        color_distance(sky),
        color_distance(backdrop_colors()[len(sky) :]),
    )
    return np.stack(distances).argmin(axis=0).astype(np.uint8)


def scenery(frames: NDArray[np.uint8], floor: str) -> NDArray[np.uint8]:
    """`FLOOR`, `SHADOW`, `SKY` or `SET` for every pixel of ``... 3``, uint8 ``...``."""
    return _table(floor)[cells(frames)]


@lru_cache(maxsize=len(SKIES))
def _sky_distance(background: str) -> NDArray[np.float32]:
    top, horizon = (np.array(color) for color in SKIES[background])
    return color_distance(top + (horizon - top) * np.linspace(0, 1, 9)[:, None])


def judge_background(observation: Observation) -> str | None:
    """The sky that explains what is above the horizon best; None where nothing is."""
    last = int(np.median(observation.lens.horizon)) - 1
    if last < 2:
        return None
    free = observation.classes[::4, :last] == 0
    sky = cells(observation.frames[::4, :last][free])
    if not len(sky[0]):
        return None
    return min(SKIES, key=lambda background: float(np.median(_sky_distance(background)[sky])))
