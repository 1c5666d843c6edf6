"""The figures as HTML tables: every cell with its interval, every row with its header."""

from collections.abc import Iterable, Sequence
from html import escape

from worldreel.evaluate.report.words import (
    COLUMN_NAMES,
    LIKE_NONSENSE,
    cell_interval,
    cell_mean,
    floor_name,
    number,
    score_text,
    share,
)
from worldreel.evaluate.results import (
    COLUMNS,
    TOLD_APART,
    Cell,
    DistanceRow,
    LawResult,
    MetricResult,
    Results,
)

HEADS = {
    "simulator": "simulator<br>(ceiling)",
    "round_trip": "after the<br>autoencoder",
    "generated": "generated",
    "floor": "floor<br>(nonsense)",
}


def laws_table(laws: Sequence[LawResult], split: str) -> str:
    """Every metric of every law on one split; empty where nothing was measured on it."""
    bodies = "".join(_law_rows(law, split) for law in laws)
    if not bodies:
        return ""
    heads = "".join(head(HEADS[column]) for column in COLUMNS)
    return table(
        "stack",
        f"All figures, {split}",
        "Mean over clips; below it in small type the 95% bootstrap interval. Clips whose "
        "objects could not be tracked count as the worst value.",
        head("law", words=True)
        + head("metric", words=True)
        + heads
        + head("score")
        + head("failed"),
        bodies,
    )


def prompt_table(law: LawResult, splits: Sequence[str]) -> str:
    """What of the prompt was followed: one row for each metric, one column for each split."""
    shown = [split for split in splits if any(metric.split == split for metric in law.metrics)]
    heads = "".join(head(f"generated,<br>{escape(split)}") for split in shown)
    rows = []
    for name in law.metric_names:
        found = [law.metric(name, split) for split in shown]
        first = next(metric for metric in found if metric is not None)
        label = f'<th scope="row" class="metric">{escape(first.label)}</th>'
        cells = _figure(first.cell("simulator"), "simulator")
        cells += "".join(
            _figure(metric.cell("generated") if metric else None, f"generated, {split}")
            for split, metric in zip(shown, found, strict=True)
        )
        cells += _floor(first) + _score(first)
        rows.append(f"<tr>{label}{cells}</tr>")
    return table(
        "stack",
        "Following the prompt",
        f"Simulator, floor and score: {escape(shown[0])}." if shown else "",
        head("asked for", words=True)
        + head(HEADS["simulator"])
        + heads
        + head(HEADS["floor"])
        + head("score"),
        f"<tbody>{''.join(rows)}</tbody>",
    )


def trust_table(laws: Sequence[LawResult], split: str) -> str:
    """How far apart floor and ceiling of every metric are: what the measurement itself is worth."""
    rows = []
    for law in laws:
        for metric in law.metrics:
            ceiling, floor = metric.cell("simulator"), metric.cell("floor")
            if metric.split != split or ceiling is None or floor is None:
                continue
            rows.append(
                f'<tr><th scope="row" class="name">{law.number}. {escape(law.name)}</th>'
                f'<td class="words" data-label="metric">{escape(metric.label)}</td>'
                f"{_figure(ceiling, 'simulator')}{_floor(metric)}{_apart(metric)}</tr>"
            )
    return table(
        "stack",
        "Sharpness of the measurement",
        "How sharp each measurement is: the distance of floor and ceiling in widths of the "
        "ceiling's interval. "
        f"At least {TOLD_APART:g} is asked for; exact: every simulator clip gave the same.",
        head("law", words=True)
        + head("metric", words=True)
        + head(HEADS["simulator"])
        + head(HEADS["floor"])
        + head("intervals<br>apart"),
        f"<tbody>{''.join(rows)}</tbody>",
    )


def distance_table(distances: Iterable[DistanceRow]) -> str:
    """Distances between what was generated and what the simulator shows."""
    rows = []
    for row in distances:
        if row.low is None or row.high is None:
            value = f'<td data-label="value">{row.value:.4g}</td>'
        else:
            cell = Cell(mean=row.value, low=row.low, high=row.high, num_clips=1)
            value = _figure(cell, "value")
        rows.append(
            f'<tr><th scope="row" class="name">{escape(row.name)}</th>{value}'
            f'<td class="words" data-label="note">{escape(row.note)}</td></tr>'
        )
    return table(
        "stack",
        "Distances",
        "Between the generated clips and the simulator\u2019s; 95% intervals in small type.",
        head("figure", words=True) + head("value") + head("note", words=True),
        f"<tbody>{''.join(rows)}</tbody>",
    )


