"""Finding the pattern again in a picture that was cut, moved, resized or mirrored."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from worldreel.provenance.watermark.pattern import MAX_K, Pattern
from worldreel.provenance.watermark.residual import Plane, Residual

Waves = NDArray[np.complexfloating]

WINDOW_SCALES = (0.72, 1.0, 1.4, 1.95)
"""Scales for which residuals are made; others take the nearest."""
SMALLEST, LARGEST = 0.68, 2.1
"""Periods in shorter sides that are tried: from a picture with bars to one cut to half."""
GRID = 72
"""Shifts tried in a period, each way."""
FINER = (0.5, 0.25)
"""Steps by which a place is refined, in steps of the search."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """How the pattern may lie in a picture.

    Args:
        scale_y: its period in shorter sides of the picture, down. scale_x: the same, across.
        shift_y: how far it was moved, in periods. shift_x: the same.
        mirrored: whether left and right changed places.
        score: how much the waves without message look like the key's.
    """

    scale_y: float
    scale_x: float
    shift_y: float = 0.0
    shift_x: float = 0.0
    mirrored: bool = False
    score: float = 0.0


class Search:
    """Compares one video's residual with one key's pattern.

    Args:
        pattern: of the key. residual: of the video, at ``WINDOW_SCALES``.
    """

    def __init__(self, pattern: Pattern, residual: Residual) -> None:
        self.pattern = pattern
        self.residual = residual
        self._ring = np.rint(np.hypot(*pattern.waves.T)).astype(np.int64)
        height, width = residual.shape
        self.extent = max(height, width) / min(height, width)
        self.scales = tuple(self._scales())
        self.num_places = len(self.scales) * GRID**2 * 2
        """Places whose scores are compared."""
        num_scales = len(self.scales) * 3 ** (2 * len(FINER))
        self.num_fine_places = num_scales * (GRID / FINER[-1]) ** 2 * 2
        """Places that refining can come to, from any of those."""

    def _scales(self) -> Iterator[float]:
        """So close that at the picture's edges a wave of 12 cycles is an eighth of one off."""
        scale = SMALLEST
        while scale < LARGEST:
            yield scale
            scale *= 1 + min(0.05, 0.042 * scale / self.extent)

    def measured(self, place: Place) -> Waves:
        """The amplitudes of all waves in a place: ``n`` complex, of mean square 1 in each ring."""
        waves = self._waves(place.scale_y, place.scale_x)[place.mirrored]
        shift = np.array([place.shift_x, place.shift_y])
        return waves * np.exp(2j * np.pi * (self.pattern.waves @ shift))

    def _waves(self, scale_y: float, scale_x: float) -> list[Waves]:
        """As measured from the top left corner: the picture, and the picture mirrored."""
        scale = math.sqrt(scale_y * scale_x)
        nearest = np.argmin(np.abs(np.log(np.array(self.residual.scales) / scale)))
        at_y, at_x = self.residual.at
        cos_y, sin_y = _cos_and_sin(np.arange(MAX_K + 1), at_y / scale_y)
        cos_x, sin_x = _cos_and_sin(np.arange(-MAX_K, MAX_K + 1), at_x / scale_x)
        rows = np.concatenate([cos_y, sin_y]) @ self.residual.maps[nearest]
        real, imaginary = np.split(rows @ cos_x.T, 2)  # real matrices: several times faster
        less, more = np.split(rows @ sin_x.T, 2)
        grid = (real - more) + 1j * (imaginary + less)  # ky, kx
        kx, ky = self.pattern.waves.T
        return [self._levelled(grid[ky, MAX_K + sign * kx]) for sign in (1, -1)]

    def _levelled(self, waves: Waves) -> Waves:
        power = np.bincount(self._ring, np.abs(waves).astype(np.float64) ** 2)
        count = np.bincount(self._ring)
        level = np.sqrt(power / np.maximum(count, 1)) + 1e-9
        return waves / level[self._ring]

    def score(self, measured: Waves) -> float:
        """How much the waves without message look like the key's: Gaussian if unmarked."""
        heard = measured[self.pattern.is_sync]
        agreement = (heard * np.conj(self.pattern.sync_signs)).real.sum()
        return float(agreement / (np.linalg.norm(heard) + 1e-9))

    def best(self, count: int) -> list[Place]:
        """The places with the highest scores, best first, each of another scale or mirroring."""
        found = []
        for scale in self.scales:
            for mirrored, waves in enumerate(self._waves(scale, scale)):
                place = Place(scale_y=scale, scale_x=scale, mirrored=bool(mirrored))
                found.append(self._shifted(waves, place))
        return sorted(found, key=_score, reverse=True)[:count]

    def _shifted(self, waves: Waves, place: Place) -> Place:
        """The shift with the highest score, of all in the grid."""
        heard = waves[self.pattern.is_sync]
        kx, ky = self.pattern.waves[self.pattern.is_sync].T
        product = heard * np.conj(self.pattern.sync_signs)
        spectrum = np.zeros((GRID, GRID // 2 + 1), np.complex128)
        spectrum[kx % GRID, ky] = product * np.where(ky == 0, 2, 1)
        scores = np.fft.irfft2(spectrum, s=(GRID, GRID))
        x, y = divmod(int(np.argmax(scores)), GRID)
        norm = float(np.linalg.norm(heard)) + 1e-9
        return replace(
            place,
            shift_x=x / GRID,
            shift_y=y / GRID,
            score=float(scores[x, y]) * GRID * GRID / 2 / norm,
        )

    def refined(self, place: Place) -> Place:
        """The place, with scale (each way for itself) and shift adjusted to the highest score."""
        for step in FINER:
            width = step * 0.042 * place.scale_y / self.extent
            tries = [place]
            for y in (-1, 0, 1):
                for x in (-1, 0, 1):
                    near = replace(
                        place,
                        scale_y=place.scale_y * (1 + y * width),
                        scale_x=place.scale_x * (1 + x * width),
                    )
                    tries.append(self._nudged(near, place, step))
            place = max(tries, key=_score)
        return place

    def _nudged(self, near: Place, old: Place, step: float) -> Place:
        """The best of the shifts beside that of ``old``, at the scales of ``near``.

        A scale grows from the picture's corner: its middle is to stay where it is.
        """
        is_sync = self.pattern.is_sync
        waves = self._waves(near.scale_y, near.scale_x)[near.mirrored][is_sync]
        product = waves * np.conj(self.pattern.sync_signs)
        kx, ky = self.pattern.waves[is_sync].T
        middle_y, middle_x = (at[len(at) // 2] for at in self.residual.at)
        side = -1 if near.mirrored else 1
        shift_y = old.shift_y + middle_y / old.scale_y - middle_y / near.scale_y
        shift_x = old.shift_x + side * (middle_x / old.scale_x - middle_x / near.scale_x)
        by = np.arange(-2, 3) * (step / GRID)
        along_y = np.exp(2j * np.pi * np.outer(shift_y + by, ky))
        along_x = np.exp(2j * np.pi * np.outer(shift_x + by, kx))
        scores = ((along_y * product) @ along_x.T).real / (float(np.linalg.norm(waves)) + 1e-9)
        y, x = divmod(int(np.argmax(scores)), len(by))
        return replace(
            near,
            shift_y=shift_y + by[y],
            shift_x=shift_x + by[x],
            score=float(scores[y, x]),
        )


def _cos_and_sin(numbers: NDArray[np.integer], at: NDArray[np.floating]) -> list[Plane]:
    """Waves of so many cycles, ``k n``, at places in periods."""
    phase = np.outer(numbers, 2 * np.pi * at).astype(np.float32)
    return [np.cos(phase), np.sin(phase)]


def _score(place: Place) -> float:
    return place.score
