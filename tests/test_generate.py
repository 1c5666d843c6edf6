"""From a request to frames, with a model of random weights."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from tests.tiny_model import DESCRIPTION, tiny_model, tiny_networks

from worldreel.core.errors import UsageError
from worldreel.diffusion.path import interpolate, velocity
from worldreel.generate.canvas import Canvas
from worldreel.generate.denoiser import POSITION_FRAMES, Denoiser, positions
from worldreel.generate.engine import generate, make_stretch, sample
from worldreel.generate.options import Options
from worldreel.generate.plan import evaluation_flops, make_plan, num_tokens, plan_request
from worldreel.generate.request import Request
from worldreel.generate.window import Window, make_window


def request(**kwargs) -> Request:
    return Request(**{"prompt": "a red ball falls", "seed": 7, **kwargs})


def plan(description=DESCRIPTION, **kwargs):
    return plan_request(request(**kwargs), description)


def frames(model, **kwargs) -> np.ndarray:
    return np.concatenate(list(generate(model, plan(**kwargs))))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


# the denoiser


class Recorder:
    """In place of a transformer: keeps what it was given, says what it is told."""

    def __init__(self, patch_size, says=None):
        self.config = type("Config", (), {"patch_size": patch_size})
        self.says = says

    def __call__(self, x, level, text):
        self.x, self.level = x, level
        return x[:, :4] if self.says is None else self.says


class Counted(Recorder):
    """Keeps every input, and the level of its first token."""

    def __init__(self, patch_size):
        super().__init__(patch_size)
        self.seen, self.levels = [], []

    def __call__(self, x, level, text):
        self.seen.append(x.clone())
        self.levels.append(level.flatten()[0].item())
        return super().__call__(x, level, text)


def test_a_perfect_prediction_of_data_becomes_the_exact_velocity():
    generator = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 2, 4, 8, 2, 2, generator=generator)
    level = torch.rand(2, 8, generator=generator).clamp(min=0.02)
    x_t = interpolate(x_0, eps, level[:, None, :, None, None])
    text = torch.zeros(2, 1, 1)
    says_x_0 = Denoiser(Recorder((4, 2, 2), x_0), "x_0", True)
    says_v = Denoiser(Recorder((4, 2, 2), velocity(x_0, eps)), "v", True)
    for denoiser in (says_x_0, says_v):
        torch.testing.assert_close(
            denoiser(x_t, level, text), velocity(x_0, eps), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(denoiser.x_0(x_t, level, text), x_0, rtol=1e-4, atol=1e-4)


def test_a_given_frame_has_a_finite_velocity():
    denoiser = Denoiser(Recorder((1, 2, 2)), "x_0", False)
    v = denoiser(torch.ones(1, 4, 2, 2, 2), torch.tensor([[0.0, 1.0]]), torch.zeros(1, 1, 1))
    assert v.isfinite().all()


def test_the_network_sees_each_frames_level_as_a_channel_and_their_mean_as_the_tokens():
    recorder = Recorder((4, 2, 2))
    level = torch.tensor([[0.0, 0.2, 0.4, 0.6, 1.0, 1.0, 1.0, 1.0]])
    Denoiser(recorder, "x_0", True)(torch.zeros(1, 4, 8, 2, 6), level, torch.zeros(1, 1, 1))
    torch.testing.assert_close(recorder.level, torch.tensor([[0.3, 1.0]]))
    assert recorder.x.shape == (1, 5, 8, 2, 6)
    assert torch.equal(recorder.x[0, 4, :, 1, 5], level[0])


def test_the_channels_of_position_say_where_and_when_a_latent_is():
    recorder = Recorder((4, 2, 2))
    denoiser = Denoiser(recorder, "x_0", True, position_channels=True)
    denoiser(torch.zeros(2, 4, 8, 2, 6), torch.rand(2, 8), torch.zeros(2, 1, 1))
    time, row, column = recorder.x[:, 5:].unbind(1)  # b t h w each
    assert recorder.x.shape[1] == 4 + 1 + 3
    assert torch.allclose(time[1, :, 1, 5], torch.arange(8) / POSITION_FRAMES)
    assert row[0, 3, :, 2].tolist() == [-0.5, 0.5]
    assert torch.allclose(column[0, 3, 1], torch.tensor([-5, -3, -1, 1, 3, 5]) / 6)


def test_levels_per_latent_reach_the_token_as_their_mean_and_the_channel_as_they_are() -> None:
    level = torch.rand(1, 8, 4, 6)
    recorder = Recorder((4, 2, 2))
    Denoiser(recorder, "x_0", True)(torch.zeros(1, 4, 8, 4, 6), level, torch.zeros(1, 1, 1))
    seen = recorder.level.reshape(1, 2, 2, 3)
    torch.testing.assert_close(seen[0, 1, 0, 2], level[0, 4:, :2, 4:].mean())
    assert torch.equal(recorder.x[:, 4], level)


def test_time_stands_still_after_the_longest_clip_of_the_training():
    late = positions(torch.zeros(1, 4, 2 * POSITION_FRAMES, 2, 2))[0, 0, :, 0, 0]
    assert late.max() == 1 and (late[POSITION_FRAMES:] == 1).all()


def test_a_level_per_frame_that_is_shared_is_the_same_as_one_level():
    transformer, _ = tiny_networks()
    x, text = torch.randn(2, 8, 8, 2, 4), torch.randn(2, 3, 384)
    per_patch = transformer(x, torch.tensor([[0.3, 0.3], [0.8, 0.8]]), text)
    torch.testing.assert_close(per_patch, transformer(x, torch.tensor([0.3, 0.8]), text))


# the request

BAD = [
    ({"prompt": ""}, "empty", "Say what"),
    ({"prompt": " \n\t "}, "empty", "Say what"),
    ({"prompt": "x" * 40_000}, "40,000 characters; at most 32,000", "Shorten"),
    ({"prompt": "a\x07b"}, "U+0007 at place 2", "Remove"),
    ({"prompt": "a \ud800 ball"}, "U+D800", "Remove"),
    ({"negative_prompt": "\x1b[2J"}, "negative prompt holds the control character U+001B", ""),
    ({"negative_prompt": "x" * 40_000}, "negative prompt has 40,000", ""),
    ({"width": 50}, "width is 50 pixels; tiny needs a multiple of 32 from 32 to 96", "32 or 64"),
    ({"height": 95}, "height is 95", "64 or 96"),
    ({"width": 4096}, "width is 4096; it must be a whole number from 32 to 96", ""),
    ({"height": 0}, "height is 0", ""),
    ({"width": -64}, "width is -64", ""),
    ({"seconds": 0}, "duration is 0 seconds", "up to 2 seconds"),
    ({"seconds": -1}, "duration is -1 seconds", ""),
    ({"seconds": 10_000}, "duration is 10000 seconds; tiny makes from 1 frame", "up to 2 s"),
    ({"seconds": math.nan}, "duration is nan", ""),
    ({"seconds": math.inf}, "duration is inf", ""),
    ({"seconds": 0.3}, "3.6 frames, not a whole number", "0.25 s (3 frames) or 0.333333 s"),
    ({"seconds": 0.01}, "not a whole number", "0.0833333 s (1 frames)"),
    ({"fps": 24}, "24 frames per second; tiny makes 12", "1, 2, 3, 4, 6, 12"),
    ({"fps": 5}, "5 frames per second", "1, 2, 3, 4, 6, 12"),
    ({"fps": 0}, "0 frames per second", ""),
    ({"fps": math.nan}, "nan frames per second", ""),
    (
        {"num_inference_steps": 0},
        "inference steps is 0; it must be a whole number from 1 to 200",
        "",
    ),
    ({"num_inference_steps": 201}, "201", ""),
    ({"guidance_scale": -0.1}, "guidance scale is -0.1; it must be from 0 to 20", ""),
    ({"guidance_scale": 21.0}, "guidance scale is 21", ""),
    ({"guidance_scale": math.nan}, "guidance scale is nan", ""),
    ({"seed": -1}, "seed is -1", ""),
    ({"seed": 2**64}, "seed is 18446744073709551616", ""),
]


@pytest.mark.parametrize(("bad", "says", "remedy"), BAD, ids=[str(b)[:40] for b, _, _ in BAD])
def test_a_request_that_cannot_be_is_refused_with_value_range_and_remedy(bad, says, remedy):
    with pytest.raises(UsageError) as error:
        request(**bad).validate(DESCRIPTION)
    assert says in error.value.message
    assert error.value.remedy and remedy in error.value.remedy
    assert len(str(error.value)) < 400


def test_what_is_left_open_is_the_models_choice_and_nothing_else_changes():
    complete = Request(prompt="a cube").validate(DESCRIPTION)
    assert (complete.width, complete.height) == (64, 32)
    assert (complete.seconds, complete.fps) == (0.75, 12)
    assert (complete.num_inference_steps, complete.guidance_scale) == (3, 3.0)
    assert complete.seed is not None
    assert complete.validate(DESCRIPTION) == complete
    assert Request(prompt="a cube").validate(DESCRIPTION).seed != complete.seed
    chosen = request(width=96, height=96, seconds=0.5, guidance_scale=0.0, num_inference_steps=9)
    assert chosen.validate(DESCRIPTION) == dataclasses.replace(chosen, fps=12)


def test_the_remedies_for_a_duration_are_accepted():
    for text in ("0.0833333", "0.333333", "0.25"):
        assert request(seconds=float(text)).validate(DESCRIPTION).num_frames >= 1


# the plan


def test_a_plan_fills_latent_frames_up_to_whole_patches():
    whole = plan()
    (stretch,) = whole.stretches
    assert whole.num_frames == whole.num_made_frames == whole.num_latent_frames == 9
    assert stretch.made == tuple(range(9))
    assert whole.latent_shape(stretch) == (4, 12, 2, 4)
    assert num_tokens(stretch, (2, 4), DESCRIPTION) == 3 * 1 * 2
    assert whole.notes == ()


def test_a_plan_counts_two_evaluations_where_guidance_applies():
    # three steps with a shift of 2 are at 1, 0.8 and 0.5; the interval ends at 0.9
    assert plan().num_evaluations == 1 + 2 + 2
    assert plan(guidance_scale=1.0).num_evaluations == 3


def test_a_plan_says_what_it_will_do_differently():
    coarse = plan(fps=4, width=96, seconds=1.5)
    assert coarse.num_frames == 6 and coarse.keep_every == 3 and coarse.num_made_frames == 16
    assert any("sees 0.75 s at a time; this is made in 2 str" in note for note in coarse.notes)
    assert any("every 3rd is kept" in note for note in coarse.notes)
    assert any("trained at 64x32" in note for note in coarse.notes)


def test_a_plan_for_a_causal_autoencoder_counts_the_first_frame_alone():
    description = dataclasses.replace(DESCRIPTION, stride=(4, 16, 16), first_frame_alone=True)
    assert plan(description, seconds=9 / 12).num_latent_frames == 3
    assert plan(description, seconds=10 / 12).num_latent_frames == 4
    assert plan(description, seconds=1 / 12).num_latent_frames == 1


def test_estimated_operations_are_those_that_torch_counts():
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    transformer, _ = tiny_networks()
    (stretch,) = plan().stretches
    x = torch.zeros(1, 8, *plan().latent_shape(stretch)[1:])
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        transformer(x, torch.tensor([0.5]), torch.zeros(1, 8, 384))
    counted = counter.get_total_flops()
    assert evaluation_flops(DESCRIPTION, num_tokens(stretch, (2, 4), DESCRIPTION)) == pytest.approx(
        counted, rel=0.05
    )


# the engine


def test_exactly_the_frames_that_were_asked_for_come_out(model):
    video = frames(model)
    assert video.shape == (9, 32, 64, 3) and video.dtype == np.uint8
    assert frames(model, seconds=1 / 12).shape == (1, 32, 64, 3)
    assert frames(model, seconds=0.25, width=32, height=64).shape == (3, 64, 32, 3)
    assert video.std() > 1


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_video(model):
    one = frames(model)
    torch.manual_seed(123)
    assert np.array_equal(one, frames(model))
    assert not np.array_equal(one, frames(model, seed=8))


def test_the_prompt_and_what_it_is_guided_away_from_matter(model):
    one = frames(model)
    assert not np.array_equal(one, frames(model, prompt="a blue cube slides"))
    assert not np.array_equal(one, frames(model, negative_prompt="blurry"))
    assert not np.array_equal(one, frames(model, guidance_scale=1.0))


def test_a_lower_rate_keeps_every_nth_frame_of_the_same_video(model):
    full, third = frames(model, seconds=1.0), frames(model, seconds=1.0, fps=4)
    assert len(third) == 4
    assert np.array_equal(third, full[::3])


def window(level, seed=0):
    """A window of the plan's shape with random latents given at ``level`` (``1 t h w``)."""
    given = torch.randn(1, 4, 12, 2, 4, generator=torch.Generator().manual_seed(seed))
    return Window(given=given, level=level, prompts=("a red ball falls",), words=torch.ones(12, 1))


