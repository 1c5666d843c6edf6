"""Every verb is a layout of one canvas, made by one engine; with a model of random weights."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
import torch
from tests.tiny_model import DESCRIPTION, tiny_model

import worldreel
from worldreel.core.errors import UsageError
from worldreel.generate import verbs
from worldreel.generate.canvas import Canvas
from worldreel.generate.denoiser import Denoiser
from worldreel.generate.engine import generate
from worldreel.generate.model import Model
from worldreel.generate.shelf import FolderShelf
from worldreel.generate.video import MemoryShelf

FPS = 12.0
LONG = dataclasses.replace(
    DESCRIPTION,
    takes=("text", "first_frame", "last_frame", "clip", "mask"),
    seconds=dataclasses.replace(DESCRIPTION.seconds, default=1.0, max=600.0),
)
RANDOM = np.random.default_rng(1)
CLIP = RANDOM.integers(0, 256, (9, 32, 64, 3), np.uint8)
OTHER = RANDOM.integers(0, 256, (5, 32, 64, 3), np.uint8)
BOX = np.zeros((32, 64), bool)
BOX[8:24, 16:40] = True
PROMPT = "a red ball rolls"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(tiny_model(LONG))


def free_pixels(canvas: Canvas) -> np.ndarray:
    """Where a canvas is not given at level 0: bool ``t h w``, from its placements alone."""
    free = np.ones((canvas.num_frames, canvas.height, canvas.width), bool)
    for placement in canvas.placements:
        for index in range(len(placement.frames)):
            if placement.noise == 0:
                frame = placement.first + index * placement.every
                free[frame][placement.region] &= ~placement.given_at(index)
    return free


LAYOUTS = {
    "image": lambda: verbs.animate(
        Canvas(width=64, height=32, seconds=1, fps=FPS).say(PROMPT), first=CLIP[0]
    ),
    "first and last image": lambda: verbs.animate(
        Canvas(width=64, height=32, seconds=1, fps=FPS).say(PROMPT), first=CLIP[0], last=CLIP[1]
    ),
    "extend": lambda: verbs.extend(CLIP, PROMPT, seconds=1.5, fps=FPS),
    "extend backward": lambda: verbs.extend(CLIP, PROMPT, seconds=1, fps=FPS, backward=True),
    "connect": lambda: verbs.connect(CLIP, OTHER, PROMPT, seconds=0.5, fps=FPS),
    "close": lambda: verbs.close(CLIP, PROMPT, seconds=0.5, fps=FPS),
    "loop": lambda: Canvas(width=64, height=32, seconds=1, fps=FPS).say(PROMPT).loop(),
    "edit": lambda: verbs.edit(CLIP, PROMPT, noise=0.5, fps=FPS),
    "erase": lambda: verbs.erase(CLIP, BOX, PROMPT, fps=FPS),
    "replace loosely": lambda: verbs.erase(CLIP, BOX, PROMPT, fps=FPS, noise=0.7),
    "expand": lambda: verbs.expand(CLIP, PROMPT, width=96, height=64, fps=FPS),
    "interpolate": lambda: verbs.interpolate(CLIP, PROMPT, times=3, fps=36),
    "recut": lambda: verbs.recut(
        CLIP, PROMPT, from_s=0.25, to_s=0.5, before_s=0.5, after_s=0.25, fps=FPS
    ),
    "upscale": lambda: verbs.upscale(CLIP, PROMPT, noise=0.2, fps=FPS),
    "storyboard": lambda: (
        Canvas(width=64, height=32, seconds=3, fps=FPS)
        .say(PROMPT, to_s=1)
        .say("snow", from_s=1, to_s=2)
        .say("sand", from_s=2, cut=True)
        .place(CLIP[0], at_s=1.5)
        .refer(CLIP, from_s=2)
    ),
    "coarse": lambda: Canvas(width=64, height=32, seconds=2, fps=4).say(PROMPT).place(CLIP[:2]),
}


@pytest.mark.parametrize("verb", LAYOUTS)
def test_what_is_given_comes_back_to_the_bit_and_what_is_free_is_made(model, verb):
    canvas = LAYOUTS[verb]()
    frames = model.generate(canvas, seed=1).frames
    assert frames.shape == (canvas.num_frames, canvas.height, canvas.width, 3)
    free = free_pixels(canvas)
    assert free.any()
    wanted = np.zeros_like(frames)
    for placement in canvas.placements:
        if placement.noise == 0:
            for index, picture in enumerate(placement.frames):
                given = placement.given_at(index)
                frame = placement.first + index * placement.every
                wanted[frame][placement.region][given] = picture[given]
    assert np.array_equal(frames[~free], wanted[~free])
    again = model.generate(canvas, seed=2).frames
    assert not np.array_equal(frames[free], again[free])
    assert np.array_equal(frames, np.stack(list(model.stream(canvas, seed=1))))


def test_a_canvas_on_which_all_is_given_is_returned_as_it_is(model):
    canvas = Canvas.of_frames(9, width=64, height=32, fps=FPS).place(CLIP)
    video = model.generate(canvas)
    assert video.plan.stretches == () and np.array_equal(video.frames, CLIP)


def test_free_frames_depend_on_what_is_given(model):
    one = verbs.extend(CLIP, PROMPT, seconds=0.5, fps=FPS)
    other = verbs.extend(255 - CLIP, PROMPT, seconds=0.5, fps=FPS)
    first, second = (model.generate(canvas, seed=1).frames[9:] for canvas in (one, other))
    assert not np.array_equal(first, second)


def test_a_ring_begins_elsewhere_at_each_evaluation_and_no_frame_is_its_first(model, monkeypatch):
    seen = []

    def watch(denoiser, x, level, text, *more):
        seen.append(x[0, 0, :, 0, 0].clone())
        return torch.zeros_like(x)

    monkeypatch.setattr(Denoiser, "__call__", watch)
    canvas = Canvas(width=64, height=32, seconds=10 / 12, fps=FPS).say(PROMPT).loop()
    model.generate(canvas, seed=1, num_inference_steps=8)
    assert all(len(view) == 12 for view in seen)  # up to a whole patch it goes on into itself
    beginnings = []
    for view in seen:  # without a velocity x never changes: each view is the same ring, turned
        assert torch.equal(view[:2], view[10:])
        beginnings.append(int((view[0] - seen[0][:10]).abs().argmin()))
        torch.testing.assert_close(view[:10], seen[0][:10].roll(-beginnings[-1]))
    assert len({*beginnings}) >= 6


def test_what_is_given_on_a_ring_stays_in_its_place(model):
    canvas = Canvas(width=64, height=32, seconds=1, fps=FPS).say(PROMPT).loop()
    plan = model.plan(canvas.place(CLIP[:4], at_s=0.25))
    assert [stretch.is_ring for stretch in plan.stretches] == [True]
    frames = model.generate(canvas.place(CLIP[:4], at_s=0.25), seed=1).frames
    assert np.array_equal(frames[3:7], CLIP[:4])


def test_a_cut_carries_nothing_over_and_a_blend_does(model):
    def made(first: str, cut: bool) -> np.ndarray:
        canvas = Canvas(width=64, height=32, seconds=2, fps=FPS)
        canvas = canvas.say(first, to_s=1).say("snow", from_s=1, cut=cut)
        return model.generate(canvas, seed=3).frames[12:]

    assert np.array_equal(made(PROMPT, cut=True), made("a blue cube", cut=True))
    assert not np.array_equal(made(PROMPT, cut=False), made("a blue cube", cut=False))


def test_a_reference_is_seen_by_its_shot_alone_and_shown_to_nobody(model):
    canvas = Canvas(width=64, height=32, seconds=2, fps=FPS)
    canvas = canvas.say(PROMPT, to_s=1).say("snow", from_s=1, cut=True)
    plain, shown, other = (
        model.generate(c, seed=3).frames
        for c in (canvas, canvas.refer(CLIP, from_s=1), canvas.refer(255 - CLIP, from_s=1))
    )
    assert plain.shape == shown.shape
    assert np.array_equal(plain[:12], shown[:12])
    assert not np.array_equal(plain[12:], shown[12:])
    assert not np.array_equal(shown[12:], other[12:])


class Stopping(MemoryShelf):
    """Knows which latents are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: list[weakref.ref] = []
        self.most = 0

    def save(self, number, latents):
        gc.collect()
        self.alive = [ref for ref in self.alive if ref() is not None]
        self.alive.append(weakref.ref(latents))
        self.most = max(self.most, len(self.alive))


