"""Attention among video tokens, and from them to a prompt."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldreel.models.norm import RMSNorm
from worldreel.models.rope import rotate

SCORES_WRITTEN_OUT = 1024 * 1024
"""Up to so many scores a head, bf16 attention on CPU is two matrix products and a softmax: twice
as fast, forward and back, as PyTorch 2.13's flash kernel for CPU."""


class Attention(nn.Module):
    """The projections that both kinds of attention share; q and k are normalised over all heads."""

    def __init__(self, dim: int, num_heads: int, *, qk_norm: bool, eps: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.query_norm = RMSNorm(dim, eps) if qk_norm else nn.Identity()
        self.key_norm = RMSNorm(dim, eps) if qk_norm else nn.Identity()

    def heads(self, x: Tensor) -> Tensor:
        """``b n d`` as ``b n h e``."""
        return x.unflatten(-1, (self.num_heads, -1))


class SelfAttention(Attention):
    """Every token looks at every token, by content and by relative position."""

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        query = rotate(self.heads(self.query_norm(self.query(x))), cos, sin)  # b n h e
        key = rotate(self.heads(self.key_norm(self.key(x))), cos, sin)
        return self.out(attend(query, key, self.heads(self.value(x))))


class CrossAttention(Attention):
    """Every token looks at the text and, given ``image_dim``, at an image of that width."""

    def __init__(
        self, dim: int, num_heads: int, *, qk_norm: bool, eps: float, image_dim: int | None
    ) -> None:
        super().__init__(dim, num_heads, qk_norm=qk_norm, eps=eps)
        if image_dim is not None:
            self.image_key = nn.Linear(image_dim, dim)
            self.image_value = nn.Linear(image_dim, dim)
            self.image_key_norm = RMSNorm(dim, eps) if qk_norm else nn.Identity()

    def forward(
        self, x: Tensor, text: Tensor, image: Tensor | None, bias: Tensor | None = None
    ) -> Tensor:
        query = self.heads(self.query_norm(self.query(x)))  # b n h e
        key = self.heads(self.key_norm(self.key(text)))  # b m h e
        seen = attend(query, key, self.heads(self.value(text)), bias)
        if image is not None:
            key = self.heads(self.image_key_norm(self.image_key(image)))
            seen = seen + attend(query, key, self.heads(self.image_value(image)))
        return self.out(seen)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Softmax attention of ``b n h e`` queries over ``b m h e`` keys and values: ``b n (h e)``.

    ``bias`` ``b n m`` is added to the scores of every head.
    """
    if bias is not None:
        bias = bias[:, None].to(query.dtype)  # b 1 n m
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and fits_as_product(query, key):
        # contiguous: batched bf16 products on CPU are three times slower on strided operands
        scale = query.shape[-1] ** -0.5
        scores = (query * scale).contiguous() @ key.contiguous().transpose(-1, -2)  # b h n m
        if bias is not None:
            scores = scores + bias
        out = scores.softmax(dim=-1) @ value.contiguous()
    else:
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return out.transpose(1, 2).flatten(2)


def fits_as_product(query: Tensor, key: Tensor) -> bool:
    """Whether the scores are few enough to write out: then two products beat the fused kernel."""
    return query.shape[-2] * key.shape[-2] <= SCORES_WRITTEN_OUT