NOISE = torch.randn(1, 4, 12, 2, 4, generator=torch.Generator().manual_seed(7))


def test_latents_given_clean_come_back_bit_for_bit_and_change_the_others(model):
    level = torch.ones(1, 12, 2, 4)
    free = sample(model, plan(), window(level), NOISE)
    assert torch.equal(free, sample(model, plan(), window(level, seed=1), NOISE))
    for held in ((slice(0, 2), slice(None)), (slice(None), slice(0, 1))):  # frames, and a row
        level = torch.ones(1, 12, 2, 4)
        level[0, *held] = 0
        given = window(level)
        made = sample(model, plan(), given, NOISE)
        kept = (level == 0)[:, None].expand_as(made)
        assert torch.equal(made[kept], given.given[kept])
        assert not torch.allclose(made[~kept], free[~kept])


def test_a_frame_given_loosely_is_noised_to_its_level_and_waits_there():
    seen = []

    class Watched(Recorder):
        def __call__(self, x, level, text):
            seen.append(x[:1])
            return super().__call__(x, level, text)

    model = dataclasses.replace(tiny_model(), transformer=Watched((4, 2, 2)))
    level = torch.ones(1, 12, 2, 4)
    level[:, 3] = 0.6
    loose = window(level)
    sample(model, plan(guidance_scale=1.0), loose, NOISE)
    # three steps with a shift of 2 are at 1, 0.8 and 0.5
    assert [x[0, 4, 3, 0, 0].item() for x in seen] == pytest.approx([0.6, 0.6, 0.5])
    assert [x[0, 4, 0, 0, 0].item() for x in seen] == pytest.approx([1.0, 0.8, 0.5])
    at_level = interpolate(loose.given[:, :, 3], NOISE[:, :, 3], 0.6)
    torch.testing.assert_close(seen[0][:, :4, 3], at_level)
    assert torch.equal(seen[1][:, :4, 3], seen[0][:, :4, 3])
    assert torch.equal(seen[0][:, :4, 0], NOISE[:, :, 0])


