"""Which objects a clip shows, whatever it was asked to show.

The tracker gives every pixel to the nearest colour; here a region counts as an object only
if it could be one: large enough, compact, and not a floor or a horizon that is nearly white.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracks import Track, track
from worldreel.world.casting import FORBIDDEN
from worldreel.world.vocabulary import COLORS

LEAST_PX = 24
MOST_SHARE = 0.2
"""Bounds of a plausible area: pixels of a picture 128 pixels high, and a share of the picture.
The smallest object, far off, covers 30; the largest, close up, a tenth of the picture."""

LEAST_FILL = 0.35
MOST_ASPECT = 5.0
"""An object fills at least this share of the box around it, which is at most this long."""

LEAST_PRESENCE = 0.12
"""An object is there in at least this share of the frames: some roll in late or leave soon."""

LEAST_WHITE = 0.66
"""On concrete, a white object's light side is at least so bright; its own tiles stay below."""

LEAST_DOUBLE = 0.2
"""Two objects of one colour are seen apart in at least this share of the frames."""

LEAST_ALIKE = 0.3
"""Of two objects of one colour the smaller covers at least this share of the larger's area."""

MOST_GAP = 1.5
"""Parts of one object are closer together than this, in square roots of the larger one's area."""

_WHITE = 1 + list(COLORS).index("white")


def luma(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Rec. 601 luma of sRGB ``... 3``, in the pixels' own units."""
    return pixels @ np.array([0.299, 0.587, 0.114])


def tidy(observation: Observation) -> Observation:
    """The same without what is white but no object, as horizons and concrete, and without the
    colours that would be lost on this floor: the simulated world never puts one there."""
    classes = observation.classes
    hidden = [color for color, place in FORBIDDEN if place == observation.floor]
    for color in hidden:
        classes = np.where(classes == 1 + list(COLORS).index(color), 0, classes)
    if (classes == _WHITE).any():
        classes = np.where((classes == _WHITE) & ~_white_objects(observation), 0, classes)
        hidden.append("white")
    tracks = {color: track(classes, color) for color in hidden}
    return replace(observation, classes=classes, tracks={**observation.tracks, **tracks})


def _white_objects(observation: Observation) -> NDArray[np.bool_]:
    """The white pixels ``t h w`` that belong to something broad, on concrete with a light side."""
    opened = _opened(observation.classes == _WHITE)
    if observation.floor != "concrete":
        return opened
    regions: NDArray[np.int32] = np.empty(opened.shape[1:], np.int32)
    for t in np.flatnonzero(opened.any(axis=(1, 2))):
        ndimage.label(opened[t], output=regions)
        light = luma(observation.frames[t][opened[t]])
        names = regions[opened[t]]
        bright = [n for n in np.unique(names) if _is_bright(light[names == n])]
        opened[t] = np.isin(regions, bright)
    return opened


def plausible(track: Track, height: int, width: int) -> NDArray[np.bool_]:
    """Frames ``(t,)`` in which a track looks like an object of the simulated world."""
    wide, tall = track.right - track.left, track.bottom - track.top
    with np.errstate(invalid="ignore"):
        return (
            (track.num_pixels >= LEAST_PX * (height / 128) ** 2)
            & (track.num_pixels <= MOST_SHARE * height * width)
            & (track.num_pixels >= LEAST_FILL * wide * tall)
            & (np.fmax(wide, tall) <= MOST_ASPECT * np.fmin(wide, tall))
        )


def presence(observation: Observation, color: str) -> float:
    """Share of the frames in which an object of ``color`` is there, in [0, 1]."""
    height, width = observation.frames.shape[1:3]
    return float(plausible(observation.tracks[color], height, width).mean())


def objects(observation: Observation) -> list[str]:
    """The colours of the objects that a clip shows, those that show most first."""
    height, width = observation.frames.shape[1:3]
    found: dict[str, float] = {}
    for color, seen in observation.tracks.items():
        there = plausible(seen, height, width)
        if there.mean() >= LEAST_PRESENCE:
            found[color] = float(seen.num_pixels[there].sum())
    return sorted(found, key=lambda color: -found[color])


def num_objects(observation: Observation) -> int:
    """How many objects a clip shows: one for each colour, and those of which there are two."""
    return sum(1 + _is_double(observation, color) for color in objects(observation))


def _is_double(observation: Observation, color: str) -> bool:
    """Whether two objects have this colour, and not one with something in front of it."""
    seen = observation.tracks[color]
    height, width = observation.frames.shape[1:3]
    several = np.flatnonzero((seen.num_parts > 1) & plausible(seen, height, width))
    if len(several) < LEAST_DOUBLE * observation.num_frames:
        return False
    wanted = observation.classes == 1 + list(COLORS).index(color)
    return sum(map(_are_apart, wanted[several])) >= LEAST_DOUBLE * observation.num_frames


def _are_apart(wanted: NDArray[np.bool_]) -> bool:
    """Whether the two largest regions of a mask ``h w`` are alike and do not face each other
    across a narrow gap."""
    names: NDArray[np.int32] = np.empty(wanted.shape, np.int32)
    ndimage.label(wanted, output=names)
    sizes = np.bincount(names.ravel())[1:]
    first, second = np.argsort(sizes)[::-1][:2]
    if sizes[second] < max(LEAST_PX, LEAST_ALIKE * sizes[first]):
        return False
    away = np.asarray(ndimage.distance_transform_edt(names != first + 1))
    return bool(away[names == second + 1].min() > MOST_GAP * np.sqrt(sizes[first]))


def _is_bright(light: NDArray[np.float64]) -> bool:
    white = float(luma(np.array(COLORS["white"]) * 255))
    return float(np.quantile(light, 0.9)) >= LEAST_WHITE * white


def _opened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of ``t h w`` a square of three by three pixels can cover."""
    core = np.zeros_like(mask)
    inner = mask[:, :, :-2] & mask[:, :, 1:-1] & mask[:, :, 2:]
    core[:, 1:-1, 1:-1] = inner[:, :-2] & inner[:, 1:-1] & inner[:, 2:]
    grown = core.copy()
    grown[:, :, 1:] |= core[:, :, :-1]
    grown[:, :, :-1] |= core[:, :, 1:]
    opened = grown.copy()
    opened[:, 1:] |= grown[:, :-1]
    opened[:, :-1] |= grown[:, 1:]
    return opened
