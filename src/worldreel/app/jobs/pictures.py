"""What is shown of a video: the mp4 itself, a thumbnail and a sheet of its pictures."""

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.app.jobs.folder import IMAGE, SMALL, SPRITESHEET, THUMBNAIL, VIDEO
from worldreel.media.sheet import save_image
from worldreel.media.write import VideoWriter

COLUMNS, ROWS = 5, 5
CELL_PIXELS = 256
"""The longer side of one picture of the sheet."""
THUMBNAIL_PIXELS = 512
SMALL_PIXELS = 320

Frames = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Takes the next frames of a file, uint8 ``t h w 3``, and returns them marked."""


class Showing:
    """Writes frames, as they are decoded, to the files that are published; a single frame also as
    a picture of its own.

    Args:
        folder: where the files go; it exists.
        size: height and width in pixels.
        num_frames: how many frames will be added.
        settings: what made the video; embedded in it.
        mark: marks frames of a size at a rate while they are written; None leaves them as they
            are, for files that nobody will get.

    Raises:
        WorldreelError: the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        *,
        size: tuple[int, int],
        fps: float,
        num_frames: int,
        settings: Mapping[str, Any],
        mark: Callable[[tuple[int, int], float], Frames] | None = None,
    ) -> None:
        self._folder = folder
        self._mark = mark
        self._frames = None if mark is None else mark(size, fps)
        self._size = size
        self._num_frames = num_frames
        self._settings = settings
        cells = min(COLUMNS * ROWS, num_frames)
        self._picks = [round(i * (num_frames - 1) / max(1, cells - 1)) for i in range(cells)]
        self._poster = num_frames // 3  # early, but rarely before anything is seen
        self._count = 0
        self._cells: list[Image.Image] = []
        self._thumbnail: NDArray[np.uint8] | None = None
        self._writer = VideoWriter(folder / VIDEO, size=size, fps=fps, settings=settings)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def add(self, frame: NDArray[np.uint8]) -> None:
        """Adds one frame, uint8 ``h w 3``."""
        plain, group = frame, frame[None]
        if self._frames is not None:
            group = self._frames(group)
            frame = group[0]
        self._writer.write(group)
        if self._count == self._poster:
            self._thumbnail = within(plain, THUMBNAIL_PIXELS)
            if self._num_frames == 1:
                save_image(self._folder / IMAGE, frame, settings=self._settings)
        if self._count in self._picks:
            self._cells.append(Image.fromarray(within(plain, CELL_PIXELS)))
        self._count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, traceback)
        if kind is None:
            assert self._thumbnail is not None
            save_image(self._folder / THUMBNAIL, self._still(self._thumbnail))
            small = within(self._thumbnail, SMALL_PIXELS)
            save_image(self._folder / SMALL, self._still(small))
            save_image(self._folder / SPRITESHEET, self._still(self._sheet()))

    def _still(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture with marks of its own: those of the video do not outlive being reduced."""
        if self._mark is None:
            return pixels
        return self._mark((pixels.shape[0], pixels.shape[1]), 1.0)(pixels[None])[0]

    def _sheet(self) -> NDArray[np.uint8]:
        width, height = self._cells[0].size
        columns = min(COLUMNS, len(self._cells))
        rows = math.ceil(len(self._cells) / columns)
        sheet = Image.new("RGB", (columns * width, rows * height))
        for number, cell in enumerate(self._cells):
            row, column = divmod(number, columns)
            sheet.paste(cell, (column * width, row * height))
        return np.asarray(sheet)


def save_small(path: Path, frame: NDArray[np.uint8]) -> None:
    """Writes a frame, uint8 ``h w 3``, as a small picture."""
    save_image(path, within(frame, CELL_PIXELS))


def small_webp(frame: NDArray[np.uint8]) -> bytes:
    """A frame, uint8 ``h w 3``, as a small picture's bytes."""
    file = io.BytesIO()
    Image.fromarray(within(frame, SMALL_PIXELS)).save(file, "WEBP", quality=88)
    return file.getvalue()


def within(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The frame, reduced where its longer side is above ``side`` pixels."""
    height, width = frame.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
