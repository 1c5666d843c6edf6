"""Find coloured objects in a frame from its pixels alone.

Every pixel is given to the nearest of the colours that the simulated world can
show (objects, floors, skies, the set), each in light and in shadow, by distance
in CIE Lab. An object is the largest connected region of its colour.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.world.textures import palette
from worldreel.world.vocabulary import COLORS

OBJECT_SHADES = (0.40, 0.52, 0.66, 0.82, 1.0, 1.12)
FLOOR_SHADES = (0.42, 0.54, 0.8, 0.95, 1.05, 1.12)
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
def _classes() -> NDArray[np.uint8]:
    """Table ``LEVELS^3`` from a coarse sRGB colour to its class: 1 + number of the object's
    colour in `COLORS`, or 0 for whatever is no object."""
    points: list[NDArray[np.float64]] = []
    labels: list[int] = []
    for number, color in enumerate(COLORS.values()):
        for shade in OBJECT_SHADES:
            points.append(np.clip(np.array(color) * shade, 0, 1))
            labels.append(number + 1)
    for scenery, shades in palette():
        for shade in shades:
            points.append(np.clip(np.array(scenery) * shade, 0, 1))
            labels.append(0)
    centres = (np.arange(LEVELS) + 0.5) / LEVELS
    grid = np.stack(np.meshgrid(centres, centres, centres, indexing="ij"), axis=-1)
    distance = np.linalg.norm(lab(grid)[..., None, :] - lab(np.array(points)), axis=-1)
    return np.array(labels, np.uint8)[distance.argmin(axis=-1)]


def segment(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class of every pixel: frames ``... h w 3`` to ``... h w``, see `_classes`."""
    r, g, b = (frames[..., i] // (256 // LEVELS) for i in range(3))
    return _classes()[r, g, b]


def find(classes: NDArray[np.uint8], color: str) -> Found | None:
    """The largest region of ``color`` in a segmented frame ``h w``, if it is large enough."""
    wanted = classes == 1 + list(COLORS).index(color)
    regions, count = ndimage.label(wanted)
    if not count:
        return None
    sizes = np.bincount(regions.ravel())[1:]
    best = int(sizes.argmax())
    if sizes[best] < MIN_PIXELS:
        return None
    y, x = ndimage.center_of_mass(regions == best + 1)
    return Found(x=float(x), y=float(y), num_pixels=int(sizes[best]))
