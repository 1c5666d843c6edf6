"""The report as one HTML file that needs nothing else: no network, no scripts, no other files."""

from html import escape
from pathlib import Path

from worldreel.evaluate.report.clips import LoadClip
from worldreel.evaluate.report.laws import law_sections, scores_figure
from worldreel.evaluate.report.scaling import scaling_section
from worldreel.evaluate.report.style import style_sheet
from worldreel.evaluate.report.tables import (
    clip_counts,
    distance_table,
    laws_table,
    pairs,
    prompt_table,
    trust_table,
)
from worldreel.evaluate.report.words import (
    FLOOR_MEANINGS,
    FLOOR_NAMES,
    PROMPT_LAW,
    SPLIT_MEANINGS,
    Finding,
    clips_text,
    lede,
    number,
    seconds_text,
    where_it_fails,
)
from worldreel.evaluate.results import TOLD_APART, Results
from worldreel.media.atomic import atomic_target, disk_errors

FPS = 12.0
"""Of the laws' clips."""


def html_report(results: Results, load_clip: LoadClip | None = None, fps: float = FPS) -> str:
    """The page.

    Args:
        results: what the laws gave.
        load_clip: gives the frames of the worst clips; without it none are shown.
        fps: at which they are played.
    """
    sections = [
        ("scores", "", scores_figure(results)),
        ("fails", "Where it fails", _findings(where_it_fails(results))),
        ("figures", "All figures", _figures(results)),
        ("laws", "Law by law", law_sections(results, load_clip, fps)),
        ("prompt", "Following the prompt", _prompt(results)),
        ("distances", "Distances to the simulator", _distances(results)),
        ("scaling", "More compute", scaling_section(results.scaling)),
        ("measured", "How it was measured", _measured(results)),
        ("provenance", "Provenance", _provenance(results)),
    ]
    shown = [(name, title, body) for name, title, body in sections if body]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in shown if title)
    bodies = "".join(
        f'<section id="{name}">{f"<h2>{title}</h2>" if title else ""}{body}</section>'
        for name, title, body in shown
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(results.title)} {escape(results.subject)}</title>"
        f"<style>{style_sheet()}</style></head><body>"
        f'<header>{_heading(results)}<nav aria-label="Sections">{links}</nav></header>'
        f"<main>{bodies}</main></body></html>\n"
    )


def write_report(
    path: str | Path, results: Results, load_clip: LoadClip | None = None, fps: float = FPS
) -> None:
    """Writes `html_report` to a file, whole or not at all.

    Raises:
        UsageError: the folder is missing or does not allow writing.
        WorldreelError: the disk is full.
    """
    page = html_report(results, load_clip, fps)
    with atomic_target(path) as part, disk_errors(path):
        part.write_text(page, encoding="utf-8")


def _heading(results: Results) -> str:
    facts = [f"<b>{escape(results.subject)}</b>", escape(results.created)]
    if results.num_clips:
        facts.append(escape(clips_text(results)))
    items = "".join(f"<li>{fact}</li>" for fact in facts)
    return (
        '<p class="kicker">worldreel \u00b7 the laws, measured from pixels</p>'
        f'<h1>{escape(results.title)}</h1><ul class="facts">{items}</ul>'
        f'<p class="lede">{escape(lede(results))}</p>'
    )


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return "<p>No law scores below 0.9.</p>"
    items = []
    for finding in findings:
        about = f"<b>{escape(finding.about)}</b>"
        if finding.law is not None:
            about = f'<a href="#law-{finding.law}">{about}</a>'
        css = "low" if finding.law is not None else "all"
        items.append(f'<li class="{css}">{about}: {escape(finding.sentence)}</li>')
    return f'<ul class="findings">{"".join(items)}</ul>'


def _figures(results: Results) -> str:
    parts = []
    for place, split in enumerate(results.splits):
        table = laws_table(results.laws, split)
        if table:
            meaning = SPLIT_MEANINGS.get(split, "")
            parts.append(
                f'<details class="split"{"" if place else " open"}><summary>{escape(split)}'
                f' <span class="soft">{escape(meaning)}</span></summary>{table}</details>'
            )
    return "".join(parts)


