"""Strokes of a brush as a mask that moves: drawn here, so that nothing needs to be decoded."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from worldreel.app.server.canvas_shapes import Move, Stroke
from worldreel.app.server.problems import invalid

THINNING = 0.25
"""Points nearer to each other than this share of the radius are drawn as one."""
LEAST_PIXELS = 2000
"""What a point costs beside its pixels, in pixels."""
WORK_PIXELS = 1_000_000_000
"""What may be drawn for one mask: about two seconds of the processor."""


def draw_mask(
    strokes: Sequence[Stroke],
    *,
    source: tuple[int, int],
    size: tuple[int, int],
    num_frames: int,
    fps: float,
) -> NDArray[np.bool_]:
    """What strokes leave free, as a clip.

    Args:
        source: width and height of what they were drawn on.
        size: width and height of the mask: the source, scaled to cover it and cut at the edges.

    Returns:
        bool ``t h w``, True where it is free.
    """
    place = _Place(source, size)
    lines = [_thinned(stroke, place) for stroke in strokes]
    _check_work(strokes, lines, place, num_frames)
    free = np.empty((num_frames, size[1], size[0]), np.bool_)
    before: list[object] = []
    for number in range(num_frames):
        at_s = number / fps
        there = [n for n, stroke in enumerate(strokes) if _is_at(stroke, at_s)]
        seen = [(n, shift_at(strokes[n].moves, at_s)) for n in there]
        state: list[object] = [*seen]
        if number and state == before:
            free[number] = free[number - 1]
            continue
        before = state
        picture = Image.new("1", size)
        draw = ImageDraw.Draw(picture)
        for n, shift in seen:
            _draw(draw, strokes[n], lines[n], shift, place)
        free[number] = np.asarray(picture)
    return free


def shift_at(moves: Sequence[Move], at_s: float) -> tuple[float, float]:
    """How far a stroke has moved at a moment, in fractions of width and height.

    >>> way = [Move(at_s=0, dx=0, dy=0), Move(at_s=2, dx=1, dy=0.5)]
    >>> shift_at(way, 1), shift_at(way, 9), shift_at([], 1)
    ((0.5, 0.25), (1.0, 0.5), (0.0, 0.0))
    """
    if not moves:
        return 0.0, 0.0
    known = sorted(moves, key=lambda move: move.at_s)
    times = [move.at_s for move in known]
    dx = np.interp(at_s, times, [move.dx for move in known])
    dy = np.interp(at_s, times, [move.dy for move in known])
    return float(dx), float(dy)


class _Place:
    """From fractions of a source to pixels of a size that it covers."""

    def __init__(self, source: tuple[int, int], size: tuple[int, int]) -> None:
        scale = max(size[0] / source[0], size[1] / source[1])
        self.width, self.height = source[0] * scale, source[1] * scale
        self.left, self.top = (self.width - size[0]) / 2, (self.height - size[1]) / 2

    def point(self, x: float, y: float) -> tuple[float, float]:
        return x * self.width - self.left - 0.5, y * self.height - self.top - 0.5

    def radius(self, fraction: float) -> float:
        return max(0.5, fraction * min(self.width, self.height))


def _is_at(stroke: Stroke, at_s: float) -> bool:
    return stroke.from_s <= at_s + 1e-6 and (stroke.to_s is None or at_s < stroke.to_s - 1e-6)


def _thinned(stroke: Stroke, place: _Place) -> list[tuple[float, float]]:
    """A stroke's points without those that lie under the brush of the one before."""
    near = (THINNING * place.radius(stroke.radius)) ** 2
    kept = [place.point(*stroke.points[0])]
    for x, y in stroke.points[1:]:
        point = place.point(x, y)
        if (point[0] - kept[-1][0]) ** 2 + (point[1] - kept[-1][1]) ** 2 >= near:
            kept.append(point)
    last = place.point(*stroke.points[-1])
    return kept if kept[-1] == last else [*kept, last]


def _check_work(
    strokes: Sequence[Stroke],
    lines: Sequence[Sequence[tuple[float, float]]],
    place: _Place,
    num_frames: int,
) -> None:
    """Raises ApiError where drawing would take the server longer than a request may."""
    moves = any(stroke.moves for stroke in strokes)
    frames = num_frames if moves else min(num_frames, 2 * len(strokes) + 1)
    pixels = 0.0
    for stroke, line in zip(strokes, lines, strict=True):
        width = 2 * place.radius(stroke.radius) + 1
        pixels += len(line) * (LEAST_PIXELS + min(width * width, place.width * place.height))
    if frames * pixels > WORK_PIXELS:
        message = "mask: to draw these strokes takes too long. Give fewer points, or a picture."
        raise invalid(message, "mask.strokes")


def _draw(
    draw: ImageDraw.ImageDraw,
    stroke: Stroke,
    line: Sequence[tuple[float, float]],
    shift: tuple[float, float],
    place: _Place,
) -> None:
    fill = 0 if stroke.erase else 1
    radius = place.radius(stroke.radius)
    dx, dy = shift[0] * place.width, shift[1] * place.height
    points = [(x + dx, y + dy) for x, y in line]
    if len(points) > 1:
        draw.line(points, fill=fill, width=max(1, round(2 * radius)), joint="curve")
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
