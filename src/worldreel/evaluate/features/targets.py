"""What the network of features is asked for: the simulator's state, step by step."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from worldreel.core.clip import Clip
from worldreel.evaluate.features.network import FRAMES_PER_STEP, shrink
from worldreel.world.camera import project
from worldreel.world.vocabulary import BACKGROUNDS, COLORS, FLOORS

MIN_VISIBLE = 1 / 1400
"""An object is there if it covers this share of the picture: 12 pixels of 128 by 128."""

MOTION_SCALE = 16.0
"""Velocities are asked for in pictures per frame times this, so that most lie in [-1, 1]."""

ONE_WAY = ("fall", "slide", "throw", "collide", "topple", "ramp")
"""Events in which much energy is lost, so that they cannot run backward."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Clips and their states; ``n`` clips of ``t`` frames, ``s`` steps and 10 colours.

    Args:
        frames: uint8 ``n t 64 64 3``.
        present: 1 where an object of the colour is seen, ``n s 10``.
        place: of its centre, ``n s 10 3``: x and y in [-1, 1] across the picture, and the
            logarithm of its distance in metres along the camera's axis.
        motion: of its centre in the picture, ``n s 10 2``, see `MOTION_SCALE`.
        contact: whether it touches the floor or the set, and another object, ``n s 10 2``.
        camera: ``n s 8``: how it turns (rad/s) and moves (m/s) about and along its own axes,
            the angle by which it looks down (rad) and its height over the floor (m).
        floor, sky: numbers in `FLOORS` and `BACKGROUNDS`, ``n``.
        one_way: whether its event is one of `ONE_WAY`, ``n``.
    """

    frames: NDArray[np.uint8]
    present: Floats
    place: Floats
    motion: Floats
    contact: Floats
    camera: Floats
    floor: NDArray[np.int64]
    sky: NDArray[np.int64]
    one_way: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, chosen: slice | NDArray[np.bool_]) -> "Examples":
        return Examples(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})


def make_examples(clips: Iterable[Clip]) -> Examples:
    """The frames and states of clips of the simulator, all of one length; at least one."""
    rows = (_example(clip) for clip in clips)
    groups = []  # of rows in one piece: thousands of small arrays would scatter the memory
    while group := list(islice(rows, 128)):
        groups.append({name: np.stack([row[name] for row in group]) for name in group[0]})
    return Examples(**{name: np.concatenate([g[name] for g in groups]) for name in groups[0]})


def _example(clip: Clip) -> dict[str, NDArray[Any]]:
    truth, scene = clip.truth, clip.scene
    num_frames, height, width = clip.frames.shape[:3]
    num_steps = num_frames // FRAMES_PER_STEP
    present = np.zeros((num_steps, len(COLORS)), np.float32)
    place = np.zeros((num_steps, len(COLORS), 3), np.float32)
    motion = np.zeros((num_steps, len(COLORS), 2), np.float32)
    contact = np.zeros((num_steps, len(COLORS), 2), np.float32)
    things = scene["things"]
    for i, thing in enumerate(things):
        color = list(COLORS).index(thing["color"])
        share = (truth["masks"] == i + 1).mean(axis=(1, 2))
        seen = np.array(
            [
                project(point[None], view, lens)[0]
                for point, view, lens in zip(
                    truth["positions"][:, i].astype(np.float64),
                    truth["world_to_camera"].astype(np.float64),
                    truth["intrinsics"].astype(np.float64),
                    strict=True,
                )
            ]
        )
        x, y = 2 * seen[:, 0] / width - 1, 2 * seen[:, 1] / height - 1
        depth = np.log(np.maximum(seen[:, 2], 0.1))
        steps = _steps(np.stack([x, y, depth], axis=-1), num_steps)  # s 2 3
        present[:, color] = _steps(share, num_steps).min(axis=1) >= MIN_VISIBLE
        place[:, color] = steps.mean(axis=1)
        motion[:, color] = MOTION_SCALE / 2 * (steps[:, -1] - steps[:, 0])[:, :2]
        touched = truth["contacts"][:, i]
        scenery, others = touched[:, len(things) :].any(axis=1), touched[:, : len(things)]
        both = np.stack([scenery, others.any(axis=1)], axis=-1)
        contact[:, color] = _steps(both, num_steps).any(axis=1)
    return {
        "frames": shrink(clip.frames),
        "present": present,
        "place": place,
        "motion": motion,
        "contact": contact,
        "camera": _camera(_steps(truth["world_to_camera"].astype(np.float64), num_steps), clip.fps),
        "floor": np.array(list(FLOORS).index(scene["floor"])),
        "sky": np.array(list(BACKGROUNDS).index(scene["background"])),
        "one_way": np.array(scene["event"] in ONE_WAY),
    }


def _steps(values: NDArray[Any], num_steps: int) -> NDArray[Any]:
    """``t ...`` to ``s 2 ...``."""
    values = values[: num_steps * FRAMES_PER_STEP]
    return values.reshape(num_steps, FRAMES_PER_STEP, *values.shape[1:])


def _camera(views: NDArray[Any], fps: float) -> Floats:
    """Motion and stance of cameras ``s 2 4 4``, as in `Examples`."""
    before, after = views[:, 0], views[:, -1]
    turn = after @ np.linalg.inv(before)
    rotation = Rotation.from_matrix(turn[:, :3, :3]).as_rotvec()
    down = np.arcsin(np.clip(-before[:, 2, 2], -1, 1))
    eye = -np.einsum("sji,sj->si", before[:, :3, :3], before[:, :3, 3])
    stance = np.stack([down, eye[:, 2]], axis=-1)
    return np.concatenate([rotation * fps, turn[:, :3, 3] * fps, stance], axis=-1).astype(
        np.float32
    )
