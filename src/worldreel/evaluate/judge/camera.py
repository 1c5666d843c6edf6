"""How the camera moves, told from the floor's pattern.

Each move of the simulated world, at several extents, says where a point of the floor that
is seen in one frame must be in a later one: for a plane that is a homography. The move whose
homographies fit the pixels best is the camera's.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.evaluate.judge.objects import luma
from worldreel.evaluate.judge.scenery import SET, SHADOW, scenery
from worldreel.evaluate.lens import USUAL_DISTANCE_M, lookat_m
from worldreel.evaluate.observe import Observation
from worldreel.world.camera import DOLLY_RATIO, ORBIT_DEG, PAN_DEG, Pose, direction
from worldreel.world.vocabulary import CAMERAS

EXTENTS = (0.4, 0.7, 1.0, 1.3)
"""Shares of the simulated world's own move that are tried."""

STRIDE = 1 / 3
"""Share of the clip between two frames that are compared: far enough to see a slow move, near
enough not to mistake one tile for the next."""

NUM_PAIRS = 7

LOOKAT_M = 0.5 * (lookat_m("fall") + lookat_m("roll"))
"""Height of what the camera looks at, whatever the event."""

GRID = 64
"""Side of the small picture in which patterns are compared."""

STEP = 3
"""Every so manieth of its pixels is compared, down and across."""

FINE = 0.05
"""Height of the strip below the horizon, of the picture's, in which the pattern is too fine."""

SMOOTH_PX, BROAD_PX = 1.5, 4.0
"""The pattern is what is broader than the one and finer than the other, in small pixels."""

LEAST_CORRELATION = 0.2
"""Below it no move explains the pattern, or there is none."""

LEAST_GAIN = 0.25
"""A move must explain this share of what a still camera leaves unexplained."""

FLATTEST_DEG = -3.0
"""The simulated world's cameras look down by 13 degrees and more; flatter, the floor is a line."""

MOST_SET = 0.5
"""Where more of the floor than this looks like the set, the two cannot be told apart."""

LEAST_POINTS = 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Move:
    """What the camera does.

    Args:
        name: one of `worldreel.world.vocabulary.CAMERAS`.
        elevation: degrees, negative looks down.
        extent: share of the simulated world's own move; 0 when still.
        correlation: how well it explains the floor's pattern, at most 1.
    """

    name: str
    elevation: float
    extent: float = 0.0
    correlation: float = 0.0

    def pose(self, progress: float) -> Pose:
        """Where the camera is after a share ``progress`` in [0, 1] of the clip."""
        soft = progress * progress * (3 - 2 * progress) * 0.5 + progress * 0.5
        p = self.extent * (soft - 0.5)
        azimuth, distance = 90.0, USUAL_DISTANCE_M
        lookat = np.array([0.0, 0.0, LOOKAT_M])
        match self.name:
            case "pan left" | "pan right":
                eye = lookat - distance * direction(azimuth, self.elevation)
                azimuth += (PAN_DEG if self.name == "pan left" else -PAN_DEG) * p
                lookat = eye + distance * direction(azimuth, self.elevation)
            case "orbit left":
                azimuth -= ORBIT_DEG * p
            case "orbit right":
                azimuth += ORBIT_DEG * p
            case "dolly in":
                distance *= DOLLY_RATIO**-p
            case "dolly out":
                distance *= DOLLY_RATIO**p
        x, y, z = map(float, lookat)
        return Pose(lookat=(x, y, z), distance=distance, azimuth=azimuth, elevation=self.elevation)


def judge_camera(observation: Observation) -> Move | None:
    """The move that explains the clip best; None where none does.

    Args:
        observation: as from `worldreel.evaluate.judge.objects.tidy`.
    """
    elevation = min(-math.degrees(float(np.median(observation.lens.pitch))), FLATTEST_DEG)
    pairs = _pairs(observation)
    still = Move(name="still", elevation=elevation)
    left = 1 - _correlation(still, pairs)
    moves = [
        Move(name=name, elevation=elevation, extent=extent)
        for name in CAMERAS
        if name != "still"
        for extent in EXTENTS
    ]
    scores = [_correlation(move, pairs) for move in moves]
    best = int(np.argmax(scores))
    if scores[best] > max(LEAST_CORRELATION, 1 - (1 - LEAST_GAIN) * left):
        return replace(moves[best], correlation=scores[best])
    return replace(still, correlation=1 - left) if 1 - left > LEAST_CORRELATION else None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """Two frames of the floor's pattern.

    Args:
        start, stop: their places in the clip, in [0, 1].
        rays: of points of the first, ``n 3`` in its camera's axes, at depth 1.
        values: the pattern there, ``(n,)``.
        second: the pattern of the second, ``h w``; nan where no floor is seen.
        focal: focal length in small pixels, across and down.
    """

    start: float
    stop: float
    rays: Floats
    values: Floats
    second: Floats
    focal: Floats


