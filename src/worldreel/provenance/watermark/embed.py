"""Marking: the pattern is added to the blue of each frame."""

import math

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.code import encode
from worldreel.provenance.watermark.pattern import Pattern

PSNR_DB = 42.1
"""How little a frame is changed, over its three colours.

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
        psnr_db: how little a frame is changed.
    """

    def __init__(
        self,
        pattern: Pattern,
        height: int,
        width: int,
        payload: int,
        num_bits: int,
        psnr_db: float = PSNR_DB,
    ) -> None:
        drawn = pattern.draw(encode(payload, num_bits), height, width)
        allowed = 3 * 255**2 / 10 ** (psnr_db / 10)  # all of it goes to one colour of three
        strength = math.sqrt(allowed)
        while np.mean(np.rint(strength * drawn) ** 2) > allowed:  # rounding may add to it
            strength *= 0.995
        self._added = np.rint(strength * drawn).astype(np.int16)

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The next frames, marked: uint8 ``t h w 3`` in and out, sRGB."""
        assert frames.dtype == np.uint8, frames.dtype
        assert frames.ndim == 4 and frames.shape[1:] == (*self._added.shape, 3), frames.shape
        marked = frames.copy()
        blue = frames[..., 2] + self._added
        np.clip(blue, 0, 255, out=blue)
        marked[..., 2] = blue
        return marked
