"""The laws in pictures: the scores at a glance, then each law with its worst clips."""

from collections.abc import Iterable, Sequence
from html import escape

from worldreel.evaluate.report.clips import LoadClip, animation, side_by_side, still
from worldreel.evaluate.report.marks import (
    COLUMN_SHAPES,
    SPLIT_SHAPES,
    Axis,
    cell_lane,
    lane_axis,
    legend_mark,
    score_axis,
    score_bar,
)
from worldreel.evaluate.report.tables import is_bad
from worldreel.evaluate.report.words import COLUMN_NAMES, cell_mean, floor_name, number, score_text
from worldreel.evaluate.results import COLUMNS, LawResult, MetricResult, Results, WorstClip


def scores_figure(results: Results) -> str:
    """One bar for each law: how far the model has come from nonsense to the simulator."""
    first, *others = results.splits
    rows = "".join(_score_row(law, first, others) for law in results.laws)
    axis = (
        f'<div class="axis-row"><span class="who"></span>'
        f'<span class="plot-place">{score_axis()}</span><span class="figure"></span></div>'
    )
    keys = [
        f'<li><span class="swatch"></span>score, {escape(first)}, with its 95% interval</li>',
        *(
            f"<li>{legend_mark(shape, 'hollow')}{escape(split)}</li>"
            for shape, split in zip(SPLIT_SHAPES[1:], others, strict=False)
        ),
        '<li><span class="swatch tick"></span>simulator after the autoencoder</li>',
    ]
    return (
        f'<figure><ul class="legend">{"".join(keys)}</ul>'
        f'<div class="scores">{axis}{rows}</div>'
        "<figcaption><p>The score of each law\u2019s first metric: 1 is what the same measurement "
        "gives on the simulator\u2019s own clips, 0 what it gives on nonsense.</p></figcaption>"
        "</figure>"
    )


def law_sections(results: Results, load_clip: LoadClip | None, fps: float) -> str:
    """Every law with its figures and its worst clips; the three lowest scores stand open."""
    first = results.splits[0]
    scores = {law.number: _score_of(law, first) for law in results.laws}
    known = sorted((value, number) for number, value in scores.items() if value is not None)
    opened = {number for _, number in known[:3]}
    pictures: dict[str, str] = {}
    keys = "".join(
        f"<li>{legend_mark(COLUMN_SHAPES[column], column)}{COLUMN_NAMES[column]}</li>"
        for column in COLUMNS
    )
    sections = "".join(
        _law_section(law, results.splits, law.number in opened, load_clip, fps, pictures)
        for law in results.laws
    )
    return (
        "<p>In every plot better is to the right; the lines are 95% intervals.</p>"
        f'<ul class="legend">{keys}</ul>{sections}'
    )


def _score_of(law: LawResult, split: str) -> float | None:
    head = law.headline(split)
    return None if head is None else head.score


def _score_row(law: LawResult, first: str, others: Sequence[str]) -> str:
    head = law.headline(first)
    bar = score_bar(head, [_score_of(law, split) for split in others])
    return (
        f'<div><span class="who"><span class="num">{law.number}</span>'
        f'<a href="#law-{law.number}">{escape(law.name)}</a></span>'
        f'<span class="plot-place">{bar}</span>{_score_words(head)}</div>'
    )


def _score_words(head: MetricResult | None) -> str:
    if head is None or head.score is None:
        return '<span class="figure soft"><small>not scored</small></span>'
    css = ' class="bad"' if is_bad(head.score) else ""
    interval = head.score_interval
    small = ""
    if interval is not None:
        low, high = map(score_text, interval)
        joint = " to " if "\u2212" in low + high else "\u2013"
        small = f" <small>{low}{joint}{high}</small>"
    return f'<span class="figure"><b{css}>{score_text(head.score)}</b>{small}</span>'


