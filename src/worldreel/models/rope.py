"""Rotary positions in three dimensions: time, height, width."""

import torch
from torch import Tensor

THETA = 1e4


def axis_dims(head_dim: int) -> tuple[int, int, int]:
    """How many channels of a head turn with time, height and width (Wan 2.1, section 4.2).

    >>> axis_dims(128)
    (44, 42, 42)
    """
    side = 2 * (head_dim // 6)
    return head_dim - 2 * side, side, side


def rotary_table(grid: tuple[int, int, int], head_dim: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every token's angles.

    Args:
        grid: tokens along t, h, w.
        head_dim: channels of one head, even and at least 6.

    Returns:
        cos, sin: float32 ``(t*h*w, head_dim / 2)``, computed in float64; tokens in the
        order t, h, w, the last one fastest.
    """
    angles = []
    for axis, (length, dim) in enumerate(zip(grid, axis_dims(head_dim), strict=True)):
        frequency = THETA ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
        angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
        shape = [1, 1, 1, dim // 2]
        shape[axis] = length
        angles.append(angle.view(shape).expand(*grid, dim // 2))
    angle = torch.cat(angles, dim=-1).flatten(0, 2)
    return angle.cos().float(), angle.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn every channel pair of ``x`` by its token's angle (RoPE, arXiv 2104.09864, eq. 34).

    A pair is ``(i, i + head_dim / 2)``, not neighbours as in Wan's files: halves are
    contiguous in memory. Queries and keys are permuted alike, so attention does not
    notice; ``wan_keys`` reorders the weights on load.

    Args:
        x: ``b n heads head_dim``.
        cos, sin: ``(n, head_dim / 2)``.

    Returns:
        the same shape and dtype as ``x``, turned in that dtype.
    """
    return _Rotate.apply(x, cos[:, None].to(x.dtype), sin[:, None].to(x.dtype))


class _Rotate(torch.autograd.Function):
    """A rotation, whose gradient is the rotation back; autograd by itself takes twice the time."""

    @staticmethod
    def forward(ctx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return turn(x, cos, sin)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = grads
        cos, sin = ctx.saved_tensors
        return turn(grad, cos, -sin), None, None


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The rotation itself; cos and sin ``(n, 1, head_dim / 2)`` in the dtype of x."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat(
        (
            torch.addcmul(first * cos, second, sin, value=-1),
            torch.addcmul(first * sin, second, cos),
        ),
        dim=-1,
    )