def test_steps_before_the_clock_reaches_the_highest_level_are_not_taken():
    recorder = Counted((4, 2, 2))
    model = dataclasses.replace(tiny_model(), transformer=recorder)
    told = []
    level = torch.full((1, 12, 2, 4), 0.5)
    sample(model, plan(guidance_scale=1.0), window(level), NOISE, lambda *args: told.append(args))
    assert recorder.levels == pytest.approx([0.5])  # of 1, 0.8 and 0.5
    assert told == [(2, 3, "denoise"), (3, 3, "denoise")]


def test_a_model_without_levels_gets_what_is_given_put_back_at_the_clocks_level():
    for given, takes in (("replacement", ("text",)), ("level", ("text", "clip"))):
        recorder = Counted((4, 2, 2))
        description = dataclasses.replace(DESCRIPTION, given=given, takes=takes)
        model = dataclasses.replace(tiny_model(description), transformer=recorder)
        level = torch.ones(1, 12, 2, 4)
        level[..., 0, :] = 0  # a row: a model that takes clips but no masks gets it put back too
        held = window(level)
        made = sample(model, plan(description, guidance_scale=1.0), held, NOISE)
        assert recorder.levels == pytest.approx([1.0, 0.8, 0.5])
        for x, clock in zip(recorder.seen, (1.0, 0.8, 0.5), strict=True):
            back = interpolate(held.given, NOISE, clock)[..., 0, :]
            torch.testing.assert_close(x[:1, :4, ..., 0, :], back)
        assert torch.equal(made[..., 0, :], held.given[..., 0, :])


