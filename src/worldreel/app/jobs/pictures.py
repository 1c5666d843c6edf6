"""What is shown of a video: the mp4 itself, a thumbnail and a sheet of its pictures."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.app.jobs.folder import SPRITESHEET, THUMBNAIL, VIDEO
from worldreel.media.sheet import save_image
from worldreel.media.write import VideoWriter

COLUMNS, ROWS = 5, 5
CELL_PIXELS = 256
"""The longer side of one picture of the sheet."""
THUMBNAIL_PIXELS = 512


class Showing:
    """Writes frames, as they are decoded, to the three files that are published.

    Args:
        folder: where the files go; it exists.
        size: height and width in pixels.
        num_frames: how many frames will be added.
        settings: what made the video; embedded in it.

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
    ) -> None:
        self._folder = folder
        self._size = size
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
        self._writer.write(frame[None])
        if self._count == self._poster:
            self._thumbnail = _within(frame, THUMBNAIL_PIXELS)
        if self._count in self._picks:
            self._cells.append(Image.fromarray(_within(frame, CELL_PIXELS)))
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
            save_image(self._folder / THUMBNAIL, self._thumbnail)
            save_image(self._folder / SPRITESHEET, self._sheet())

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
    save_image(path, _within(frame, CELL_PIXELS))


def _within(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The frame, reduced where its longer side is above ``side`` pixels."""
    height, width = frame.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
