"""How close a clip is to a true one, pixel by pixel, where there is a true one."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worldreel.core.errors import WorldreelError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales of MS-SSIM, the finest first (Wang et al. 2003)."""

KERNEL = 11
"""Width in pixels of the window in which similarity is taken, at every scale."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """How close two clips are.

    In float32: equal clips have a similarity of 0.9999, and in float64 it takes a minute.

    Args:
        psnr_db: over all pixels of all frames together, decibels; infinite where the clips are
            equal.
        ssim: structural similarity (Wang et al. 2004), mean over frames, at most 1.
        ms_ssim: the same at ``num_scales`` scales (Wang et al. 2003).
        num_scales: 5 where the clip is large enough, fewer in a small one; figures with
            different numbers of scales cannot be compared.
    """

    psnr_db: float
    ssim: float
    ms_ssim: float
    num_scales: int


def fidelity(frames: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Fidelity:
    """PSNR, SSIM and MS-SSIM of a clip against the true one, both uint8 ``t h w 3``.

    Raises:
        WorldreelError: torchmetrics is missing, or the shapes differ.
    """
    try:
        from torchmetrics.functional.image import (
            multiscale_structural_similarity_index_measure,
            structural_similarity_index_measure,
        )
    except ImportError as error:
        raise WorldreelError(
            f"similarity of clips cannot be measured here: {error}",
            remedy="Install the training parts with `pip install 'worldreel[train]'`.",
        ) from error
    if frames.shape != truth.shape:
        raise WorldreelError(
            f"a clip of {frames.shape} cannot be compared with one of {truth.shape}",
            remedy="Give both the same number of frames and the same size.",
        )
    num_scales = scales_that_fit(*truth.shape[1:3])
    weights = WEIGHTS[:num_scales]
    betas = tuple(weight / sum(weights) for weight in weights)
    error = np.square(frames.astype(np.float64) - truth).mean()
    with np.errstate(divide="ignore"):
        psnr_db = float(10 * np.log10(np.divide(255.0**2, error)))
    made, true = _images(frames), _images(truth)
    ssim = structural_similarity_index_measure(made, true, data_range=1.0, kernel_size=KERNEL)
    ms_ssim = multiscale_structural_similarity_index_measure(
        made, true, data_range=1.0, kernel_size=KERNEL, betas=betas
    )
    assert isinstance(ssim, Tensor)
    return Fidelity(
        psnr_db=psnr_db, ssim=float(ssim), ms_ssim=float(ms_ssim), num_scales=num_scales
    )


def scales_that_fit(height: int, width: int) -> int:
    """The most scales of MS-SSIM on a picture of so many pixels.

    The window must fit into the coarsest scale, and torchmetrics wants sides of more than
    ``10 (n - 1)^2`` pixels at ``n`` scales: 5 need 176, 4 need 99, 3 need 44, 2 need 22.

    Raises:
        WorldreelError: the picture is smaller than the window.
    """
    for num_scales in range(len(WEIGHTS), 0, -1):
        divisor = max((num_scales - 1) ** 2, 2 ** (num_scales - 1))
        if min(height, width) // divisor >= KERNEL:
            return num_scales
    raise WorldreelError(
        f"a picture of {width}x{height} pixels is too small to compare",
        remedy=f"Both sides must be at least {KERNEL} pixels.",
    )


def _images(frames: NDArray[np.uint8]) -> Tensor:
    return (
        torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).double() / 255
    )  # in float32 equal clips differ
