"""Law 11: the camera does what it is told, and what it shows stays one world in depth."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from worldreel.evaluate.case import Case
from worldreel.evaluate.floor_motion import (
    STILL,
    FloorView,
    Motion,
    Picture,
    align,
    motion_between,
    picture,
)
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.lens import USUAL_DISTANCE_M, USUAL_LOOKAT_M
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracks import Track
from worldreel.world.camera import Camera, Pose, intrinsics
from worldreel.world.scene import Thing
from worldreel.world.shapes import standing_height

STRIDE_S = 0.5
"""Time between two frames that are aligned."""

LOST_PX = 12.0
"""What a floor or an object counts as that is not found again."""

MIN_WHOLE = 6
"""Frames in which an object must be seen whole, for its place to be known."""

HEIGHT_SLACK_M = 0.08
"""How well the height of an object's middle is known: its silhouette's is a little elsewhere."""

MIN_PITCH = math.radians(2.0)

Floats = NDArray[np.float64]


def commanded_poses(move: str, pitch: float, num_frames: int) -> list[Pose]:
    """Where a camera stands in each frame that looks down by ``pitch`` (radians) and makes
    ``move``, at its usual distance from the scene."""
    camera = Camera(
        move=move,
        lookat=(0.0, 0.0, USUAL_LOOKAT_M),
        distance=USUAL_DISTANCE_M,
        azimuth=90.0,
        elevation=-math.degrees(pitch),
    )
    return [camera.pose(t / max(num_frames - 1, 1)) for t in range(num_frames)]


def floor_view(observation: Observation) -> FloorView:
    """How the camera of a clip sees the floor, its pitch being the clip's median."""
    lens = observation.lens
    return FloorView(
        height=lens.height,
        width=lens.width,
        focal_px=lens.focal_px,
        # the simulator's cameras look down by 13 to 22 degrees; one that does not see the floor
        # from above leaves nothing to compare
        pitch=max(float(np.median(lens.pitch)), MIN_PITCH),
        horizon=float(np.median(lens.horizon)),
    )


def floor_error_px(case: Case, observation: Observation, poses: list[Pose]) -> float | None:
    """How far the floor moves in half a second from where ``poses`` say, mean over the clip.

    None where no floor is found whose texture could be followed. A pair of frames that do not
    show the same floor counts as `LOST_PX`, and so does any error above it.
    """
    view = floor_view(observation)
    frames = _every_stride(observation)
    pictures = [_picture(case, observation, t) for t in frames]
    errors = []
    for i in range(len(frames) - 1):
        commanded = motion_between(poses[frames[i]], poses[frames[i + 1]])
        starts = (STILL, commanded, commanded.inverse())
        found = align(view, pictures[i], pictures[i + 1], starts)
        errors.append(None if found is None else view.distance_px(found.motion, commanded))
    if all(error is None for error in errors):
        return None
    return float(np.mean([LOST_PX if e is None else min(e, LOST_PX) for e in errors]))


def drift_px(case: Case, observation: Observation) -> float | None:
    """How far the floor is from where it was in the first frame, mean over the clip.

    None where no floor is found whose texture could be followed.
    """
    view = floor_view(observation)
    first = _picture(case, observation, 0)
    found: Motion = STILL
    distances, seen = [], False
    for t in _every_stride(observation)[1:]:
        starts = (STILL,) if found == STILL else (STILL, found)
        fit = align(view, first, _picture(case, observation, t), starts)
        seen |= fit is not None
        found = STILL if fit is None else fit.motion
        distances.append(LOST_PX if fit is None else _capped(view.distance_px(found, STILL)))
    return float(np.mean(distances)) if seen else None


def return_px(case: Case, observation: Observation) -> float | None:
    """How far the floor of the last frame is from that of the first: 0 after a full orbit.

    None where they do not show the same floor.
    """
    view = floor_view(observation)
    ends = _picture(case, observation, 0), _picture(case, observation, observation.num_frames - 1)
    found = align(view, *ends, (STILL,))
    return None if found is None else view.distance_px(found.motion, STILL)


def objects_return_px(case: Case, observation: Observation) -> float:
    """How far the objects of the last frame are from where they were in the first, their mean.

    One that is seen in only one of them counts as `LOST_PX`; one seen in neither, as nothing.
    """
    distances = []
    for thing in case.things:
        track = observation.tracks[thing.color]
        if track.seen[0] and track.seen[-1]:
            distances.append(_capped(math.hypot(*(c[-1] - c[0] for c in (track.x, track.y)))))
        elif track.seen[0] or track.seen[-1]:
            distances.append(LOST_PX)
    return float(np.mean(distances)) if distances else LOST_PX


def objects_error_px(case: Case, observation: Observation, poses: list[Pose]) -> float:
    """How far objects are seen from where points at rest in the world would be, mean over them.

    For each the place on the floor is sought that explains its track best under ``poses``;
    what remains is the error, mean over its frames.
    """
    matrix = intrinsics(observation.lens.height, observation.lens.width)
    views = np.stack([pose.world_to_camera() for pose in poses])
    errors = [
        _object_error_px(thing, observation.tracks[thing.color], views, matrix)
        for thing in case.things
    ]
    return float(np.mean(errors))


