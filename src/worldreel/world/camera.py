"""Cameras: where they stand, how they move, and the matrices that project."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOVY_DEG = 45.0
PAN_DEG = 24.0
ORBIT_DEG = 50.0
DOLLY_RATIO = 1.6


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera that looks at a point, and one move that it makes during a shot.

    Args:
        move: one of `worldreel.world.vocabulary.CAMERAS`.
        lookat: the point that it looks at when the shot begins, metres.
        distance: metres to that point.
        azimuth: degrees; 90 looks along +y, with +x to the right.
        elevation: degrees, negative looks down.

    *Pan left* turns the view to the left; *orbit left* carries the camera to its
    own left around the point; *dolly in* brings it closer by `DOLLY_RATIO`.
    """

    move: str
    lookat: tuple[float, float, float]
    distance: float
    azimuth: float
    elevation: float

    def pose(self, progress: float) -> "Pose":
        """Where it stands after a share ``progress`` in [0, 1] of its shot."""
        p = progress * progress * (3 - 2 * progress) * 0.5 + progress * 0.5  # soft ends
        azimuth, distance = self.azimuth, self.distance
        lookat = np.array(self.lookat)
        match self.move:
            case "pan left" | "pan right":
                sign = 1.0 if self.move == "pan left" else -1.0
                eye = lookat - distance * direction(azimuth, self.elevation)
                azimuth += sign * PAN_DEG * (p - 0.5)
                lookat = eye + distance * direction(azimuth, self.elevation)
            case "orbit left":
                azimuth -= ORBIT_DEG * (p - 0.5)
            case "orbit right":
                azimuth += ORBIT_DEG * (p - 0.5)
            case "dolly in":
                distance *= DOLLY_RATIO ** (0.5 - p)
            case "dolly out":
                distance *= DOLLY_RATIO ** (p - 0.5)
            case "still":
                pass
            case _:
                raise ValueError(f"unknown camera move {self.move!r}")
        return Pose(
            lookat=(float(lookat[0]), float(lookat[1]), float(lookat[2])),
            distance=float(distance),
            azimuth=float(azimuth),
            elevation=float(self.elevation),
        )


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A camera at one moment; the fields are those of `Camera`."""

    lookat: tuple[float, float, float]
    distance: float
    azimuth: float
    elevation: float

    def world_to_camera(self) -> NDArray[np.float64]:
        """Rigid transform ``4 4``: x to the right, y down, z forward, metres."""
        forward = direction(self.azimuth, self.elevation)
        right = np.array(
            [math.sin(math.radians(self.azimuth)), -math.cos(math.radians(self.azimuth)), 0.0]
        )
        down = np.cross(forward, right)
        rotation = np.stack([right, down, forward])
        eye = np.array(self.lookat) - self.distance * forward
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        matrix[:3, 3] = -rotation @ eye
        return matrix


def direction(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """Unit vector along which a camera with these angles (degrees) looks."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])


def intrinsics(height: int, width: int) -> NDArray[np.float64]:
    """Pinhole matrix ``3 3`` in pixels for the vertical field of view `FOVY_DEG`."""
    focal = 0.5 * height / math.tan(math.radians(FOVY_DEG) / 2)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])


def project(
    points: NDArray[np.float64], world_to_camera: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Points ``n 3`` in metres to ``n 3``: x and y in pixels, depth in metres."""
    seen = points @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    pixels = seen @ matrix.T
    return np.concatenate([pixels[:, :2] / pixels[:, 2:], seen[:, 2:]], axis=1)
