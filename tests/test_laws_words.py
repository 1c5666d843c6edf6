"""Law 12 on the simulator's own clips, on nonsense, and on clips made wrong in one way."""

import itertools
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.evaluate.case import Case, draw_cases
from worldreel.evaluate.judge import networks
from worldreel.evaluate.judge.camera import judge_camera
from worldreel.evaluate.judge.degrade import degrade
from worldreel.evaluate.judge.fit import Examples, fit_event
from worldreel.evaluate.judge.maps import (
    CROP_SIDE,
    MAP_SIDE,
    NUM_CROP_CHANNELS,
    NUM_CROPS,
    NUM_MAP_CHANNELS,
    NUM_MOMENTS,
)
from worldreel.evaluate.judge.scenery import judge_background
from worldreel.evaluate.laws.words import WORDS, pair_direction
from worldreel.evaluate.observe import observe
from worldreel.world.render import render_clip
from worldreel.world.textures import floor_texture
from worldreel.world.vocabulary import CAMERAS, COLORS, EVENTS, SHAPES

pytest.importorskip("mujoco", reason="the simulated world needs the `train` extra")

NUM_WORDS, NUM_MIRRORED = 6, 4
"""Clips of each group that are rendered here; the ceilings are measured on many more."""


@cache
def _cases(group: str, count: int) -> tuple[Case, ...]:
    return tuple(draw_cases(group, "within", count))  # type: ignore[arg-type]


@cache
def _frames(case: Case) -> NDArray[np.uint8]:
    return render_clip(case.scene).frames


def _measure(case: Case, frames: NDArray[np.uint8]) -> dict[str, float | None]:
    figures = WORDS.measure(case, observe(frames, 12))
    assert figures is not None
    return figures


def _moving() -> Case:
    """A case with a side under a still camera."""
    return _cases("mirror", NUM_MIRRORED)[0]


def test_a_clip_of_the_simulator_shows_what_its_prompt_says() -> None:
    told = []
    for case in (*_cases("words", NUM_WORDS), *_cases("mirror", NUM_MIRRORED)):
        figures = _measure(case, _frames(case))
        assert ("direction" in figures) == bool(case.scene.side)
        told += [figures.pop("shape"), figures.pop("event")]  # by networks: nearly always right
        figures.pop("all")
        assert set(figures.values()) == {1.0}, (case.key, case.prompt, figures)
    assert np.mean(np.array(told, float)) >= 0.9


def test_a_clip_of_another_prompt_is_not_right() -> None:
    cases = _cases("words", NUM_WORDS)
    for case, other in itertools.pairwise(cases):
        assert _measure(case, _frames(other))["all"] == 0.0


def test_a_rough_copy_is_judged_as_its_clip_is() -> None:
    right = []
    for case in _cases("words", NUM_WORDS):
        figures = _measure(case, degrade(_frames(case), np.random.default_rng(0)))
        right += [figures[name] for name in ("color", "shape", "floor", "event", "camera")]
    assert np.mean(np.array(right, float)) > 0.85


def test_a_clip_without_objects_shows_nothing_of_the_prompt() -> None:
    floor = np.tile(floor_texture("sand"), (48, 1, 1, 1))
    assert WORDS.measure(_moving(), observe(floor, 12)) is None


def test_seen_in_a_mirror_only_the_direction_is_wrong() -> None:
    case = _moving()
    figures = _measure(case, np.ascontiguousarray(_frames(case)[:, :, ::-1]))
    assert {name for name, value in figures.items() if value == 0} == {"direction", "all"}


def test_a_held_moment_has_neither_the_event_nor_the_direction() -> None:
    case = _moving()
    figures = _measure(case, np.repeat(_frames(case)[:1], 48, axis=0))
    assert (figures["event"], figures["direction"], figures["color"]) == (0.0, 0.0, 1.0)


def test_a_second_object_of_the_same_colour_is_counted() -> None:
    case = _moving()
    frames = _frames(case).copy()
    frames[:, 40:58, 8:26] = (np.array(COLORS[case.things[0].color]) * 255).astype(np.uint8)
    figures = _measure(case, frames)
    assert (figures["count"], figures["color"]) == (0.0, 1.0)


def test_an_object_of_another_colour_is_one_too_many() -> None:
    case = _moving()
    asked = {thing.color for thing in case.things}
    extra = next(c for c in ("purple", "cyan", "red") if c not in asked)
    frames = _frames(case).copy()
    frames[:, 40:58, 8:26] = (np.array(COLORS[extra]) * 255).astype(np.uint8)
    assert _measure(case, frames)["count"] == 0.0


def test_an_object_that_was_asked_for_in_another_shape_or_colour_is_missed() -> None:
    case = _moving()
    thing = case.things[0]
    shapes = [shape for shape in SHAPES if shape != thing.shape]
    asked = {thing.color for thing in case.things}
    colors = [color for color in COLORS if color not in asked]
    for name, wrong in (("shape", {"shape": shapes[0]}), ("color", {"color": colors[0]})):
        things = (replace(thing, **wrong), *case.things[1:])
        other = replace(case, scene=replace(case.scene, things=things))
        assert _measure(other, _frames(case))[name] == 0.0


def test_the_moves_of_the_camera_are_told_apart() -> None:
    for case in _cases("camera", len(CAMERAS)):
        move = judge_camera(observe(_frames(case), 12))
        assert move is not None and move.name == case.camera_move
        assert move.extent == (0.0 if move.name == "still" else 1.0)


def test_the_sky_is_judged_only_where_the_prompt_says_it() -> None:
    case = _moving()
    assert judge_background(observe(_frames(case), 12)) == case.scene.background
    other = "night" if case.scene.background != "night" else "day"
    unsaid = replace(case, scene=replace(case.scene, background=other))
    said = replace(
        unsaid, prompt=f"{case.prompt}, {'at night' if other == 'night' else 'in daylight'}"
    )
    assert _measure(unsaid, _frames(case))["floor"] == 1.0
    assert _measure(said, _frames(case))["floor"] == 0.0


def test_a_pair_is_right_only_if_both_directions_are() -> None:
    right, wrong = {"direction": 1.0}, {"direction": 0.0}
    assert pair_direction(right, right) == 1.0
    assert pair_direction(right, wrong) == pair_direction(None, right) == 0.0


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray((networks.FOLDER / "shape.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "shape.safetensors").write_bytes(data)
    monkeypatch.setattr(networks, "FOLDER", tmp_path)
    networks.shape_network.cache_clear()
    with pytest.raises(WorldreelError, match="altered"):
        networks.shape_network()
    networks.shape_network.cache_clear()


def test_the_same_seed_trains_the_same_network() -> None:
    rng = np.random.default_rng(0)
    examples = Examples(
        maps=rng.integers(
            0, 255, (48, NUM_MAP_CHANNELS, NUM_MOMENTS, MAP_SIDE, MAP_SIDE), np.uint8
        ),
        events=rng.integers(0, len(EVENTS), 48),
        crops=np.zeros((48, NUM_CROPS, NUM_CROP_CHANNELS, CROP_SIDE, CROP_SIDE), np.uint8),
        shapes=np.zeros(48, np.int64),
    )
    one, two = (fit_event(examples, seed=3, epochs=2).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
