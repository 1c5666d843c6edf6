import dataclasses
import json
import math

import pytest
import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from hypothesis import given, settings
from hypothesis import strategies as st

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.models.norm import RMSNorm
from worldreel.models.rope import axis_dims, rotary_table, rotate
from worldreel.models.transformer import (
    Transformer,
    TransformerConfig,
    initialize,
    patchify,
    unpatchify,
)
from worldreel.models.wan_keys import from_diffusers, our_name

TEXT_LENGTH = 512  # the reference tells image states from text by this length


def config(**changes) -> TransformerConfig:
    shape = dict(num_heads=2, head_dim=32, in_channels=4, out_channels=3, text_dim=24)
    shape |= dict(freq_dim=32, ffn_dim=96, num_layers=2)
    return TransformerConfig(**(shape | changes))


def reference(config: TransformerConfig, seed: int = 0) -> WanTransformer3DModel:
    """The reference with weights of which none is zero or one."""
    kwargs = dataclasses.asdict(config)
    kwargs["num_attention_heads"] = kwargs.pop("num_heads")
    kwargs["attention_head_dim"] = kwargs.pop("head_dim")
    model = WanTransformer3DModel(**kwargs).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
            parameter.mul_(0.3 if parameter.ndim != 2 else parameter.shape[1] ** -0.5)
    return model


