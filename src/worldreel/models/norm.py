"""Normalisation, and its modulation by the noise level."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """``x / rms(x) * weight`` over the last axis, with statistics in float32 (arXiv 1910.07467)."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return _RMSNorm.apply(x, self.weight, self.eps)


class _RMSNorm(torch.autograd.Function):
    """The gradient by hand, in the dtype of x: autograd makes five float32 copies on a CPU."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=wide)
        inverse = torch.rsqrt(length.square() / x.shape[-1] + eps).to(x.dtype)  # b n 1
        normed = x * inverse
        ctx.save_for_backward(normed, inverse, weight)
        return normed * weight.to(x.dtype)

    @staticmethod
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (grad,) = grads
        normed, inverse, weight = ctx.saved_tensors
        product = (grad * normed).flatten(0, -2)
        grad_weight = product.sum(0, dtype=weight.dtype)
        share = (product @ weight.to(grad.dtype) / grad.shape[-1]).view(inverse.shape)
        grad_normed = grad * weight.to(grad.dtype)
        return torch.addcmul(grad_normed, normed, share, value=-1) * inverse, grad_weight, None


def modulate(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """``layer_norm(x) * (1 + scale) + shift`` (DiT, arXiv 2212.09748, section 3.2).

    Args:
        x: ``b n d``.
        shift, scale: float32 ``b g 1 d`` where g divides n: each run of n / g tokens has its own.
    """
    normed = F.layer_norm(x, x.shape[-1:], eps=eps)
    runs = normed.unflatten(1, (shift.shape[1], -1))  # b g n/g d
    return torch.addcmul(shift.to(x.dtype), runs, (1 + scale).to(x.dtype)).flatten(1, 2)


def add_gated(x: Tensor, branch: Tensor, gate: Tensor) -> Tensor:
    """``x + branch * gate``; x and branch ``b n d``, gate float32 ``b g 1 d``."""
    runs = (gate.shape[1], -1)
    return torch.addcmul(
        x.unflatten(1, runs), branch.unflatten(1, runs).to(x.dtype), gate.to(x.dtype)
    ).flatten(1, 2)
