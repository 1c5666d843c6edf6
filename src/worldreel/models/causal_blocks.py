"""The parts of a causal video autoencoder: convolutions that remember the frames before.

Every part takes a `Memory`, so that a clip in pieces gives what the whole clip would. Tensors are
``b c t h w`` with channels last in memory: norms then read what is contiguous, and one kernel of
two dimensions serves all frames of a piece.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PIECE_NUMBERS = 200_000
"""So many numbers are normalised at a time."""


class Memory:
    """What the parts of a network keep of a clip's earlier frames; one for each clip."""

    def __init__(self) -> None:
        self._frames: dict[nn.Module, Tensor] = {}
        self._begun: set[nn.Module] = set()

    @property
    def kept_bytes(self) -> int:
        """Bytes that it holds; as many after each piece, whatever the length of the clip."""
        return sum(frames.untyped_storage().nbytes() for frames in self._frames.values())

    def begins(self, part: nn.Module) -> bool:
        """Whether ``part`` sees the clip's first frame now: True once."""
        if part in self._begun:
            return False
        self._begun.add(part)
        return True

    def continues(self, part: nn.Module, x: Tensor, count: int, *, padded: bool = True) -> Tensor:
        """``x`` with the ``count`` frames before it; the last ``count`` are kept for next time.

        Before the clip's first frame lies nothing: zeros, or not even these unless ``padded``.
        """
        past = self._frames.get(part)
        if past is None and padded:
            b, c, _, h, w = x.shape
            # laid out as x is, or what they are joined to would be laid out anew
            past = x.new_zeros(b, count, h, w, c).permute(0, 4, 1, 2, 3)
        if past is not None:
            x = torch.cat((past.to(x.dtype), x), dim=2)
        # a copy: a view would keep the whole piece alive
        self._frames[part] = x[:, :, -count:].clone(memory_format=torch.preserve_format)
        return x


