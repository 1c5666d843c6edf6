"""How the objects of a clip move, as one row of figures: for the motion distance of sets.

After the Fréchet Video Motion Distance (Liu et al. 2407.16124): histograms of the velocities
and accelerations of what is tracked, by direction and weighted by their size. There points
are tracked; here coloured objects are.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.observe import Observation

NUM_DIRECTIONS = 8
NUM_PARTS = 2
"""A clip's first and second half are told apart, so that the order of events counts."""

NUM_MOTIONS = 2 * NUM_PARTS * (NUM_DIRECTIONS + 1)

STILL_PX = 0.25
"""A centre that moves less in a frame stands still: so much it trembles in simulator clips."""

Floats = NDArray[np.float64]


def motions(observation: Observation) -> Floats:
    """Histograms of all objects' motion in one clip, ``(36,)``, as ``log(1 + pixels)``.

    For velocity (px/frame) and acceleration (px/frame^2), and for each half of the clip: in
    each of eight directions, from right over down to left, the sum of their sizes, then how
    many stand still; all per frame. A motion counts where an object is seen whole in all the
    frames that it takes; objects are added up, so that more of them move more. The logarithm
    is our own: without it a few torn tracks decide the distance (two halves of the simulator
    lie as far apart as a third of frozen clips from true ones).
    """
    found = np.zeros((2, NUM_PARTS, NUM_DIRECTIONS + 1))
    num_frames = observation.num_frames
    for track in observation.tracks.values():
        place = np.where(track.whole[:, None], np.stack([track.x, track.y], axis=-1), np.nan)
        for order in (1, 2):
            change = np.diff(place, n=order, axis=0)
            middle = np.arange(len(change)) + order / 2
            known = np.isfinite(change).all(axis=-1)
            part = np.minimum(middle * NUM_PARTS // num_frames, NUM_PARTS - 1).astype(int)
            size = np.hypot(change[:, 0], change[:, 1])
            angle = np.arctan2(change[:, 1], change[:, 0])
            sector = np.round(angle / (2 * np.pi / NUM_DIRECTIONS)) % NUM_DIRECTIONS
            for chosen, bins, amount in (
                (known & (size >= STILL_PX), sector, size),
                (known & (size < STILL_PX), np.full(len(size), NUM_DIRECTIONS), np.ones(len(size))),
            ):
                place_of = (part[chosen], bins[chosen].astype(int))
                np.add.at(found[order - 1], place_of, amount[chosen])
    return np.log1p(found.ravel() * NUM_PARTS / max(num_frames, 1))