def _prompt(results: Results) -> str:
    law = results.law(PROMPT_LAW)
    if law is None or not law.metrics:
        return ""
    return f"<p>{escape(law.question)}</p>{prompt_table(law, results.splits)}"


def _distances(results: Results) -> str:
    return distance_table(results.distances) if results.distances else ""


def _measured(results: Results) -> str:
    floors = dict.fromkeys(metric.floor_name for law in results.laws for metric in law.metrics)
    floor_rows = [
        (FLOOR_NAMES.get(name, name), escape(FLOOR_MEANINGS.get(name, ""))) for name in floors
    ]
    split_rows = [(name, escape(SPLIT_MEANINGS.get(name, ""))) for name in results.splits]
    notes = "".join(f"<li>{escape(note)}</li>" for note in results.notes)
    return (
        "<p>A model is told what should happen in a scene. In its clip coloured objects are "
        "followed from the pixels alone, the camera is found from the horizon, and the size of an "
        "object or the point where it touches the floor lifts its path into metres. Each law is a "
        "question to that path. The same code measures every column, and never sees what the "
        "simulator knows.</p>"
        "<p>The <b>simulator</b>\u2019s own clips of the same scenes give the ceiling. The same "
        "clips <b>after the autoencoder</b> show what encoding and decoding cost before any "
        "generation. <b>Nonsense</b> made from the same clips gives the floor. The score is "
        "(floor \u2212 measured) / (floor \u2212 ceiling): 1 as good as the simulator, 0 no better "
        "than nonsense; it may fall below 0.</p>"
        "<p>Nothing is left out: a clip in which the object is missing, doubled or torn counts as "
        "the worst value of the metric, and its share stands under <i>failed</i>. Values are held "
        "between perfect and worst so that one wild clip cannot decide a mean. Intervals are 95% "
        "percentile bootstrap over clips; those of scores hold floor and ceiling fixed.</p>"
        f"<h3>Splits</h3>{pairs(split_rows)}<h3>Floors</h3>{pairs(floor_rows)}"
        + (f"<h3>Notes</h3><ul>{notes}</ul>" if notes else "")
        + "<h3>What the measurement itself is worth</h3>"
        f"<p>A metric whose floor lies fewer than {TOLD_APART:g} of the ceiling\u2019s intervals "
        "from its ceiling cannot tell much; such figures are marked.</p>"
        + trust_table(results.laws, results.splits[0])
        + "".join(_blunt(results, split) for split in results.splits[1:])
    )


def _blunt(results: Results, split: str) -> str:
    """What cannot be told apart on a split whose table of sharpness is not shown."""
    found = [
        f"{law.name}, {metric.label}"
        + (f" ({number(metric.intervals_apart, 1)})" if metric.intervals_apart else "")
        for law in results.laws
        for metric in law.metrics
        if metric.split == split and metric.is_told_apart is False
    ]
    if not found:
        return f"<p>On <b>{escape(split)}</b> every metric is as sharp as is asked for.</p>"
    return (
        f"<p>On <b>{escape(split)}</b> fewer than {TOLD_APART:g} intervals lie between floor and "
        f"ceiling of: {escape('; '.join(found))}.</p>"
    )


def _provenance(results: Results) -> str:
    rows = [("measured", escape(results.subject)), ("date", escape(results.created))]
    rows.append(("seed", str(results.seed)))
    rows += [(name, escape(version)) for name, version in results.versions.items()]
    rows += [(name, escape(str(value))) for name, value in results.hardware.items()]
    if results.num_clips:
        rows.append(("clips", clip_counts(results)))
    if results.seconds:
        spent = (f"{escape(name)} {seconds_text(took)}" for name, took in results.seconds.items())
        rows.append(("time", ", ".join(spent)))
    return pairs(rows, "protocol small")
