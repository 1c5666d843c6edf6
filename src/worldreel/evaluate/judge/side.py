"""To which side something moves, as seen when the clip begins, whatever the camera does."""

from collections.abc import Sequence

import numpy as np

from worldreel.evaluate.judge.camera import Move
from worldreel.evaluate.judge.objects import plausible
from worldreel.evaluate.observe import Observation

LEAST_M = 0.12
LEAST_TAKEN_OUT_M = 0.25
"""Less is no motion to a side, in metres at the distance of what the camera looks at; the second
where the camera's own turn, which is not known exactly, was taken out."""

LEAST_FRAMES = 4


def judge_side(observation: Observation, move: Move, colors: Sequence[str]) -> str | None:
    """``left`` or ``right``, as the objects of ``colors`` move together; None if they do not.

    Each object is put into the plane through what the camera looks at, and the camera's own move
    is taken out. Its excursion is the farthest from where it is first seen; theirs add up.
    """
    total = sum(_excursion(observation, move, color) for color in colors)
    turns = move.name.startswith(("pan", "orbit"))
    if abs(total) < (LEAST_TAKEN_OUT_M if turns else LEAST_M):
        return None
    return "right" if total > 0 else "left"


def _excursion(observation: Observation, move: Move, color: str) -> float:
    """Metres to the right; 0 where the object is not seen."""
    track = observation.tracks[color]
    height, width = observation.frames.shape[1:3]
    seen = np.flatnonzero(plausible(track, height, width))
    if len(seen) < LEAST_FRAMES:
        return 0.0
    x = np.array([_x(observation, move, track.x[t], track.y[t], int(t)) for t in seen])
    away = x - x[:2].mean()
    # three frames in a row agree: one wild frame is no motion
    steady = np.median(np.stack([away[:-2], away[1:-1], away[2:]]), axis=0)
    return float(steady[np.abs(steady).argmax()])


def _x(observation: Observation, move: Move, x: float, y: float, t: int) -> float:
    """Metres to the right in the world, of a point in pixels of frame ``t``."""
    pose = move.pose(t / (observation.num_frames - 1))
    height, width = observation.frames.shape[1:3]
    focal = observation.lens.focal_px
    seen = pose.distance * np.array([(x - width / 2) / focal, (y - height / 2) / focal, 1.0])
    matrix = pose.world_to_camera()
    return float(matrix[:3, 0] @ (seen - matrix[:3, 3]))