def _pairs(observation: Observation) -> list[_Pair]:
    num_frames, height, width, _ = observation.frames.shape
    stride = max(1, round(STRIDE * num_frames))
    firsts = np.unique(np.linspace(0, max(num_frames - 1 - stride, 0), NUM_PAIRS).astype(int))
    focal = observation.lens.focal_px * GRID / np.array([width, height])
    patterns: dict[int, Floats] = {}
    pairs: list[_Pair] = []
    for first in firsts[firsts + stride < num_frames]:
        for t in (first, first + stride):
            if t not in patterns:
                patterns[t] = _pattern(observation, t)
        use = np.zeros((GRID, GRID), bool)
        use[::STEP, ::STEP] = np.isfinite(patterns[first][::STEP, ::STEP])
        rows, columns = np.nonzero(use)
        seen = (np.stack([columns, rows], axis=1) + 0.5 - GRID / 2) / focal
        pairs.append(
            _Pair(
                start=first / (num_frames - 1),
                stop=(first + stride) / (num_frames - 1),
                rays=np.concatenate([seen, np.ones((len(seen), 1))], axis=1),
                values=patterns[first][use],
                second=patterns[first + stride],
                focal=focal,
            )
        )
    return pairs


def _pattern(observation: Observation, t: int) -> Floats:
    """How light the floor is against its surroundings, ``GRID GRID``; nan where none is seen."""
    frame, classes = observation.frames[t], observation.classes[t]
    height, width, _ = frame.shape
    rows, columns = (np.linspace(0, n, GRID + 1).astype(int)[:-1] for n in (height, width))
    area = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    kinds = scenery(frame, observation.floor)
    top = int(observation.lens.horizon[t] + FINE * height) + 1
    hidden = (classes > 0) | (kinds == SHADOW)
    props = kinds == SET
    if props[top:].sum() < MOST_SET * props[top:].size:
        hidden |= props
    hidden[:top] = True

    def pooled(picture: Floats) -> Floats:
        return np.add.reduceat(np.add.reduceat(picture, rows, axis=0), columns, axis=1) / area

    small = pooled(luma(frame))
    bare = ~np.asarray(ndimage.binary_dilation(pooled(hidden.astype(float)) > 0), np.bool_)
    detail = small - _blur(small, bare, BROAD_PX)
    return np.where(bare, _blur(detail, bare, SMOOTH_PX), np.nan)


def _blur(picture: Floats, use: NDArray[np.bool_], sigma: float) -> Floats:
    """Gaussian mean over the pixels to ``use``."""
    weight = ndimage.gaussian_filter(use.astype(float), sigma)
    return ndimage.gaussian_filter(np.where(use, picture, 0), sigma) / np.maximum(weight, 1e-6)


def _correlation(move: Move, pairs: list[_Pair]) -> float:
    """Of the pattern in each first frame with that at the places in the second where ``move``
    says that it is, all pairs together."""
    together = ours = theirs = 0.0
    for pair in pairs:
        seen = pair.rays @ _homography(move.pose(pair.start), move.pose(pair.stop)).T
        depth = np.where(seen[:, 2] > 1e-3, seen[:, 2], np.inf)
        places = pair.focal * seen[:, :2] / depth[:, None] + GRID / 2 - 0.5
        places[~np.isfinite(depth)] = -9.0
        there = ndimage.map_coordinates(pair.second, places[:, ::-1].T, order=1, cval=np.nan)
        both = np.isfinite(there)
        if both.sum() < LEAST_POINTS:
            continue
        a, b = pair.values[both], there[both]
        a, b = a - a.mean(), b - b.mean()
        together += float(a @ b)
        ours += float(a @ a)
        theirs += float(b @ b)
    return together / math.sqrt(ours * theirs) if ours * theirs > 0 else 0.0


def _homography(first: Pose, second: Pose) -> Floats:
    """Matrix ``3 3`` from directions to points of the floor seen by one camera to another's.

    The floor is z = 0: the ray d from the eye e meets it at e - d e_z / d_z.
    """
    a, b = first.world_to_camera(), second.world_to_camera()
    turn = a[:3, :3].T
    eye = -turn @ a[:3, 3]
    down = -turn[2] / eye[2]  # of a ray: one over its length down to the floor
    return np.asarray(b[:3, :3] @ (turn + np.outer(eye, down)) + np.outer(b[:3, 3], down), float)