@pytest.mark.parametrize("is_loop", [False, True])
def test_memory_does_not_grow_with_the_number_of_stretches(model, is_loop):
    most = []
    for seconds in (4.0, 12.0):
        canvas = Canvas(width=32, height=32, seconds=seconds, fps=FPS).say(PROMPT)
        plan = model.plan(canvas.loop() if is_loop else canvas, seed=1, num_inference_steps=1)
        shelf = Stopping()
        count = sum(len(chunk) for chunk in generate(model.loaded, plan, shelf=shelf))
        assert count == canvas.num_frames
        most.append(shelf.most)
    assert most[0] == most[1] <= 4


def test_a_long_video_that_was_stopped_goes_on_with_the_same_bits(model, tmp_path):
    canvas = Canvas(width=32, height=32, seconds=5, fps=FPS).say(PROMPT)
    plan = model.plan(canvas, seed=1)
    assert len(plan.stretches) > 4
    whole = np.concatenate(list(generate(model.loaded, plan)))

    steps = 0

    def stop(done, total, stage):
        nonlocal steps
        steps += stage == "denoise"
        if done == 8 and stage == "denoise":
            raise KeyboardInterrupt

    shelf = FolderShelf(tmp_path, plan, "1")
    with pytest.raises(KeyboardInterrupt):
        list(generate(model.loaded, plan, stop, shelf))
    assert shelf.num_finished == 2
    made: list[int] = []
    resumed = generate(
        model.loaded,
        plan,
        lambda done, total, stage: made.append(done) if stage == "denoise" else None,
        FolderShelf(tmp_path, plan, "1"),
    )
    assert np.array_equal(whole, np.concatenate(list(resumed)))
    assert min(made) == 6  # three steps a stretch: the first two are not made again
    with pytest.raises(UsageError, match="another canvas, seed or model"):
        FolderShelf(tmp_path, model.plan(canvas, seed=2), "1")