def test_a_model_with_further_channels_sees_the_mask_and_the_given_latents():
    recorder = Counted((4, 2, 2))
    description = dataclasses.replace(DESCRIPTION, given="channels", position_channels=False)
    model = dataclasses.replace(tiny_model(description), transformer=recorder)
    level = torch.ones(1, 12, 2, 4)
    level[:, :1] = 0
    held = window(level)
    sample(model, plan(description, guidance_scale=1.0), held, NOISE)
    assert recorder.levels == pytest.approx([1.0, 0.8, 0.5])
    for x in recorder.seen:  # latents, level, mask, given latents
        assert x.shape[1] == 4 + 1 + 1 + 4
        assert torch.equal(x[:, 5], (level == 0).float())
        assert torch.equal(x[:, 6:, :1], held.given[:, :, :1]) and not x[:, 6:, 1:].any()


def test_a_look_on_the_way_shows_the_new_frames_that_each_step_points_to(model):
    looks = []
    latents = make_stretch(
        model, plan(), 0, {}, look=lambda done, x_0: looks.append((done, x_0.clone()))
    )
    assert [done for done, _ in looks] == [1, 2, 3]
    assert all(x_0.shape == latents.shape == (4, 9, 2, 4) for _, x_0 in looks)
    torch.testing.assert_close(looks[-1][1].float(), latents)  # the last step ends there
    assert not torch.allclose(looks[0][1].float(), latents)


