"""Attention among video tokens, and from them to a prompt."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldreel.models.norm import RMSNorm
from worldreel.models.rope import rotate

SCORES_IN = torch.float32
"""What scores are kept in where they are written out piece by piece."""
SCORES_WRITTEN_OUT = 1024 * 1024
"""Up to so many scores a head, bf16 attention on CPU is two matrix products and a softmax: twice
as fast, forward and back, as PyTorch 2.13's flash kernel for CPU."""
PIECE_QUERIES, PIECE_SCORES = 256, 8 * 1024 * 1024
"""More scores are written out piece by piece where no gradients are asked for: so many queries at
a time, but no more scores. Fewer queries make slow products, more scores leave the cache."""


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
        return self.out(self.attend(query, key, self.heads(self.value(x))))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """All ``b n h e`` queries over all keys and values: ``b n (h e)``.

        Whoever deals the tokens out among devices puts an exchange around it, from outside.
        """
        return attend(query, key, value)


@dataclass(frozen=True, eq=False)
class Heard:
    """What a block's cross-attention hears of a text: computed once, used at every step.

    Args:
        key, value: ``b m h e``.
        bias: ``b 1 m``, added to the scores, or None.
    """

    key: Tensor
    value: Tensor
    bias: Tensor | None


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

    def hear(self, text: Tensor, bias: Tensor | None = None) -> Heard:
        """Keys and values of a text ``b m d``."""
        key = self.heads(self.key_norm(self.key(text)))  # b m h e
        return Heard(key, self.heads(self.value(text)), bias)

    def forward(
        self,
        x: Tensor,
        text: Tensor | Heard,
        image: Tensor | None,
        bias: Tensor | None = None,
    ) -> Tensor:
        query = self.heads(self.query_norm(self.query(x)))  # b n h e
        heard = text if isinstance(text, Heard) else self.hear(text, bias)
        is_read = isinstance(text, Heard)
        seen = attend(query, heard.key, heard.value, heard.bias, exact=is_read)
        if image is not None:
            key = self.heads(self.image_key_norm(self.image_key(image)))
            seen = seen + attend(query, key, self.heads(self.image_value(image)))
        return self.out(seen)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    *,
    exact: bool = False,
) -> Tensor:
    """Softmax attention of ``b n h e`` queries over ``b m h e`` keys and values: ``b n (h e)``.

    Args:
        bias: ``b n m`` or ``b 1 m``, added to the scores of every head.
        exact: scores are never rounded to 16 bits, however few they are.
    """
    if bias is not None:
        bias = bias[:, None].to(query.dtype)  # b 1 n m
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    is_slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    few = fits_as_product(query, key) and not exact
    if is_slow and not few and not torch.is_grad_enabled():
        with torch.autocast("cpu", enabled=False):  # which would make float32 products bf16 again
            return attend_in_pieces(query, key, value, bias)
    if is_slow and few:
        # contiguous: batched bf16 products on CPU are three times slower on strided operands
        scale = query.shape[-1] ** -0.5
        scores = (query * scale).contiguous() @ key.contiguous().transpose(-1, -2)  # b h n m
        if bias is not None:
            scores = scores + bias
        out = scores.softmax(dim=-1) @ value.contiguous()
    else:
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    return out.transpose(1, 2).flatten(2)


def attend_in_pieces(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """Attention of ``b h n e`` as products and softmax of a few queries of one head at a time.

    On one Zen 4 core at 2,080 tokens in bf16: 98 GFLOP/s with scores in float32, as near to the
    truth as the flash kernel with its 83; 144 with scores in bf16, whose rounding shows.
    """
    b, h, n, e = query.shape
    scale, m = e**-0.5, key.shape[2]
    piece = min(PIECE_QUERIES, max(64, PIECE_SCORES // m // 64 * 64))
    out = torch.empty(b, n, h, e, dtype=query.dtype)
    for row in range(b):
        for head in range(h):
            keys = key[row, head].to(SCORES_IN).contiguous().t()
            queries = query[row, head].to(SCORES_IN).contiguous() * scale
            values = value[row, head].contiguous()
            for start in range(0, n, piece):
                rows = slice(start, start + piece)
                scores = queries[rows] @ keys
                if bias is not None:
                    scores += bias[row, 0, rows if bias.shape[2] > 1 else slice(None)]
                out[row, rows, head] = scores.softmax(dim=-1).to(values.dtype) @ values
    return out.flatten(2)


def fits_as_product(query: Tensor, key: Tensor) -> bool:
    """Whether the scores are few enough to write out: then two products beat the fused kernel."""
    return query.shape[-2] * key.shape[-2] <= SCORES_WRITTEN_OUT
