"""The keyed pattern: plane waves whose signs only the key knows.

The pattern is periodic, with the picture's shorter side as its period, so that it is the same
for all sizes but for its scale. Wave ``k`` runs through ``(kx, ky)`` cycles in a period; its
cosine and its sine each have a sign. Some waves carry no message: by them the pattern is found
again when the picture was cut, moved and resized. The others carry a code word.
"""

import hashlib
import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.code import NUM_CODED

LOWEST, HIGHEST = 5.0, 13.0
"""Cycles in a period. Below, the picture itself is strong; above, encoders remove the mark."""
SYNC_SHARE = 0.5
"""Of the waves that carry no message."""
MAX_K = int(HIGHEST)
PEAK = 2.5
"""Standard deviations at which the pattern is cut: its few high peaks are what is seen first."""


def waves() -> NDArray[np.int64]:
    """All waves of the band, ``n 2`` as (kx, ky), slow ones first; one of each pair k, -k."""
    found = [
        (kx, ky)
        for ky in range(MAX_K + 1)
        for kx in range(-MAX_K, MAX_K + 1)
        if (ky > 0 or kx > 0) and LOWEST <= math.hypot(kx, ky) <= HIGHEST
    ]
    return np.array(sorted(found, key=lambda k: (k[0] ** 2 + k[1] ** 2, k)))


class Pattern:
    """What a key says of each wave: its signs, and what it carries.

    Args:
        key: at least 16 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.waves = waves()
        num_waves = len(self.waves)
        signs = np.unpackbits(self._drawn("signs", -(-num_waves // 4)))[: 2 * num_waves]
        self.signs = (1 - 2.0 * signs).reshape(num_waves, 2)
        """``n 2``: the signs of each wave's cosine and sine."""
        self.is_sync = self._dealt_sync()
        self.coded_bit = self._dealt_bits()
        """``m 2``: which sign of the code word multiplies the cosine and the sine."""

    def amplitudes(self, word: NDArray[np.floating]) -> NDArray[np.complexfloating]:
        """The waves' amplitudes, ``n`` complex, real part for the cosine, for a code word."""
        signs = self.signs.copy()
        signs[~self.is_sync] *= word[self.coded_bit]
        return signs[:, 0] + 1j * signs[:, 1]

    def draw(self, word: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
        """The pattern on a picture, ``h w``, with a mean square of 1."""
        amplitudes = self.amplitudes(word)
        grid = np.zeros((MAX_K + 1, 2 * MAX_K + 1), np.complex128)  # ky, kx
        grid[self.waves[:, 1], self.waves[:, 0] + MAX_K] = amplitudes
        period = min(height, width)
        along_y = np.exp(-2j * np.pi * np.outer(np.arange(MAX_K + 1), centres(height) / period))
        along_x = np.exp(
            -2j * np.pi * np.outer(np.arange(-MAX_K, MAX_K + 1), centres(width) / period)
        )
        drawn = (along_y.T @ grid @ along_x).real
        drawn = np.clip(drawn / math.sqrt(float(np.mean(drawn**2))), -PEAK, PEAK)
        return (drawn / math.sqrt(float(np.mean(drawn**2)))).astype(np.float32)

    @cached_property
    def sync_signs(self) -> NDArray[np.complexfloating]:
        """The signs of the waves without message, complex."""
        return self.signs[self.is_sync, 0] + 1j * self.signs[self.is_sync, 1]

    def _dealt_sync(self) -> NDArray[np.bool_]:
        """An equal share of fast and slow waves: two of each four neighbours, drawn."""
        num_waves = len(self.waves)
        lots = np.frombuffer(self._drawn("sync", 8 * num_waves).tobytes(), ">u8")
        chosen = np.zeros(num_waves, np.bool_)
        size = 4
        for start in range(0, num_waves, size):
            group = np.arange(start, min(start + size, num_waves))
            chosen[group[np.argsort(lots[group])[: round(size * SYNC_SHARE)]]] = True
        return chosen

    def _dealt_bits(self) -> NDArray[np.int64]:
        """Each sign of the code word goes to about as many waves, and to fast and slow ones."""
        count = 2 * int(np.sum(~self.is_sync))
        lots = np.frombuffer(self._drawn("deal", 8 * count).tobytes(), ">u8")
        rounds = [
            np.argsort(np.argsort(lots[start : start + NUM_CODED]))
            for start in range(0, count - NUM_CODED + 1, NUM_CODED)
        ]
        rest = np.argsort(lots[:NUM_CODED])[: count % NUM_CODED]
        return np.concatenate([*rounds, rest]).reshape(-1, 2)

    def _drawn(self, purpose: str, num_bytes: int) -> NDArray[np.uint8]:
        """Pseudo-random bytes of the key for one purpose."""
        source = hashlib.shake_256(b"worldreel watermark " + purpose.encode() + b"\0" + self.key)
        return np.frombuffer(source.digest(num_bytes), np.uint8)


def centres(num_pixels: int) -> NDArray[np.floating]:
    """Where the pixels of a row are: 0.5, 1.5, ..."""
    return np.arange(num_pixels) + 0.5
