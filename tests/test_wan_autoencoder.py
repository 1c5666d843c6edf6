"""The causal autoencoder: agreement with diffusers, and the same numbers in pieces."""

import pytest
import torch
from diffusers import AutoencoderKLWan

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.causal_autoencoder import CausalAutoencoder, CausalAutoencoderConfig
from worldreel.models.wan_autoencoder_keys import from_diffusers, our_name

KINDS = {
    "2.1": dict(base_dim=8, latent_channels=4),
    "2.2": dict(base_dim=8, decoder_base_dim=12, latent_channels=6, is_residual=True, patch_size=2),
}


def config(kind: str, **changes) -> CausalAutoencoderConfig:
    shape = dict(KINDS[kind], dim_mult=(1, 2, 4, 4), num_res_blocks=2)
    shape |= dict(temporal_downsample=(False, True, True))
    channels = shape["latent_channels"]
    shape |= dict(
        latents_mean=[0.1 * n for n in range(channels)],
        latents_std=[1 + 0.1 * n for n in range(channels)],
    )
    return CausalAutoencoderConfig(**(shape | changes))


def reference(config: CausalAutoencoderConfig) -> AutoencoderKLWan:
    """The reference with weights of which none is zero or one."""
    patch = config.patch_size
    model = AutoencoderKLWan(
        base_dim=config.base_dim,
        decoder_base_dim=config.decoder_base_dim,
        z_dim=config.latent_channels,
        dim_mult=list(config.dim_mult),
        num_res_blocks=config.num_res_blocks,
        temperal_downsample=list(config.temporal_downsample),
        latents_mean=list(config.latents_mean),
        latents_std=list(config.latents_std),
        is_residual=config.is_residual,
        in_channels=3 * patch**2,
        out_channels=3 * patch**2,
        patch_size=patch if patch > 1 else None,
        scale_factor_spatial=config.stride[1],
        scale_factor_temporal=config.stride[0],
    ).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
            if parameter.ndim > 3 and parameter[0].numel() > 1 and "gamma" not in name:
                parameter.mul_(parameter[0].numel() ** -0.5)
            else:
                parameter.mul_(0.2).add_(1.0 if "gamma" in name else 0.0)
    return model