def random_transformer(config: TransformerConfig, seed: int = 0) -> Transformer:
    model = Transformer(config).eval()
    model.load_state_dict(from_diffusers(reference(config, seed).state_dict(), config))
    return model


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def levels(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def difference_from_reference(config, level, image=None, image_for_reference=None) -> float:
    x, text = draw(2, config.in_channels, 4, 6, 8), draw(2, TEXT_LENGTH, config.text_dim, seed=1)
    theirs, ours = reference(config), random_transformer(config)
    with torch.no_grad():
        expected = theirs(
            x,
            level * 1000,
            text,
            image if image_for_reference is None else image_for_reference,
            return_dict=False,
        )[0]
        found = ours(x, level, text, image)
    assert 0.3 < expected.std() < 3
    return (found - expected).abs().max().item()


@pytest.mark.parametrize("patch_size", [(1, 2, 2), (4, 2, 2), (2, 1, 2)])
def test_text_model_agrees_with_the_reference(patch_size):
    assert difference_from_reference(config(patch_size=patch_size), levels(2)) < 1e-5


def test_model_without_norms_in_cross_attention_agrees_with_the_reference():
    assert difference_from_reference(config(cross_attn_norm=False), levels(2)) < 1e-5


@pytest.mark.parametrize("head_dim", [6, 20, 64, 128])
def test_every_head_width_agrees_with_the_reference(head_dim):
    assert difference_from_reference(config(head_dim=head_dim), levels(2)) < 1e-5


def test_image_model_agrees_with_the_reference():
    model = config(image_dim=20, added_kv_proj_dim=64)
    assert difference_from_reference(model, levels(2), draw(2, 10, 20, seed=2)) < 1e-5


def test_first_and_last_frame_model_agrees_with_the_reference():
    model = config(image_dim=20, added_kv_proj_dim=64, pos_embed_seq_len=10)
    image = draw(2, 10, 20, seed=2)  # the reference takes the two frames' states as two rows
    halves = image.reshape(4, 5, 20)
    assert difference_from_reference(model, levels(2), image, halves) < 1e-5


def test_a_level_per_token_agrees_with_the_reference():
    assert difference_from_reference(config(), levels(2, 4 * 3 * 4)) < 1e-5


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # the reference's
def test_bfloat16_autocast_is_as_close_to_float32_as_the_reference_is():
    shape = config(num_layers=3)
    theirs, ours = reference(shape), random_transformer(shape)
    x, text, level = draw(2, 4, 2, 8, 8), draw(2, TEXT_LENGTH, 24, seed=1), levels(2, 32)
    with torch.no_grad():
        exact = ours(x, level, text)
        with torch.autocast("cpu", torch.bfloat16):
            found = ours(x, level, text).float()
            expected = theirs(x, level * 1000, text, return_dict=False)[0].float()
    assert (found - exact).square().mean() < 1.5 * (expected - exact).square().mean()


def test_levels_per_time_step_and_per_token_say_the_same():
    model = random_transformer(config())
    x, text, level = draw(2, 4, 3, 4, 4), draw(2, 5, 24), levels(2, 3)
    with torch.no_grad():
        short = model(x, level, text)
        long = model(x, level.repeat_interleave(4, dim=1), text)
        flat = model(x, level[:, 0], text)
        same = model(x, level[:, :1].expand(2, 12), text)
    torch.testing.assert_close(short, long, rtol=0, atol=1e-5)
    torch.testing.assert_close(flat, same, rtol=0, atol=1e-5)
    assert (short - flat).abs().max() > 0.01


def test_a_token_feels_its_own_level_more_than_its_neighbours_do():
    model = random_transformer(config())
    x, text, level = draw(1, 4, 2, 4, 4), draw(1, 5, 24), levels(1, 8)
    other = level.clone()
    other[0, 5] = 1 - other[0, 5]
    with torch.no_grad():
        change = (model(x, level, text) - model(x, other, text)).abs()
    own = change[0, :, 1, 0:2, 2:4].mean()  # token 5 is at t, h, w = 1, 0, 1
    change[0, :, 1, 0:2, 2:4] = 0
    assert own > 2 * change.sum() / (change.numel() - 12) > 0


def test_a_clip_does_not_depend_on_its_batch():
    model = random_transformer(config())
    x, text, level = draw(3, 4, 2, 4, 4), draw(3, 5, 24), levels(3)
    with torch.no_grad():
        together = model(x, level, text)
        alone = model(x[1:2], level[1:2], text[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-5)


def test_any_duration_and_size_that_divides_into_patches_goes_through():
    model = random_transformer(config(patch_size=(2, 2, 2)))
    for t, h, w in ((2, 2, 2), (6, 4, 10), (4, 8, 2), (2, 2, 2)):
        with torch.no_grad():
            out = model(draw(1, 4, t, h, w), levels(1), draw(1, 5, 24))
        assert out.shape == (1, 3, t, h, w)
        assert out.isfinite().all()


@settings(max_examples=20, deadline=None)
@given(
    patch=st.tuples(*[st.integers(1, 3)] * 3),
    grid=st.tuples(*[st.integers(1, 3)] * 3),
    channels=st.integers(1, 4),
)
def test_patches_laid_back_are_the_latents(patch, grid, channels):
    x = draw(2, channels, *(p * g for p, g in zip(patch, grid, strict=True)))
    tokens = patchify(x, patch)
    assert tokens.shape == (2, math.prod(grid), channels * math.prod(patch))
    channels_last = tokens.unflatten(-1, (channels, -1)).transpose(-1, -2).flatten(-2)
    assert torch.equal(unpatchify(channels_last, grid, patch), x)


def test_scores_depend_on_how_far_apart_two_tokens_are_and_not_where():
    cos, sin = rotary_table((5, 1, 1), 32)
    query, key = (draw(1, 1, 2, 32, seed=seed).expand(1, 5, 2, 32) for seed in (0, 1))
    scores = torch.einsum("bnhe,bmhe->hnm", rotate(query, cos, sin), rotate(key, cos, sin))
    torch.testing.assert_close(scores[:, 1:, 1:], scores[:, :-1, :-1])
    assert (scores[:, 0, 1] - scores[:, 0, 2]).abs().min() > 1e-3


def test_heads_of_128_split_into_44_42_42():
    assert axis_dims(128) == (44, 42, 42)


def test_gradients_of_norm_and_rotation_are_exact():
    norm = RMSNorm(12, 1e-6).double()
    with torch.no_grad():
        norm.weight.copy_(draw(12, seed=3))
    table = [part.double() for part in rotary_table((3, 1, 1), 6)]
    x = draw(2, 3, 12).double().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, weight: torch.func.functional_call(norm, {"weight": weight}, (x,)),
        (x, norm.weight),
    )
    assert torch.autograd.gradcheck(lambda x: rotate(x.unflatten(-1, (2, 6)), *table), x)


def test_a_new_model_predicts_zero_and_every_block_is_the_identity():
    model = Transformer(config(image_dim=20, added_kv_proj_dim=64))
    initialize(model, torch.Generator().manual_seed(0))
    kept = {}
    for name in ("patch_in", "blocks.0", "blocks.1"):
        model.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: kept.update({name: out})
        )
    out = model(draw(1, 4, 2, 4, 4), levels(1), draw(1, 5, 24), draw(1, 7, 20))
    assert torch.equal(out, torch.zeros_like(out))
    assert torch.equal(kept["blocks.1"], kept["patch_in"])
    assert 0.3 < kept["patch_in"].std() < 3


