"""A canvas as a small drawing: what is given along its time, what is free, what is said."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from worldreel.generate.canvas import Canvas

COLUMNS = 64
GIVEN, LOOSE, PART, FREE = "█", "▓", "▞", "·"


def diagram(canvas: Canvas) -> str:
    """The canvas in a few lines, at most `COLUMNS` wide beside its labels.

    A column is a stretch of time: ``█`` given, ``▓`` given loosely, ``▞`` given in part of
    the picture or of the stretch, ``·`` free.
    """
    count = canvas.num_frames
    columns = min(COLUMNS, count)
    edges = np.linspace(0, count, columns + 1).round().astype(int)
    marks = [_mark(canvas, frame) for frame in range(count)]
    drawn = ""
    for start, stop in pairwise(edges.tolist()):
        seen = set(marks[start:stop])
        drawn += seen.pop() if len(seen) == 1 else PART
    frames = "1 frame" if count == 1 else f"{count} frames"
    lines = [
        f"{canvas.width}x{canvas.height}, {canvas.seconds:g} s at {canvas.fps:g} frames per "
        f"second ({frames})" + (", a loop" if canvas.is_loop else ""),
        f"picture  {drawn}" + ("↺" if canvas.is_loop else ""),
    ]

    def column(frame: int) -> int:
        return int(np.searchsorted(edges, frame, side="right")) - 1

    for number, span in enumerate(canvas.spans, start=1):
        begin, end = column(span.first), column(span.stop - 1)
        bar = " " * begin + ("|" if span.cut and span.first else "[")
        bar += "-" * max(0, end - begin - 1) + "]"
        lines.append(f"prompt {number} {bar}  {_short(span.prompt)}")
    for reference in canvas.references:
        begin, end = column(reference.first), column(reference.stop - 1)
        bar = " " * begin + "<" + "-" * max(0, end - begin - 1) + ">"
        lines.append(f"in sight {bar}  {reference.source or 'a reference'}")
    lines.append("         " + _ruler(canvas, columns, column))
    return "\n".join(lines)


def _mark(canvas: Canvas, frame: int) -> str:
    area = 0
    loose = False
    for placement in canvas.placements:
        index = placement.index_at(frame)
        if index is not None:
            area += int(placement.given_at(index).sum())
            loose |= placement.noise > 0
    if not area:
        return FREE
    if area < canvas.width * canvas.height:
        return PART
    return LOOSE if loose else GIVEN


def _ruler(canvas: Canvas, columns: int, column: Callable[[int], int]) -> str:
    """Where the seconds are, as many as find room."""
    ruler = [" "] * (columns + 8)
    step = 1
    while column(min(round(step * canvas.fps), canvas.num_frames - 1)) < 8 and step < 3600:
        step *= 2 if step != 2 else 5 / 2
    second, free_from = 0.0, 0
    while second < canvas.seconds:
        place = column(min(round(second * canvas.fps), canvas.num_frames - 1))
        text = f"{second:g}s"
        if place >= free_from:
            ruler[place : place + len(text)] = text
            free_from = place + len(text) + 1
        second += step
    return "".join(ruler).rstrip()


def _short(prompt: str, limit: int = 48) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"
