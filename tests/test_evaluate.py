"""The tracker against the simulator's masks, and the autoencoder's gate."""

import numpy as np
import pytest

from worldreel.core.clip import Clip
from worldreel.evaluate.autoencoder import (
    GATE,
    AutoencoderFigures,
    evaluate_autoencoder,
    missed,
)
from worldreel.evaluate.tracker import find, lab, segment
from worldreel.weights.catalogue import packaged_models
from worldreel.weights.load import load_model
from worldreel.world.render import render_clip
from worldreel.world.sampling import sample_scene
from worldreel.world.vocabulary import COLORS

GOOD = AutoencoderFigures(
    psnr_db=33.0,
    psnr_moving_db=27.0,
    color_delta_e=2.0,
    tracker_raw_px=0.5,
    tracker_px=0.45,
    num_clips=1,
)


def test_lab_agrees_with_published_values() -> None:
    np.testing.assert_allclose(lab(np.array([255, 255, 255], np.uint8)), [100, 0, 0], atol=0.05)
    np.testing.assert_allclose(lab(np.array([255, 0, 0], np.uint8)), [53.2, 80.1, 67.2], atol=0.2)
    np.testing.assert_allclose(lab(np.array([0, 0, 255], np.uint8)), [32.3, 79.2, -107.9], atol=0.2)


def test_the_tracker_finds_the_centre_of_a_painted_disc() -> None:
    frame = np.full((64, 64, 3), 140, np.uint8)
    y, x = np.mgrid[:64, :64]
    disc = (x - 40) ** 2 + (y - 20) ** 2 < 64
    frame[disc] = (np.array(COLORS["red"]) * 200).astype(np.uint8)
    classes = segment(frame[None])[0]
    found = find(classes, "red")
    assert found is not None
    assert (round(found.x), round(found.y)) == (40, 20)
    assert found.num_pixels == disc.sum()
    assert find(classes, "blue") is None


def _errors(clip: Clip) -> list[float]:
    errors: list[float] = []
    classes = segment(clip.frames)
    for index, thing in enumerate(clip.scene["things"]):
        for frame in range(0, clip.num_frames, 8):
            mask = clip.truth["masks"][frame] == index + 1
            if mask.sum() >= 40:
                found = find(classes[frame], thing["color"])
                y, x = (c.mean() for c in np.nonzero(mask))
                errors.append(np.inf if found is None else np.hypot(found.x - x, found.y - y))
    return errors


def test_the_tracker_is_within_a_pixel_and_a_half_of_the_masks_on_most_frames() -> None:
    pytest.importorskip("mujoco")
    errors = [e for seed in range(10) for e in _errors(render_clip(sample_scene(500 + seed)))]
    assert len(errors) > 60
    assert np.mean(np.array(errors) < 1.5) > 0.9
    assert np.median(errors) < 0.5


def test_the_gate_names_each_row_that_is_missed() -> None:
    assert missed(GOOD) == []
    bad = AutoencoderFigures(
        psnr_db=30.9,
        psnr_moving_db=25.9,
        color_delta_e=5.1,
        tracker_raw_px=0.5,
        tracker_px=0.6,
        num_clips=1,
    )
    rows = missed(bad)
    assert len(rows) == len(GATE)
    assert all(any(name in row for row in rows) for name in GATE)


@pytest.mark.skipif("toybox" not in packaged_models(), reason="toybox is not in this checkout")
def test_the_shipped_autoencoder_passes_its_gate_on_unseen_clips() -> None:
    pytest.importorskip("mujoco")
    figures = evaluate_autoencoder(load_model("toybox").autoencoder, num_clips=8, seed=3)
    assert missed(figures) == [], figures