def test_a_saved_video_carries_what_made_it(model, tmp_path):
    from worldreel.media.read import read_settings, read_video

    video = model.generate(PROMPT, seconds=0.5, seed=5)
    assert video.num_frames == 6 and video.fps == 12 and "seed 5" in repr(video)
    path = video.save(tmp_path / "ball.mp4")
    settings = read_settings(path)
    assert settings == video.settings and settings["prompt"] == PROMPT and settings["seed"] == 5
    assert "canvas" not in settings
    assert read_video(path).shape == video.frames.shape
    looped = model.generate(verbs.close(CLIP, PROMPT, seconds=0.5, fps=FPS))
    assert "↺" in looped.settings["canvas"]
    assert "data:video/mp4;base64," in video._repr_html_()


def test_the_package_names_what_python_users_need():
    assert worldreel.Canvas is Canvas and worldreel.Model is Model
    with pytest.raises(AttributeError, match="no attribute 'dream'"):
        worldreel.dream  # noqa: B018


WRONG = {
    "clips of two sizes": (
        lambda: verbs.connect(CLIP, CLIP[:, :16], PROMPT, seconds=1, fps=FPS),
        "64x32 and 64x16",
    ),
    "a smaller picture": (
        lambda: verbs.expand(CLIP, PROMPT, width=32, height=32, fps=FPS),
        "cannot be expanded to 32x32",
    ),
    "half a frame": (lambda: verbs.extend(CLIP, PROMPT, seconds=0.3, fps=FPS), "3.6 frames"),
    "a part outside": (
        lambda: verbs.recut(CLIP, PROMPT, from_s=0.5, to_s=2, fps=FPS),
        "From 0.5 s to 2 s is no part of a clip of 0.75 s",
    ),
    "no frames between": (
        lambda: verbs.interpolate(CLIP, PROMPT, times=1, fps=FPS),
        "cannot get 1 times as many",
    ),
    "too strong": (lambda: verbs.noise_of(1.0, 5), "strength is 1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_verb_refuses_what_cannot_be(what):
    make, said = WRONG[what]
    with pytest.raises(UsageError) as error:
        make()
    assert said in error.value.message and error.value.remedy


def test_a_strength_is_the_share_of_the_steps_that_are_taken():
    from worldreel.diffusion.schedule import timesteps

    for shift in (1.0, 5.0):
        clock = timesteps(10, shift)
        assert clock[5].item() == pytest.approx(verbs.noise_of(0.5, shift))


def test_a_model_of_one_stretch_says_what_it_cannot_make():
    causal = dataclasses.replace(LONG, stride=(4, 16, 16), first_frame_alone=True)
    model = Model(tiny_model(causal))
    for canvas in (
        Canvas(width=64, height=32, seconds=3, fps=FPS),
        Canvas(width=64, height=32, seconds=1, fps=FPS).loop(),
    ):
        with pytest.raises(UsageError, match="one stretch of up to 1 s"):
            model.plan(canvas)
