"""The light autoencoder: its stride, its streaming and what it refuses."""

import pytest
import torch

from worldreel.core.errors import WorldreelError
from worldreel.models.autoencoder import Autoencoder, AutoencoderConfig

TINY = AutoencoderConfig(
    latent_channels=4,
    encoder_channels=(8, 8, 8),
    encoder_blocks=(1, 1, 1),
    decoder_channels=(8, 8, 8),
    decoder_blocks=(1, 1, 1),
)


@pytest.fixture
def autoencoder() -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder(TINY).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def test_a_clip_of_t_frames_has_t_latent_frames_of_a_sixteenth(autoencoder: Autoencoder) -> None:
    latents = autoencoder.encode(torch.rand(2, 3, 5, 32, 48) * 2 - 1)
    assert latents.shape == (2, 4, 5, 2, 3)
    assert autoencoder.temporal_length(5) == 5
    assert autoencoder.decode(latents).shape == (2, 3, 5, 32, 48)


@torch.no_grad()
def test_streaming_gives_what_the_whole_clip_gives(autoencoder: Autoencoder) -> None:
    video = torch.rand(1, 3, 7, 32, 32) * 2 - 1
    whole = autoencoder.encode(video, group=7)
    parts = torch.cat(list(autoencoder.encode_stream(video.split(2, dim=2))), dim=2)
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=1e-5)
    frames = torch.cat(list(autoencoder.decode_stream(whole, group=3)), dim=2)
    torch.testing.assert_close(frames, autoencoder.decode(whole, group=7), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_streaming_holds_one_group_whatever_the_duration(autoencoder: Autoencoder) -> None:
    seen: list[int] = []
    handle = autoencoder.decoder.register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape[0])
    )
    for chunk in autoencoder.decode_stream(torch.randn(1, 4, 50, 2, 2), group=8):
        assert chunk.shape[2] <= 8
    handle.remove()
    assert len(seen) == 7
    assert max(seen) == 8


@torch.no_grad()
def test_a_frame_does_not_depend_on_its_neighbours(autoencoder: Autoencoder) -> None:
    video = torch.rand(1, 3, 4, 32, 32) * 2 - 1
    changed = video.clone()
    changed[:, :, 1] = 0
    a, b = autoencoder.encode(video), autoencoder.encode(changed)
    torch.testing.assert_close(a[:, :, [0, 2, 3]], b[:, :, [0, 2, 3]], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(a[:, :, 1], b[:, :, 1])


@torch.no_grad()
def test_calibration_makes_latents_of_zero_mean_and_unit_variance(autoencoder: Autoencoder) -> None:
    frames = torch.rand(40, 3, 32, 32) * 2 - 1
    autoencoder.calibrate(frames)
    latents = autoencoder.encode(frames.transpose(0, 1)[None])
    torch.testing.assert_close(latents.mean((0, 2, 3, 4)), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3, 4)), torch.ones(4), atol=2e-2, rtol=0)


def test_a_frame_off_the_grid_is_refused_with_the_nearest_size(autoencoder: Autoencoder) -> None:
    with pytest.raises(WorldreelError, match=r"40x36.*multiples of 16\nUse 32x32"):
        autoencoder.encode(torch.zeros(1, 3, 1, 36, 40))


@pytest.mark.parametrize(
    ("field", "value"), [("encoder_channels", (8, 8)), ("decoder_blocks", (0, 1, 1))]
)
def test_a_bad_configuration_is_refused_with_its_value(field: str, value: tuple[int, ...]) -> None:
    with pytest.raises(WorldreelError, match=field):
        AutoencoderConfig(**{field: value})  # type: ignore[arg-type]


def test_a_configuration_needs_a_latent_channel() -> None:
    with pytest.raises(WorldreelError, match="latent_channels is 0"):
        AutoencoderConfig(latent_channels=0)
