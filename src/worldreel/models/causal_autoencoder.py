"""The causal video autoencoder of Wan 2.1 and 2.2 (arXiv 2503.20314, section 4.1).

A clip of ``1 + 4k`` frames has ``1 + k`` latent frames. No frame depends on a later one, so a
clip is encoded and decoded in pieces, with the memory of a piece and the same numbers.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.causal_blocks import (
    AverageDown,
    CausalConv3d,
    ChannelNorm,
    Downsample,
    DuplicateUp,
    Memory,
    Middle,
    ResidualBlock,
    Stage,
    Upsample,
    norm_silu,
)

PIECE_PIXELS = 4 * 480 * 832
"""Pixels that are decoded or encoded at a time, but at least one latent frame: four frames of 480p,
whose widest tensor takes 0.3 GB in bfloat16."""


@dataclass(frozen=True, kw_only=True)
class CausalAutoencoderConfig:
    """Sizes of a causal autoencoder; names and defaults follow Wan 2.1's published configuration.

    Args:
        base_dim: width of the encoder at full resolution; ``decoder_base_dim`` of the decoder,
            the same where it is None.
        dim_mult: widths of the stages in units of that; each but the last halves the size.
        temporal_downsample: which of them halve time as well.
        is_residual: whether stages have a shortcut past their change of size (Wan 2.2).
        patch_size: pixels a side that become channels before the first convolution (Wan 2.2).
        latents_mean, latents_std: of the raw latents on data, one for each channel.

    Raises:
        UsageError: lists whose lengths contradict each other, or a width below 1.
    """

    base_dim: int = 96
    decoder_base_dim: int | None = None
    latent_channels: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)
    is_residual: bool = False
    patch_size: int = 1
    latents_mean: tuple[float, ...]
    latents_std: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("dim_mult", "temporal_downsample", "latents_mean", "latents_std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("base_dim", "latent_channels", "num_res_blocks", "patch_size"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"autoencoder.{name} is {getattr(self, name)}; it must be at least 1.",
                    remedy="Check the configuration of the autoencoder.",
                )
        if len(self.temporal_downsample) != len(self.dim_mult) - 1:
            raise UsageError(
                f"The autoencoder has {len(self.dim_mult)} stages and {self.temporal_downsample} "
                "for halving time; that must be one fewer than there are stages.",
                remedy="Check temperal_downsample and dim_mult in the autoencoder's config.json.",
            )
        for name in ("latents_mean", "latents_std"):
            if len(getattr(self, name)) != self.latent_channels:
                raise UsageError(
                    f"autoencoder.{name} has {len(getattr(self, name))} numbers; there are "
                    f"{self.latent_channels} channels.",
                    remedy="Check the configuration of the autoencoder.",
                )

    @property
    def stride(self) -> tuple[int, int, int]:
        """Frames, rows and columns of pixels per latent."""
        side = self.patch_size * 2 ** (len(self.dim_mult) - 1)
        return 2 ** sum(self.temporal_downsample), side, side


class Encoder(nn.Module):
    """Frames to raw latents: stages that each halve the size."""

    def __init__(self, config: CausalAutoencoderConfig) -> None:
        super().__init__()
        widths = [config.base_dim * mult for mult in (1, *config.dim_mult)]
        self.conv_in = CausalConv3d(3 * config.patch_size**2, widths[0], (3, 3, 3))
        stages = []
        for index, (wide_in, wide) in enumerate(pairwise(widths)):
            is_last = index == len(config.dim_mult) - 1
            halves_time = not is_last and config.temporal_downsample[index]
            blocks = [ResidualBlock(wide_in, wide)]
            blocks += [ResidualBlock(wide, wide) for _ in range(config.num_res_blocks - 1)]
            resample = None if is_last else Downsample(wide, halves_time=halves_time)
            side = 1 if is_last else 2
            factors = (2 if halves_time else 1, side, side)
            beside = AverageDown(wide_in, wide, factors) if config.is_residual else None
            stages.append(Stage(blocks, resample, beside))
        self.stages = nn.ModuleList(stages)
        self.middle = Middle(widths[-1])
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], 2 * config.latent_channels, (3, 3, 3))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        x = self.conv_in(x, memory)
        for stage in self.stages:
            x = stage(x, memory)
        return self.conv_out(norm_silu(self.middle(x, memory), self.norm_out.weight), memory)


class Decoder(nn.Module):
    """Raw latents to frames: stages that each double the size."""

    def __init__(self, config: CausalAutoencoderConfig) -> None:
        super().__init__()
        base = config.decoder_base_dim or config.base_dim
        widths = [base * mult for mult in (config.dim_mult[-1], *reversed(config.dim_mult))]
        doubling = tuple(reversed(config.temporal_downsample))
        self.conv_in = CausalConv3d(config.latent_channels, widths[0], (3, 3, 3))
        self.middle = Middle(widths[0])
        stages = []
        for index, (wide_in, wide) in enumerate(pairwise(widths)):
            is_last = index == len(config.dim_mult) - 1
            doubles_time = not is_last and doubling[index]
            if index and not config.is_residual:
                wide_in //= 2  # the stage before has halved it as it grew
            blocks = [ResidualBlock(wide_in, wide)]
            blocks += [ResidualBlock(wide, wide) for _ in range(config.num_res_blocks)]
            resample = beside = None
            if not is_last:
                grown = wide if config.is_residual else wide // 2
                resample = Upsample(wide, grown, doubles_time=doubles_time)
                if config.is_residual:
                    beside = DuplicateUp(wide_in, wide, (2 if doubles_time else 1, 2, 2))
            stages.append(Stage(blocks, resample, beside))
        self.stages = nn.ModuleList(stages)
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], 3 * config.patch_size**2, (3, 3, 3))

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        x = self.middle(self.conv_in(x, memory), memory)
        for stage in self.stages:
            x = stage(x, memory)
        return self.conv_out(norm_silu(x, self.norm_out.weight), memory)


class CausalAutoencoder(nn.Module):
    """Video to normalised latents and back, in pieces."""

    first_frame_alone = True

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: CausalAutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        # the spread of what is encoded is never asked for: only its mean is computed
        self.encoder_out = nn.Linear(2 * config.latent_channels, config.latent_channels)
        self.decoder_in = nn.Linear(config.latent_channels, config.latent_channels)
        self.decoder = Decoder(config)
        for name in ("latent_mean", "latent_std"):
            self.register_buffer(name, torch.empty(config.latent_channels), persistent=False)
        self.reset_statistics()

    def reset_statistics(self) -> None:
        """Fills mean and deviation in from the configuration, float32."""
        device = self.encoder_out.weight.device
        self.latent_mean = torch.tensor(self.config.latents_mean, device=device)
        self.latent_std = torch.tensor(self.config.latents_std, device=device)

    def lay_out_channels_last(self) -> None:
        """Lays the weights of convolutions out in memory as their inputs are."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                is_flat = isinstance(module, nn.Conv2d)
                order = torch.channels_last if is_flat else torch.channels_last_3d
                module.weight.data = module.weight.data.contiguous(memory_format=order)

    @property
    def stride(self) -> tuple[int, int, int]:
        """Frames, rows and columns of pixels per latent."""
        return self.config.stride

    @property
    def latent_channels(self) -> int:
        """Numbers per latent position."""
        return self.config.latent_channels

    def temporal_length(self, num_frames: int) -> int:
        """Latent frames of a clip of ``num_frames`` frames; the last may stand for fewer."""
        return 1 + math.ceil((num_frames - 1) / self.stride[0])

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and so of what is computed between latents and pixels."""
        return self.decoder.conv_in.weight.dtype

    def encode_stream(self, chunks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Chunks of video ``b 3 t h w`` in [-1, 1], of any lengths, to chunks of latents.

        Raises:
            WorldreelError: a size that is no multiple of the stride, or a clip whose number of
                frames is not ``1 + 4k``.
        """
        memory, stride = Memory(), self.stride[0]
        for piece in _pieces(chunks, stride):
            self._check_size(piece)
            folded = _channels_last(_fold(piece, self.config.patch_size), self.dtype)
            raw = self.encoder(folded, memory)
            mean = self.encoder_out(raw.movedim(1, -1)).movedim(-1, 1).float()
            yield (mean - _per_channel(self.latent_mean)) / _per_channel(self.latent_std)

    def decode_stream(self, latents: Tensor, *, group: int = 8) -> Iterator[Tensor]:
        """Normalised latents ``b c t h w`` to chunks of video ``b 3 t h w`` in [-1, 1], float32.

        Args:
            group: the most latent frames at a time; fewer where frames are large.
        """
        memory = Memory()
        t, h, w = self.stride
        pixels = len(latents) * t * h * w * latents.shape[3] * latents.shape[4]
        group = max(1, min(group, PIECE_PIXELS // pixels))
        for chunk in latents.split(group, dim=2):
            raw = chunk.float() * _per_channel(self.latent_std) + _per_channel(self.latent_mean)
            raw = self.decoder_in(raw.to(self.dtype).movedim(1, -1)).movedim(-1, 1)
            frames = self.decoder(_channels_last(raw, self.dtype), memory)
            yield _unfold(frames, self.config.patch_size).float().clamp(-1, 1)

    def encode(self, video: Tensor, *, group: int | None = None) -> Tensor:
        """Video ``b 3 t h w`` in [-1, 1] to normalised latents ``b c t h w``, float32.

        Args:
            group: the most frames at a time, after the first; fitted to the size if None.

        Raises:
            WorldreelError: as for `encode_stream`.
        """
        stride, count = self.stride[0], video.shape[2]
        fitting = PIECE_PIXELS // (len(video) * video.shape[3] * video.shape[4])
        group = max(stride, (fitting if group is None else group) // stride * stride)
        lengths = [min(group, count - start) for start in range(1, count, group)]
        return torch.cat(list(self.encode_stream(video.split([1, *lengths], dim=2))), dim=2)

    def decode(self, latents: Tensor, *, group: int = 8) -> Tensor:
        """Normalised latents ``b c t h w`` to video ``b 3 t h w`` in [-1, 1], float32."""
        return torch.cat(list(self.decode_stream(latents, group=group)), dim=2)

    def _check_size(self, video: Tensor) -> None:
        height, width = video.shape[-2:]
        _, down, across = self.stride
        if height % down or width % across:
            near = f"{max(width // across, 1) * across}x{max(height // down, 1) * down}"
            raise WorldreelError(
                f"a frame of {width}x{height} pixels cannot be encoded: both must be multiples "
                f"of {down}.",
                remedy=f"Use {near}.",
            )


def _pieces(chunks: Iterable[Tensor], stride: int) -> Iterator[Tensor]:
    """Chunks of any lengths as a first piece of ``1 + k stride`` frames, then ``k stride``."""
    waiting, missing, count = [], 1, 0
    for chunk in chunks:
        waiting.append(chunk)
        count += chunk.shape[2]
        there = sum(part.shape[2] for part in waiting)
        if there < missing:
            continue
        ready = missing + (there - missing) // stride * stride
        whole = torch.cat(waiting, dim=2) if len(waiting) > 1 else chunk
        yield whole[:, :, :ready]
        waiting, missing = [whole[:, :, ready:]] if ready < there else [], stride
    if waiting or not count:
        near = 1 + max(count - 1, 0) // stride * stride
        raise WorldreelError(
            f"a clip of {count} frames cannot be encoded: there must be 1 + {stride} k.",
            remedy=f"Use {near} or {near + stride} frames.",
        )


def _per_channel(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _channels_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype).contiguous(memory_format=torch.channels_last_3d)


def _fold(video: Tensor, patch: int) -> Tensor:
    """``b c t (h p) (w q)`` as ``b (c q p) t h w``: columns before rows, as in Wan's weights."""
    if patch == 1:
        return video
    x = video.unflatten(4, (-1, patch)).unflatten(3, (-1, patch))  # b c t h p w q
    return x.permute(0, 1, 6, 4, 2, 3, 5).flatten(1, 3)


def _unfold(x: Tensor, patch: int) -> Tensor:
    """The opposite of `_fold`."""
    if patch == 1:
        return x
    x = x.unflatten(1, (-1, patch, patch))  # b c q p t h w
    return x.permute(0, 1, 4, 5, 3, 6, 2).flatten(5, 6).flatten(3, 4)
