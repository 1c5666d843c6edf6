"""Find coloured objects in a frame from its pixels alone.

Every pixel is given to the nearest of the colours that the simulated world can
show (objects, one floor, skies, the set), each in light and in shadow, by
distance in CIE Lab. Which floor it is comes from the pixels too: the one that
explains the lower half of the clip best. An object is the largest connected
region of its colour.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.world.textures import backdrop_colors, floor_colors
from worldreel.world.vocabulary import COLORS, FLOORS

OBJECT_SHADES = (0.40, 0.46, 0.52, 0.59, 0.66, 0.74, 0.82, 0.91, 1.0, 1.12)
LEVELS = 32
MIN_PIXELS = 12


@dataclass(frozen=True, kw_only=True)
class Found:
    """One object in one frame: its centre in pixels and the pixels it covers."""

    x: float
    y: float
    num_pixels: int


def lab(rgb: NDArray[np.generic]) -> NDArray[np.float32]:
    """sRGB ``... 3`` (uint8, or float in [0, 1]) to CIE Lab under D65, float32 ``... 3``."""
    c = np.asarray(rgb, np.float32)
    if np.issubdtype(np.asarray(rgb).dtype, np.integer):
        c = c / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((np.maximum(c, 0) + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


@lru_cache(maxsize=1)
def _grid() -> NDArray[np.float32]:
    """Lab of every colour of the tables, ``LEVELS LEVELS LEVELS 3``."""
    centres = (np.arange(LEVELS) + 0.5) / LEVELS
    return lab(np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1))


def color_distance(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Least distance in Lab from every colour of the tables to one of ``points`` (``n 3``)."""
    best = np.full(_grid().shape[:3], np.inf, np.float32)
    for point in lab(points):
        np.minimum(best, np.linalg.norm(_grid() - point, axis=-1), out=best)
    return best


@lru_cache(maxsize=1)
def _object_distances() -> NDArray[np.float32]:
    """Distance to each colour of `COLORS` in any light, ``10 LEVELS LEVELS LEVELS``."""
    shades = np.array(OBJECT_SHADES)[:, None]
    return np.stack([color_distance(np.clip(np.array(c) * shades, 0, 1)) for c in COLORS.values()])


@lru_cache(maxsize=len(FLOORS))
def floor_distance(floor: str) -> NDArray[np.float32]:
    """As `color_distance` to the colours in which ``floor`` can be seen."""
    return color_distance(floor_colors(floor))


@lru_cache(maxsize=len(FLOORS))
def _classes(floor: str) -> NDArray[np.uint8]:
    """Table from a coarse sRGB colour to its class on ``floor``: 1 + number of the object's
    colour in `COLORS`, or 0 for whatever is no object."""
    objects = _object_distances()
    scenery = np.minimum(floor_distance(floor), color_distance(backdrop_colors()))
    nearest = objects.argmin(axis=0)
    return np.where(objects.min(axis=0) < scenery, nearest + 1, 0).astype(np.uint8)


def cells(frames: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """The places of pixels ``... 3`` in the tables of colours, as three indices."""
    return tuple(frames[..., i] // (256 // LEVELS) for i in range(3))


def guess_floor(frames: NDArray[np.uint8]) -> str:
    """The floor whose colours lie nearest to the lower half of the frames ``t h w 3``."""
    lower = cells(frames[:, frames.shape[1] // 2 :: 2, ::2])
    return min(FLOORS, key=lambda floor: float(np.median(floor_distance(floor)[lower])))


def segment(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of every pixel of one clip: frames ``t h w 3`` to ``t h w``.

    0 is no object, 1 the first colour of `worldreel.world.vocabulary.COLORS`, and so on.
    """
    return classify(frames, guess_floor(frames))


def classify(frames: NDArray[np.uint8], floor: str) -> NDArray[np.uint8]:
    """As `segment`, on a floor that is known."""
    return _classes(floor)[cells(frames)]


def find(classes: NDArray[np.uint8], color: str) -> Found | None:
    """The largest region of ``color`` in a segmented frame ``h w``, if it is large enough."""
    wanted = classes == 1 + list(COLORS).index(color)
    regions: NDArray[np.int32] = np.empty(wanted.shape, np.int32)
    if not ndimage.label(wanted, output=regions):
        return None
    sizes = np.bincount(regions.ravel())[1:]
    best = int(sizes.argmax())
    if sizes[best] < MIN_PIXELS:
        return None
    rows, columns = np.nonzero(regions == best + 1)
    return Found(x=float(columns.mean()), y=float(rows.mean()), num_pixels=int(sizes[best]))
