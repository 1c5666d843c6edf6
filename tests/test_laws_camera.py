"""Law 11 on the simulator's own clips, where every pose is known."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, draw_cases
from worldreel.evaluate.floor_motion import STILL, FloorView, Motion, motion_between
from worldreel.evaluate.laws.camera import (
    CAMERA,
    LOST_PX,
    commanded_poses,
    drift_px,
    floor_error_px,
    floor_view,
    objects_return_px,
    return_px,
)
from worldreel.evaluate.observe import Observation, observe
from worldreel.world.camera import intrinsics, project
from worldreel.world.render import render_clip, simulate
from worldreel.world.scene import Scene, Shot
from worldreel.world.vocabulary import CAMERAS

VIEW = FloorView(height=128, width=128, focal_px=154.5, pitch=0.3, horizon=18.0)


@cache
def _cases() -> tuple[Case, ...]:
    return tuple(draw_cases("camera", "within", len(CAMERAS)))


@cache
def _frames(number: int) -> NDArray[np.uint8]:
    return render_clip(_cases()[number].scene).frames


def _measure(number: int, frames: NDArray[np.uint8]) -> dict[str, float | None]:
    figures = CAMERA.measure(_cases()[number], observe(frames, 12))
    assert figures is not None
    return figures


def test_the_motion_of_the_floor_between_two_poses_is_that_of_the_projected_points() -> None:
    matrix = intrinsics(128, 128)
    view = replace(VIEW, focal_px=float(matrix[0, 0]))
    for move in CAMERAS:
        poses = commanded_poses(move, view.pitch, 48)
        points = np.array([[-0.6, 0.2, 0.0], [0.3, -0.5, 0.0], [0.9, 1.5, 0.0]])
        before, after = (
            project(points, p.world_to_camera(), matrix) for p in (poses[5], poses[30])
        )
        motion = motion_between(poses[5], poses[30])
        x, y, _ = view.project(motion(view.lift(before[:, 0], before[:, 1])))
        np.testing.assert_allclose(np.stack([x, y], axis=1), after[:, :2], atol=1e-6)


def test_a_motion_and_its_inverse_leave_the_floor_where_it_was() -> None:
    motion = Motion(turn=1.1 + 0.2j, shift=0.3 - 0.1j)
    both = Motion(
        turn=motion.inverse().turn * motion.turn,
        shift=motion.inverse()(np.array([motion.shift]))[0],
    )
    assert VIEW.distance_px(both, STILL) < 1e-9


@pytest.mark.parametrize("number", range(1, len(CAMERAS)))
def test_the_floor_moves_as_the_camera_is_told(number: int) -> None:
    figures = _measure(number, _frames(number))
    assert figures["floor_px"] is not None and figures["floor_px"] < 0.45
    assert figures["objects_px"] is not None and figures["objects_px"] < 0.8
    frozen = _measure(number, np.repeat(_frames(number)[:1], 48, axis=0))
    assert frozen["floor_px"] is not None and frozen["floor_px"] > 2


@pytest.mark.parametrize("number", [3, 5])
def test_the_opposite_move_is_found_to_be_wrong_by_twice_as_much(number: int) -> None:
    frozen = _measure(number, np.repeat(_frames(number)[:1], 48, axis=0))["floor_px"]
    opposite = _measure(number, _frames(number)[::-1])["floor_px"]
    assert frozen is not None and opposite is not None
    assert 1.5 * frozen < opposite < 2.5 * frozen


def test_a_move_at_half_its_size_is_found_to_be_wrong_by_half() -> None:
    scene = _cases()[1].scene  # pan left
    slow = replace(scene, num_frames=95, shots=(replace(scene.shots[0], stop=95),))
    case, frames = _cases()[1], render_clip(slow).frames[24:72]
    view = floor_view(observe(frames, 12))
    poses = commanded_poses("pan left", view.pitch, 48)
    error = floor_error_px(case, observe(frames, 12), poses)
    frozen = _measure(1, np.repeat(frames[:1], 48, axis=0))["floor_px"]
    assert error is not None and frozen is not None
    assert 0.25 * frozen < error < 0.65 * frozen


def test_a_still_camera_does_not_drift_and_a_shaken_one_does() -> None:
    frames, case = _frames(0), _cases()[0]
    steady = drift_px(case, observe(frames, 12))
    assert steady is not None and steady < 0.05
    shaken = frames.copy()
    for t in range(24, 48):  # the picture slips by three pixels halfway
        shaken[t] = np.roll(frames[t], 3, axis=1)
    slipped = drift_px(case, observe(shaken, 12))
    assert slipped is not None and 1.0 < slipped < 2.0


def test_the_clip_of_another_move_drifts_out_of_the_picture() -> None:
    figures = _measure(0, _frames(1))
    assert figures["drift_px"] is None or figures["drift_px"] > 5


def test_without_a_floor_or_objects_nothing_is_found() -> None:
    figures = _measure(1, np.full((48, 128, 128, 3), 127, np.uint8))
    assert figures == {"floor_px": None, "objects_px": LOST_PX}
    still = _measure(0, np.full((48, 128, 128, 3), 127, np.uint8))
    assert still == {"drift_px": None, "objects_drift_px": LOST_PX}


def test_noise_is_no_floor() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 128, 128, 3), np.uint8)
    assert _measure(1, noise)["floor_px"] in (None, LOST_PX)


def _orbit(scene: Scene, degrees: float, num_frames: int) -> Scene:
    """The scene seen from all around, a shot a frame."""
    camera = replace(scene.shots[0].camera, move="still")
    shots = tuple(
        Shot(
            start=t,
            stop=t + 1,
            camera=replace(camera, azimuth=camera.azimuth + degrees * t / (num_frames - 1)),
        )
        for t in range(num_frames)
    )
    return replace(scene, shots=shots, num_frames=num_frames)


def test_a_full_orbit_comes_back_to_where_it_began() -> None:
    case = _cases()[3]

    def seen(degrees: float) -> Observation:
        moments = simulate(_orbit(case.scene, degrees, 25), height=128, width=128)
        return observe(np.stack([moment["frame"] for moment in moments]), 12)

    full = seen(360)
    back = return_px(case, full)
    assert back is not None and back < 0.1
    assert objects_return_px(case, full) < 0.2
    short = seen(352)
    missed = return_px(case, short)
    assert missed is None or missed > 3
    assert objects_return_px(case, short) > 1
    last = full.frames.copy()
    last[-1] = _frames(4)[0]  # of another scene
    assert return_px(case, observe(last, 12)) is None
