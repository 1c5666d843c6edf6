"""The figures as plain text, for a terminal and for Markdown."""

from collections.abc import Iterator, Sequence

from worldreel.evaluate.report.words import (
    cell_interval,
    cell_mean,
    clips_text,
    floor_name,
    score_text,
    share,
)
from worldreel.evaluate.results import Column, MetricResult, Results

WIDTH = 110
"""The most columns of a terminal that a table takes."""

HEADS = ("law", "metric", "simulator", "autoenc.", "generated", "floor", "score", "failed")
WORDS = (0, 1)
"""The columns of words, which stand to the left; figures stand to the right."""


def table_text(results: Results) -> str:
    """Every figure in aligned columns, one table per split, at most `WIDTH` wide."""
    facts = (results.subject, results.created, clips_text(results))
    parts = [f"{results.title}\n{', '.join(fact for fact in facts if fact)}"]
    for split in results.splits:
        rows = list(_rows(results, split))
        if rows:
            parts.append(f"{split}\n{_aligned([HEADS, *rows], WORDS)}")
    if results.distances:
        rows = [(row.name, f"{row.value:.4g}", row.note) for row in results.distances]
        parts.append(_aligned([("distance", "value", ""), *rows], (0, 2)))
    return "\n\n".join(parts) + "\n"


def table_markdown(results: Results, splits: Sequence[str] | None = None) -> str:
    """The same figures with their intervals as Markdown tables, one per split.

    Args:
        results: what the laws gave.
        splits: those to show; all of them if None.
    """
    parts = []
    for split in results.splits if splits is None else splits:
        rows = list(_rows(results, split, intervals=True))
        if rows:
            body = _markdown([HEADS, *rows])
            parts.append(body if len(results.splits) == 1 else f"**{split}**\n\n{body}")
    return "\n\n".join(parts) + "\n"


def _rows(results: Results, split: str, intervals: bool = False) -> Iterator[tuple[str, ...]]:
    for law in results.laws:
        name = f"{law.number} {law.name}"
        for metric in law.metrics:
            if metric.split == split:
                yield (name, metric.label, *_figures(metric, intervals))
                name = ""


def _figures(metric: MetricResult, intervals: bool) -> tuple[str, ...]:
    generated = metric.cell("generated")
    floor = _value(metric, "floor", False)
    if intervals and metric.cell("floor") is not None:
        floor += f" ({floor_name(metric)})"
    return (
        _value(metric, "simulator", intervals),
        _value(metric, "round_trip", intervals),
        _value(metric, "generated", intervals),
        floor,
        score_text(metric.score),
        "\u2013" if generated is None else share(generated.failed_share),
    )


def _value(metric: MetricResult, column: Column, interval: bool) -> str:
    cell = metric.cell(column)
    if cell is None:
        return "\u2013"
    return cell_mean(cell) + (f" ({cell_interval(cell)})" if interval and cell.width else "")


def _aligned(rows: Sequence[tuple[str, ...]], words: Sequence[int]) -> str:
    """Columns by their widest cell; those of ``words`` stand left and are cut to keep `WIDTH`."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widths[max(words, key=lambda i: widths[i])] -= 1
    lines = [
        "  ".join(
            _cut(cell, width).ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "\u2500" * max(len(line) for line in lines))
    return "\n".join(lines)


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else words[: width - 1] + "\u2026"


def _markdown(rows: Sequence[tuple[str, ...]]) -> str:
    first, *rest = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---" if i in WORDS else "---:" for i in range(len(first))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (first, rule, *rest))