def test_the_same_generator_gives_the_same_weights():
    models = [Transformer(config()) for _ in range(3)]
    for model, seed in zip(models, (0, 0, 1), strict=True):
        initialize(model, torch.Generator().manual_seed(seed))
    first, again, other = (torch.cat([p.flatten() for p in m.parameters()]) for m in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_from_scratch_reaches_every_parameter(dtype):
    shape = config(image_dim=20, added_kv_proj_dim=64, pos_embed_seq_len=7)
    model = Transformer(shape)
    initialize(model, torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    inputs = draw(2, 4, 2, 4, 4), levels(2, 2), draw(2, 5, 24), draw(2, 7, 20)
    target = draw(2, 3, 2, 4, 4, seed=5)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            out = model(*inputs)
        loss = (out.float() - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert losses[-1] < 0.7 * losses[0]


def test_every_weight_of_the_reference_has_one_place_here():
    shape = config(image_dim=20, added_kv_proj_dim=64, pos_embed_seq_len=10)
    theirs, ours = reference(shape).state_dict(), Transformer(shape).state_dict()
    mapped = from_diffusers(theirs, shape)
    assert {k: v.shape for k, v in mapped.items()} == {k: v.shape for k, v in ours.items()}


@pytest.mark.parametrize(
    "key", ["blocks.0.attn3.to_q.weight", "head.modulation", "blocks.0", "", "patch_embedding"]
)
def test_an_unknown_weight_is_named(key):
    with pytest.raises(WorldreelError, match="no part of a Wan transformer"):
        our_name(key)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"head_dim": 33}, "head_dim is 33"),
        ({"head_dim": 4}, "head_dim is 4"),
        ({"freq_dim": 31}, "freq_dim is 31"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"text_dim": -1}, "text_dim is -1"),
        ({"patch_size": (1, 2)}, "patch_size is"),
        ({"patch_size": (0, 2, 2)}, "patch_size is"),
        ({"qk_norm": "layer_norm"}, "qk_norm is"),
        ({"eps": 0.0}, "eps is 0.0"),
        ({"image_dim": 20}, "both must be set"),
        ({"image_dim": 20, "added_kv_proj_dim": 63}, "added_kv_proj_dim is 63"),
        ({"pos_embed_seq_len": 5}, "pos_embed_seq_len is 5"),
    ],
)
def test_a_config_that_cannot_be_says_value_and_remedy(changes, says):
    with pytest.raises(UsageError, match=says) as caught:
        config(**changes)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"x": (2, 5, 2, 4, 4)}, "latents have shape"),
        ({"x": (4, 2, 4, 4)}, "latents have shape"),
        ({"x": (2, 4, 2, 4, 3)}, "do not divide"),
        ({"x": (2, 4, 2, 0, 4)}, "do not divide"),
        ({"x": (2, 4, 33, 4, 4)}, "rope_max_seq_len"),
        ({"level": (1,)}, "noise levels have shape"),
        ({"level": (2, 5)}, "noise levels have shape"),
        ({"text": (2, 5, 23)}, "text states have shape"),
        ({"text": (3, 5, 24)}, "text states have shape"),
        ({"image": None}, "needs image states"),
        ({"image": (2, 6, 20)}, "image states have shape"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused_with_the_one_that_would(changes, says):
    model = Transformer(
        config(rope_max_seq_len=32, image_dim=20, added_kv_proj_dim=64, pos_embed_seq_len=7)
    )
    shapes = {"x": (2, 4, 2, 4, 4), "level": (2,), "text": (2, 5, 24), "image": (2, 7, 20)}
    shapes |= changes
    inputs = {name: None if shape is None else draw(*shape) for name, shape in shapes.items()}
    with pytest.raises(UsageError, match=says) as caught:
        model(**inputs)
    assert caught.value.remedy


def test_image_states_are_refused_by_a_model_without_them():
    with pytest.raises(UsageError, match="takes no image states"):
        Transformer(config())(draw(1, 4, 2, 4, 4), levels(1), draw(1, 5, 24), draw(1, 7, 20))


def test_a_config_survives_json():
    shape = config(patch_size=(4, 2, 2))
    assert TransformerConfig(**json.loads(json.dumps(dataclasses.asdict(shape)))) == shape
