"""The canvas: what may lie on it, what it looks like, and that it survives its file."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.tiny_model import DESCRIPTION

from worldreel.core.errors import UsageError
from worldreel.generate import verbs
from worldreel.generate.board import parse_board, read_board
from worldreel.generate.canvas import Canvas
from worldreel.generate.fill import fill
from worldreel.media.sheet import save_image

RANDOM = np.random.default_rng(0)


def blank(seconds: float = 1.0, **kwargs) -> Canvas:
    return Canvas(**{"width": 64, "height": 32, "seconds": seconds, "fps": 12, **kwargs})


def noise(count: int = 1, height: int = 32, width: int = 64) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, height, width, 3), np.uint8)


HALF = np.zeros((32, 64), bool)
HALF[:, :32] = True

REFUSED = {
    "a width of nothing": (lambda: blank(width=0), "width of the canvas is 0"),
    "a rate of nothing": (lambda: blank(fps=0), "0 frames per second"),
    "a duration that is no number": (lambda: blank(float("nan")), "nan s"),
    "a duration between two frames": (lambda: blank(0.3), "3.6 frames, not a whole number"),
    "a duration of less than a frame": (lambda: blank(1e-6), "less than one frame"),
    "a picture of another size": (lambda: blank().place(noise(1, 16, 16)), "16x16"),
    "a clip that is too long": (lambda: blank().place(noise(13)), "sticks out of a canvas that"),
    "a clip before the beginning": (lambda: blank().place(noise(), at_s=-1 / 12), "sticks out"),
    "a time between two frames": (lambda: blank().place(noise(), at_s=0.1), "1.2 frames"),
    "a corner outside": (
        lambda: blank().place(noise(1, 16, 16), xy=(56, 0)),
        "16x16 pixels at 56,0 sticks out of a canvas of 64x32",
    ),
    "a noise of one": (lambda: blank().place(noise(), noise=1.0), "noise of a placement is 1"),
    "frames of another type": (lambda: blank().place(noise() / 255.0), "float64"),
    "an alpha channel": (lambda: blank().place(np.zeros((32, 64, 4), np.uint8)), "32, 64, 4)"),
    "no frame at all": (lambda: blank().place(np.zeros((0, 32, 64, 3), np.uint8)), "(0, 32, 64"),
    "a mask of another size": (
        lambda: blank().place(noise(), mask=np.zeros((16, 16), bool)),
        "(1, 16, 16)",
    ),
    "a mask with other frames": (
        lambda: blank().place(noise(3), mask=np.zeros((2, 32, 64), bool)),
        "2 frames and its clip 3",
    ),
    "a mask that keeps nothing": (
        lambda: blank().place(noise(), mask=np.ones((32, 64), bool)),
        "all of the clip free",
    ),
    "two clips at one place": (
        lambda: blank().place(noise(4)).place(noise(4), at_s=0.25),
        "same 2048 pixels at 0.25 s",
    ),
    "two prompts at one time": (
        lambda: blank().say("one", to_s=0.5).say("two", from_s=0.25),
        "from 0 to 0.5 s, one from 0.25 to 1 s",
    ),
    "a prompt after the end": (lambda: blank().say("one", to_s=2), "lasts 1 s"),
    "a prompt of control characters": (lambda: blank().say("a\x00b"), "U+0000"),
    "two references at once": (
        lambda: blank().refer(noise()).refer(noise(), from_s=0.5),
        "Two references",
    ),
    "a reference with a border": (
        lambda: blank().refer(noise(1, 32, 32), fit="contain"),
        "must fill the picture",
    ),
    "a loop of one frame": (lambda: blank(1 / 12).loop(), "single frame"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_laid_out_is_refused_with_its_value_and_a_remedy(what):
    make, said = REFUSED[what]
    with pytest.raises(UsageError) as error:
        make()
    assert said in error.value.message
    assert error.value.remedy


def test_a_canvas_is_a_value_that_its_methods_leave_alone():
    canvas = blank()
    given = canvas.place(noise()).say("a ball").loop()
    assert not canvas.placements and not canvas.spans and not canvas.is_loop
    assert len(given.placements) == 1 and given.prompt == "a ball" and given.is_loop
    with pytest.raises(dataclasses.FrozenInstanceError):
        canvas.width = 3  # pyright: ignore


def test_masks_and_corners_let_clips_share_a_frame():
    canvas = blank().place(noise(), mask=HALF).place(noise(), mask=~HALF)
    canvas = blank().place(noise(1, 16, 16), xy=(0, 0)).place(noise(1, 16, 16), xy=(16, 0))
    assert len(canvas.placements) == 2
    every = blank().place(noise(6), every=2)
    assert every.place(noise(6), every=2, at_s=1 / 12).num_frames == 12


def test_fitting_is_done_as_asked_and_said():
    tall = noise(1, 64, 64)
    cover = blank().place(tall, fit="cover")
    assert cover.placements[0].frames.shape == (1, 32, 64, 3)
    assert len(cover.notes) == 1 and "64x64" in cover.notes[0]
    contain = blank().place(tall, fit="contain").placements[0]
    assert contain.frames.shape == (1, 32, 32, 3) and (contain.left, contain.top) == (16, 0)


def test_the_drawing_shows_what_is_given_and_what_is_free():
    canvas = (
        blank()
        .place(noise(3))
        .place(noise(2), at_s=0.5, noise=0.4)
        .place(noise(), at_s=11 / 12, mask=HALF)
        .say("a red ball rolls", to_s=0.5)
        .say("a blue cube falls", from_s=0.5, cut=True)
        .loop()
    )
    assert str(canvas).splitlines() == [
        "64x32, 1 s at 12 frames per second (12 frames), a loop",
        "picture  ███···▓▓···▞↺",
        "prompt 1 [----]  a red ball rolls",
        "prompt 2       |----]  a blue cube falls",
        "         0s",
    ]
    long = str(blank(600.0).say("x" * 500))
    assert max(map(len, long.splitlines())) < 140
    assert str(blank(1 / 12)).splitlines()[0].endswith("(1 frame)")


def test_the_drawing_in_the_docs_is_what_is_printed():
    page = (Path(__file__).parents[1] / "docs" / "canvas.md").read_text(encoding="utf-8")
    clip = np.zeros((48, 128, 128, 3), np.uint8)
    canvas = verbs.extend(clip, "a red ball rolls to the left on grass", seconds=2, fps=12)
    assert f"\n{canvas}\n```" in page


def test_a_canvas_comes_back_from_its_file_bit_for_bit(tmp_path):
    canvas = (
        blank(2.0)
        .place(noise(4), mask=np.stack([HALF] * 3 + [~HALF]))
        .place(noise(2, 16, 16), at_s=1.0, noise=0.25, xy=(8, 16), every=3)
        .say('a "red" ball,\nthen 🎾 \\ é', to_s=1.0)
        .say("snow", from_s=1.0, cut=True)
        .refer(noise(5), from_s=1.0)
        .loop()
    )
    back = read_board(canvas.save(tmp_path / "board.toml"), DESCRIPTION)
    assert (
        back.spans == canvas.spans
        and back.is_loop
        and str(back).splitlines()[:4] == str(canvas).splitlines()[:4]
    )
    for one, other in zip(back.placements, canvas.placements, strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert (one.first, one.every, one.left, one.top, one.noise) == (
            other.first,
            other.every,
            other.left,
            other.top,
            other.noise,
        )
        assert (one.free is None) == (other.free is None)
        if one.free is not None and other.free is not None:
            assert np.array_equal(one.free, other.free)
    assert np.array_equal(back.references[0].frames, canvas.references[0].frames)


def test_a_storyboard_has_shots_and_cuts_exact_to_the_frame(tmp_path):
    picture = noise()
    save_image(tmp_path / "first.png", picture[0])
    (tmp_path / "board.toml").write_text(
        """
        size = [64, 32]
        [[shot]]
        prompt = "a red ball rolls"
        seconds = 0.5
        image = "first.png"
        [[shot]]
        prompt = "it falls"
        seconds = 0.25
        transition = "blend"
        [[shot]]
        prompt = "snow"
        seconds = 1
        last_image = "first.png"
        reference = "first.png"
        """
    )
    canvas = read_board(tmp_path / "board.toml", DESCRIPTION)
    assert canvas.num_frames == 21
    assert [(s.first, s.stop, s.cut) for s in canvas.spans] == [
        (0, 6, True),
        (6, 9, False),
        (9, 21, True),
    ]
    assert canvas.cuts == (9,)
    assert [p.first for p in canvas.placements] == [0, 20]
    assert np.array_equal(canvas.placements[0].frames, picture)
    (reference,) = canvas.references
    assert (reference.first, reference.stop) == (9, 21)


BOARDS = {
    "shots that overlap": (
        {"shot": [{"prompt": "a", "seconds": 1.0}, {"prompt": "b", "seconds": 1, "from_s": 0.5}]},
        "Shot 2 begins at 0.5 s, before shot 1 ends at 1 s",
    ),
    "a hole between shots": (
        {"shot": [{"prompt": "a", "seconds": 1.0}, {"prompt": "b", "seconds": 1, "from_s": 1.5}]},
        "Between 1 s and 1.5 s there is no shot",
    ),
    "a shot without end": ({"shot": [{"prompt": "a"}]}, "Shot 1 lasts None seconds"),
    "another duration": (
        {"seconds": 3, "shot": [{"prompt": "a", "seconds": 1}]},
        "lasts 3 s and its shots end at 1 s",
    ),
    "a cut between two frames": (
        {"shot": [{"prompt": "a", "seconds": 0.3}, {"prompt": "b", "seconds": 0.7}]},
        "Shot 1",
    ),
    "an unknown word": ({"shot": [{"promt": "a"}]}, "unknown key shot.0.promt"),
    "a word where a number is due": ({"seconds": "two"}, "seconds is 'two'"),
    "an unknown fit": ({"fit": "squeeze"}, "fit is 'squeeze'"),
    "an image and a clip": (
        {"shot": [{"prompt": "a", "seconds": 1, "image": "a.png", "clip": "b.mp4"}]},
        "with an image and with a clip",
    ),
}


@pytest.mark.parametrize("what", BOARDS)
def test_a_board_that_cannot_be_is_refused_and_its_place_named(what, tmp_path):
    values, said = BOARDS[what]
    with pytest.raises(UsageError) as error:
        parse_board(values, DESCRIPTION, lambda name: tmp_path / name)
    assert said in error.value.message


def test_a_file_that_is_no_board_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text("size = [")
    for name in ("bad.toml", "missing.toml", "."):
        with pytest.raises(UsageError, match="cannot be read as a canvas"):
            read_board(tmp_path / name, DESCRIPTION)


def test_free_pixels_continue_the_given_ones_and_those_stay():
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 48, 0)
    frame = np.repeat(ramp, 3, 2)
    given = np.ones((48, 64), bool)
    given[10:30, 20:50] = False
    hidden = np.where(given[..., None], frame, 255 - frame).astype(np.uint8)
    filled = fill(hidden, given)
    assert np.array_equal(filled[given], frame[given])
    assert np.abs(filled.astype(int) - frame)[~given].mean() < 12
    one = np.zeros((5, 7), bool)
    one[2, 3] = True
    assert (fill(np.full((5, 7, 3), 9, np.uint8), one) == 9).all()
