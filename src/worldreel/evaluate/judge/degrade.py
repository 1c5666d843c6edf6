"""Copies of a clip that look like a rough generation: blurred, noisy, slightly off in colour."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def degrade(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A blurred and noisy copy of frames ``t h w 3``."""
    video = frames.astype(np.float32)
    if rng.random() < 0.5:
        factor = int(rng.integers(2, 4))
        small = video[:, factor // 2 :: factor, factor // 2 :: factor]
        small = (
            0.5 * small
            + 0.5
            * ndimage.uniform_filter(video, factor, axes=(1, 2))[
                :, factor // 2 :: factor, factor // 2 :: factor
            ]
        )
        rows = np.clip((np.arange(video.shape[1]) - factor // 2) / factor, 0, small.shape[1] - 1)
        columns = np.clip((np.arange(video.shape[2]) - factor // 2) / factor, 0, small.shape[2] - 1)
        video = _between(_between(small, rows, axis=1), columns, axis=2)
    else:
        sigma = rng.uniform(0.6, 1.5)
        video = ndimage.gaussian_filter(video, (rng.uniform(0, 0.6), sigma, sigma, 0), truncate=2)
    video = video * rng.uniform(0.94, 1.06, 3).astype(np.float32)
    # noise in blotches of about two pixels, as a decoder leaves it
    noise = rng.standard_normal((len(video), *(-(-n // 2) for n in video.shape[1:3]), 3))
    blotches = noise.astype(np.float32).repeat(2, axis=1).repeat(2, axis=2)
    video += rng.uniform(1, 6) * blotches[:, : video.shape[1], : video.shape[2]]
    return np.clip(video + 0.5, 0, 255).astype(np.uint8)


def _between(
    video: NDArray[np.float32], places: NDArray[np.float64], axis: int
) -> NDArray[np.float32]:
    """Linear interpolation along ``axis`` at fractional ``places``."""
    low = np.minimum(places.astype(int), video.shape[axis] - 2)
    share = (places - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    between = video.take(low, axis) * (1 - share) + video.take(low + 1, axis) * share
    return between.astype(np.float32, copy=False)
