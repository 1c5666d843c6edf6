"""The visible label: "AI generated" or "AI 生成" in a corner, readable on any picture."""

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError

Language = Literal["en", "zh", "both"]
Stroke = Sequence[tuple[float, float]]

SHARE = 0.06
"""Height of a letter, of the picture's shorter side; the rule is 0.05 (GB 45438-2025)."""
LEAST_SHARE = 0.05
LEAST_PIXELS = 10
"""A letter is no smaller if it fits: below, the Chinese ones are hard to read."""
SMALLEST = 5
"""Pixels below which nobody can read it."""
LEAST_SECONDS = 2.0
DARKNESS = 0.68
"""How much of the picture the box behind the letters hides: white on it has 7 to 1 in contrast."""

TEXTS: dict[Language, tuple[str, ...]] = {
    "en": ("AI generated",),
    "zh": ("AI 生成",),
    "both": ("AI generated", "AI 生成"),
}


def draw_label(
    frames: NDArray[np.uint8],
    fps: float,
    language: Language = "en",
    seconds: float | None = None,
    *,
    start: int = 0,
) -> NDArray[np.uint8]:
    """The frames with the label in their top left corner.

    Args:
        frames: uint8 ``t h w 3``, sRGB; they are not changed.
        fps: frames per second.
        language: ``en``, ``zh``, or ``both``, one line each.
        seconds: from the video's beginning, at least 2; None for throughout.
        start: frames of the video before these.

    Raises:
        UsageError: another language, less than two seconds, or a picture too small for the text.
    """
    assert frames.dtype == np.uint8 and frames.ndim == 4 and frames.shape[3] == 3, frames.shape
    if language not in TEXTS:
        raise UsageError(
            f"the label's language is {language!r}; it is one of {', '.join(TEXTS)}",
            remedy="Choose en, zh or both.",
        )
    if seconds is not None and not (math.isfinite(seconds) and seconds >= LEAST_SECONDS):
        raise UsageError(
            f"the label is to be seen for {seconds:g} s; the rule is at least {LEAST_SECONDS:g} s",
            remedy="Choose 2 seconds or more, or leave it throughout.",
        )
    num_labelled = len(frames)
    if seconds is not None:
        num_labelled = min(max(0, math.ceil(seconds * fps) - start), len(frames))
    labelled = frames.copy()
    if num_labelled:
        text = _text(language, *frames.shape[1:3])
        margin = max(1, round(0.015 * min(frames.shape[1:3])))
        height, width = text.shape
        corner = labelled[:num_labelled, margin : margin + height, margin : margin + width]
        white = text[..., None]
        dark = corner * (1 - DARKNESS)
        corner[...] = np.rint(dark + (255 - dark) * white)
    return labelled


@lru_cache(maxsize=8)
def _text(language: Language, height: int, width: int) -> NDArray[np.float32]:
    """The lines as coverage in [0, 1], ``h w``, with a border, fitting the picture."""
    side = min(height, width)
    least = max(math.ceil(LEAST_SHARE * side), SMALLEST)
    room = width - 2 * max(1, round(0.015 * side))
    for size in range(max(math.ceil(SHARE * side), LEAST_PIXELS), least - 1, -1):
        lines = [_line(text, size) for text in TEXTS[language]]
        across = max(line.shape[1] for line in lines)
        down = sum(line.shape[0] for line in lines)
        if across <= room and down <= height / 2:
            break
    else:
        raise UsageError(
            f"a picture of {width}x{height} pixels has no room for the label",
            remedy="Choose a larger size, or the shorter label zh.",
        )
    text = np.zeros((down, across), np.float32)
    top = 0
    for line in lines:
        text[top : top + line.shape[0], : line.shape[1]] = line
        top += line.shape[0]
    return text


