"""Free pixels filled with what lies around them, so that an encoder sees no edge there."""

import numpy as np
from numpy.typing import NDArray


def fill(frame: NDArray[np.uint8], given: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A picture whose free pixels continue the given ones smoothly.

    Pull and push (Gortler et al., The Lumigraph, 1996, section 3.3): means of the given pixels
    at ever coarser sizes fill the holes of the finer ones.

    Args:
        frame: uint8 ``h w 3``.
        given: bool ``h w``; at least one pixel is given.

    Returns:
        uint8 ``h w 3``; given pixels are untouched.
    """
    if given.all():
        return frame
    filled = _pull_push(frame.astype(np.float32), given.astype(np.float32))
    return np.where(given[..., None], frame, filled.round().clip(0, 255).astype(np.uint8))


def _pull_push(color: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours ``h w 3`` with weights ``h w`` in [0, 1]; where a weight is 0 they are made up."""
    if weight.min() > 0 or weight.size == 1:
        return color
    height, width = weight.shape
    pad = ((0, height % 2), (0, width % 2))
    weighted = np.pad(color * weight[..., None], (*pad, (0, 0)))
    padded = np.pad(weight, pad)
    rows, columns = padded.shape[0] // 2, padded.shape[1] // 2
    sums = weighted.reshape(rows, 2, columns, 2, 3).sum(axis=(1, 3))
    total = padded.reshape(rows, 2, columns, 2).sum(axis=(1, 3))
    coarse = _pull_push(sums / np.maximum(total, 1e-6)[..., None], np.minimum(total, 1))
    wide = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="edge")
    # bilinear, cell centres: three parts of the cell itself, one of its neighbour
    fine = np.empty((2 * rows, 2 * columns, 3), np.float32)
    for dy in (0, 1):
        for dx in (0, 1):
            down, across = 2 * dy - 1, 2 * dx - 1

            def shifted(y: int, x: int) -> NDArray[np.float32]:
                return wide[1 + y : 1 + y + rows, 1 + x : 1 + x + columns]

            fine[dy::2, dx::2] = (
                9 * shifted(0, 0)
                + 3 * shifted(down, 0)
                + 3 * shifted(0, across)
                + shifted(down, across)
            ) / 16
    fine = fine[:height, :width]
    share = weight[..., None]
    return (share * color + (1 - share) * fine).astype(np.float32)
