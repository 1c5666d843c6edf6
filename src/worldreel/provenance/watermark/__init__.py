"""An invisible mark in every frame, which survives what happens to videos.

``Watermark(key)`` puts a number of up to 32 bits into a video and finds it again, without the
original, after re-encoding, cutting, resizing, dropping frames, darkening and mirroring. It is
found with the key alone. What it survives and what it does not stands in docs/watermark.md.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.detect import FALSE_ALARM, Reading, detect
from worldreel.provenance.watermark.embed import PSNR_DB, Embedder
from worldreel.provenance.watermark.pattern import Pattern
from worldreel.provenance.watermark.residual import Frames

__all__ = ["FALSE_ALARM", "PSNR_DB", "Embedder", "Reading", "Watermark", "capacity"]

NUM_BITS = 32
SMALLEST_SIDE = 64


def capacity(height: int, width: int) -> int:
    """Bits that a video of this size can carry: 32, or 0 where a side is below 64 pixels."""
    return NUM_BITS if min(height, width) >= SMALLEST_SIDE else 0


class Watermark:
    """Marks videos and reads marks, with one key.

    Args:
        key: at least 16 secret bytes.
        psnr_db: how little a frame is changed. Marks that are fainter than the default are seen
            even less, and survive hard encoding less often (docs/watermark.md has the figures).
    """

    def __init__(self, key: bytes, *, psnr_db: float = PSNR_DB) -> None:
        assert len(key) >= 16, f"a key of {len(key)} bytes can be guessed"
        assert 36 <= psnr_db <= 52, f"{psnr_db} dB is seen by all, or found by nobody"
        self._pattern = Pattern(key)
        self._psnr_db = psnr_db

    def embedder(self, height: int, width: int, payload: int) -> Embedder:
        """Marks the frames of one video as they come.

        Args:
            height: of the frames, pixels. width: pixels.
            payload: a number of ``capacity(height, width)`` bits.
        """
        num_bits = capacity(height, width)
        return Embedder(self._pattern, height, width, payload, num_bits, self._psnr_db)

    def embed(self, frames: NDArray[np.uint8], payload: int) -> NDArray[np.uint8]:
        """The frames, marked: uint8 ``t h w 3`` in and out, sRGB."""
        height, width = frames.shape[1:3]
        return self.embedder(height, width, payload)(frames)

    def detect(self, frames: Frames) -> Reading:
        """Looks for the mark.

        Args:
            frames: uint8 ``t h w 3``, sRGB, or consecutive groups of them: memory stays constant.
        """
        return detect(self._pattern, frames, NUM_BITS)
