"""A picture in the characters of a terminal: two pixels in each, in 24-bit colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HALF = "▀"
"""The upper pixel is the colour of the character, the lower one that behind it."""


class Painter:
    """Paints frames into a rectangle of the screen, and of each only what has changed."""

    def __init__(self) -> None:
        self._before: NDArray[np.uint8] | None = None
        self._size = (0, 0)

    def forget(self) -> None:
        """The screen was cleared: the next frame is painted whole."""
        self._before = None

    def paint(self, frame: NDArray[np.uint8], columns: int, rows: int) -> str:
        """What is written to a terminal so that it shows a frame in its upper left part.

        Args:
            frame: uint8 sRGB ``h w 3``; its shape is kept, and it stands in the middle.
            columns, rows: characters that there is room for, from 1 up.
        """
        if self._size != (columns, rows):
            self._size, self._before = (columns, rows), None
        height, width = fitted(frame.shape[0], frame.shape[1], columns, rows)
        pixels = np.asarray(
            Image.fromarray(frame).resize((width, height), Image.Resampling.BOX), np.uint8
        )
        # upper and lower pixel of each character: rows columns 2 3
        cells = pixels.reshape(height // 2, 2, width, 3).swapaxes(1, 2)
        changed = np.ones(cells.shape[:2], bool)
        if self._before is not None and self._before.shape == cells.shape:
            changed = (cells != self._before).any(axis=(2, 3))
        self._before = cells
        top, left = (rows - height // 2) // 2 + 1, (columns - width) // 2 + 1
        words: list[str] = []
        upper = lower = None
        at = (-1, -1)
        for row, column in np.argwhere(changed).tolist():
            if (row, column) != at:
                words.append(f"\x1b[{top + row};{left + column}H")
            colours = cells[row, column].tolist()
            if colours[0] != upper:
                upper = colours[0]
                words.append(f"\x1b[38;2;{upper[0]};{upper[1]};{upper[2]}m")
            if colours[1] != lower:
                lower = colours[1]
                words.append(f"\x1b[48;2;{lower[0]};{lower[1]};{lower[2]}m")
            words.append(HALF)
            at = (row, column + 1)
        return "".join([*words, "\x1b[0m"]) if words else ""


def fitted(height: int, width: int, columns: int, rows: int) -> tuple[int, int]:
    """The largest height, an even one, and width in half-characters of the shape of a picture.

    A character is taken to be twice as tall as it is wide, so that its halves are square.

    >>> fitted(128, 128, 80, 23)
    (46, 46)
    """
    scale = min(columns / width, 2 * rows / height)
    return max(2, round(height * scale / 2) * 2), max(1, round(width * scale))
