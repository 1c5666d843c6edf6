"""The light autoencoder: patch-first, two-dimensional, frame by frame.

A frame is cut into 4x4 patches before the first convolution, so nothing ever
runs at full resolution, and most of the work happens on a grid of 1/8 and 1/16.
Frames are independent: streaming needs no state, memory does not grow with the
duration, and any single frame can be given exactly. Time belongs to the
transformer's patch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from worldreel.core.errors import WorldreelError


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Sizes of the light autoencoder.

    Args:
        latent_channels: numbers per latent position, which stands for 16x16 pixels.
        encoder_channels: width at 1/4, 1/8 and 1/16 of the resolution.
        encoder_blocks: residual blocks at each of them.
        decoder_channels: the same for the decoder.
        decoder_blocks: the same for the decoder.

    Raises:
        WorldreelError: if a list does not hold three positive numbers.
    """

    latent_channels: int = 16
    encoder_channels: tuple[int, int, int] = (48, 96, 192)
    encoder_blocks: tuple[int, int, int] = (1, 2, 2)
    decoder_channels: tuple[int, int, int] = (64, 128, 224)
    decoder_blocks: tuple[int, int, int] = (2, 2, 2)

    def __post_init__(self) -> None:
        for name in ("encoder_channels", "encoder_blocks", "decoder_channels", "decoder_blocks"):
            value = tuple(getattr(self, name))
            if len(value) != 3 or any(not isinstance(n, int) or n < 1 for n in value):
                raise WorldreelError(
                    f"autoencoder.{name} is {value!r}; three positive whole numbers are expected",
                    remedy="Give one number each for 1/4, 1/8 and 1/16 of the resolution.",
                )
            object.__setattr__(self, name, value)
        if self.latent_channels < 1:
            raise WorldreelError(
                f"autoencoder.latent_channels is {self.latent_channels}; it must be 1 or more",
                remedy="16 is what the default model uses.",
            )


class PixelNorm(nn.Module):
    """Root-mean-square norm over the channels of each position, with a learned gain."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) * self.gain


class Block(nn.Module):
    """Residual block of two 3x3 convolutions; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm(channels)
        self.expand = nn.Conv2d(channels, channels, 3, padding=1)
        self.project = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.project(F.silu(self.expand(self.norm(x))))


def _encoder(config: AutoencoderConfig) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.PixelUnshuffle(4),
        nn.Conv2d(48, config.encoder_channels[0], 3, padding=1),
    ]
    for stage, (channels, num_blocks) in enumerate(
        zip(config.encoder_channels, config.encoder_blocks, strict=True)
    ):
        if stage:
            layers.append(nn.Conv2d(config.encoder_channels[stage - 1], channels, 2, stride=2))
        layers.extend(Block(channels) for _ in range(num_blocks))
    last = config.encoder_channels[-1]
    return nn.Sequential(*layers, PixelNorm(last), nn.Conv2d(last, config.latent_channels, 1))


def _decoder(config: AutoencoderConfig) -> nn.Sequential:
    widths = config.decoder_channels[::-1]
    layers: list[nn.Module] = [nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)]
    for stage, (channels, num_blocks) in enumerate(
        zip(widths, config.decoder_blocks[::-1], strict=True)
    ):
        if stage:
            layers += [nn.Conv2d(widths[stage - 1], 4 * channels, 1), nn.PixelShuffle(2)]
        layers.extend(Block(channels) for _ in range(num_blocks))
    last = widths[-1]
    return nn.Sequential(
        *layers, PixelNorm(last), nn.Conv2d(last, 48, 3, padding=1), nn.PixelShuffle(4)
    )


class Autoencoder(nn.Module):
    """Video to latents and back, one frame at a time.

    Latents are normalised per channel with statistics that `calibrate` measures
    on data, so that the diffusion path meets zero mean and unit variance.
    """

    stride: tuple[int, int, int] = (1, 16, 16)
    first_frame_alone = False

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _decoder(config)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def latent_channels(self) -> int:
        """Numbers per latent position."""
        return self.config.latent_channels

    def temporal_length(self, num_frames: int) -> int:
        """Latent frames of a clip of ``num_frames`` frames: as many, for this one."""
        return num_frames

    def encode_raw(self, frames: Tensor) -> Tensor:
        """Frames ``n 3 h w`` in [-1, 1] to latents ``n c h/16 w/16`` before normalisation."""
        height, width = frames.shape[-2:]
        if height % 16 or width % 16:
            raise WorldreelError(
                f"a frame of {width}x{height} pixels cannot be encoded: both must be "
                "multiples of 16",
                remedy=f"Use {max(width // 16, 1) * 16}x{max(height // 16, 1) * 16}.",
            )
        return self.encoder(frames.contiguous(memory_format=torch.channels_last))

    def decode_raw(self, latents: Tensor) -> Tensor:
        """Latents ``n c h w`` before normalisation to frames ``n 3 16h 16w``, about [-1, 1]."""
        return self.decoder(latents.contiguous(memory_format=torch.channels_last))

    def encode_stream(self, chunks: Iterable[Tensor]) -> Iterator[Tensor]:
        """Chunks of video ``b 3 t h w`` to chunks of latents, with the memory of one chunk."""
        mean, std = self.latent_mean[:, None, None, None], self.latent_std[:, None, None, None]
        for chunk in chunks:
            b, _, t, _, _ = chunk.shape
            raw = self.encode_raw(chunk.transpose(1, 2).flatten(0, 1))
            latents = raw.float().unflatten(0, (b, t)).transpose(1, 2)  # b c t h w
            yield (latents - mean) / std

    def decode_stream(self, latents: Tensor, *, group: int = 8) -> Iterator[Tensor]:
        """Latents ``b c t h w`` to chunks of video ``b 3 <=group 16h 16w`` in [-1, 1]."""
        mean, std = self.latent_mean[:, None, None, None], self.latent_std[:, None, None, None]
        for chunk in latents.split(group, dim=2):
            b, _, t, _, _ = chunk.shape
            raw = (chunk * std + mean).transpose(1, 2).flatten(0, 1)
            frames = self.decode_raw(raw).float().clamp(-1, 1)
            yield frames.unflatten(0, (b, t)).transpose(1, 2)

    def encode(self, video: Tensor, *, group: int = 8) -> Tensor:
        """Video ``b 3 t h w`` in [-1, 1] to normalised latents ``b c t h/16 w/16``, float32.

        Raises:
            WorldreelError: if height or width is not a multiple of 16.
        """
        return torch.cat(list(self.encode_stream(video.split(group, dim=2))), dim=2)

    def decode(self, latents: Tensor, *, group: int = 8) -> Tensor:
        """Normalised latents ``b c t h w`` to video ``b 3 t 16h 16w`` in [-1, 1], float32."""
        return torch.cat(list(self.decode_stream(latents, group=group)), dim=2)

    @torch.no_grad()
    def calibrate(self, frames: Tensor) -> None:
        """Measure mean and deviation of the raw latents of ``frames`` (``n 3 h w``)."""
        raw = torch.cat([self.encode_raw(part).float() for part in frames.split(32)])
        self.latent_mean.copy_(raw.mean(dim=(0, 2, 3)))
        self.latent_std.copy_(raw.std(dim=(0, 2, 3)).clamp_min(1e-4))
