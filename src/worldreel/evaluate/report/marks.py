"""Plots as inline SVG: horizontal places in per cent, so that they stretch and their text does not.

Colours are classes of `worldreel.evaluate.report.style`; nothing here knows a theme.
"""

import math
from collections.abc import Sequence
from html import escape

from worldreel.evaluate.results import Cell, MetricResult

SCORE_LOW, SCORE_HIGH = -0.25, 1.15
"""The ends of a score's axis; what lies beyond is drawn at the end, as an arrow."""

SHAPES = {
    "circle": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "diamond": "M0-5.5L5.5 0L0 5.5L-5.5 0z",
    "triangle": "M0-5L5.2 4.2H-5.2z",
    "square": "M-4-4H4V4H-4z",
    "cross": "M-4-4L4 4M-4 4L4-4",
    "left": "M-6 0L2-5V5z",
    "right": "M6 0L-2-5V5z",
}
"""Outlines around the origin, in pixels."""

COLUMN_SHAPES = {
    "simulator": "diamond",
    "round_trip": "triangle",
    "generated": "circle",
    "floor": "cross",
}

SPLIT_SHAPES = ("circle", "square", "diamond")


def marker(shape: str, css: str, x: float, y: float) -> str:
    """A mark at ``x`` (a share of the width, 0 to 1) and ``y`` pixels."""
    path = f'<path class="mark {css}" d="{SHAPES[shape]}"/>'
    return f'<svg x="{x:.2%}" y="{y:g}" overflow="visible">{path}</svg>'


def line(css: str, x_1: float, y_1: float, x_2: float, y_2: float) -> str:
    """A line; ``x`` are shares of the width, ``y`` pixels."""
    ends = f'x1="{x_1:.2%}" y1="{y_1:g}" x2="{x_2:.2%}" y2="{y_2:g}"'
    return f'<line class="{css}" {ends}/>'


def text(words: str, css: str, x: float, y: float, anchor: str = "middle") -> str:
    """Words; ``x`` is a share of the width, ``y`` pixels."""
    place = f'x="{x:.2%}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{css}" {place}>{escape(words)}</text>'


def plot(body: str, height: int, css: str = "", label: str = "") -> str:
    """An ``svg`` as wide as its place; hidden from screen readers where it has no ``label``."""
    voice = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return f'<svg class="plot {css}" width="100%" height="{height}" {voice}>{body}</svg>'


def legend_mark(shape: str, css: str) -> str:
    """A mark to stand in a line of text."""
    path = f'<path class="mark {css}" d="{SHAPES[shape]}"/>'
    return f'<svg class="legend-mark" viewBox="-8 -8 16 16" aria-hidden="true">{path}</svg>'


def score_place(value: float) -> float:
    """Where a score stands on its axis, as a share of the width."""
    return (min(max(value, SCORE_LOW), SCORE_HIGH) - SCORE_LOW) / (SCORE_HIGH - SCORE_LOW)


def score_bar(metric: MetricResult | None, others: Sequence[float | None], height: int = 30) -> str:
    """A score as a bar from the floor with its interval, and the same law elsewhere as marks.

    Args:
        metric: of the first split; None leaves the axis empty.
        others: the scores on the other splits.
        height: in pixels; whatever is drawn is centred in it.
    """
    middle = height / 2
    zero, one = score_place(0), score_place(1)
    body = line("guide", zero, 0, zero, height) + line("guide", one, 0, one, height)
    if metric is not None and metric.score is not None:
        place = score_place(metric.score)
        left, right = sorted((zero, place))
        css = "bar-bad" if metric.score < 0 else "bar"
        body += (
            f'<rect class="{css}" x="{left:.2%}" y="{middle - 5:g}" '
            f'width="{right - left:.2%}" height="10"/>'
        )
        interval = metric.score_interval
        if interval is not None:
            low, high = map(score_place, interval)
            if low < high:  # neither beyond the axis nor a point
                body += line("whisker", low, middle, high, middle)
                body += line("whisker", low, middle - 4, low, middle + 4)
                body += line("whisker", high, middle - 4, high, middle + 4)
        if not SCORE_LOW <= metric.score <= SCORE_HIGH:
            body += _arrow(metric.score, "end", middle)
        if metric.score_round_trip is not None:
            trip = score_place(metric.score_round_trip)
            body += line("trip-tick", trip, middle - 10, trip, middle + 10)
    for shape, value in zip(SPLIT_SHAPES[1:], others, strict=False):
        if value is None:
            continue
        if SCORE_LOW <= value <= SCORE_HIGH:
            body += marker(shape, "hollow", score_place(value), middle)
        else:
            body += _arrow(value, "hollow", middle)
    return plot(body, height, "score-bar")


def score_axis(height: int = 22) -> str:
    """The axis of `score_bar`: the floor at 0, the simulator at 1."""
    zero, one = score_place(0), score_place(1)
    body = line("guide", zero, height - 5, zero, height) + line(
        "guide", one, height - 5, one, height
    )
    body += text("0 floor", "tick", zero, height - 9) + text("simulator 1", "tick", one, height - 9)
    half = score_place(0.5)
    body += line("guide", half, height - 4, half, height) + text("0.5", "tick", half, height - 9)
    return plot(body, height, "score-axis")


def _arrow(value: float, css: str, y: float) -> str:
    left = value < SCORE_LOW
    return marker("left" if left else "right", css, 0.01 if left else 0.99, y)


class Axis:
    """An axis in a metric's own unit, turned so that better is always to the right.

    Args:
        metrics: whose figures it must hold, all of one name.
    """

    def __init__(self, metrics: Sequence[MetricResult]) -> None:
        cells = [cell for metric in metrics for cell in metric.columns.values() if cell]
        ends = [end for cell in cells for end in (cell.low, cell.high)] or [0.0, 1.0]
        ends.append(metrics[0].perfect)
        low, high = min(ends), max(ends)
        margin = (high - low) * 0.05 or abs(high) * 0.1 or 0.5
        self.low, self.high = low - margin, high + margin
        self.falls = metrics[0].worst > metrics[0].perfect

    def place(self, value: float) -> float:
        """A share of the width."""
        share = (value - self.low) / (self.high - self.low)
        return 1 - share if self.falls else share

    def ticks(self, count: int = 4) -> list[float]:
        """Round values inside."""
        rough = (self.high - self.low) / count
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(step * i, 12) for i in range(first, last + 1)]


def cell_lane(column: str, cell: Cell | None, axis: Axis, height: int = 18) -> str:
    """One column's figure on the axis: its mark with its interval."""
    middle = height / 2
    body = line("lane", 0, middle, 1, middle)
    if cell is not None:
        low, high = axis.place(cell.low), axis.place(cell.high)
        body += line(f"whisker {column}", low, middle, high, middle)
        body += marker(COLUMN_SHAPES[column], column, axis.place(cell.mean), middle)
    return plot(body, height, "lane-plot")


def lane_axis(axis: Axis, height: int = 18) -> str:
    """The ticks below the lanes."""
    body = "".join(
        line("guide", axis.place(tick), 0, axis.place(tick), 4)
        + text(f"{tick:g}".replace("-", "\u2212"), "tick", axis.place(tick), height - 3)
        for tick in axis.ticks()
    )
    return plot(body, height, "lane-plot")