def ours_of(theirs: AutoencoderKLWan, config: CausalAutoencoderConfig) -> CausalAutoencoder:
    model = CausalAutoencoder(config).eval()
    model.load_state_dict(from_diffusers(theirs.state_dict(), config))
    return model


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def statistics(config: CausalAutoencoderConfig) -> tuple[torch.Tensor, torch.Tensor]:
    mean, std = torch.tensor(config.latents_mean), torch.tensor(config.latents_std)
    return mean.view(1, -1, 1, 1, 1), std.view(1, -1, 1, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_frames", [1, 5, 13])
@torch.no_grad()
def test_encoding_agrees_with_the_reference(kind, num_frames):
    shape = config(kind)
    theirs = reference(shape)
    _, down, across = shape.stride
    video = draw(1, 3, num_frames, 2 * down, 3 * across).clamp(-1, 1)
    mean, std = statistics(shape)
    expected = (theirs.encode(video).latent_dist.mode() - mean) / std
    found = ours_of(theirs, shape).encode(video)
    assert found.shape == expected.shape and expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_frames", [1, 2, 4])
@torch.no_grad()
def test_decoding_agrees_with_the_reference(kind, num_frames):
    shape = config(kind)
    theirs = reference(shape)
    latents = draw(1, shape.latent_channels, num_frames, 3, 2)
    mean, std = statistics(shape)
    expected = theirs.decode(latents * std + mean, return_dict=False)[0]
    found = ours_of(theirs, shape).decode(latents)
    assert found.shape == expected.shape and expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_clip_in_pieces_of_any_length_gives_what_the_whole_clip_does(kind):
    shape = config(kind)
    model = ours_of(reference(shape), shape)
    _, down, across = shape.stride
    video = draw(2, 3, 13, down, 2 * across)
    whole = model.encode(video, group=12)
    assert whole.shape[2] == model.temporal_length(13) == 4
    for lengths in ([13], [1, 4, 4, 4], [3, 3, 7], [1] * 13, [9, 4]):
        pieces = list(model.encode_stream(video.split(lengths, dim=2)))
        torch.testing.assert_close(torch.cat(pieces, dim=2), whole, rtol=0, atol=1e-5)
    decoded = model.decode(whole, group=4)
    for group in (1, 2, 3):
        pieces = list(model.decode_stream(whole, group=group))
        assert len(pieces) == -(-4 // group) and pieces[0].shape[2] == 1 + 4 * (group - 1)
        torch.testing.assert_close(torch.cat(pieces, dim=2), decoded, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_frame_does_not_depend_on_later_ones():
    shape = config("2.1")
    model = ours_of(reference(shape), shape)
    video = draw(1, 3, 9, 8, 8)
    other = video.clone()
    other[:, :, 5:] = draw(1, 3, 4, 8, 8, seed=1)
    latents, changed = model.encode(video), model.encode(other)
    torch.testing.assert_close(latents[:, :, :2], changed[:, :, :2], rtol=0, atol=1e-6)
    assert (latents[:, :, 2] - changed[:, :, 2]).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_bfloat16_is_as_close_to_float32_as_the_reference_is(kind):
    shape = config(kind)
    theirs = reference(shape)
    ours = ours_of(theirs, shape)
    latents = draw(1, shape.latent_channels, 3, 4, 4)
    exact = ours.decode(latents)
    mean, std = statistics(shape)
    theirs.bfloat16()
    raw = (latents * std + mean).bfloat16()
    expected = theirs.decode(raw, return_dict=False)[0].float()
    found = ours.bfloat16().decode(latents)
    assert found.dtype == torch.float32
    assert (found - exact).square().mean() < 1.5 * (expected - exact).square().mean()


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_the_reference_has_one_place_here(kind):
    shape = config(kind)
    theirs, ours = reference(shape).state_dict(), CausalAutoencoder(shape).state_dict()
    assert len({our_name(key, shape) for key in theirs}) == len(theirs)
    mapped = from_diffusers(theirs, shape)
    assert {k: v.shape for k, v in mapped.items()} == {k: v.shape for k, v in ours.items()}


@pytest.mark.parametrize("key", ["encoder.down_blocks.0.attentions.0.norm.gamma", "quant_conv", ""])
def test_an_unknown_weight_is_named(key):
    with pytest.raises(WorldreelError, match="no part of a Wan autoencoder"):
        our_name(key, config("2.1"))


def test_a_clip_or_size_that_cannot_be_encoded_is_answered_with_one_that_can():
    model = CausalAutoencoder(config("2.1"))
    with pytest.raises(WorldreelError, match="4 frames") as caught:
        model.encode(draw(1, 3, 4, 8, 8))
    assert "1 or 5 frames" in caught.value.remedy
    with pytest.raises(WorldreelError, match="12x8") as caught:
        model.encode(draw(1, 3, 1, 8, 12))
    assert "8x8" in caught.value.remedy


def test_a_config_that_contradicts_itself_is_refused():
    with pytest.raises(UsageError, match="one fewer"):
        config("2.1", temporal_downsample=(True, True))
    with pytest.raises(UsageError, match="latents_mean has 3 numbers"):
        config("2.1", latents_mean=[0.0] * 3)
    with pytest.raises(UsageError, match="base_dim is 0"):
        config("2.1", base_dim=0)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_what_is_kept_between_pieces_does_not_grow_with_the_clip(kind, monkeypatch):
    from worldreel.models import causal_autoencoder
    from worldreel.models.causal_blocks import Memory

    shape = config(kind)
    model = ours_of(reference(shape), shape)
    memories: list[Memory] = []

    def remembered() -> Memory:
        memories.append(Memory())
        return memories[-1]

    monkeypatch.setattr(causal_autoencoder, "Memory", remembered)
    kept = []
    for _ in model.decode_stream(draw(1, shape.latent_channels, 6, 2, 2), group=1):
        kept.append(memories[0].kept_bytes)
    for _ in model.encode_stream(draw(1, 3, 21, *shape.stride[1:]).split([1, 4, 4, 4, 4, 4], 2)):
        kept.append(memories[1].kept_bytes)
    assert kept[1] == kept[5] > 0 and kept[7] == kept[11] > 0
