"""The visible label: large enough, readable on anything, as long as asked for."""

import numpy as np
import pytest

from worldreel.core.errors import UsageError
from worldreel.provenance.visible import TEXTS, draw_label

SIZES = [(64, 64), (96, 160), (128, 128), (256, 256), (720, 1280), (640, 360)]


def blank(size, value=0, num_frames=1):
    return np.full((num_frames, *size, 3), value, np.uint8)


def luminance(pixels):
    """Relative luminance as WCAG 2 defines it."""
    linear = ((pixels / 255 + 0.055) / 1.055) ** 2.4
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("size", SIZES)
def test_the_letters_are_at_least_a_twentieth_of_the_shorter_side(size):
    drawn = draw_label(blank(size), 12, "zh")[0, ..., 0]
    rows = np.flatnonzero((drawn > 127).any(axis=1))
    assert rows[-1] + 1 - rows[0] >= 0.05 * min(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", TEXTS)
def test_the_label_lies_whole_in_the_corner(size, language):
    drawn = draw_label(blank(size), 12, language)[0, ..., 0]
    assert (drawn > 200).any()
    rows, columns = np.nonzero(drawn)
    assert rows.min() > 0 and columns.min() > 0
    assert rows.max() < size[0] * 0.55 and columns.max() < size[1] - 1


@pytest.mark.parametrize("value", [0, 90, 180, 255])
def test_the_letters_contrast_with_what_is_beneath_by_seven_to_one(value):
    letters = draw_label(blank((128, 128)), 12)[0, ..., 0] >= 250
    assert letters.sum() > 50
    drawn = draw_label(blank((128, 128), value), 12)[0]
    inside = np.zeros_like(letters)
    rows, columns = np.nonzero(letters)
    inside[rows.min() : rows.max(), columns.min() : columns.max()] = True
    beneath = inside & (draw_label(blank((128, 128)), 12)[0, ..., 0] == 0)
    brightest = luminance(drawn[beneath]).max()
    assert (luminance(drawn[letters]).min() + 0.05) / (brightest + 0.05) >= 7


def test_the_two_languages_say_different_things_and_both_says_both():
    english, chinese, both = (
        draw_label(blank((128, 128)), 12, language)[0, ..., 0] for language in TEXTS
    )
    assert not np.array_equal(english, chinese)
    first = np.flatnonzero((english > 127).any(axis=1))
    assert np.array_equal(both[: first[-1]], english[: first[-1]])
    assert (both > 127).sum() == (english > 127).sum() + (chinese > 127).sum()


def test_the_label_is_seen_for_as_long_as_asked_and_throughout_without_a_time():
    frames = blank((64, 64), 200, num_frames=40)
    changed = (draw_label(frames, 12, seconds=2.5) != frames).any(axis=(1, 2, 3))
    assert changed.tolist() == [True] * 30 + [False] * 10
    assert (draw_label(frames, 12) != frames).any(axis=(1, 2, 3)).all()
    assert (frames == 200).all()


def test_groups_of_frames_are_labelled_like_the_whole():
    frames = np.random.default_rng(0).integers(0, 256, (40, 64, 96, 3), np.uint8)
    whole = draw_label(frames, 12, "both", 2.0)
    parts = [draw_label(frames[i : i + 7], 12, "both", 2.0, start=i) for i in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize(
    ("size", "language", "seconds", "said"),
    [
        ((64, 64), "fr", None, "'fr'"),
        ((64, 64), "en", 1.5, "1.5 s"),
        ((64, 64), "en", float("nan"), "nan s"),
        ((400, 40), "en", None, "40x400"),
        ((8, 8), "zh", None, "8x8"),
    ],
)
def test_what_cannot_be_labelled_is_refused_with_its_value(size, language, seconds, said):
    with pytest.raises(UsageError, match=said):
        draw_label(blank(size), 12, language, seconds)
