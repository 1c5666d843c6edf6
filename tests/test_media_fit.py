"""Fitting: sizes, rates and masks, and the words about what was done."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from worldreel.core.errors import UsageError
from worldreel.media.fit import fit, fit_mask, fit_rate, pick_frames, plan_fit

WIDE = (270, 480)


def ramp(height: int, width: int) -> np.ndarray:
    """One frame whose red grows to the right and whose green grows downwards."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return np.stack([red, green, np.full_like(red, 40)], axis=-1).round().astype(np.uint8)[None]


@pytest.mark.parametrize(
    ("size", "how", "what"),
    [
        ((270, 480), "refuse", None),
        ((270, 480), "cover", None),
        ((128, 128), "cover", "cropped from 480x270 to 270x270 and reduced to 128x128"),
        ((270, 270), "cover", "cropped from 480x270 to 270x270"),
        ((144, 256), "cover", "reduced from 480x270 to 256x144"),
        ((540, 540), "cover", "cropped from 480x270 to 270x270 and enlarged to 540x540"),
        ((128, 128), "contain", "reduced from 480x270 to 128x72 and set on black in 128x128"),
        ((300, 480), "contain", "set on black in 480x300"),
        ((128, 128), "stretch", "stretched from 480x270 to 128x128"),
        ((144, 256), "stretch", "reduced from 480x270 to 256x144"),
    ],
)
def test_what_is_done_is_said_and_nothing_else(size, how, what):
    fitted = fit(ramp(*WIDE), size, how)
    assert fitted.frames.shape == (1, *size, 3) and fitted.frames.dtype == np.uint8
    assert fitted.what == (what and f"the picture is {what}")


def test_cover_crops_the_same_on_both_sides_and_keeps_the_middle():
    fitted = fit(ramp(*WIDE), (90, 90), "cover")
    red = fitted.frames[0, 45, :, 0].astype(int)
    assert red[0] == pytest.approx(255 - red[-1], abs=2)
    assert red[0] == pytest.approx(255 * 105 / 479, abs=2)
    assert fitted.kept == (0, 0, 90, 90)


def test_contain_shows_all_and_tells_where():
    fitted = fit(ramp(*WIDE), (128, 128), "contain")
    top, left, height, width = fitted.kept
    assert (top, left, height, width) == (28, 0, 72, 128)
    inside = fitted.frames[0, top : top + height, left : left + width]
    assert inside[..., 2].min() > 30
    assert fitted.frames.astype(int).sum() == inside.astype(int).sum()
    assert inside[0, 0, 0] < 4 and inside[-1, -1, 0] > 251


def test_stretch_reaches_all_four_corners():
    frame = fit(ramp(*WIDE), (64, 64), "stretch").frames[0]
    assert frame[0, 0, :2].max() < 6 and frame[-1, -1, :2].min() > 249


def test_refuse_names_both_sizes_and_a_remedy():
    with pytest.raises(UsageError, match="480x270 pixels, and 128x96 is wanted") as caught:
        fit(ramp(*WIDE), (96, 128), "refuse")
    assert "cover" in caught.value.remedy


@pytest.mark.parametrize("how", ["cover", "contain", "stretch", "refuse"])
def test_a_size_of_nothing_is_refused(how):
    with pytest.raises(UsageError, match="16x0"):
        plan_fit((8, 8), (0, 16), how)


def test_stripes_finer_than_a_pixel_become_grey_and_do_not_alias():
    stripes = np.zeros((1, 512, 512, 3), np.uint8)
    stripes[:, :, ::2] = 255
    for size in ((64, 64), (100, 100), (200, 200)):
        frame = fit(stripes, size, "stretch").frames[0, 8:-8, 8:-8]
        assert np.abs(frame.astype(int) - 127).max() < 16, size


def test_a_flat_colour_stays_to_the_bit_in_any_size():
    flat = np.full((1, 97, 131, 3), (201, 17, 88), np.uint8)
    for size in [(13, 200), (300, 40)]:
        assert (fit(flat, size, "cover").frames == flat[0, 0, 0]).all()
        assert (fit(flat, size, "stretch").frames == flat[0, 0, 0]).all()


@profile(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(1, 400), st.integers(1, 400)),
    st.tuples(st.integers(1, 100), st.integers(1, 100)),
    st.sampled_from(["cover", "contain", "stretch"]),
)
def test_every_size_can_be_fitted_into_every_other(source, size, how):
    fitted = fit(np.full((1, *source, 3), 200, np.uint8), size, how)
    top, left, height, width = fitted.kept
    assert fitted.frames.shape == (1, *size, 3)
    assert top >= 0 and left >= 0 and top + height <= size[0] and left + width <= size[1]
    assert (fitted.frames[:, top : top + height, left : left + width] == 200).all()
    assert (fitted.what is None) == (source == size)


