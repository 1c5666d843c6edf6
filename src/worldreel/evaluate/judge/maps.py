"""What the judge's networks see: the tracker's segmentation, not the picture.

Every pixel is object, floor, floor in shadow, sky or set; of an object's own pixels the
judge also sees how light they are, because a cube and a cylinder may share an outline.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.judge.objects import luma, objects, plausible
from worldreel.evaluate.judge.scenery import SET, SHADOW, SKY, scenery
from worldreel.evaluate.observe import Observation
from worldreel.world.vocabulary import COLORS

NUM_SLOTS = 3
"""No scene of the simulated world has more objects."""

NUM_MOMENTS = 24
MAP_SIDE = 32
NUM_MAP_CHANNELS = NUM_SLOTS + 4
"""The objects, largest first; what else has an object's colour; set, sky, shadow."""

NUM_CROPS = 6
CROP_SIDE = 24
NUM_CROP_CHANNELS = 3
"""The object, how light it is, and whatever else is no floor."""


def event_maps(observation: Observation) -> NDArray[np.uint8]:
    """Where everything is, over time: ``NUM_MAP_CHANNELS NUM_MOMENTS MAP_SIDE MAP_SIDE``.

    Values are shares of a cell's area in 255ths.
    """
    frames = observation.frames
    num_frames, height, width, _ = frames.shape
    moments = _spread(num_frames, NUM_MOMENTS)
    grid = np.ix_(moments, _spread(height, 2 * MAP_SIDE), _spread(width, 2 * MAP_SIDE))
    classes = observation.classes[grid]
    kinds = scenery(frames[grid], observation.floor)
    things = objects(observation)[:NUM_SLOTS]
    numbers = [1 + list(COLORS).index(color) for color in things]
    maps = np.zeros((NUM_MAP_CHANNELS, *classes.shape), np.bool_)
    for slot, number in enumerate(numbers):
        maps[slot] = classes == number
    maps[NUM_SLOTS] = (classes > 0) & ~np.isin(classes, numbers)
    for place, kind in enumerate((SET, SKY, SHADOW), start=NUM_SLOTS + 1):
        maps[place] = (classes == 0) & (kinds == kind)
    blocks = maps.reshape(NUM_MAP_CHANNELS, NUM_MOMENTS, MAP_SIDE, 2, MAP_SIDE, 2)
    return (blocks.mean(axis=(3, 5)) * 255).astype(np.uint8)


def shape_crops(observation: Observation, color: str) -> NDArray[np.uint8] | None:
    """Close views of one object, ``NUM_CROPS NUM_CROP_CHANNELS CROP_SIDE CROP_SIDE``.

    They are spread over the frames in which it is seen whole, if there are such; None where
    it is never of plausible size.
    """
    track = observation.tracks[color]
    frames = observation.frames
    height, width = frames.shape[1:3]
    there = plausible(track, height, width)
    if (there & track.whole).any():
        there &= track.whole
    if not there.any():
        return None
    seen = np.flatnonzero(there)
    # the larger half of the views: a small or half hidden object says less
    large = seen[track.num_pixels[seen] >= np.median(track.num_pixels[seen])]
    number = 1 + list(COLORS).index(color)
    reflectance = luma(np.array(COLORS[color]) * 255) + 8
    crops = np.zeros((NUM_CROPS, NUM_CROP_CHANNELS, CROP_SIDE, CROP_SIDE), np.uint8)
    for crop, t in zip(crops, large[_spread(len(large), NUM_CROPS)], strict=True):
        center_x = (track.left[t] + track.right[t]) / 2
        center_y = (track.top[t] + track.bottom[t]) / 2
        side = 1.25 * max(track.right[t] - track.left[t], track.bottom[t] - track.top[t])
        steps = ((np.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5) * side
        rows, columns = np.floor(center_y + steps), np.floor(center_x + steps)
        inside = np.outer((rows >= 0) & (rows < height), (columns >= 0) & (columns < width))
        grid = np.ix_(
            [t],
            np.clip(rows, 0, height - 1).astype(int),
            np.clip(columns, 0, width - 1).astype(int),
        )
        classes, pixels = observation.classes[grid][0], frames[grid][0]
        mask = (classes == number) & inside
        other = (classes > 0) | (scenery(pixels, observation.floor) == SET)
        crop[0] = mask * 255
        crop[1] = mask * np.clip(128 * (luma(pixels) + 8) / reflectance, 0, 255)
        crop[2] = (other & ~mask & inside) * 255
    return crops


def _spread(length: int, count: int) -> NDArray[np.int64]:
    """``count`` places spread evenly over ``range(length)``."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.int64)
