"""Marking: the pattern is added to the blue of each frame."""

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.code import encode
from worldreel.provenance.watermark.pattern import Pattern

STRENGTH = 3.35
"""Root mean square of what is added to blue, in 256ths: 42.5 dB over the three colours.

The eye sees fine differences of blue against yellow ten times worse than those of brightness,
and a video's colour planes hold little of the picture itself, so that the same strength is both
less visible there and found more easily.
"""


class Embedder:
    """Marks one video, frames as they come; how they are grouped changes nothing.

    Args:
        pattern: of the key.
        height: of the frames. width: of the frames.
        payload: what the mark says. num_bits: its length.
    """

    def __init__(
        self, pattern: Pattern, height: int, width: int, payload: int, num_bits: int
    ) -> None:
        drawn = STRENGTH * pattern.draw(encode(payload, num_bits), height, width)
        self._added = np.rint(drawn).astype(np.int16)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The next frames, marked: uint8 ``t h w 3`` in and out, sRGB."""
        assert frames.dtype == np.uint8, frames.dtype
        assert frames.ndim == 4 and frames.shape[1:] == (*self._added.shape, 3), frames.shape
        marked = frames.copy()
        blue = frames[..., 2] + self._added
        np.clip(blue, 0, 255, out=blue)
        marked[..., 2] = blue
        return marked
