"""Whole Wan pipelines, from a folder to latents and frames: the same as those of diffusers."""

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
import torch
from PIL import Image
from tests.wan_folder import KINDS, make_pipeline, save_pipeline

from worldreel.core.errors import UsageError
from worldreel.diffusion.schedule import timesteps, told_level
from worldreel.diffusion.solvers import integrate
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate, make_stretch
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan
from worldreel.weights.load import LoadedModel, load_model

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

SIZE = {"ti2v": (64, 32)}
PROMPT, NEGATIVE = "a red  ball \u201crolls\u201d &amp; on grass", "blurry"


@lru_cache(maxsize=1)
def both(kind: str):
    """A pipeline of diffusers, and the same weights loaded here from its folder."""
    import tempfile
    from pathlib import Path

    pipeline = make_pipeline(kind)
    with tempfile.TemporaryDirectory() as place:
        folder = save_pipeline(pipeline, Path(place) / kind)
        model = load_model(folder, torch.float32)
        model.text([PROMPT, NEGATIVE])  # weights of encoders are read when they are needed
        if model.image is not None:
            model.image([picture(0)])
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, model


def picture(seed: int, size: tuple[int, int] = (48, 32)) -> np.ndarray:
    """A smooth picture, ``h w 3`` uint8."""
    rows, columns = np.mgrid[: size[1], : size[0]] / 10
    waves = [np.sin(rows * (1 + seed) + n) + np.cos(columns + n * seed) for n in range(3)]
    return ((np.stack(waves, -1) + 2) * 60).astype(np.uint8)


def plan_of(model: LoadedModel, num_frames: int, size: tuple[int, int], **options):
    """What is asked for, with the ends that the model must be given."""
    description = model.description
    canvas = Canvas(
        width=size[0], height=size[1], seconds=num_frames / description.fps, fps=description.fps
    ).say(PROMPT)
    shown = []
    takes_picture = description.given in ("channels", "level")
    for number, at in enumerate(description.needs or ("first_frame",) * takes_picture):
        shown.append(picture(number, size))
        frame = 0 if at == "first_frame" else num_frames - 1
        canvas = canvas.place(shown[-1][None], at_s=frame / description.fps)
    options = Options(negative_prompt=NEGATIVE, seed=3, **options)
    return make_plan(canvas, options, description), shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_latents_of_the_whole_path_are_those_of_the_reference(kind):
    pipeline, model = both(kind)
    size = SIZE.get(kind, (48, 32))
    plan, shown = plan_of(model, 9, size, num_inference_steps=5)
    (stretch,) = plan.stretches
    noise = torch.randn(
        (1, *plan.latent_shape(stretch)), generator=torch.Generator().manual_seed(3)
    )
    sampling = model.description.sampling
    asked = dict(
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        width=size[0],
        height=size[1],
        num_frames=9,
        num_inference_steps=5,
        guidance_scale=sampling.guidance_scale,
        guidance_scale_2=sampling.guidance_scale_low,
        latents=noise,
        max_sequence_length=512,
        output_type="latent",
    )
    if kind == "ti2v":  # its pipeline for pictures has the same parts
        from diffusers import WanImageToVideoPipeline

        pipeline = WanImageToVideoPipeline(**pipeline.components, expand_timesteps=True)
        pipeline.set_progress_bar_config(disable=True)
    if shown:
        asked["image"] = Image.fromarray(shown[0])
        asked["last_image"] = Image.fromarray(shown[1]) if len(shown) > 1 else None
    expected = pipeline(**asked).frames
    seen = make_stretch(model, plan, 0, {})[None]
    assert seen.shape == expected.shape and expected.std() > 0.3
    torch.testing.assert_close(seen, expected, rtol=0, atol=1e-4)


def test_words_alone_are_answered_by_the_model_that_also_takes_pictures():
    pipeline, model = both("ti2v")
    description = model.description
    canvas = Canvas(width=64, height=32, seconds=9 / 24, fps=24).say(PROMPT)
    options = Options(negative_prompt=NEGATIVE, seed=3, num_inference_steps=4)
    plan = make_plan(canvas, options, description)
    noise = torch.randn(1, 6, 3, 2, 4, generator=torch.Generator().manual_seed(3))
    expected = pipeline(
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
        width=64,
        height=32,
        num_frames=9,
        num_inference_steps=4,
        latents=noise,
        output_type="latent",
    ).frames
    torch.testing.assert_close(make_stretch(model, plan, 0, {})[None], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["t2v", "ti2v"])
def test_the_frames_of_the_whole_path_are_those_of_the_reference(kind):
    pipeline, model = both(kind)
    width, height = SIZE.get(kind, (48, 32))
    fps = model.description.fps
    canvas = Canvas(width=width, height=height, seconds=7 / fps, fps=fps).say(PROMPT)
    plan = make_plan(canvas, Options(seed=3, num_inference_steps=3), model.description)
    frames = np.concatenate(list(generate(model, plan)))
    noise = torch.randn(
        (1, *plan.latent_shape(plan.stretches[0])), generator=torch.Generator().manual_seed(3)
    )
    expected = pipeline(
        prompt=PROMPT,
        width=width,
        height=height,
        num_frames=9,
        num_inference_steps=3,
        latents=noise,
        output_type="np",
    ).frames[0]
    assert frames.shape == (7, height, width, 3) and expected.std() > 0.05
    assert np.abs(frames - expected[:7] * 255).max() <= 1.0