def _law_section(
    law: LawResult,
    splits: Sequence[str],
    is_open: bool,
    load_clip: LoadClip | None,
    fps: float,
    pictures: dict[str, str],
) -> str:
    head = law.headline(splits[0])
    others = [_score_of(law, split) for split in splits[1:]]
    value = "\u2013" if head is None else score_text(head.score)
    css = "bad" if head is not None and is_bad(head.score) else ""
    missing = f'<p class="soft">{escape(law.missing)}</p>' if law.missing else ""
    metrics = "".join(_metric_panels(law, name, splits) for name in law.metric_names)
    return (
        f'<details class="law" id="law-{law.number}"{" open" if is_open else ""}><summary>'
        f'<span class="title"><span>{law.number}</span>{escape(law.name)}</span>'
        f'<span class="plot-place">{score_bar(head, others, 24)}</span>'
        f'<span class="figure"><b class="{css}">{value}</b></span></summary>'
        f'<div class="body"><p class="question">{escape(law.question)}</p>{missing}{metrics}'
        f"{_worst_clips(law, load_clip, fps, pictures)}</div></details>"
    )


def _metric_panels(law: LawResult, name: str, splits: Iterable[str]) -> str:
    """One metric: a panel for each split, on one axis."""
    found = [metric for split in splits if (metric := law.metric(name, split)) is not None]
    if not found:
        return ""
    axis = Axis(found)
    panels = "".join(_panel(metric, axis) for metric in found)
    return f'<h3>{escape(found[0].label)}</h3><div class="metrics">{panels}</div>'


def _panel(metric: MetricResult, axis: Axis) -> str:
    lanes = []
    for column in COLUMNS:
        cell = metric.cell(column)
        name = floor_name(metric) if column == "floor" else COLUMN_NAMES[column]
        value = "\u2013" if cell is None else cell_mean(cell)
        lanes.append(
            f"<dt>{escape(name)}</dt><dd>{cell_lane(column, cell, axis)}</dd>"
            f'<dd class="value">{value}</dd>'
        )
    score = "not scored" if metric.score is None else f"score <b>{score_text(metric.score)}</b>"
    return (
        f'<div class="panel"><h4><span>{escape(metric.split)}</span><span>{score}</span></h4>'
        f'<dl class="lanes">{"".join(lanes)}<dt></dt><dd>{lane_axis(axis)}</dd><dd></dd></dl></div>'
    )


def _worst_clips(
    law: LawResult, load_clip: LoadClip | None, fps: float, pictures: dict[str, str]
) -> str:
    if not law.worst:
        return ""
    figures = "".join(_clip_figure(law, clip, load_clip, fps, pictures) for clip in law.worst)
    return f'<h3>Its worst clips</h3><div class="clips">{figures}</div>'


def _clip_figure(
    law: LawResult,
    clip: WorstClip,
    load_clip: LoadClip | None,
    fps: float,
    pictures: dict[str, str],
) -> str:
    if clip.key not in pictures:
        pictures[clip.key] = _picture(clip, load_clip, fps)
    found = next((metric for metric in law.metrics if metric.name == clip.metric), None)
    label = found.label if found is not None else clip.metric
    value = "nothing could be tracked" if clip.value is None else f"{number(clip.value, 2)}"
    return (
        f"<figure>{pictures[clip.key]}<figcaption><q>{escape(clip.prompt)}</q><br>"
        f'<span class="soft">{escape(clip.split)} \u00b7 {escape(label)}: {value}</span>'
        "</figcaption></figure>"
    )


def _picture(clip: WorstClip, load_clip: LoadClip | None, fps: float) -> str:
    """The generated clip beside the truth, or alone; empty if it cannot be had."""
    if load_clip is None:
        return ""
    generated, truth = load_clip(clip.key, "generated"), load_clip(clip.key, "simulator")
    if generated is None:
        return ""
    heads = "<span>generated</span>"
    frames = generated
    said = f"Generated clip of {clip.key}"
    if truth is not None:
        heads += "<span>simulator</span>"
        frames = side_by_side(generated, truth)
        said += ", the simulator\u2019s beside it"
    return (
        f'<div class="heads">{heads}</div><picture>'
        f'<source media="(prefers-reduced-motion:reduce),print" srcset="{still(frames)}">'
        f'<img alt="{escape(said)}" src="{animation(frames, fps)}"></picture>'
    )
