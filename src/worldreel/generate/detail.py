"""The fine detail of given frames, carried on to the frames beside them.

An autoencoder loses detail: where a clip that is given ends and what was dreamt begins, the
picture would soften from one frame to the next. What the autoencoder lost of the given frame is
added to the dreamt ones wherever these still show the same.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from worldreel.generate.plan import Plan

SAME = 8.0
"""Shades of 256 by which blurred pictures may differ and still be said to show the same."""
BLUR = 9
"""Pixels over which they are averaged: more than the detail that is carried, less than objects."""

Picture = NDArray[np.uint8]


class Detail:
    """What an autoencoder lost of the frames that are given whole, added to those between.

    Args:
        plan: what is given.
        pixels_of: the pixels of a canvas frame that is given whole, ``h w 3``.
        round_trip: a picture through the autoencoder and back.
    """

    def __init__(
        self,
        plan: Plan,
        pixels_of: Callable[[int], Picture],
        round_trip: Callable[[Picture], Picture],
    ) -> None:
        self._whole = _given_whole(plan)
        self._shot = np.cumsum(np.isin(np.arange(plan.num_frames), plan.canvas.cuts))
        self._is_ring = plan.canvas.is_loop and not plan.canvas.cuts
        self._pixels_of, self._round_trip = pixels_of, round_trip
        self._lost: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def add(self, frame: int, picture: Picture) -> Picture:
        """A decoded frame with the detail of the given ones before and after it."""
        anchors = self._anchors(frame)
        if not anchors:
            return picture
        blurred = _blur(picture)
        added = np.zeros(picture.shape, np.float32)
        for anchor, share in anchors.items():
            lost, looked = self._lost_of(anchor)
            apart = np.abs(blurred - looked).max(axis=2)
            added += share * np.exp(-((apart / SAME) ** 2))[..., None] * lost
        return (picture + added).round().clip(0, 255).astype(np.uint8)

    def _anchors(self, frame: int) -> dict[int, float]:
        """The nearest whole given frames of the same shot, and how much each counts."""
        whole = self._whole[self._shot[self._whole] == self._shot[frame]]
        if self._is_ring:
            count = len(self._shot)
            whole = np.concatenate((whole - count, whole, whole + count))
        before, after = whole[whole < frame], whole[whole > frame]
        if len(before) and len(after):
            low, high = int(before[-1]), int(after[0])
            shares = {low: (high - frame) / (high - low), high: (frame - low) / (high - low)}
        else:
            shares = {int(anchor): 1.0 for anchor in (*before[-1:], *after[:1])}
        return {anchor % len(self._shot): share for anchor, share in shares.items()}

    def _lost_of(self, anchor: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if anchor not in self._lost:
            while len(self._lost) >= 2:
                self._lost.pop(next(iter(self._lost)))
            pixels = self._pixels_of(anchor)
            back = self._round_trip(pixels)
            self._lost[anchor] = pixels.astype(np.float32) - back, _blur(back)
        return self._lost[anchor]


def _given_whole(plan: Plan) -> NDArray[np.int64]:
    """The canvas frames of which every pixel is given at level 0."""
    area = np.zeros(plan.num_frames, np.int64)
    for placement in plan.canvas.placements:
        if placement.noise == 0:
            for index in range(len(placement.frames)):
                given = placement.given_at(index)
                area[placement.first + index * placement.every] += int(given.sum())
    return np.flatnonzero(area == plan.canvas.width * plan.canvas.height)


def _blur(picture: Picture) -> NDArray[np.float32]:
    """Means of ``BLUR`` by ``BLUR`` pixels, ``h w 3``."""
    x = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    x = F.pad(x, [BLUR // 2] * 4, mode="replicate")
    return F.avg_pool2d(x, BLUR, stride=1)[0].permute(1, 2, 0).numpy()