def test_text_states_are_those_of_the_reference_whatever_else_is_asked():
    pipeline, model = both("t2v")
    prompts = [PROMPT, "a blue cube", "", "ball " * 600]
    expected, _ = pipeline.encode_prompt(
        prompts, do_classifier_free_guidance=False, max_sequence_length=512
    )
    states, mask = model.text(prompts)
    torch.testing.assert_close(states, expected, rtol=0, atol=5e-5)
    assert mask.sum(1).tolist() == [10, 4, 1, 512]
    assert not states[0, 10:].any() and states[2, 0].any()


def test_states_of_pictures_are_those_of_the_reference():
    pipeline, model = both("i2v")
    for size in ((48, 32), (20, 31), (16, 16), (33, 64)):
        shown = picture(1, size)
        expected = pipeline.encode_image(Image.fromarray(shown))
        torch.testing.assert_close(model.image([shown]), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0, 8.0, 12.0])
def test_times_and_told_levels_are_those_of_the_reference_for_every_number_of_steps(shift):
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift
    )
    for num_steps in (*range(1, 61), 100, 200):
        scheduler.set_timesteps(num_steps)
        times = timesteps(num_steps, shift, 1000)
        assert torch.equal(times.float(), scheduler.sigmas)
        told = told_level(times[:-1], 1000) * 1000
        assert told.round().long().tolist() == scheduler.timesteps.tolist()


def test_the_solver_is_that_of_the_reference_step_by_step():
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
    )
    scheduler.set_timesteps(12)
    theirs = x = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
    expected, found = [], []
    for t in scheduler.timesteps:
        theirs = scheduler.step((theirs * 1.7).sin(), t, theirs).prev_sample
        expected.append(theirs)
    times = timesteps(12, 5.0, 1000)
    integrate(lambda x, t: (x * 1.7).sin(), x, times, "unipc", lambda n, x, _: found.append(x))
    for mine, other in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


def test_a_model_that_needs_a_picture_is_not_asked_without_one():
    _, model = both("flf2v")
    canvas = Canvas(width=48, height=32, seconds=9 / 16, fps=16).say(PROMPT)
    with pytest.raises(UsageError, match="first frame") as caught:
        make_plan(canvas, Options(), model.description)
    assert "--image" in caught.value.remedy
    canvas = canvas.place(picture(0)[None])
    with pytest.raises(UsageError, match="last frame"):
        make_plan(canvas, Options(), model.description)


def test_a_clip_that_is_given_at_the_start_stays_and_the_rest_follows_it():
    _, model = both("ti2v")
    clip = np.stack([picture(n, (64, 32)) for n in range(5)])
    canvas = Canvas(width=64, height=32, seconds=13 / 24, fps=24).say(PROMPT).place(clip)
    plan = make_plan(canvas, Options(seed=1, num_inference_steps=2), model.description)
    latents = make_stretch(model, plan, 0, {})
    given = model.autoencoder.encode(
        torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float() / 127.5 - 1
    )[0]
    torch.testing.assert_close(latents[:, :2], given)
    frames = np.concatenate(list(generate(model, plan)))
    assert np.array_equal(frames[:5], clip) and len(frames) == 13


def test_a_loosely_given_clip_is_remade_from_its_level():
    for kind in ("t2v", "i2v-a14b"):
        _, model = both(kind)
        clip = np.stack([picture(n) for n in range(9)])
        canvas = Canvas(width=48, height=32, seconds=9 / 16, fps=16).say(PROMPT)
        canvas = canvas.place(clip, noise=0.4)
        description = dataclasses.replace(model.description, needs=())
        plan = make_plan(canvas, Options(seed=1, num_inference_steps=4), description)
        loosely = make_stretch(model, plan, 0, {})
        assert loosely.isfinite().all()


def test_bfloat16_stays_near_float32():
    import tempfile
    from pathlib import Path

    pipeline, model = both("t2v")
    with tempfile.TemporaryDirectory() as place:
        half = load_model(save_pipeline(pipeline, Path(place) / "half"), torch.bfloat16)
        plan, _ = plan_of(model, 5, (48, 32), num_inference_steps=3)
        exact, rounded = (make_stretch(m, plan, 0, {}) for m in (model, half))
    assert half.transformer.head.weight.dtype == torch.bfloat16
    assert half.transformer.time_in.up.weight.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.05 * exact.std()


def test_a_prompt_that_was_read_gives_what_its_states_give():
    _, model = both("t2v")
    transformer = model.transformer
    text = model.text([PROMPT, "", "ball " * 600])[0]
    x = torch.randn(3, 4, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    level = torch.tensor([0.3, 0.6, 0.9])
    with torch.no_grad():
        for rows in ([0], [1], [2], [0, 1], [0, 1, 2]):
            read = transformer.read(text[rows])
            found = transformer(x[rows], level[rows], read)
            expected = transformer(x[rows], level[rows], text[rows])
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
        assert transformer.read(text[:2]).heard[0].key.shape[1] == 11  # ten tokens, and the rest
        assert transformer.read(text).heard[0].key.shape[1] == 512


def test_a_given_frame_that_the_model_cannot_see_is_said():
    _, model = both("ti2v")
    canvas = Canvas(width=64, height=32, seconds=13 / 24, fps=24).say(PROMPT)

    def notes(canvas: Canvas) -> str:
        return " ".join(make_plan(canvas, Options(), model.description).notes)

    shown = picture(0, (64, 32))[None]
    assert "unseen" not in notes(canvas.place(shown))
    assert "1 frame that is given stands" in notes(canvas.place(shown, at_s=12 / 24))
    clip = np.repeat(shown, 6, axis=0)
    assert "1 frame" in notes(canvas.place(clip)) and "unseen" not in notes(canvas.place(clip[:5]))
