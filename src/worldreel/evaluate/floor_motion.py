"""How the floor moves between two frames, from its texture.

The floor is a plane. Between two poses of a camera whose pitch stays and that does not roll, it
moves in the picture by a homography, which seen from above is a turn, a shift and, where the
eye rises or sinks, a scale: four numbers. They are found by aligning the pixels of the floor
(Lucas and Kanade 1981, with the plane's homography as Baker and Matthews 2004 do), coarse to fine.

Points of the floor are complex numbers, x to the right plus i times y forward, in heights of
the eye above the floor.
"""

import cmath
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.world.camera import Pose

Complex = NDArray[np.complex128]
Floats = NDArray[np.float64]

BLURS_PX = (3.0, 1.0)
"""Deviations of the Gaussians under which frames are aligned, one after the other."""

BELOW_HORIZON_PX = 8
"""Closer to the horizon a texture is too small to be seen."""

GRID_PX = 3
POINTS_EVERY = (3, 1)
"""How many of the grid's points are used under each blur: every so manieth."""

NUM_ITERATIONS = 10
DAMPING = 1e-3
MAX_STEP = 0.25
"""Of one iteration, in heights of the eye and in radians."""

MIN_POINTS = 80
MIN_CONTRAST = 0.4
"""Deviation of the floor's brightness, of 255, below which there is nothing to align."""

MIN_CORRELATION = 0.6
"""Between two frames' floors, best aligned; below it they are not the same floor."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Where a point ``z`` of the floor lies seen from another pose: ``turn * z + shift``."""

    turn: complex
    shift: complex

    def __call__(self, points: Complex) -> Complex:
        """The points ``(n,)`` as seen from the other pose."""
        return self.turn * points + self.shift

    def inverse(self) -> "Motion":
        """From the other pose back to the first."""
        return Motion(turn=1 / self.turn, shift=-self.shift / self.turn)


STILL = Motion(turn=1 + 0j, shift=0j)


def motion_between(a: Pose, b: Pose) -> Motion:
    """The floor's motion from pose ``a`` to pose ``b``."""
    eye_a, height_a, axes_a = _stand(a)
    eye_b, height_b, axes_b = _stand(b)
    return Motion(
        turn=height_a / height_b * axes_a / axes_b, shift=(eye_a - eye_b) / (height_b * axes_b)
    )


def _stand(pose: Pose) -> tuple[complex, float, complex]:
    """Where the eye is above the floor, how high, and where its right points."""
    azimuth, elevation = math.radians(pose.azimuth), math.radians(pose.elevation)
    ahead = cmath.exp(1j * azimuth)
    x, y, z = pose.lookat
    eye = complex(x, y) - pose.distance * math.cos(elevation) * ahead
    return eye, z - pose.distance * math.sin(elevation), -1j * ahead