def _line(text: str, size: int) -> NDArray[np.float32]:
    """One line whose capitals and Chinese characters are ``size`` pixels high."""
    border = 0.45 * size
    gap = 0.2 * size
    strokes: list[tuple[float, list[tuple[float, float]]]] = []
    x = border
    for letter in text:
        width, pen, drawn = GLYPHS[letter]
        for stroke in drawn:
            points = [(x + across * size, border + down * size) for across, down in stroke]
            strokes.append((max(pen * size, THINNEST), points))
        x += width * size + gap
    height = math.ceil(2 * border + size)
    image = np.zeros((height, math.ceil(x - gap + border)), np.float32)
    down, across = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    for weight, stroke in strokes:
        for (x0, y0), (x1, y1) in itertools.pairwise(stroke):
            length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
            along = ((across - x0) * (x1 - x0) + (down - y0) * (y1 - y0)) / length
            along = np.clip(along, 0, 1)
            far = np.hypot(across - x0 - along * (x1 - x0), down - y0 - along * (y1 - y0))
            np.maximum(image, np.clip(weight / 2 + 0.5 - far, 0, 1), out=image)
    return image


def _arc(
    x: float, y: float, radius_x: float, radius_y: float, begin: float, end: float
) -> list[tuple[float, float]]:
    """Points of an ellipse; angles in degrees, 0 to the right, 90 down."""
    angles = np.radians(np.linspace(begin, end, max(4, round(abs(end - begin) / 15))))
    return [(x + radius_x * math.cos(a), y + radius_y * math.sin(a)) for a in angles]


LATIN, CHINESE = 0.12, 0.095
"""Widths of the pen, in heights of a capital."""
THINNEST = 1.5
"""Width of the pen in pixels, at least: thinner strokes are nowhere wholly white."""
_BOWL = _arc(0.26, 0.68, 0.26, 0.32, 0, 360)

GLYPHS: dict[str, tuple[float, float, Sequence[Stroke]]] = {
    " ": (0.22, LATIN, ()),
    "A": (0.72, LATIN, ([(0.0, 1.0), (0.36, 0.0), (0.72, 1.0)], [(0.13, 0.66), (0.59, 0.66)])),
    "I": (0.06, LATIN, ([(0.03, 0.0), (0.03, 1.0)],)),
    "a": (0.52, LATIN, (_BOWL, [(0.52, 0.36), (0.52, 1.0)])),
    "d": (0.52, LATIN, (_BOWL, [(0.52, -0.04), (0.52, 1.0)])),
    "e": (0.52, LATIN, ([(0.0, 0.68), (0.52, 0.68), *_arc(0.26, 0.68, 0.26, 0.32, 0, -320)],)),
    "g": (
        0.52,
        LATIN,
        (_BOWL, [(0.52, 0.36), (0.52, 1.08), *_arc(0.26, 1.08, 0.26, 0.24, 0, 150)]),
    ),
    "n": (
        0.48,
        LATIN,
        ([(0.0, 0.36), (0.0, 1.0)], [*_arc(0.24, 0.6, 0.24, 0.24, -180, 0), (0.48, 1.0)]),
    ),
    "r": (0.28, LATIN, ([(0.0, 0.36), (0.0, 1.0)], _arc(0.26, 0.62, 0.26, 0.26, -180, -75))),
    "t": (
        0.36,
        LATIN,
        ([(0.14, 0.08), *_arc(0.32, 0.82, 0.18, 0.18, 180, 80)], [(0.0, 0.36), (0.34, 0.36)]),
    ),
    "生": (
        1.0,
        CHINESE,
        (
            [(0.27, 0.03), (0.22, 0.22), (0.08, 0.42)],
            [(0.22, 0.25), (0.9, 0.25)],
            [(0.15, 0.57), (0.86, 0.57)],
            [(0.53, 0.0), (0.53, 0.95)],
            [(0.02, 0.95), (0.98, 0.95)],
        ),
    ),
    "成": (
        1.0,
        CHINESE,
        (
            [(0.15, 0.22), (0.96, 0.22)],
            [(0.15, 0.22), (0.15, 0.58), (0.11, 0.8), (0.02, 0.97)],
            [(0.15, 0.5), (0.43, 0.5), (0.41, 0.82), (0.29, 0.8)],
            [(0.55, 0.0), (0.58, 0.38), (0.68, 0.7), (0.82, 0.94), (0.93, 0.97), (0.97, 0.76)],
            [(0.87, 0.4), (0.74, 0.68), (0.45, 0.97)],
            [(0.7, 0.02), (0.85, 0.13)],
        ),
    ),
}
"""Of each letter its width, its pen and its strokes, in heights of a capital."""
