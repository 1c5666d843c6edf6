"""Files that we wrote or trust: their frames, what they are, and the settings inside.

What other people give is read by ``footage``, in a process of its own.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.media.decode import open_source
from worldreel.media.info import VideoInfo, describe, settings_in
from worldreel.media.limits import Limits
from worldreel.media.picture_source import PictureSource
from worldreel.media.regular import open_regular, shown_name
from worldreel.media.video_source import VideoSource

OWN = Limits(num_frames=2**31, picture_pixels=2**28, video_pixels=2**28)
"""For files of ours: as many frames as there are, one after the other."""


def probe(path: str | Path) -> VideoInfo:
    """Size, rate, length and codec of a video or image file.

    Raises:
        WorldreelError: no such file, no video, sound only, or cut off.
    """
    with _opened(path) as source:
        return describe(source, os.stat(path).st_size)


def read_video(path: str | Path) -> NDArray[np.uint8]:
    """All frames of a video or image file: uint8 ``t h w 3``, sRGB.

    A still has one frame. Transparent pixels are shown on black. Frames come as they are
    stored, whatever their time stamps. ``iterate_video`` does it with little memory.

    Raises:
        WorldreelError: no such file, no video, sound only, cut off, or damaged.
    """
    return np.concatenate(list(iterate_video(path)))


def iterate_video(path: str | Path, *, num_frames: int = 16) -> Iterator[NDArray[np.uint8]]:
    """The frames of ``read_video`` in chunks of at most ``num_frames``, as they are decoded."""
    assert num_frames > 0, num_frames
    chunk: list[NDArray[np.uint8]] = []
    with _opened(path) as source, contextlib.closing(source.frames(with_alpha=False)) as frames:
        for frame in frames:
            pixels = frame.upright()
            if chunk and pixels.shape != chunk[0].shape:
                raise WorldreelError(
                    f"{shown_name(path)}: the picture changes from {_wxh(chunk[0])} to"
                    f" {_wxh(pixels)} pixels",
                    remedy="Cut the video where its size changes.",
                )
            chunk.append(pixels)
            if len(chunk) == num_frames:
                yield np.stack(chunk)
                chunk = []
        if chunk:
            yield np.stack(chunk)


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings that ``VideoWriter`` embedded in a file.

    Raises:
        WorldreelError: the file cannot be read, or carries no settings of worldreel.
    """
    with _opened(path) as source:
        settings = settings_in(source)
    if settings is None:
        raise no_settings(shown_name(path))
    return settings


def no_settings(name: str) -> WorldreelError:
    """The error about a file without settings."""
    return WorldreelError(
        f"{name} carries no settings of worldreel",
        remedy="Only files that worldreel wrote carry them, and re-encoding drops them.",
    )


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[VideoSource | PictureSource]:
    with (
        os.fdopen(open_regular(path), "rb", buffering=0) as file,
        open_source(file, shown_name(path), OWN) as source,
    ):
        yield source


def _wxh(frame: NDArray[np.uint8]) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
