"""Clips seen in a mirror: a second, equally true view of each at no cost of rendering."""

import re

import numpy as np
from numpy.typing import NDArray

_OTHER_SIDE = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
_SIDES = re.compile(r"\b(" + "|".join(_OTHER_SIDE) + r")\b")


def mirror_frames(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Frames ``t h w c`` flipped left-right, as a copy laid out like them."""
    return np.ascontiguousarray(frames[:, :, ::-1])


def mirror_caption(caption: str) -> str:
    """The caption with the words left and right swapped, whole words only.

    >>> mirror_caption("a ball rolls from the left to the right")
    'a ball rolls from the right to the left'
    """
    return _SIDES.sub(lambda match: _OTHER_SIDE[match[0]], caption)