class CausalConv3d(nn.Conv3d):
    """A convolution of stride 1 that sees a frame and those before it; it keeps the size."""

    def __init__(self, channels: int, channels_out: int, kernel: tuple[int, int, int]) -> None:
        t, h, w = kernel
        super().__init__(channels, channels_out, kernel, padding=(0, h // 2, w // 2))
        self.num_before = t - 1

    def forward(self, input: Tensor, memory: Memory | None = None) -> Tensor:
        if self.num_before and memory is not None:
            input = memory.continues(self, input, self.num_before)
        return super().forward(input)


class ChannelNorm(nn.Module):
    """Each position's channels scaled to a length of ``sqrt(c)``, with a gain for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return channel_norm(x, self.weight)


def channel_norm(x: Tensor, weight: Tensor) -> Tensor:
    """``sqrt(c) x / |x| * weight`` over axis 1 of ``b c t h w``; the length in float32 or more."""
    wide = torch.promote_types(x.dtype, torch.float32)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=wide)
    inverse = x.shape[1] ** 0.5 / length.clamp_min(1e-12)
    return (x * inverse.to(x.dtype)) * weight.to(x.dtype).view(-1, 1, 1, 1)


def norm_silu(x: Tensor, weight: Tensor) -> Tensor:
    """SiLU of the normalised channels: what stands before every convolution.

    On a CPU a few positions at a time, in float32 until the end: that is in the cache, and with
    half of the error as fast as 16 bits throughout.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return F.silu(channel_norm(x, weight))
    b, c, t, h, w = x.shape
    rows = x.permute(0, 2, 3, 4, 1).reshape(-1, c)
    out = torch.empty_like(rows)
    gain, at_once = weight.float() * c**0.5, max(1, PIECE_NUMBERS // c)
    wide = torch.promote_types(x.dtype, torch.float32)
    for start in range(0, len(rows), at_once):
        piece = rows[start : start + at_once].to(wide, copy=True)
        piece /= torch.linalg.vector_norm(piece, dim=1, keepdim=True).clamp_min_(1e-12)
        piece *= gain
        out[start : start + at_once] = F.silu(piece, inplace=True)
    return out.view(b, t, h, w, c).permute(0, 4, 1, 2, 3)


class ResidualBlock(nn.Module):
    """Two causal convolutions, each behind a norm, beside a shortcut."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.norm_1 = ChannelNorm(channels)
        self.conv_1 = CausalConv3d(channels, channels_out, (3, 3, 3))
        self.norm_2 = ChannelNorm(channels_out)
        self.conv_2 = CausalConv3d(channels_out, channels_out, (3, 3, 3))
        self.shortcut = None
        if channels != channels_out:
            self.shortcut = nn.Linear(channels, channels_out)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        beside = x
        if self.shortcut is not None:
            beside = self.shortcut(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
        x = self.conv_1(norm_silu(x, self.norm_1.weight), memory)
        return self.conv_2(norm_silu(x, self.norm_2.weight), memory).add_(beside)


class FrameAttention(nn.Module):
    """Every position of a frame looks at all others of it, with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        h, w = x.shape[-2:]
        tokens = self.norm(x).permute(0, 2, 3, 4, 1).flatten(2, 3)  # b t n c
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        seen = self.out(F.scaled_dot_product_attention(query, key, value))
        return x + seen.unflatten(2, (h, w)).permute(0, 4, 1, 2, 3)


class Middle(nn.Module):
    """What lies between the stages that change the size: block, attention, block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(channels, channels)
        self.attention = FrameAttention(channels)
        self.block_2 = ResidualBlock(channels, channels)

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        return self.block_2(self.attention(self.block_1(x, memory), memory), memory)


def per_frame(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A convolution of two dimensions over every frame of ``b c t h w``."""
    frames = conv(x.transpose(1, 2).flatten(0, 1))
    return frames.unflatten(0, (len(x), -1)).transpose(1, 2)


class Downsample(nn.Module):
    """Half as many rows and columns; with ``halves_time`` every second frame after the first."""

    def __init__(self, channels: int, *, halves_time: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)
        self.time = nn.Conv3d(channels, channels, (3, 1, 1), (2, 1, 1)) if halves_time else None

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        x = per_frame(self.conv, F.pad(x, (0, 1, 0, 1)))
        if self.time is None:
            return x
        begins = memory.begins(self)
        first = x[:, :, :1]
        x = memory.continues(self, x, 1, padded=False)
        if x.shape[2] < 3:  # the first frame alone
            return first
        x = self.time(x)
        return torch.cat((first, x), dim=2) if begins else x


class Upsample(nn.Module):
    """Twice as many rows and columns; with ``doubles_time`` two frames for each but the first."""

    def __init__(self, channels: int, channels_out: int, *, doubles_time: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels_out, 3, padding=1)
        self.time = CausalConv3d(channels, 2 * channels, (3, 1, 1)) if doubles_time else None

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        if self.time is not None:
            # the first frame stays one, and is no past to those after it
            first, x = x.split((begins := int(memory.begins(self)), x.shape[2] - begins), dim=2)
            if x.shape[2]:
                pairs = self.time(x, memory).unflatten(1, (2, -1))  # b 2 c t h w
                x = pairs.permute(0, 3, 1, 4, 5, 2).flatten(1, 2).permute(0, 4, 1, 2, 3)
            x = torch.cat((first, x), dim=2) if begins else x
        b, c, t, h, w = x.shape
        rows = x.permute(0, 2, 3, 4, 1)[:, :, :, None, :, None]  # b t h 1 w 1 c
        larger = rows.expand(b, t, h, 2, w, 2, c).reshape(b, t, 2 * h, 2 * w, c)
        return per_frame(self.conv, larger.permute(0, 4, 1, 2, 3))


class AverageDown(nn.Module):
    """The shortcut of a stage that gets smaller: neighbours become channels, and are averaged."""

    def __init__(self, channels: int, channels_out: int, factors: tuple[int, int, int]) -> None:
        super().__init__()
        self.channels_out, self.factors = channels_out, factors

    def forward(self, x: Tensor) -> Tensor:
        ft, fh, fw = self.factors
        x = F.pad(x, (0, 0, 0, 0, -x.shape[2] % ft, 0))  # before a clip's first frame
        b, c, t, h, w = x.shape
        x = x.reshape(b, c, t // ft, ft, h // fh, fh, w // fw, fw)
        x = x.permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)  # b (c ft fh fw) t h w
        return x.unflatten(1, (self.channels_out, -1)).mean(dim=2)


class DuplicateUp(nn.Module):
    """The shortcut of a stage that gets larger: channels, repeated, become neighbours."""

    def __init__(self, channels: int, channels_out: int, factors: tuple[int, int, int]) -> None:
        super().__init__()
        self.factors = factors
        self.repeats = channels_out * factors[0] * factors[1] * factors[2] // channels

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        ft, fh, fw = self.factors
        x = x.repeat_interleave(self.repeats, dim=1)
        x = x.unflatten(1, (-1, ft, fh, fw))  # b c ft fh fw t h w
        x = x.permute(0, 1, 5, 2, 6, 3, 7, 4).flatten(6, 7).flatten(4, 5).flatten(2, 3)
        return x[:, :, ft - 1 :] if memory.begins(self) else x


class Stage(nn.Module):
    """Residual blocks of one width, then a change of size; with ``beside`` a shortcut past both."""

    def __init__(
        self,
        blocks: list[ResidualBlock],
        resample: Downsample | Upsample | None,
        beside: AverageDown | DuplicateUp | None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.resample = resample
        self.beside = beside

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        start = x
        for block in self.blocks:
            x = block(x, memory)
        if self.resample is not None:
            x = self.resample(x, memory)
        if isinstance(self.beside, AverageDown):
            return x + self.beside(start)
        if self.beside is not None:
            return x + cast(DuplicateUp, self.beside)(start, memory)
        return x
