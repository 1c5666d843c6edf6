"""Law 14: a clip that goes on from given frames goes on as the simulator does.

The error is the distance in the picture between where the object is seen and where it should
be, in radii of the object as it should be seen there. It is a curve over the clip; where the
truth does not show the object whole there is nothing to compare, and it is nan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case, Group
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracks import Track
from worldreel.world.camera import intrinsics, project
from worldreel.world.scene import NUM_FRAMES, Scene, Thing
from worldreel.world.shapes import extent

LOST_RADII = 4.0
"""What an object counts as that is not seen, in radii; no error counts as more."""

GIVEN_FRAMES = 5
"""How many frames a model is given whose one clip is compared: place and motion are in them.
From one frame the motion is unknown, and the best of several clips is (see `best_of`)."""

GROUPS: tuple[Group, ...] = ("fall", "throw", "roll", "collide", "swing")
"""Their actors are balls, whose middle is the middle of what is seen of them."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """Where an object is seen, pixels, all arrays ``(t,)``.

    Args:
        x, y: its middle. radius: that of a disc of its area.
        whole: frames in which it is seen, and not cut off by the picture's edge.
    """

    x: Floats
    y: Floats
    radius: Floats
    whole: NDArray[np.bool_]


def tracked_path(track: Track) -> Path:
    """The path of an object that the tracker follows."""
    radius = np.sqrt(track.num_pixels / np.pi)
    return Path(x=track.x, y=track.y, radius=radius, whole=track.whole)


def simulated_path(scene: Scene, thing: Thing, *, height: int, width: int) -> Path:
    """The path of a thing of ``scene`` as the simulator knows it, in a picture of this size.

    What stands before it is left out: it counts as whole behind another object.
    """
    points = _positions(scene)[:, scene.things.index(thing)]  # t 3
    matrix = intrinsics(height, width)
    seen = np.concatenate(
        [project(point[None], _view(scene, frame), matrix) for frame, point in enumerate(points)]
    )
    radius = matrix[0, 0] * extent(thing.shape, thing.radius).radius / seen[:, 2]
    x, y = seen[:, 0], seen[:, 1]
    inside = (x > radius) & (x < width - radius) & (y > radius) & (y < height - radius)
    return Path(x=x, y=y, radius=radius, whole=inside & (seen[:, 2] > 0))


@lru_cache(maxsize=512)
def _positions(scene: Scene) -> Floats:
    """Where every thing is in each frame, metres, ``t n 3``: the simulator without its pictures."""
    import mujoco as untyped  # it is heavy, and comes without types

    from worldreel.world.physics import TIMESTEP_S, build, initial_state

    mujoco: Any = untyped
    model = build(scene)
    data = initial_state(model, scene)
    bodies = [model.body(f"thing{i}").id for i in range(len(scene.things))]
    steps = round(1 / (scene.fps * TIMESTEP_S))
    positions = []
    for frame in range(scene.num_frames):
        if frame:
            mujoco.mj_step(model, data, nstep=steps)
        positions.append(data.xipos[bodies].copy())
    return np.array(positions)


def _view(scene: Scene, frame: int) -> Floats:
    shot = next(shot for shot in scene.shots if shot.start <= frame < shot.stop)
    progress = (frame - shot.start) / max(shot.stop - shot.start - 1, 1)
    return shot.camera.pose(progress).world_to_camera()


def path_errors(seen: Path, truth: Path) -> Floats:
    """Distance from ``truth`` in its radii, ``(t,)``, at most `LOST_RADII`.

    nan where the truth is not seen whole; an object that is not seen where it should be is
    `LOST_RADII` away.
    """
    num_frames = min(len(seen.x), len(truth.x))
    seen_x, seen_y, x, y, radius = (
        values[:num_frames] for values in (seen.x, seen.y, truth.x, truth.y, truth.radius)
    )
    distance = np.hypot(seen_x - x, seen_y - y) / np.maximum(radius, 1e-6)
    distance = np.minimum(np.nan_to_num(distance, nan=LOST_RADII), LOST_RADII)
    return np.where(truth.whole[:num_frames], distance, np.nan)


def prediction_errors(
    case: Case, observation: Observation, truth_observation: Observation, given_frames: int
) -> Floats:
    """Error of a clip by horizon in radii, mean over the event's objects.

    Args:
        truth_observation: what the same tracker sees in the simulator's own clip.
        given_frames: how many frames were given; the curve begins after them.

    Returns:
        ``(t - given_frames,)``; nan where the truth shows none of the objects whole.
    """
    curves = [
        path_errors(
            tracked_path(observation.tracks[thing.color]),
            tracked_path(truth_observation.tracks[thing.color]),
        )
        for thing in case.scene.actors
    ]
    return mean_curve(curves)[given_frames:]


def simulator_errors(case: Case, observation: Observation, given_frames: int) -> Floats:
    """As `prediction_errors`, against where the simulator knows the objects to be.

    The difference is the tracker's error, which the simulator's own clip shows alone.
    """
    height, width = observation.lens.height, observation.lens.width
    curves = [
        path_errors(
            tracked_path(observation.tracks[thing.color]),
            simulated_path(case.scene, thing, height=height, width=width),
        )
        for thing in case.scene.actors
    ]
    return mean_curve(curves)[given_frames:]


def mean_curve(curves: Sequence[Floats]) -> Floats:
    """The mean of curves ``(t,)`` where they are not nan; nan where all are."""
    stack = np.stack(curves)
    known = ~np.isnan(stack)
    total = np.where(known, stack, 0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def best_of(curves: Sequence[Floats]) -> Floats:
    """Of the curves of several clips of one case, the one whose mean is least."""
    return min(curves, key=mean_error)


def mean_error(curve: Floats) -> float:
    """The mean of a curve in radii; `LOST_RADII` where there is nothing to compare."""
    known = curve[~np.isnan(curve)]
    return float(known.mean()) if len(known) else LOST_RADII


def frames_within(curve: Floats, radii: float = 1.0) -> int:
    """Frames until the error passes ``radii`` for the first time; all, if it never does."""
    past = np.flatnonzero(np.nan_to_num(curve, nan=0.0) > radii)
    return int(past[0]) if len(past) else len(curve)


def constant_position(path: Path, given_frames: int) -> Path:
    """A floor: the object stays where it was last seen in the given frames."""
    seen = np.flatnonzero(path.whole[:given_frames])
    if not len(seen):
        return path
    last = seen[-1]
    num_frames = len(path.x)
    return Path(
        x=np.full(num_frames, path.x[last]),
        y=np.full(num_frames, path.y[last]),
        radius=np.full(num_frames, path.radius[last]),
        whole=np.ones(num_frames, bool),
    )


def constant_velocity(path: Path, given_frames: int) -> Path:
    """A floor: the object goes on as it moved in the given frames; from one, it stays."""
    seen = np.flatnonzero(path.whole[:given_frames])
    if len(seen) < 2:
        return constant_position(path, given_frames)
    time = np.arange(len(path.x))
    x, y, radius = (
        np.asarray(np.polyval(np.polyfit(seen, values[seen], 1), time), np.float64)
        for values in (path.x, path.y, path.radius)
    )
    return Path(x=x, y=y, radius=radius, whole=np.ones(len(time), bool))


def _measure(
    given_frames: int, case: Case, observation: Observation
) -> dict[str, float | None] | None:
    curve = simulator_errors(case, observation, given_frames)
    return {"error_radii": mean_error(curve), "frames_within": float(frames_within(curve))}


def prediction_law(given_frames: int) -> Law:
    """Law 14 for clips whose first ``given_frames`` frames were given."""

    return Law(
        number=14,
        name=f"prediction from {given_frames} frame{'s' * (given_frames > 1)}",
        question="Does a clip that begins with frames of the simulator go on as it does?",
        groups=GROUPS,
        metrics=(
            Metric(
                name="error_radii",
                label="distance from the simulator (radii)",
                perfect=0.0,
                worst=LOST_RADII,
                floor="frozen",
            ),
            Metric(
                name="frames_within",
                label="frames until it is 1 radius away",
                perfect=float(NUM_FRAMES - given_frames),
                worst=0.0,
                floor="constant_velocity",
                groups=("fall", "throw", "collide", "swing"),
            ),
        ),
        measure=partial(_measure, given_frames),
    )


PREDICTION = prediction_law(GIVEN_FRAMES)
"""Law 14, for clips made from `GIVEN_FRAMES` frames."""

PREDICTION_FROM_ONE = prediction_law(1)
"""Law 14, for clips made from one frame, the best of several."""
