"""Geometry of the objects: what a nominal radius means for each shape."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Half sizes in metres of a shape of nominal radius ``r``, standing upright."""

    radius: float
    half_height: float


def extent(shape: str, r: float) -> Extent:
    """Radius (or half width) and half height of ``shape``, in metres.

    Raises:
        ValueError: for a shape that is not in `worldreel.world.vocabulary.SHAPES`.
    """
    match shape:
        case "ball":
            return Extent(radius=r, half_height=r)
        case "cube":
            return Extent(radius=0.85 * r, half_height=0.85 * r)
        case "cylinder":
            return Extent(radius=0.75 * r, half_height=r)
        case "capsule":
            return Extent(radius=0.65 * r, half_height=1.25 * r)
        case "cone":
            return Extent(radius=0.95 * r, half_height=1.05 * r)
    raise ValueError(f"unknown shape {shape!r}")


CONE_SEGMENTS = 28
CONE_CENTROID = 0.25
"""A cone's centre of mass lies at a quarter of its height above the base."""


def cone_vertices() -> np.ndarray:
    """Vertices ``n 3`` of a cone of radius 1 and half height 1, origin at its centre of mass."""
    angle = np.linspace(0, 2 * np.pi, CONE_SEGMENTS, endpoint=False)
    base = np.stack([np.cos(angle), np.sin(angle), np.full_like(angle, -0.5)], axis=1)
    return np.concatenate([base, [[0.0, 0.0, 1.5]]])


RAMPS = ((1.2, 0.36), (1.3, 0.44), (1.3, 0.52))
"""Length and height in metres of the ramps."""

RAMP_DEPTH_M = 0.9


def wedge_vertices(length: float, depth: float, height: float) -> np.ndarray:
    """Vertices ``6 3`` of a ramp that descends along +x, its tall side at x = 0."""
    d = depth / 2
    return np.array(
        [
            [0, -d, 0],
            [0, d, 0],
            [0, -d, height],
            [0, d, height],
            [length, -d, 0],
            [length, d, 0],
        ]
    )


def standing_height(shape: str, r: float, *, lying: bool) -> float:
    """Height in metres of the body's origin above the floor when it rests on it."""
    size = extent(shape, r)
    if lying:
        return size.radius
    return 2 * size.half_height * CONE_CENTROID if shape == "cone" else size.half_height