def _object_error_px(thing: Thing, track: Track, views: Floats, matrix: Floats) -> float:
    whole = track.whole
    if whole.sum() < MIN_WHOLE:
        return LOST_PX
    height = standing_height(thing.shape, thing.radius, lying=thing.shape == "capsule")
    height *= 4 / 3 if thing.shape == "cone" else 1  # of its silhouette, not of its mass
    seen = np.stack([track.x, track.y], axis=1)[whole]

    def off(point: Floats) -> Floats:
        return _project(point, views[whole], matrix) - seen

    def cost(point: Floats) -> Floats:
        return np.append(np.nan_to_num(off(point), nan=1e3).ravel(), _slack(point[2], height))

    middle = int(np.flatnonzero(whole)[whole.sum() // 2])
    start = _on_plane((track.x[middle], track.y[middle]), views[middle], matrix, height)
    fit = least_squares(cost, start, loss="soft_l1", max_nfev=30)
    distances = np.hypot(*off(fit.x).T)
    distances = np.minimum(np.nan_to_num(distances, nan=LOST_PX), LOST_PX)
    # where it should be in the middle of the picture, it must be there
    x, y = _project(fit.x, views, matrix).T
    margin = 2 * math.sqrt(float(np.median(track.num_pixels[whole])) / math.pi)
    wide, tall = 2 * matrix[0, 2], 2 * matrix[1, 2]
    due = (x > margin) & (x < wide - margin) & (y > margin) & (y < tall - margin)
    lost = np.full(np.count_nonzero(due & ~track.seen), LOST_PX)
    return float(np.append(distances, lost).mean())


def _slack(z: float, height: float) -> float:
    return (z - height) / HEIGHT_SLACK_M


def _project(point: Floats, views: Floats, matrix: Floats) -> Floats:
    """A point in metres to pixels ``t 2`` in each of ``views`` ``t 4 4``; nan behind the camera."""
    seen = views[:, :3, :3] @ point + views[:, :3, 3]
    depth = np.where(seen[:, 2] > 0.05, seen[:, 2], np.nan)
    return (seen @ matrix.T)[:, :2] / depth[:, None]


def _on_plane(pixel: tuple[float, float], view: Floats, matrix: Floats, height: float) -> Floats:
    """Where the ray through a pixel meets the plane ``height`` metres above the floor."""
    ray = view[:3, :3].T @ np.linalg.solve(matrix, [*pixel, 1.0])
    eye = -view[:3, :3].T @ view[:3, 3]
    reach = (eye[2] - height) / max(-ray[2], 0.05)
    return np.array([*(eye + min(reach, 8.0) * ray)[:2], height])


def _every_stride(observation: Observation) -> list[int]:
    last = observation.num_frames - 1
    return sorted({*range(0, last, max(round(STRIDE_S * observation.fps), 1)), last})


def _picture(case: Case, observation: Observation, t: int) -> Picture:
    objects = np.zeros(observation.classes.shape[1:], bool)
    for thing in case.things:
        track = observation.tracks[thing.color]
        if track.seen[t]:
            box = (track.top[t], track.bottom[t]), (track.left[t], track.right[t])
            place = tuple(slice(int(low), int(high)) for low, high in box)
            objects[place] |= observation.classes[t][place] > 0
    return picture(observation.frames[t], objects)


def _capped(value: float) -> float:
    return min(value, LOST_PX)


def _measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    view = floor_view(observation)
    poses = commanded_poses(case.camera_move, view.pitch, observation.num_frames)
    objects = objects_error_px(case, observation, poses)
    if case.camera_move == "still":
        return {"drift_px": drift_px(case, observation), "objects_drift_px": objects}
    return {"floor_px": floor_error_px(case, observation, poses), "objects_px": objects}


CAMERA = Law(
    number=11,
    name="camera and 3-D",
    question="Does the floor move as the commanded move of the camera makes it, "
    "do things at rest keep their places, and does nothing move when the camera is still?",
    groups=("camera",),
    metrics=(
        Metric(
            name="floor_px",
            label="floor against the command (px)",
            perfect=0.0,
            worst=LOST_PX,
            floor="frozen",
        ),
        Metric(
            name="objects_px",
            label="objects against the floor (px)",
            perfect=0.0,
            worst=LOST_PX,
            floor="frozen",
        ),
        Metric(
            name="drift_px",
            label="drift of the floor, still (px)",
            perfect=0.0,
            worst=LOST_PX,
            floor="shuffled_pairing",
        ),
        Metric(
            name="objects_drift_px",
            label="drift of objects, still (px)",
            perfect=0.0,
            worst=LOST_PX,
            floor="shuffled_pairing",
        ),
    ),
    measure=_measure,
)
"""Law 11."""