# masks


def test_a_mask_goes_where_its_clip_goes():
    frames = np.zeros((2, 270, 480, 3), np.uint8)
    mask = np.zeros((1, 270, 480), bool)
    mask[:, 60:200, 200:300] = True
    frames[:, mask[0]] = 255
    for how in ("cover", "contain", "stretch"):
        fitted = fit(frames, (96, 128), how).frames[0, ..., 0] >= 128
        free = fit_mask(mask, (2, 270, 480), (96, 128), how)
        assert free.dtype == np.bool_ and free.shape == (1, 96, 128)
        assert (free[0] ^ fitted).sum() <= 0.02 * fitted.sum()


def test_the_black_around_a_contained_clip_is_not_free():
    free = fit_mask(np.ones((1, 100, 200), bool), (5, 100, 200), (64, 64), "contain")
    assert free[0, 16:48].all() and not free[0, :16].any() and not free[0, 48:].any()


def test_a_mask_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(UsageError, match="mask is 64x32 pixels, and its clip 128x96") as caught:
        fit_mask(np.ones((1, 32, 64), bool), (9, 96, 128), (96, 128), "cover")
    assert caught.value.remedy


def test_a_mask_of_another_length_is_refused_with_both_lengths():
    with pytest.raises(UsageError, match="mask has 4 frames, and its clip 9"):
        fit_mask(np.ones((4, 96, 128), bool), (9, 96, 128), (96, 128), "cover")


def test_a_mask_of_the_wanted_size_is_given_back_as_it_is():
    mask = np.random.default_rng(0).random((9, 96, 128)) > 0.5
    np.testing.assert_array_equal(fit_mask(mask, (9, 96, 128), (96, 128), "refuse"), mask)


# rates


@pytest.mark.parametrize(
    ("fps", "to_fps", "first", "what"),
    [
        (24, 12, [0, 2, 4, 6], "12 of 24 frames are left out"),
        (12, 24, [0, 0, 1, 1, 2, 2], "24 frames are repetitions"),
        (30, 24, [0, 1, 3, 4], "5 of 24 frames are left out"),
        (16, 24, [0, 0, 1, 2, 2, 3], "12 frames are repetitions"),
    ],
)
def test_a_rate_is_changed_by_the_nearest_frame_and_said(fps, to_fps, first, what):
    frames = np.arange(24, dtype=np.uint8).reshape(24, 1, 1, 1)
    result, said = fit_rate(frames, fps, to_fps)
    assert result.reshape(-1)[: len(first)].tolist() == first
    assert said == f"the clip is taken from {fps} to {to_fps} frames per second: {what}"
    assert len(result) == round(24 * to_fps / fps)


def test_the_same_rate_does_nothing_and_a_close_one_keeps_every_frame():
    frames = np.arange(5, dtype=np.uint8)
    same, said = fit_rate(frames, 24, 24)
    assert same is frames and said is None
    close, said = fit_rate(frames, 23.976, 24)
    assert len(close) == 5 and said == "the clip's 23.976 frames per second are played at 24"


@pytest.mark.parametrize("to_fps", [0, -1, float("nan"), float("inf"), 1001])
def test_a_rate_that_cannot_be_is_refused(to_fps):
    with pytest.raises(UsageError, match="frames per second cannot be"):
        fit_rate(np.zeros(3, np.uint8), 24, to_fps)


@profile(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(0.005, 2), min_size=1, max_size=40),
    st.floats(1, 60),
)
def test_each_new_frame_is_the_one_shown_at_its_middle(steps_s, to_fps):
    times_s = [0.0, *itertools.accumulate(steps_s[:-1])]
    end_s = sum(steps_s)
    picks = pick_frames(times_s, end_s, to_fps)
    assert picks[0] == 0 or times_s[1] <= 0.5 / to_fps
    assert picks == sorted(picks)
    assert abs(len(picks) / to_fps - end_s) <= max(0.5 / to_fps + 1e-9, 1 / to_fps - end_s)
    for number, pick in enumerate(picks):
        middle_s = (number + 0.5) / to_fps
        assert times_s[pick] <= middle_s
        assert pick + 1 == len(times_s) or times_s[pick + 1] >= middle_s - 1e-4
