"""The scaling picture: loss and laws against the compute of the training."""

import math
from collections.abc import Callable, Sequence
from html import escape
from itertools import cycle, pairwise

import numpy as np

from worldreel.evaluate.report.marks import legend_mark, line, marker, plot, text
from worldreel.evaluate.report.tables import head, table
from worldreel.evaluate.report.words import number, power_of_ten, score_text, superscript
from worldreel.evaluate.results import ScalingRow
from worldreel.evaluate.statistics import PowerLaw, linear_fit_loglog

SHAPES = ("circle", "square", "triangle", "diamond")
COLOURS = ("generated", "simulator", "round_trip", "hollow")
"""A size has both a shape and a colour, for those who see no colours."""

LOSS_HEIGHT, LAW_HEIGHT = 300, 120
FOOT = 34
"""Pixels below a plot for its axis."""

SCORE_RANGE = (-0.3, 1.15)

Place = Callable[[float], float]


def scaling_section(rows: Sequence[ScalingRow]) -> str:
    """Loss and laws of the same recipe in several sizes and budgets; empty without rows."""
    if not rows:
        return ""
    fit = loss_fit(rows)
    sizes = _sizes(rows)
    legend = "".join(
        f"<li>{legend_mark(shape, colour)}{escape(size)}</li>"
        for size, shape, colour in zip(sizes, cycle(SHAPES), cycle(COLOURS), strict=False)
    )
    names = tuple(dict.fromkeys(name for row in rows for name in row.laws))
    charts = "".join(_law_chart(rows, name) for name in names)
    if len(names) > 1:
        charts = _law_chart(rows, None) + charts
    laws = (
        f'<h3>Scores against training compute (FLOPs)</h3><div class="charts">{charts}</div>'
        if charts
        else ""
    )
    return (
        "<p>The same recipe in several sizes, each trained for several budgets; every mark is one "
        f"training run.</p><h3>Held-out loss against training compute (FLOPs)</h3>"
        f'<ul class="legend">{legend}</ul>'
        f"<figure>{_loss_chart(rows, fit)}"
        f"<figcaption><p>{_fit_words(rows, fit)}</p></figcaption></figure>{laws}{_table(rows)}"
    )


def frontier(rows: Sequence[ScalingRow]) -> list[ScalingRow]:
    """The runs that no run of the same or less compute beats, by compute."""
    best: list[ScalingRow] = []
    for row in sorted(rows, key=lambda row: (row.flops, row.held_out_loss)):
        if not best or row.held_out_loss < best[-1].held_out_loss:
            best.append(row)
    return best


def loss_fit(rows: Sequence[ScalingRow]) -> PowerLaw | None:
    """The power law of the loss through the `frontier`, or through all runs if it has under three.

    None for fewer than two budgets.
    """
    chosen = _fitted(rows)
    if len({row.flops for row in chosen}) < 2:
        return None
    return linear_fit_loglog([row.flops for row in chosen], [row.held_out_loss for row in chosen])


def mean_score(row: ScalingRow) -> float | None:
    """Over the laws that have one."""
    scores = [value for value in row.laws.values() if value is not None]
    return sum(scores) / len(scores) if scores else None


def _fitted(rows: Sequence[ScalingRow]) -> list[ScalingRow]:
    best = frontier(rows)
    return best if len(best) >= 3 else list(rows)


def _sizes(rows: Sequence[ScalingRow]) -> list[str]:
    """The names of the sizes, smallest first."""
    return list(dict.fromkeys(row.size for row in sorted(rows, key=lambda row: row.parameters)))


def _fit_words(rows: Sequence[ScalingRow], fit: PowerLaw | None) -> str:
    if fit is None:
        return "One budget only: no line can be fitted."
    error = "" if fit.exponent_error is None else f" \u00b1 {fit.exponent_error:.3f}"
    chosen = _fitted(rows)
    through = "all runs" if len(chosen) == len(rows) else f"the {len(chosen)} runs on the frontier"
    tenfold = 1 - 10**fit.exponent
    change = f"{abs(tenfold):.0%} {'lower' if tenfold >= 0 else 'higher'}"
    return (
        f"Dashed: a power law through {through}, loss \u221d "
        f"FLOPs<sup>{number(fit.exponent, 3)}{error}</sup> (R\u00b2 {fit.r_squared:.3f}): "
        f"ten times the compute, {change} loss. Both axes are logarithmic."
    )


def _loss_chart(rows: Sequence[ScalingRow], fit: PowerLaw | None) -> str:
    losses = [row.held_out_loss for row in rows]
    low, high = math.log(min(losses)), math.log(max(losses))
    margin = (high - low) * 0.12 or 0.05
    low, high = low - margin, high + margin

    def up(loss: float) -> float:
        return LOSS_HEIGHT * (high - math.log(loss)) / (high - low)

    along, ends = _along(rows)
    body = _frame(ends, along, LOSS_HEIGHT)
    ticks = [(f"{tick:g}", up(tick)) for tick in _ticks(math.exp(low), math.exp(high))]
    body += "".join(line("lane", 0, y, 1, y) for _, y in ticks)
    for shape, colour, runs in _runs(rows):
        for one, two in pairwise(runs):
            ys = up(one.held_out_loss), up(two.held_out_loss)
            body += line("thread", along(one.flops), ys[0], along(two.flops), ys[1])
        for run in runs:
            body += marker(shape, colour, along(run.flops), up(run.held_out_loss))
    if fit is not None:
        left, right = (min(r.flops for r in rows), max(r.flops for r in rows))
        body += line("trend dashed", along(left), up(fit(left)), along(right), up(fit(right)))
    label = f"Held-out loss of {len(rows)} training runs against their compute"
    return _with_axis(ticks, plot(body, LOSS_HEIGHT + FOOT, label=label), LOSS_HEIGHT)


