"""Clips inside a page: small looping pictures as data URLs."""

import base64
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.evaluate.results import Column

Frames = NDArray[np.uint8]
"""A clip, uint8 sRGB ``t h w 3``."""

LoadClip = Callable[[str, Column], Frames | None]
"""The clip of a case's key and a column; None where there is none."""

HEIGHT = 128
"""Of a clip in the page, pixels; larger ones are scaled down."""

GUTTER = 4
"""Pixels between two clips side by side."""

GREY = 128
QUALITY = 60


def side_by_side(left: Frames, right: Frames) -> Frames:
    """Two clips as one, so that they play in step; the shorter holds its last frame."""
    left, right = _small(left), _small(right)
    length, height = max(len(left), len(right)), max(left.shape[1], right.shape[1])
    gutter = np.full((length, height, GUTTER, 3), GREY, np.uint8)
    return np.concatenate([_fill(left, length, height), gutter, _fill(right, length, height)], 2)


def animation(frames: Frames, fps: float) -> str:
    """A clip that loops for ever, as the data URL of an animated WebP."""
    images = [Image.fromarray(frame) for frame in _small(frames)]
    # Pillow takes whole milliseconds; every frame gets what keeps the whole in time
    ends = np.round(np.arange(len(images) + 1) * 1000 / fps).astype(int)
    return _url(images[0], append_images=images[1:], save_all=True, duration=np.diff(ends).tolist())


def still(frames: Frames, num_frames: int = 2) -> str:
    """Some frames of a clip below each other, for print and for those who want no motion."""
    small = _small(frames)
    picks = np.linspace(0, len(small) - 1, num_frames + 2)[1:-1].round().astype(int)
    return _url(Image.fromarray(np.concatenate(list(small[picks]), axis=0)))


def _url(image: Image.Image, **options: object) -> str:
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=QUALITY, method=4, loop=0, **options)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _small(frames: Frames) -> Frames:
    assert frames.dtype == np.uint8 and frames.ndim == 4 and len(frames) > 0, frames.shape
    height, width = frames.shape[1:3]
    if height <= HEIGHT:
        return frames
    size = (max(1, round(width * HEIGHT / height)), HEIGHT)
    resized = [Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in frames]
    return np.stack([np.asarray(image) for image in resized])


def _fill(frames: Frames, length: int, height: int) -> Frames:
    missing, below = length - len(frames), height - frames.shape[1]
    longer = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
    return np.pad(longer, ((0, 0), (0, below), (0, 0), (0, 0)), constant_values=GREY)
