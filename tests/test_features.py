"""The network of features, the arrow of time, and the distances between sets of clips."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import linalg, ndimage

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.evaluate.features.arrow import (
    arrow_logits,
    forward_share,
    share_above,
)
from worldreel.evaluate.features.distances import (
    features_of,
    frechet_distance,
    polynomial_mmd,
    with_interval,
)
from worldreel.evaluate.features.fit import FitConfig, as_batch, fit, mirror, reverse
from worldreel.evaluate.features.motion import NUM_DIRECTIONS, NUM_MOTIONS, motions
from worldreel.evaluate.features.network import NUM_FEATURES, StateNetwork, shrink
from worldreel.evaluate.features.targets import make_examples
from worldreel.evaluate.features.weights import (
    DESCRIPTION_FILE,
    FOLDER,
    WEIGHTS_FILE,
    as_input,
    load_networks,
    save_networks,
)
from worldreel.evaluate.observe import observe
from worldreel.world.render import render_clip
from worldreel.world.sampling import sample_scene
from worldreel.world.scene import Shot

EVENTS = ("fall", "slide", "collide", "throw", "topple", "ramp")


@pytest.fixture(scope="module")
def clips():
    """Clips of what cannot run backward, under a still camera."""
    rendered = []
    for number, event in enumerate(EVENTS):
        scene = sample_scene(7_000_000 + number, event=event)
        camera = replace(scene.shots[0].camera, move="still")
        shot = Shot(start=0, stop=scene.num_frames, camera=camera)
        rendered.append(render_clip(replace(scene, shots=(shot,))))
    return rendered


@pytest.fixture(scope="module")
def examples(clips):
    return make_examples(clips)


def gaussian(mean, covariance, num, seed=0):
    """Samples whose mean and unbiased covariance are exactly those asked for."""
    x = np.random.default_rng(seed).standard_normal((num, len(mean)))
    x -= x.mean(axis=0)
    own = np.linalg.cholesky(np.cov(x.T))
    return x @ np.linalg.inv(own).T @ np.linalg.cholesky(covariance).T + mean


def random_covariance(size, seed):
    x = np.random.default_rng(seed).standard_normal((2 * size, size))
    return x.T @ x / size


# distances


def test_the_frechet_distance_of_two_gaussians_is_the_closed_form():
    mean, away = np.zeros(5), np.array([1.0, -2, 0, 0.5, 3])
    a, b = random_covariance(5, 1), random_covariance(5, 2)
    root = linalg.sqrtm(a @ b).real
    expected = away @ away + np.trace(a + b - 2 * root)
    found = frechet_distance(gaussian(mean, a, 40, 3), gaussian(mean + away, b, 60, 4))
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_axis_aligned_gaussians_adds_squared_differences():
    a, b = np.array([1.0, 2, 3]), np.array([2.0, 0.5, 3])
    x, y = gaussian(np.zeros(3), np.diag(a**2), 30, 1), gaussian(np.ones(3), np.diag(b**2), 30, 2)
    assert frechet_distance(x, y) == pytest.approx(3 + np.square(a - b).sum(), rel=1e-9)


def test_the_frechet_distance_is_exact_with_fewer_clips_than_features():
    rng = np.random.default_rng(0)
    x = np.zeros((6, 200))
    y = np.zeros((7, 200))
    x[:, :5], y[:, 5:9] = rng.standard_normal((6, 5)), rng.standard_normal((7, 4))
    # covariances with nothing in common: their traces remain
    traces = np.trace(np.cov(x.T)) + np.trace(np.cov(y.T))
    means = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    assert frechet_distance(x, y) == pytest.approx(means + traces, rel=1e-9)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x), rel=1e-9)


def test_the_mmd_is_the_double_sum_of_its_definition():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 3)), rng.standard_normal((5, 3)) + 1

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    among_x = np.mean([k(x[i], x[j]) for i in range(4) for j in range(4) if i != j])
    among_y = np.mean([k(y[i], y[j]) for i in range(5) for j in range(5) if i != j])
    between = np.mean([k(a, b) for a in x for b in y])
    assert polynomial_mmd(x, y) == pytest.approx(among_x + among_y - 2 * between, rel=1e-12)


def test_the_mmd_of_samples_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    found = [polynomial_mmd(*rng.standard_normal((2, 10, 4))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert np.min(found) < 0


@pytest.mark.parametrize("measure", [frechet_distance, polynomial_mmd])
def test_a_distance_grows_as_a_distribution_moves_away(measure):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50, 8))
    found = [measure(x, y + shift) for shift in (0, 0.5, 1, 2)]
    assert found == sorted(found) and found[-1] > 10 * abs(found[0])


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    # polynomial kernel of one feature, shifted Gaussians: the truth from a very large sample
    rng = np.random.default_rng(0)
    truth = np.mean(
        [
            polynomial_mmd(rng.standard_normal((2000, 1)), rng.normal(1, 1, (2000, 1)))
            for _ in range(3)
        ]
    )
    inside = []
    for seed in range(30):
        x, y = rng.standard_normal((100, 1)), rng.normal(1, 1, (100, 1))
        distance = with_interval(polynomial_mmd, x, y, seed=seed, num_subsets=30)
        inside.append(distance.low <= truth <= distance.high)
    assert np.mean(inside) > 0.85


def test_an_interval_is_the_same_every_time_and_says_how_many_clips():
    x, y = np.random.default_rng(0).standard_normal((2, 20, 3))
    one, two = (with_interval(frechet_distance, x, y[:12], num_subsets=20) for _ in range(2))
    assert one == two
    assert (one.num_first, one.num_second) == (20, 12)
    assert one.low < one.value < one.high


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((1, 3)), r"\(1, 3\)"),
        (np.full((4, 3), np.nan), "4 of 4"),
        (np.zeros((4, 2)), "2 features"),
    ],
)
def test_what_has_no_distance_is_refused(x, said):
    y = np.random.default_rng(0).standard_normal((4, 3))
    for measure in (frechet_distance, polynomial_mmd):
        with pytest.raises(UsageError, match=said):
            measure(y, x)


# motion


def falling(num_frames=16, speed=3.0):
    """A red square that goes down by ``speed`` pixels a frame on a gray floor."""
    frames = np.full((num_frames, 128, 128, 3), (120, 120, 120), np.uint8)
    for t, frame in enumerate(frames):
        top = round(20 + speed * t)
        frame[top : top + 12, 50:62] = (209, 18, 18)
    return frames


def test_steady_motion_is_one_bin_of_velocity_and_no_acceleration():
    found = np.expm1(motions(observe(falling(), 12))).reshape(2, 2, NUM_DIRECTIONS + 1)
    down = NUM_DIRECTIONS // 4
    assert found.size == NUM_MOTIONS
    # 15 steps of 3 px, counted in two halves of 8 frames
    assert found[0, :, down].sum() == pytest.approx(15 * 3 * 2 / 16)
    assert np.delete(found[0], down, axis=1).sum() == 0
    assert found[1, :, :NUM_DIRECTIONS].sum() == 0
    assert found[1, :, NUM_DIRECTIONS].sum() == pytest.approx(14 * 2 / 16)


def test_a_clip_without_objects_has_no_motion():
    frames = np.full((16, 128, 128, 3), 120, np.uint8)
    assert not motions(observe(frames, 12)).any()


def test_the_motion_distance_grows_from_reversed_to_frozen_to_shuffled_clips(clips):
    order = np.random.default_rng(0).permutation(48)
    true, backward, frozen, shuffled = (
        np.stack([motions(observe(change(clip.frames), 12)) for clip in clips])
        for change in (
            lambda f: f,
            lambda f: f[::-1],
            lambda f: f[:1].repeat(48, axis=0),
            lambda f: f[order],
        )
    )
    assert not frozen[:, :NUM_DIRECTIONS].any()
    found = [frechet_distance(true, other) for other in (true, backward, frozen, shuffled)]
    assert found == sorted(found)
    assert found[0] < 1e-9 and found[3] > 2 * found[1]


# network


def test_the_networks_are_small_and_ship_with_their_sha256():
    networks = load_networks()
    assert sum(p.numel() for p in networks.state.parameters()) < 400_000
    data = (FOLDER / WEIGHTS_FILE).read_bytes()
    assert len(data) < 1_000_000
    description = json.loads((FOLDER / DESCRIPTION_FILE).read_text("utf-8"))
    assert hashlib.sha256(data).hexdigest() == description["sha256"] == networks.sha256


@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_weights_that_are_not_those_described_are_refused(tmp_path, harm):
    for name in (WEIGHTS_FILE, DESCRIPTION_FILE):
        shutil.copy(FOLDER / name, tmp_path / name)
    path = tmp_path / WEIGHTS_FILE
    if harm == "altered":
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with pytest.raises(WorldreelError, match="altered" if harm == "altered" else "cannot be read"):
        load_networks(tmp_path)


def test_saved_networks_load_again(tmp_path):
    networks = load_networks()
    save_networks(networks.state, networks.arrow, {"seed": 5}, tmp_path)
    again = load_networks(tmp_path)
    assert again.sha256 == networks.sha256
    for one, two in zip(again.state.parameters(), networks.state.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_network_reads_the_state_of_simulator_clips(examples):
    batch = as_batch(examples, torch.arange(len(examples)))
    with torch.inference_mode():
        state = load_networks().state(batch["frames"])
    seen = batch["present"] > 0.5
    assert ((state.present > 0) == seen).float().mean() > 0.98
    away = (state.place - batch["place"])[seen][:, :2].norm(dim=-1) * 64  # px of 128
    assert away.median() < 2
    assert (state.floor.argmax(-1) == batch["floor"][:, None]).float().mean() > 0.95


def test_the_targets_are_the_truth_of_the_simulator(clips, examples):
    for clip, example in zip(clips, (examples[i : i + 1] for i in range(len(clips))), strict=True):
        rows, columns = np.nonzero(clip.truth["masks"][20] == 1)
        if len(rows) < 60:
            continue
        present = example.present[0, 10] > 0
        place = 64 * (example.place[0, 10][present][:, :2] + 1)
        centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
        assert np.linalg.norm(place - centre, axis=1).min() < 4


def test_reversed_and_mirrored_targets_are_those_of_reversed_and_mirrored_clips(clips):
    clip = clips[3]
    index = torch.arange(1)
    truth = {name: value[::-1] for name, value in clip.truth.items()}
    backward = replace(clip, frames=clip.frames[::-1], truth=truth)
    plain, turned = (as_batch(make_examples([c]), index) for c in (clip, backward))
    made = reverse(plain)
    for name in ("frames", "present", "place", "motion", "camera"):
        torch.testing.assert_close(made[name], turned[name], atol=2e-3, rtol=1e-3)
    flipped = mirror(mirror(plain))
    for name, value in plain.items():
        assert torch.equal(flipped[name], value), name


def test_a_clip_of_any_size_is_seen_as_64_by_64():
    frames = np.random.default_rng(0).integers(0, 256, (5, 128, 96, 3), np.uint8)
    assert shrink(frames).shape == (5, 64, 64, 3)
    flat = np.full((2, 100, 180, 3), 77, np.uint8)
    assert (shrink(flat) == 77).all()
    assert as_input(frames).shape == (1, 4, 64, 64, 3)
    with pytest.raises(UsageError, match="3 frames"):
        as_input(frames[:3])


def test_training_with_one_seed_gives_the_same_networks_twice(examples):
    config = FitConfig(epochs=1, batch=2, arrow_epochs=1, arrow_batch=2, seed=3)
    few = examples[:4]
    first, second = fit(few, config), fit(few, config)
    for one, two in zip(first, second, strict=True):
        for key, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[key]), key


def test_training_lowers_the_loss_of_what_it_is_trained_on(examples):
    from worldreel.evaluate.features.fit import fit_state, state_loss

    few = examples[:4]
    batch = as_batch(few, torch.arange(4))
    losses = []
    for epochs in (1, 12):
        network = fit_state(few, FitConfig(epochs=epochs, batch=2))
        assert isinstance(network, StateNetwork)
        losses.append(float(sum(state_loss(network(batch["frames"]), batch).values())))
    assert losses[1] < 0.8 * losses[0]


# features of clips


def changed(clips, change):
    return features_of(change(clip.frames) for clip in clips)


@pytest.mark.parametrize("worsening", ["blur", "noise", "shuffle"])
def test_distances_grow_with_blur_noise_and_shuffled_frames(clips, worsening):
    rng = np.random.default_rng(0)

    def blur(frames, level):
        return ndimage.gaussian_filter(frames, (0, 2 * 2**level, 2 * 2**level, 0))

    def noise(frames, level):
        noisy = frames + rng.normal(0, 30 * 2**level, frames.shape)
        return noisy.clip(0, 255).astype(np.uint8)

    def shuffle(frames, level):
        size = (2, 6, 48)[level]  # within windows of so many frames
        order = [i + rng.permutation(size) for i in range(0, 48, size)]
        return frames[np.concatenate(order)]

    change = {"blur": blur, "noise": noise, "shuffle": shuffle}[worsening]
    true = features_of(clip.frames for clip in clips)
    assert true.shape == (len(clips), NUM_FEATURES)
    worse = [features_of(change(clip.frames, level) for clip in clips) for level in range(3)]
    near_to_far = [frechet_distance(true, features) for features in (true, *worse)]
    assert near_to_far == sorted(near_to_far) and near_to_far[3] > 2 * near_to_far[1]
    same, *near_to_far = [polynomial_mmd(true, features) for features in (true, *worse)]
    assert near_to_far == sorted(near_to_far) and near_to_far[2] > same


# the arrow of time


def test_simulator_clips_run_forward_and_their_reverses_backward(clips):
    frames = [clip.frames for clip in clips]
    assert forward_share(frames) == 1
    assert forward_share(f[::-1] for f in frames) == 0


def test_the_reverse_of_a_clip_has_the_opposite_logit(clips):
    frames = [clip.frames for clip in clips[:3]]
    np.testing.assert_allclose(
        arrow_logits(frames), -arrow_logits(f[::-1] for f in frames), atol=1e-4
    )


def test_a_clip_that_stands_still_counts_half():
    frames = falling()[:1].repeat(48, axis=0)
    assert forward_share([frames]) == 0.5
    assert np.isnan(share_above(np.array([])))