def _law_chart(rows: Sequence[ScalingRow], name: str | None) -> str:
    """One law's score against compute; ``None`` is the mean over the laws."""

    def value_of(row: ScalingRow) -> float | None:
        return mean_score(row) if name is None else row.laws.get(name)

    low, high = SCORE_RANGE

    def up(value: float) -> float:
        return LAW_HEIGHT * (high - min(max(value, low), high)) / (high - low)

    along, ends = _along(rows)
    body = _frame(ends, along, LAW_HEIGHT)
    body += "".join(line("guide", 0, up(level), 1, up(level)) for level in (0, 1))
    points = [(row.flops, value) for row in rows if (value := value_of(row)) is not None]
    slope = ""
    if len({flops for flops, _ in points}) >= 2:
        x = np.log10([flops for flops, _ in points])
        rise, start = np.polyfit(x - x[0], [value for _, value in points], 1)
        first, last = min(x), max(x)
        fitted = [start + rise * (end - x[0]) for end in (first, last)]
        body += line(
            "trend dashed", along(10**first), up(fitted[0]), along(10**last), up(fitted[1])
        )
        sign = "+" if rise >= 0 else ""
        slope = f' <span class="soft">{sign}{number(rise, 2)} per tenfold</span>'
    for shape, colour, runs in _runs(rows):
        for run in runs:
            value = value_of(run)
            if value is not None:
                body += marker(shape, colour, along(run.flops), up(value))
    title = "Mean of these" if name is None else escape(name)
    chart = plot(body, LAW_HEIGHT + FOOT, label=f"Score against compute: {name or 'mean'}")
    ticks = [("0", up(0)), ("1", up(1))]
    return f"<div><h4>{title}{slope}</h4>{_with_axis(ticks, chart, LAW_HEIGHT)}</div>"


def _runs(rows: Sequence[ScalingRow]) -> list[tuple[str, str, list[ScalingRow]]]:
    """Shape, colour and runs of each size, the runs by compute."""
    return [
        (shape, colour, sorted((r for r in rows if r.size == size), key=lambda row: row.flops))
        for size, shape, colour in zip(_sizes(rows), cycle(SHAPES), cycle(COLOURS), strict=False)
    ]


def _along(rows: Sequence[ScalingRow]) -> tuple[Place, tuple[float, float]]:
    """Compute to a share of the width, and the ends of the axis in decimal logarithms."""
    logs = [math.log10(row.flops) for row in rows]
    margin = (max(logs) - min(logs)) * 0.06 or 0.5
    low, high = min(logs) - margin, max(logs) + margin
    return lambda flops: (math.log10(flops) - low) / (high - low), (low, high)


def _frame(ends: tuple[float, float], along: Place, height: int) -> str:
    """The horizontal axis with its powers of ten."""
    body = line("guide", 0, height, 1, height)
    powers = range(math.ceil(ends[0]), math.floor(ends[1]) + 1)
    factors = (1,) if len(powers) > 1 else (1, 3)
    for power in range(math.floor(ends[0]), math.floor(ends[1]) + 1):
        for factor in factors:
            place = along(factor * 10.0**power)
            if 0 <= place <= 1:
                name = ("" if factor == 1 else f"{factor}\u00b7") + f"10{superscript(power)}"
                body += line("guide", place, height, place, height + 5)
                body += text(name, "tick", place, height + 20)
    return body


def _ticks(low: float, high: float) -> list[float]:
    """Round values between two positive ends."""
    if high / low > 8:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    else:
        rough = (high - low) / 4
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough)
        found = [step * i for i in range(1, math.ceil(high / step) + 1)]
    return [round(tick, 12) for tick in found if low <= tick <= high]


def _with_axis(ticks: Sequence[tuple[str, float]], chart: str, height: int) -> str:
    """A plot with the values of its vertical axis to the left."""
    body = "".join(text(name, "tick", 1, y + 4, "end") for name, y in ticks)
    return f'<div class="xy">{plot(body, height)}{chart}</div>'


def _table(rows: Sequence[ScalingRow]) -> str:
    heads = ("parameters", "minutes", "FLOPs", "held-out loss", "mean score")
    lines = []
    for row in sorted(rows, key=lambda row: (row.parameters, row.flops)):
        values = (
            f"{row.parameters:,}",
            f"{row.minutes:g}",
            power_of_ten(row.flops),
            f"{row.held_out_loss:.4f}",
            score_text(mean_score(row)),
        )
        cells = "".join(
            f'<td data-label="{name}">{value}</td>'
            for name, value in zip(heads, values, strict=True)
        )
        lines.append(f'<tr><th scope="row" class="name">{escape(row.size)}</th>{cells}</tr>')
    return table(
        "stack",
        "Training runs",
        "The runs. The mean score is over the figures above.",
        head("size", words=True) + "".join(head(name) for name in heads),
        f"<tbody>{''.join(lines)}</tbody>",
    )