def test_each_token_hears_the_prompt_of_its_time_and_the_crossing_hears_both(model):
    long = DESCRIPTION.seconds.default
    canvas = Canvas(width=64, height=32, seconds=long, fps=12)
    one = canvas.say("a red ball falls")
    two = canvas.say("a red ball falls", to_s=5 / 12).say("a red ball falls", from_s=5 / 12)
    other = canvas.say("a red ball falls", to_s=5 / 12).say("a blue cube", from_s=5 / 12)
    options = Options(seed=7)
    first, same, both = (
        make_stretch(model, make_plan(c, options, DESCRIPTION), 0, {}) for c in (one, two, other)
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, both)
    (stretch,) = plan().stretches
    window = make_window(model, make_plan(other, options, DESCRIPTION), stretch, {})
    assert window.prompts == ("a red ball falls", "a blue cube")
    torch.testing.assert_close(window.words.sum(1), torch.ones(12))
    assert window.words[0, 0] == 1 and window.words[8, 1] > 0.9
    assert (window.words[:-1, 0] >= window.words[1:, 0]).all()


def test_progress_counts_steps_then_frames(model):
    told = []
    list(generate(model, plan(), lambda *args: told.append(args)))
    assert told[:4] == [(n, 3, "denoise") for n in range(4)]
    assert told[4] == (0, 9, "decode") and told[-1] == (9, 9, "decode")


def test_a_progress_that_raises_cancels_between_steps(model):
    told = []

    def cancel(done, total, stage):
        told.append((done, stage))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(generate(model, plan(), cancel))
    assert told == [(0, "denoise"), (1, "denoise"), (2, "denoise")]


def test_the_caller_is_not_left_in_inference_mode_or_autocast(model):
    for _ in generate(model, plan()):
        assert not torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")


def test_bfloat16_gives_nearly_the_same_video(model):
    half = frames(tiny_model(dtype=torch.bfloat16))
    assert np.abs(half.astype(int) - frames(model)).mean() < 6