def pairs(rows: Iterable[tuple[str, str]], css: str = "protocol") -> str:
    """Names with what they stand for; the names are escaped, the rest is HTML."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{value}</dd>" for name, value in rows)
    return f'<dl class="{css}">{items}</dl>'


def clip_counts(results: Results) -> str:
    """How many clips each kind has, one line."""
    return ", ".join(f"{escape(name)} {count}" for name, count in results.num_clips.items())


def is_bad(value: float | None) -> bool:
    """Whether a score is no better than nonsense."""
    return value is not None and value < LIKE_NONSENSE


def _law_rows(law: LawResult, split: str) -> str:
    metrics = [metric for metric in law.metrics if metric.split == split]
    rows = []
    for place, metric in enumerate(metrics):
        name = (
            f'<th scope="rowgroup" class="name words" rowspan="{len(metrics)}">'
            f'<a href="#law-{law.number}">{law.number}. {escape(law.name)}</a></th>'
        )
        label = f'<th scope="row" class="metric">{escape(metric.label)}</th>'
        cells = "".join(
            _floor(metric) if column == "floor" else _figure(metric.cell(column), column)
            for column in COLUMNS
        )
        rows.append(
            f"<tr>{'' if place else name}{label}{cells}{_score(metric)}{_failed(metric)}</tr>"
        )
    return f'<tbody class="law">{"".join(rows)}</tbody>' if rows else ""


def _figure(cell: Cell | None, label: str) -> str:
    label = escape(COLUMN_NAMES.get(label, label))  # type: ignore[arg-type]
    if cell is None:
        return f'<td data-label="{label}">\u2013</td>'
    interval = f"<small>{cell_interval(cell)}</small>" if cell.width else ""
    return f'<td data-label="{label}">{cell_mean(cell)}{interval}</td>'


def _floor(metric: MetricResult) -> str:
    cell = metric.cell("floor")
    value = "\u2013" if cell is None else cell_mean(cell)
    return f'<td data-label="floor">{value}<small>{escape(floor_name(metric))}</small></td>'


def _score(metric: MetricResult) -> str:
    interval = metric.score_interval
    css = "score bad" if is_bad(metric.score) else "score"
    small = ""
    if metric.score is not None and interval is not None and interval[0] < interval[1]:
        low, high = map(score_text, interval)
        joint = " to " if "\u2212" in low + high else "\u2013"
        small = f"<small>{low}{joint}{high}</small>"
    return f'<td class="{css}" data-label="score">{score_text(metric.score)}{small}</td>'


def _failed(metric: MetricResult) -> str:
    cell, ceiling = metric.cell("generated"), metric.cell("simulator")
    value = "\u2013" if cell is None else share(cell.failed_share)
    small = ""
    if ceiling is not None and ceiling.failed_share:
        small = f"<small>simulator {share(ceiling.failed_share)}</small>"
    return f'<td data-label="failed">{value}{small}</td>'


def _apart(metric: MetricResult) -> str:
    apart, told = metric.intervals_apart, metric.is_told_apart
    if apart is None:
        words = "exact" if told else "none"
    else:
        words = number(apart, 1 if apart < 100 else 0)
    small = "" if told else f"<small>under {TOLD_APART:g}</small>"
    css = "score" if told else "score bad"
    return f'<td class="{css}" data-label="intervals apart">{words}{small}</td>'


def head(html: str, *, words: bool = False) -> str:
    """The header of a column; ``words`` stand to the left, figures to the right."""
    return f'<th scope="col"{" class=" + chr(34) + "words" + chr(34) if words else ""}>{html}</th>'


def table(css: str, name: str, caption: str, heads: str, bodies: str) -> str:
    """A table that scrolls by itself where it is too wide; ``name`` is for screen readers."""
    said = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f'<table class="{css}">{said}<thead><tr>{heads}</tr></thead>{bodies}</table></div>'
    )
