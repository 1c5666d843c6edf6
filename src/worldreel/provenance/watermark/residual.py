"""What is left of a video's blue against yellow when the picture is taken out of it.

Where a picture's blue changes, its brightness or its red mostly changes too, and the mark changes
neither: what they explain of blue, by a regression around each place (as in the guided filter of
He, Sun and Tang 2010), is the picture's. What is left is weighed by the inverse of its variance
there, and frames are summed: what stays where it is, stays.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.pattern import centres

COLORS = np.array(
    [[-0.1146, -0.3854, 0.5], [0.2126, 0.7152, 0.0722], [0.5, -0.4542, -0.0458]], np.float32
)
"""Blue against yellow, brightness, and red against green, of red, green and blue (BT.709)."""
SIDE = 96
"""Pixels of the shorter side that are looked at: colour is stored no finer by most encoders."""
GROUP = 4
"""Frames that are averaged before the picture is taken out."""
MEAN, LIKENESS, SPREAD = 0.06, 0.08, 0.08
"""Sides of the windows for mean, regression and standard deviation, in periods of the pattern."""
NOISE = 1.0
"""Variance of brightness and of red against green below which nothing is explained by them."""
STRONG = 1.0
"""Standard deviation that the mark alone makes, about, in 256ths."""
LIMIT = 2.0
"""Standard deviations to which one place may speak."""

Frames = NDArray[np.uint8] | Iterable[NDArray[np.uint8]]
Plane = NDArray[np.floating]


class Residual:
    """The residual of a video at several scales of the pattern.

    Args:
        frames: uint8 ``t h w 3``, sRGB, or consecutive groups of such frames.
        scales: periods of the pattern, in shorter sides of the picture.

    Attributes:
        maps: float32 ``s y x``, one for each scale, the shorter side at most ``SIDE``.
        at: where the rows and columns lie, in shorter sides from the top left corner.
        num_frames: frames seen.
    """

    def __init__(self, frames: Frames, scales: Iterable[float]) -> None:
        self.scales = tuple(scales)
        self.num_frames = 0
        for group in _groups(frames):
            self.num_frames += len(group)
            colors = _shrunk(group)
            side = min(colors[0].shape)
            parts = np.stack([_unexplained(colors, scale * side) for scale in self.scales])
            self.maps = parts if self.num_frames == len(group) else self.maps + parts
            self.shape = group.shape[1:3]
        assert self.num_frames > 0, "a video has at least one frame"
        self.at = tuple(
            centres(small) * (size / small) / min(self.shape)
            for size, small in zip(self.shape, self.maps.shape[1:], strict=True)
        )


def _groups(frames: Frames) -> Iterator[NDArray[np.uint8]]:
    waiting: list[NDArray[np.uint8]] = []
    for some in [frames] if isinstance(frames, np.ndarray) else frames:
        assert some.dtype == np.uint8 and some.ndim == 4 and some.shape[3] == 3, some.shape
        for frame in some:
            waiting.append(frame)
            if len(waiting) == GROUP:
                yield np.stack(waiting)
                waiting = []
    if waiting:
        yield np.stack(waiting)


def _shrunk(frames: NDArray[np.uint8]) -> list[Plane]:
    """The mean of some frames in ``COLORS``, area-averaged to a shorter side of ``SIDE``."""
    mean = frames.sum(axis=0, dtype=np.float32) / np.float32(len(frames))
    height, width = mean.shape[:2]
    side = min(height, width)
    colors = [mean @ color for color in COLORS]
    if side <= SIDE:
        return colors
    rows = _areas(height, round(height * SIDE / side))
    columns = _areas(width, round(width * SIDE / side))
    return [rows @ color @ columns.T for color in colors]


@lru_cache(maxsize=8)
def _areas(size: int, small: int) -> Plane:
    """``small x size``: how much of each pixel lies in each of fewer, larger ones."""
    edges = np.arange(small + 1) * (size / small)
    pixel = np.arange(size)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(shared, 0) * (small / size)).astype(np.float32)


def _unexplained(colors: list[Plane], period: float) -> Plane:
    """Blue against yellow without what the other colours explain, weighed."""
    blue, light, red = (color - _box(color, MEAN * period) for color in colors)

    def around(values: Plane) -> Plane:
        return _box(values, LIKENESS * period)

    light_2, red_2 = around(light * light) + NOISE, around(red * red) + NOISE
    both, blue_light, blue_red = around(light * red), around(blue * light), around(blue * red)
    scale = light_2 * red_2 - both * both  # positive: at least the square of NOISE
    of_light = (blue_light * red_2 - blue_red * both) / scale
    of_red = (blue_red * light_2 - blue_light * both) / scale
    left = blue - of_light * light - of_red * red
    spread = np.sqrt(np.maximum(_box(left * left, SPREAD * period), 0))
    return np.clip(left, -LIMIT * spread, LIMIT * spread) / (spread + STRONG) ** 2


def _box(values: Plane, side: float) -> Plane:
    """The mean over a square window of an odd side of at least 3; the edge goes on beyond."""
    half = max(1, round((side - 1) / 2))
    rows, columns = (_window(size, half) for size in values.shape)
    return rows @ values @ columns.T


@lru_cache(maxsize=64)
def _window(size: int, half: int) -> Plane:
    """``size x size``: each row averages ``2 half + 1`` neighbours."""
    averaged = np.zeros((size, size), np.float32)
    near = np.arange(size)[:, None] + np.arange(-half, half + 1)
    np.add.at(averaged, (np.arange(size)[:, None], np.clip(near, 0, size - 1)), 1 / (2 * half + 1))
    return averaged
