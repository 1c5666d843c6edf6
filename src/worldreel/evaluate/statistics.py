"""Means with intervals, scores between a floor and a ceiling, straight lines in logarithms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worldreel.core.randomness import numpy_generator

CHUNK = 4_000_000
"""The most draws that are held in memory at once."""


def bootstrap_mean(
    values: Sequence[float] | NDArray[np.floating],
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """The mean over clips and its percentile bootstrap interval: mean, low, high.

    The same arguments give the same figures on every machine. Equal values give an interval
    without width (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: ``(n,)``, one per clip, finite, at least one.
        seed: of the resampling.
        resamples: number of draws of ``n`` clips with replacement.
        level: the share of the resampled means inside the interval.
    """
    sample = np.asarray(values, dtype=np.float64)
    assert sample.ndim == 1 and len(sample) > 0 and np.isfinite(sample).all(), sample
    assert resamples > 0 and 0 < level < 1, (resamples, level)
    # about the first value, so that equal values leave no rounding to be taken for a spread
    first, rest = float(sample[0]), sample - sample[0]
    generator = numpy_generator(seed)
    rows = max(1, CHUNK // len(sample))
    means = np.concatenate(
        [
            rest[
                generator.integers(len(rest), size=(min(rows, resamples - start), len(rest)))
            ].mean(axis=1)
            for start in range(0, resamples, rows)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return first + float(rest.mean()), first + float(low), first + float(high)


def score(floor: float, ceiling: float, m: float) -> float | None:
    """How far ``m`` has come from nonsense to the simulator: ``(floor - m) / (floor - ceiling)``.

    1 is as good as the simulator, 0 no better than nonsense; not clipped, so that worse than
    nonsense is below 0. None where floor and ceiling coincide: there is nothing to tell apart.

    >>> score(floor=100.0, ceiling=2.0, m=51.0)
    0.5
    """
    if floor == ceiling:
        return None
    return (floor - m) / (floor - ceiling)


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """``y = coefficient * x ** exponent``.

    Args:
        coefficient: y at x = 1.
        exponent: the slope in logarithms.
        exponent_error: its standard error; None for two points, which leave no residual.
        r_squared: the share of the variance of log y that the line explains.
    """

    coefficient: float
    exponent: float
    exponent_error: float | None
    r_squared: float

    def __call__(self, x: float) -> float:
        return self.coefficient * x**self.exponent


def linear_fit_loglog(x: Sequence[float], y: Sequence[float]) -> PowerLaw:
    """The least-squares straight line through the logarithms of ``x`` and ``y``.

    Args:
        x, y: positive, of the same length, at least two different ``x``.
    """
    assert len(x) == len(y) and len(set(x)) >= 2, (x, y)
    assert min(x) > 0 and min(y) > 0, (x, y)
    log_x, log_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    from_x, from_y = log_x - log_x.mean(), log_y - log_y.mean()
    spread = float(from_x @ from_x)
    slope = float(from_x @ from_y) / spread
    residual = float(((from_y - slope * from_x) ** 2).sum())
    total = float(from_y @ from_y)
    free = len(log_x) - 2
    return PowerLaw(
        coefficient=math.exp(float(log_y.mean()) - slope * float(log_x.mean())),
        exponent=slope,
        exponent_error=math.sqrt(residual / free / spread) if free else None,
        r_squared=1 - residual / total if total else 1.0,
    )
