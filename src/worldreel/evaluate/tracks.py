"""The tracks of coloured objects through a clip, from its pixels alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.evaluate.tracker import MIN_PIXELS
from worldreel.world.vocabulary import COLORS

EDGE_PX = 1
"""An object this close to the picture's edge may be cut off by it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """Where the largest region of one colour is in every frame; all arrays are ``(t,)``.

    Args:
        color: a word of `worldreel.world.vocabulary.COLORS`.
        x, y: the region's centroid in pixels from the picture's upper left corner, where
            the centre of the first pixel is 0.5; nan where there is no such region.
        num_pixels: its area, 0 where there is none.
        left, right, top, bottom: the box around it in pixels, right and bottom exclusive;
            nan where there is none.
        at_edge: whether that box touches the picture's edge.
        num_parts: how many regions of this colour there are.
    """

    color: str
    x: Floats
    y: Floats
    num_pixels: NDArray[np.int64]
    left: Floats
    right: Floats
    top: Floats
    bottom: Floats
    at_edge: NDArray[np.bool_]
    num_parts: NDArray[np.int64]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Frames in which the object is found."""
        return self.num_pixels > 0

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Frames in which it is found and not cut off by the picture's edge."""
        return self.seen & ~self.at_edge


def track(classes: NDArray[np.uint8], color: str) -> Track:
    """Follows ``color`` through a segmented clip ``t h w`` (`worldreel.evaluate.tracker.segment`).

    A region of fewer than `MIN_PIXELS` pixels is not counted.
    """
    num_frames, height, width = classes.shape
    wanted = classes == 1 + list(COLORS).index(color)
    place = np.full((num_frames, 6), np.nan)
    num_pixels = np.zeros(num_frames, np.int64)
    num_parts = np.zeros(num_frames, np.int64)
    regions: NDArray[np.int32] = np.empty((height, width), np.int32)
    for t in np.flatnonzero(wanted.sum(axis=(1, 2)) >= MIN_PIXELS):
        if not ndimage.label(wanted[t], output=regions):
            continue
        sizes = np.bincount(regions.ravel())[1:]
        num_parts[t] = np.count_nonzero(sizes >= MIN_PIXELS)
        best = int(sizes.argmax())
        if sizes[best] < MIN_PIXELS:
            continue
        rows, columns = np.nonzero(regions == best + 1)
        num_pixels[t] = len(rows)
        place[t] = (
            *(columns.mean() + 0.5, rows.mean() + 0.5),
            *(columns.min(), columns.max() + 1, rows.min(), rows.max() + 1),
        )
    x, y, left, right, top, bottom = place.T
    with np.errstate(invalid="ignore"):
        at_edge = (
            (left <= EDGE_PX)
            | (right >= width - EDGE_PX)
            | (top <= EDGE_PX)
            | (bottom >= height - EDGE_PX)
        )
    return Track(
        color=color,
        x=x,
        y=y,
        num_pixels=num_pixels,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        at_edge=at_edge,
        num_parts=num_parts,
    )