@dataclass(frozen=True, kw_only=True, eq=False)
class FloorView:
    """How a camera of known pitch sees the floor.

    Args:
        height, width: of the picture, pixels.
        focal_px: focal length, pixels. pitch: radians, positive looks down.
        horizon: row of the horizon, pixels.
    """

    height: int
    width: int
    focal_px: float
    pitch: float
    horizon: float

    def grid(self) -> tuple[Floats, Floats]:
        """Columns and rows ``(n,)``, pixels, of points spread over the picture's floor."""
        first = min(max(math.ceil(self.horizon) + BELOW_HORIZON_PX, 0), self.height)
        rows, columns = np.mgrid[first : self.height : GRID_PX, 1 : self.width : GRID_PX] + 0.5
        return columns.ravel(), rows.ravel()

    def lift(self, x: Floats, y: Floats) -> Complex:
        """The points of the floor seen at ``x``, ``y`` (pixels, below the horizon)."""
        sin, cos = math.sin(self.pitch), math.cos(self.pitch)
        down = (y - self.height / 2) / self.focal_px
        sinks = np.maximum(sin + down * cos, 1e-6)
        return ((x - self.width / 2) / self.focal_px + 1j * (cos - down * sin)) / sinks

    def project(self, points: Complex) -> tuple[Floats, Floats, Floats]:
        """Column, row and depth of points ``(n,)``; depth below 0 is behind the camera."""
        sin, cos = math.sin(self.pitch), math.cos(self.pitch)
        depth = points.imag * cos + sin
        safe = np.where(depth > 1e-3, depth, np.nan)
        x = self.width / 2 + self.focal_px * points.real / safe
        y = self.height / 2 + self.focal_px * (cos - points.imag * sin) / safe
        return x, y, depth

    def distance_px(self, one: Motion, other: Motion) -> float:
        """Mean distance in pixels between what two motions make of the floor that is seen.

        inf where neither leaves any of it in the picture.
        """
        points = self.lift(*self.grid())
        (x, y, _), (u, v, _) = self.project(one(points)), self.project(other(points))
        inside = (self._shows(x, y) | self._shows(u, v)) & ~np.isnan(x + u)
        if not inside.any():
            return math.inf
        return float(np.hypot(x - u, y - v)[inside].mean())

    def _shows(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        return (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A frame made ready to be aligned.

    Args:
        images: for each of `BLURS_PX` the brightness, and its slopes to the right and
            downwards, ``3 h w``.
        floor: pixels ``h w`` that no object is on or next to.
    """

    images: tuple[Floats, ...]
    floor: NDArray[np.bool_]


def picture(frame: NDArray[np.uint8], objects: NDArray[np.bool_]) -> Picture:
    """Prepares a frame ``h w 3`` for `align`; ``objects`` ``h w`` are not floor."""
    brightness = frame.astype(np.float64).mean(axis=2)
    near = np.asarray(ndimage.binary_dilation(objects, iterations=3), bool)
    solid = (~near).astype(np.float64)
    images = []
    for sigma in BLURS_PX:  # objects must not blur into the floor around them
        weight = np.maximum(ndimage.gaussian_filter(solid, sigma, truncate=2.5), 1e-6)
        smooth = ndimage.gaussian_filter(brightness * solid, sigma, truncate=2.5) / weight
        slope_y, slope_x = np.gradient(smooth)
        images.append(np.stack([smooth, slope_x, slope_y]))
    return Picture(images=tuple(images), floor=~near)


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How two floors fit: the motion between them, and the correlation of their pixels."""

    motion: Motion
    correlation: float


def align(view: FloorView, a: Picture, b: Picture, starts: tuple[Motion, ...]) -> Alignment | None:
    """The motion of the floor from ``a`` to ``b``, found from each of ``starts``, the best one.

    Returns:
        None where there is no floor or nothing on it, or the floors do not correlate.
    """
    x, y = view.grid()
    shown = a.floor[y.astype(int), x.astype(int)]
    x, y = x[shown], y[shown]
    if len(x) < MIN_POINTS:
        return None
    best: Alignment | None = None
    for level, every in enumerate(POINTS_EVERY):
        at = x[::every], y[::every]
        points = view.lift(*at)
        (wanted,) = _look(a.images[level][:1], *at)
        found = [
            one
            for start in (starts if best is None else (best.motion,))
            if (one := _align(view, b, level, points, wanted, start)) is not None
        ]
        if not found:
            return None
        best = max(found, key=lambda one: one.correlation)
    return best if best is not None and best.correlation >= MIN_CORRELATION else None


def _align(
    view: FloorView, b: Picture, level: int, points: Complex, brightness: Floats, start: Motion
) -> Alignment | None:
    """Gauss and Newton from ``start``: where in ``b`` the ``points`` have their ``brightness``."""
    cos = math.cos(view.pitch)
    turn, shift = start.turn, start.shift
    best: Alignment | None = None
    for _ in range(NUM_ITERATIONS):
        moved = turn * points + shift
        x, y, depth = view.project(moved)
        used = (depth > 0.05) & (x > 1) & (x < view.width - 1) & (y < view.height - 1)
        used &= y > view.horizon + BELOW_HORIZON_PX / 2
        used[used] = b.floor[y[used].astype(int), x[used].astype(int)]
        num_used = np.count_nonzero(used)
        if num_used < max(MIN_POINTS / 4, len(points) / 5):
            return best
        depth, moved = depth[used], moved[used]
        # brightness, and how it changes to the right and downwards
        seen, g_x, g_y = _look(b.images[level], x[used], y[used])
        wanted = brightness[used]
        seen, wanted = seen - seen.sum() / num_used, wanted - wanted.sum() / num_used
        power = float(seen @ seen), float(wanted @ wanted)
        if min(power) < num_used * MIN_CONTRAST**2:
            return best
        correlation = float(seen @ wanted) / math.sqrt(power[0] * power[1])
        gain = math.inf if best is None else correlation - best.correlation
        if best is None or gain > 0:
            best = Alignment(motion=Motion(turn=turn, shift=shift), correlation=correlation)
        if abs(gain) < 1e-6:
            return best
        residual = seen - wanted
        off = np.abs(residual)
        scale = 1.5 * (1.4826 * float(np.median(off)) + 1e-3)
        weight = scale / np.maximum(scale, off)  # Huber
        # derivatives by the place on the floor: to the right, and forward
        right = g_x * view.focal_px / depth
        forward = -(g_x * moved.real * cos + g_y) * view.focal_px / depth**2
        turned = moved - shift  # by the logarithm of the turn
        rows = np.stack(
            [
                right * turned.real + forward * turned.imag,
                forward * turned.real - right * turned.imag,
                right,
                forward,
            ]
        )
        rows -= rows.sum(axis=1, keepdims=True) / num_used
        normal = (rows * weight) @ rows.T
        normal[np.diag_indices(4)] *= 1 + DAMPING
        normal[np.diag_indices(4)] += 1e-9
        step = -np.linalg.solve(normal, rows @ (weight * residual))
        step *= min(1.0, MAX_STEP / (float(np.abs(step).max()) + 1e-12))
        turn *= cmath.exp(complex(step[0], step[1]))
        shift += complex(step[2], step[3])
    return best


def _look(images: Floats, x: Floats, y: Floats) -> Floats:
    """What ``images`` ``k h w`` show at points ``(n,)`` in pixels, ``k n``; between the pixels'
    centres they are linear."""
    _, height, width = images.shape
    x, y = np.clip(x - 0.5, 0, width - 1.001), np.clip(y - 0.5, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    x, y, corner = x - column, y - row, row * width + column
    flat = images.reshape(len(images), -1)
    above = flat[:, corner] * (1 - x) + flat[:, corner + 1] * x
    below = flat[:, corner + width] * (1 - x) + flat[:, corner + width + 1] * x
    return above * (1 - y) + below * y
