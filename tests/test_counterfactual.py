"""Scenes that move as nothing moves: prescribed motion, and pairs that differ from a moment on."""

from dataclasses import replace

import numpy as np
import pytest

from worldreel.world.counterfactual import Kind, Pair, constant_velocity, minimal_pairs
from worldreel.world.render import physics, render_clip
from worldreel.world.sampling import sample_scene
from worldreel.world.scene import NUM_FRAMES, Scene, Shot, Thing

pytest.importorskip("mujoco")
SMALL = {"height": 64, "width": 64}


def ball(color: str, role: str, x: float, z: float, **how: object) -> Thing:
    return Thing(
        shape="ball",
        color=color,
        size="medium",
        role=role,
        position=(x, 0.0, z),
        **how,  # pyright: ignore[reportArgumentType]
    )


def staged(event: str, *things: Thing) -> Scene:
    scene = sample_scene(1, event=event)
    camera = replace(scene.shots[0].camera, move="still")
    shots = (Shot(start=0, stop=NUM_FRAMES, camera=camera),)
    return replace(scene, things=things, props=(), shots=shots)


ROLL = staged(
    "roll",
    ball("red", "actor", -0.9, 0.29, velocity=(0.7, 0.0, 0.0), spin=(0.0, 0.7 / 0.29, 0.0)),
    ball("blue", "bystander", 0.9, 0.29),
)
FALL = staged("fall", ball("red", "actor", 0.0, 1.8, restitution=0.75))
COLLIDE = staged(
    "collide",
    ball("red", "actor", -0.9, 0.29, velocity=(1.4, 0.0, 0.0), spin=(0.0, 1.4 / 0.29, 0.0)),
    ball("blue", "partner", 0.1, 0.29, restitution=0.5),
)


def pairs_of(scene: Scene, kind: Kind) -> list[Pair]:
    pairs = minimal_pairs(scene, kind, seed=0, **SMALL)
    for pair in pairs:
        before = slice(0, pair.moment)
        possible, impossible = pair.possible, pair.impossible
        np.testing.assert_array_equal(possible.frames[before], impossible.frames[before])
        assert (possible.frames[pair.moment] != impossible.frames[pair.moment]).any()
        assert possible.captions == impossible.captions
        for name, array in possible.truth.items():
            assert array.shape == impossible.truth[name].shape
    return pairs


def test_the_motion_of_the_world_may_be_given_and_is_then_the_same_to_the_bit() -> None:
    one = render_clip(COLLIDE, **SMALL)
    other = render_clip(COLLIDE, motion=physics(COLLIDE.fps), **SMALL)
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.truth["positions"], other.truth["positions"])


def test_at_constant_velocity_a_ball_goes_through_its_partner_and_never_slows_down() -> None:
    truth = constant_velocity(COLLIDE, **SMALL).truth
    time_s = np.arange(NUM_FRAMES) / COLLIDE.fps
    np.testing.assert_allclose(truth["positions"][:, 0, 0], -0.9 + 1.4 * time_s, atol=1e-4)
    np.testing.assert_allclose(truth["positions"][:, 1, 0], 0.1, atol=1e-6)
    turned = 2 * np.arccos(np.abs(truth["rotations"][1, 0, 0]))
    assert turned == pytest.approx(1.4 / 0.29 / COLLIDE.fps, rel=1e-3)


def test_at_constant_velocity_what_begins_at_rest_hovers() -> None:
    clip = constant_velocity(FALL, **SMALL)
    assert np.ptp(clip.truth["positions"][:, 0, 2]) < 1e-6
    assert (clip.frames == clip.frames[0]).all()


def test_a_teleport_jumps_once_and_each_of_its_frames_is_in_a_possible_clip() -> None:
    one, other = pairs_of(ROLL, "teleport")
    after = slice(one.moment, None)
    np.testing.assert_array_equal(one.impossible.frames[after], other.possible.frames[after])
    np.testing.assert_array_equal(other.impossible.frames[after], one.possible.frames[after])
    step = np.diff(one.impossible.truth["positions"][:, 0, 0])
    usual = np.diff(one.possible.truth["positions"][:, 0, 0])
    assert np.flatnonzero(np.abs(step - usual) > 0.1).tolist() == [one.moment - 1]
    assert 0.5 <= abs(step - usual).max() <= 0.81
    assert len(one.scene.things) == 1, "bystanders are left out"


def test_a_recoloured_ball_moves_as_if_nothing_had_happened() -> None:
    one, other = pairs_of(ROLL, "recolour")
    assert one.scene.things[0].color != other.scene.things[0].color
    for name in ("positions", "masks"):
        np.testing.assert_array_equal(one.possible.truth[name], one.impossible.truth[name])


def test_a_striker_passes_through_its_partner_and_in_the_other_half_pushes_from_afar() -> None:
    through, afar = pairs_of(COLLIDE, "pass_through")
    gap = through.impossible.truth["positions"][:, 1] - through.impossible.truth["positions"][:, 0]
    assert gap[0, 0] > 0 > gap[-1, 0]
    assert np.ptp(through.impossible.truth["positions"][:, 1, 0]) < 0.01
    assert np.ptp(through.possible.truth["positions"][:, 1, 0]) > 0.3
    places = afar.impossible.truth["positions"].astype(float)
    assert np.linalg.norm(places[:, 1] - places[:, 0], axis=1).min() > 0.58 + 0.1
    assert np.ptp(places[:, 1, 0]) > 0.3
    assert np.ptp(afar.possible.truth["positions"][:, 1, 0]) < 0.01


def test_without_gravity_a_flight_goes_on_straight() -> None:
    (pair,) = pairs_of(FALL, "no_gravity")
    z = pair.impossible.truth["positions"][pair.moment - 1 : pair.moment + 8, 0, 2].astype(float)
    assert np.abs(np.diff(z, n=2)).max() < 0.002
    z = pair.possible.truth["positions"][pair.moment - 1 : pair.moment + 2, 0, 2].astype(float)
    assert np.diff(z, n=2)[0] * FALL.fps**2 == pytest.approx(-9.81, rel=0.05)


def test_a_pair_is_refused_where_the_camera_moves_and_absent_where_the_scene_does_not_fit() -> None:
    camera = replace(ROLL.shots[0].camera, move="pan left")
    moving = replace(ROLL, shots=(replace(ROLL.shots[0], camera=camera),))
    with pytest.raises(ValueError, match="still"):
        minimal_pairs(moving, "teleport", seed=0)
    assert minimal_pairs(ROLL, "pass_through", seed=0) == []
    resting = replace(ROLL, things=(replace(FALL.things[0], position=(0.0, 0.0, 0.29)),))
    assert minimal_pairs(resting, "no_gravity", seed=0, **SMALL) == []
