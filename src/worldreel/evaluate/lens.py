"""The camera of a clip, found from its horizon, and the way back from pixels to metres.

The field of view is known, and so is how far the floor reaches; the horizon's row then
gives the camera's pitch. Depth comes from the apparent size of a ball, or from the point
where something stands on the floor.

The axes are the camera's own, levelled: x to the right, y forward, z up, metres, with the
origin at the eye.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.tracker import cells, classify, color_distance, floor_distance
from worldreel.evaluate.tracks import Track
from worldreel.world.camera import FOVY_DEG
from worldreel.world.textures import sky_colors

FLOOR_REACH_M = 24.0
"""From the middle of the floor to its far edge, which is the horizon that one sees."""

USUAL_DISTANCE_M = 3.55
"""From a camera of the simulated world to what it looks at: 3.3 to 3.8, when it is still."""

USUAL_LOOKAT_M = 0.6
"""Height of what it looks at; see `lookat_m`."""

FAR = 30.0
"""Distances in Lab beyond this are all the same: another colour."""

Floats = NDArray[np.float64]


def lookat_m(event: str) -> float:
    """The height, metres, of the point at which the camera of an ``event`` looks."""
    return 0.85 if event in ("fall", "throw", "swing") else USUAL_LOOKAT_M


@dataclass(frozen=True, kw_only=True, eq=False)
class Lens:
    """A pinhole camera without roll.

    Args:
        height, width: of the picture, pixels.
        horizon: row of the horizon in each frame, pixels, ``(t,)``; 0 if above the picture.
        pitch: angle by which the camera looks down in each frame, radians, ``(t,)``.
    """

    height: int
    width: int
    horizon: Floats
    pitch: Floats

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return 0.5 * self.height / math.tan(math.radians(FOVY_DEG) / 2)

    def eye_height_m(self, event: str) -> float:
        """Metres from the floor to the eye, if the camera is at its usual distance.

        The simulator's own clips lie within 7% of it.
        """
        return lookat_m(event) + USUAL_DISTANCE_M * math.sin(float(np.median(self.pitch)))

    def rays(self, x: Floats, y: Floats) -> Floats:
        """Directions ``t 3``, not normalised, of points ``(t,)`` in pixels, one a frame."""
        down, right = (y - self.height / 2) / self.focal_px, (x - self.width / 2) / self.focal_px
        sin, cos = np.sin(self.pitch), np.cos(self.pitch)
        return np.stack([right, cos - down * sin, -sin - down * cos], axis=-1)

    def project(self, points: Floats) -> Floats:
        """Points ``t 3`` in metres to pixels ``t 2``, one a frame; nan behind the camera."""
        sin, cos = np.sin(self.pitch), np.cos(self.pitch)
        depth = points[:, 1] * cos - points[:, 2] * sin
        down = -points[:, 1] * sin - points[:, 2] * cos
        depth = np.where(depth > 1e-6, depth, np.nan)
        return np.stack(
            [
                self.width / 2 + self.focal_px * points[:, 0] / depth,
                self.height / 2 + self.focal_px * down / depth,
            ],
            axis=-1,
        )

    def lift_to_floor(self, x: Floats, y: Floats, eye_height_m: float) -> Floats:
        """Where on the floor points ``(t,)`` lie, ``t 3``; nan at and above the horizon."""
        rays = self.rays(x, y)
        down = np.where(rays[:, 2] < -1e-6, -rays[:, 2], np.nan)
        return rays * (eye_height_m / down)[:, None]

    def lift_ball(self, track: Track, radius_m: float) -> Floats:
        """Centres ``t 3`` of a ball of ``radius_m``, its distance from its apparent area.

        A ball is seen as an ellipse, whose area and centre say the cone in which it lies
        exactly. nan where it is not seen whole.
        """
        x, y = track.x - self.width / 2, track.y - self.height / 2
        offset = np.hypot(x, y) / self.focal_px  # of the ellipse's centre from the axis
        area = np.where(track.whole, track.num_pixels, np.nan) / (math.pi * self.focal_px**2)
        theta, sin2 = np.arctan(offset), np.minimum(area, 0.5)
        for _ in range(8):
            room = np.maximum(np.cos(theta) ** 2 - sin2, 1e-6)
            sin2 = np.clip(area * room**1.5 / np.sqrt(1 - sin2), 0, 0.5)
            theta = 0.5 * np.arcsin(np.clip(2 * offset * room, 0, 1))
        distance = radius_m / np.sqrt(sin2)
        scale = np.where(offset > 0, np.tan(theta) / np.maximum(offset, 1e-9), 1.0)
        rays = self.rays(scale * x + self.width / 2, scale * y + self.height / 2)
        return rays * (distance / np.linalg.norm(rays, axis=-1))[:, None]


def guess_lens(frames: NDArray[np.uint8], floor: str) -> Lens:
    """The camera of frames ``t h w 3``, from where the floor ends and the sky begins."""
    seen = cells(frames)
    sky = np.minimum(_sky_distance()[seen], FAR)
    above = np.minimum(floor_distance(floor)[seen], FAR) - sky  # > 0 looks like sky
    row = np.where(classify(frames, floor) > 0, 0, above).mean(axis=2)  # t h
    # the row that has most sky above and least below it
    horizon = np.pad(row.cumsum(axis=1), ((0, 0), (1, 0))).argmax(axis=1).astype(np.float64)
    height, width = frames.shape[1:3]
    focal = 0.5 * height / math.tan(math.radians(FOVY_DEG) / 2)
    below_axis = np.arctan((height / 2 - horizon) / focal)
    pitch = below_axis
    for _ in range(4):  # the floor's edge is seen a little below the true horizon
        eye = USUAL_LOOKAT_M + USUAL_DISTANCE_M * np.sin(pitch)
        pitch = below_axis + np.arctan(eye / (FLOOR_REACH_M + USUAL_DISTANCE_M * np.cos(pitch)))
    return Lens(height=height, width=width, horizon=horizon, pitch=pitch)


@lru_cache(maxsize=1)
def _sky_distance() -> NDArray[np.float32]:
    return color_distance(sky_colors())
