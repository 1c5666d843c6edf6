"""What is left of a video's blue against yellow when the picture is taken out of it.

Marks are faint and everywhere; a picture is strong in places. So each place is divided by how
strong the picture is there, and frames are summed: what stays where it is, stays.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.pattern import centres

CB = np.array([-0.1146, -0.3854, 0.5], np.float32)
"""Blue against yellow, of red, green and blue (BT.709)."""
SIDE = 128
"""Pixels of the shorter side that are looked at: colour is stored no finer by most encoders."""
GROUP = 4
"""Frames that are averaged before the picture is taken out."""
MEAN, SPREAD = 0.10, 0.055
"""Sides of the windows for mean and standard deviation, in periods of the pattern."""
QUIET = 0.15
"""Standard deviation below which a place is not trusted more, in 256ths."""
LIMIT = 2.0
"""Standard deviations to which one place may speak."""

Frames = NDArray[np.uint8] | Iterable[NDArray[np.uint8]]


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
            blue = _shrunk(group)
            side = min(blue.shape)
            parts = np.stack([_normalised(blue, scale * side) for scale in self.scales])
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


def _shrunk(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean of some frames, blue against yellow, area-averaged to a shorter side of ``SIDE``."""
    blue = frames.sum(axis=0, dtype=np.float32) @ (CB / len(frames))
    height, width = blue.shape
    side = min(height, width)
    if side <= SIDE:
        return blue
    rows = _areas(height, round(height * SIDE / side))
    columns = _areas(width, round(width * SIDE / side))
    return rows @ blue @ columns.T


@lru_cache(maxsize=8)
def _areas(size: int, small: int) -> NDArray[np.float32]:
    """``small x size``: how much of each pixel lies in each of fewer, larger ones."""
    edges = np.arange(small + 1) * (size / small)
    pixel = np.arange(size)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (np.maximum(shared, 0) * (small / size)).astype(np.float32)


def _normalised(blue: NDArray[np.float32], period: float) -> NDArray[np.float32]:
    """Without its local mean, divided by its local standard deviation, limited."""
    detail = blue - _box(blue, MEAN * period)
    spread = np.sqrt(np.maximum(_box(detail * detail, SPREAD * period), 0))
    return np.clip(detail / (spread + QUIET), -LIMIT, LIMIT)


def _box(values: NDArray[np.float32], side: float) -> NDArray[np.float32]:
    """The mean over a square window of an odd side of at least 3; the edge goes on beyond."""
    half = max(1, round((side - 1) / 2))
    rows, columns = (_window(size, half) for size in values.shape)
    return rows @ values @ columns.T


@lru_cache(maxsize=64)
def _window(size: int, half: int) -> NDArray[np.float32]:
    """``size x size``: each row averages ``2 half + 1`` neighbours."""
    averaged = np.zeros((size, size), np.float32)
    near = np.arange(size)[:, None] + np.arange(-half, half + 1)
    np.add.at(averaged, (np.arange(size)[:, None], np.clip(near, 0, size - 1)), 1 / (2 * half + 1))
    return averaged
