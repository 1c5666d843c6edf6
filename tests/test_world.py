"""The simulated world: determinism, physics against closed forms, captions against the truth."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldreel.core.clip import Clip
from worldreel.data.shards import read_shards
from worldreel.data.simulate import render_shards
from worldreel.world.camera import project
from worldreel.world.render import render_clip
from worldreel.world.sampling import sample_scene
from worldreel.world.scene import Scene, Thing, is_held_out
from worldreel.world.shapes import standing_height
from worldreel.world.vocabulary import (
    BACKGROUNDS,
    CAMERAS,
    COLORS,
    EVENTS,
    FLOORS,
    SHAPES,
    SIZES,
    SYNONYMS,
    WORDS,
)

pytest.importorskip("mujoco", reason="the simulated world needs the `train` extra")
SMALL = {"height": 48, "width": 48}


def _clip(seed: int, event: str, **changes: object) -> Clip:
    return render_clip(replace(sample_scene(seed, event=event), **changes), **SMALL)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clips() -> dict[str, list[tuple[Scene, Clip]]]:
    """Two clips of every event."""
    found: dict[str, list[tuple[Scene, Clip]]] = {}
    for event in EVENTS:
        scenes = [sample_scene(seed, event=event) for seed in (11, 12)]
        found[event] = [(scene, render_clip(scene, height=64, width=64)) for scene in scenes]
    return found


def test_the_world_is_as_wide_as_promised() -> None:
    assert len(SHAPES) == 5
    assert len(COLORS) == 10
    assert len(SIZES) == 3
    assert len(FLOORS) == 6
    assert len(BACKGROUNDS) == 3
    assert len(EVENTS) == 10
    assert len(CAMERAS) == 7
    scenes = [sample_scene(seed) for seed in range(400)]
    assert {len(scene.things) for scene in scenes} == {1, 2, 3}
    assert {scene.event for scene in scenes} == set(EVENTS)
    assert {scene.shots[0].camera.move for scene in scenes} == set(CAMERAS)
    assert 0.04 < np.mean([len(scene.shots) > 1 for scene in scenes]) < 0.16


def test_a_seed_gives_the_same_clip_whatever_was_drawn_before() -> None:
    first = _clip(3, "fall")
    _clip(4, "ramp")
    _clip(5, "swing", background="night")
    again = _clip(3, "fall")
    assert np.array_equal(first.frames, again.frames)
    assert first.captions == again.captions
    for name, array in first.truth.items():
        assert np.array_equal(array, again.truth[name]), name


def test_shards_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    size = {"height": 32, "width": 32, "clips_per_shard": 1}
    render_shards(tmp_path / "one", 2, 40, 1, **size)  # type: ignore[arg-type]
    render_shards(tmp_path / "two", 2, 40, 2, **size)  # type: ignore[arg-type]
    for a, b in zip(read_shards(tmp_path / "one"), read_shards(tmp_path / "two"), strict=True):
        assert a.key == b.key
        assert np.array_equal(a.frames, b.frames)


def test_held_out_combinations_never_appear_in_the_training_split() -> None:
    for seed in range(60):
        scene = sample_scene(seed, split="train")
        assert not any(
            is_held_out(t.color, t.shape, scene.event, scene.floor) for t in scene.actors
        )
        other = sample_scene(seed, split="held_out")
        assert any(is_held_out(t.color, t.shape, other.event, other.floor) for t in other.actors)


def test_every_frame_carries_its_truth(clips: dict[str, list[tuple[Scene, Clip]]]) -> None:
    for pairs in clips.values():
        for scene, clip in pairs:
            t, n = clip.num_frames, len(scene.things)
            assert t == 48
            assert clip.truth["positions"].shape == (t, n, 3)
            assert clip.truth["rotations"].shape == (t, n, 4)
            assert clip.truth["velocities"].shape == (t, n, 6)
            assert clip.truth["contacts"].shape == (t, n, n + 2)
            assert clip.truth["masks"].shape == (t, 64, 64)
            assert clip.truth["world_to_camera"].shape == (t, 4, 4)
            assert clip.truth["intrinsics"].shape == (t, 3, 3)


def test_masks_and_camera_matrices_agree_with_the_poses(
    clips: dict[str, list[tuple[Scene, Clip]]],
) -> None:
    checked = 0
    for _, clip in [pair for pairs in clips.values() for pair in pairs]:
        for frame in range(0, clip.num_frames, 5):
            truth = {name: array[frame] for name, array in clip.truth.items()}
            seen = project(
                truth["positions"].astype(float),
                truth["world_to_camera"].astype(float),
                truth["intrinsics"].astype(float),
            )
            for index, (x, y, _) in enumerate(seen):
                mask = truth["masks"] == index + 1
                inside = 8 < x < 56 and 8 < y < 56
                if not inside or mask.sum() < 30 or (truth["masks"] == 250).any():
                    continue
                rows, columns = np.nonzero(mask)
                others = (truth["masks"] > 0) & ~mask
                if others[max(int(y) - 8, 0) : int(y) + 8, max(int(x) - 8, 0) : int(x) + 8].any():
                    continue  # partly hidden
                assert math.hypot(columns.mean() - x, rows.mean() - y) < 3.0
                checked += 1
    assert checked > 50


def test_a_falling_ball_obeys_gravity_and_bounces_with_its_restitution() -> None:
    scene = sample_scene(0, event="fall")
    ball = Thing(
        shape="ball",
        color="red",
        size="medium",
        role="actor",
        position=(0.0, 0.0, 1.9),
        restitution=0.7,
    )
    clip = render_clip(replace(scene, things=(ball,)), **SMALL)
    z = clip.truth["positions"][:, 0, 2].astype(float)
    touched = clip.truth["contacts"][:, 0, 1]
    first = int(np.argmax(touched))
    time_s = np.arange(first) / clip.fps
    fit = np.polyfit(time_s, z[:first], 2)
    assert -2 * fit[0] == pytest.approx(9.81, rel=0.02)
    rest = standing_height("ball", ball.radius, lying=False)
    before = math.sqrt(2 * 9.81 * (1.9 - rest))
    apex = z[first : first + 10].max()
    assert math.sqrt(2 * 9.81 * (apex - rest)) / before == pytest.approx(0.7, abs=0.07)


def test_a_pendulum_keeps_its_period_and_its_amplitude() -> None:
    scene = sample_scene(5, event="swing")
    bob = replace(scene.things[0], shape="ball", string_m=1.0, string_angle=0.2)
    top = 1.85
    bob = replace(bob, position=(math.sin(0.2), 0.0, top - math.cos(0.2)))
    clip = render_clip(replace(scene, things=(bob,)), **SMALL)
    x = clip.truth["positions"][:, 0, 0].astype(float)
    middle = (x.max() + x.min()) / 2
    crossings = np.nonzero(np.diff(np.sign(x - middle)))[0]
    exact = crossings + (middle - x[crossings]) / (x[crossings + 1] - x[crossings])
    period = 2 * np.diff(exact).mean() / clip.fps
    inertia = 1 + 0.4 * bob.radius**2  # a solid ball on a rod of 1 m, per unit mass
    assert period == pytest.approx(2 * math.pi * math.sqrt(inertia / 9.81), rel=0.02)
    assert np.ptp(x[-26:]) == pytest.approx(np.ptp(x[:26]), rel=0.05)


def test_events_are_what_their_names_say(clips: dict[str, list[tuple[Scene, Clip]]]) -> None:
    for event, pairs in clips.items():
        for scene, clip in pairs:
            position, velocity = clip.truth["positions"], clip.truth["velocities"]
            contacts = clip.truth["contacts"]
            n = len(scene.things)
            sign = {"right": 1, "left": -1, "": 0}[scene.side]
            travelled = position[-1, 0, 0] - position[0, 0, 0]
            match event:
                case "fall":
                    assert position[0, 0, 2] > position[-1, 0, 2] + 0.5
                    assert contacts[:, 0, n].any()
                case "roll" | "throw" | "occlude" | "ramp" | "slide":
                    assert sign * travelled > 0.5
                case "collide":
                    assert contacts[:, 0, 1].any()
                case "topple":
                    assert position[-1, n - 1, 2] < 0.75 * position[0, n - 1, 2]
                    assert sign * (position[-1, n - 1, 0] - position[0, n - 1, 0]) > 0.05
                case "swing":
                    assert np.ptp(position[:, 0, 0]) > 0.6
                case "rest":
                    assert np.abs(position[-1] - position[0]).max() < 0.03
            if event == "slide":
                assert np.abs(velocity[-1, 0, :3]).max() < 0.1
            if event == "ramp":
                assert contacts[:, 0, n + 1].any()


def test_captions_name_what_is_there_and_the_sides_as_seen(
    clips: dict[str, list[tuple[Scene, Clip]]],
) -> None:
    for scene, clip in [pair for pairs in clips.values() for pair in pairs]:
        assert len(set(clip.captions)) >= 2
        for caption in clip.captions:
            for thing in scene.actors:
                assert f"{thing.color} {thing.shape}" in caption
            assert any(name in caption for name in FLOORS[scene.floor])
            if scene.side and scene.event != "collide":
                assert re.search(rf"\b{scene.side}\b", caption)
            for size in ("small", "large"):
                for match in re.findall(rf"{size} (\w+ \w+)", caption):
                    assert any(
                        f"{t.color} {t.shape}" == match and t.size == size for t in scene.things
                    )
        move = scene.shots[0].camera.move
        if move.startswith(("pan", "orbit")):
            assert all(move.split()[1] in caption for caption in clip.captions)


def test_the_camera_moves_as_it_is_told() -> None:
    base = sample_scene(2, event="rest")
    shot = replace(base.shots[0], stop=base.num_frames)
    ball = Thing(shape="ball", color="red", size="medium", role="actor", position=(0, 0, 0.29))
    for move, expected in {"pan left": 1, "pan right": -1, "dolly in": 0, "dolly out": 0}.items():
        scene = replace(
            base,
            things=(ball,),
            shots=(replace(shot, camera=replace(shot.camera, move=move)),),
        )
        masks = render_clip(scene, height=64, width=64).truth["masks"] == 1
        x = [np.nonzero(mask)[1].mean() for mask in (masks[0], masks[-1])]
        area = [mask.sum() for mask in (masks[0], masks[-1])]
        if expected:  # turning left carries what is seen to the right
            assert expected * (x[1] - x[0]) > 10
        else:
            assert (area[1] > area[0] * 1.6) == (move == "dolly in")
            assert (area[1] < area[0] / 1.6) == (move == "dolly out")


def test_every_word_of_every_caption_is_in_the_vocabulary() -> None:
    stop = set(
        re.findall(r"\w+", "a an the and on of to is with while by like under at into as it")
    )
    known = {word for words in WORDS.values() for word in words} | set(COLORS) | stop
    for seed in range(60):
        scene = sample_scene(seed)
        still = replace(scene, num_frames=1, shots=(replace(scene.shots[0], stop=1),))
        if len(scene.shots) > 1:
            continue
        for caption in render_clip(still, height=32, width=32).captions:
            unknown = set(re.findall(r"[a-z-]+", caption)) - known
            assert not unknown, (caption, unknown)
    assert not set(SYNONYMS) & known
    assert set(SYNONYMS.values()) <= known


def test_unknown_words_are_refused_not_guessed() -> None:
    with pytest.raises(ValueError, match="torus"):
        standing_height("torus", 0.2, lying=False)
