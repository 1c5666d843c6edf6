"""Law 17: a long clip ends as good as it began.

Its last stretch is compared with its first: by the figures of any law, and by how the picture
looks, for which no law is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.case import Case
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.evaluate.tracker import lab
from worldreel.evaluate.tracks import Track
from worldreel.world.vocabulary import COLORS

END_SHARE = 0.15
"""Of a clip: its first and its last stretch."""

MARGIN_PX = 3
MAX_LOOKED_AT = 16
"""Frames of a stretch whose looks are measured, spread evenly over it."""

WORST_DELTA_E = 30.0
WORST_PCT = 100.0


def stretch(observation: Observation, start: int, stop: int) -> Observation:
    """Frames ``start`` to ``stop`` (exclusive) of a clip as a clip of their own."""
    assert 0 <= start < stop <= observation.num_frames, (start, stop)
    part = slice(start, stop)
    lens = observation.lens
    return replace(
        observation,
        frames=observation.frames[part],
        classes=observation.classes[part],
        tracks={color: _part(track, part) for color, track in observation.tracks.items()},
        lens=replace(lens, horizon=lens.horizon[part], pitch=lens.pitch[part]),
    )


def _part(track: Track, part: slice) -> Track:
    arrays = {f.name: getattr(track, f.name)[part] for f in fields(track) if f.name != "color"}
    return replace(track, **arrays)


def ends(observation: Observation, share: float = END_SHARE) -> tuple[Observation, Observation]:
    """The first and the last ``share`` of a clip, at least two frames each."""
    num_frames = observation.num_frames
    length = min(max(round(share * num_frames), 2), num_frames)
    return (
        stretch(observation, 0, length),
        stretch(observation, num_frames - length, num_frames),
    )


@dataclass(frozen=True, kw_only=True)
class MetricDrift:
    """A figure in the first and in the last stretch of a clip.

    Args:
        first, last: the figure, held between the metric's ``perfect`` and ``worst``; a failure
            is ``worst``.
        worse_by: how much farther from ``perfect`` the last is, as a share of the way from
            ``perfect`` to ``worst``: 0 without drift, 1 at most, negative where it got better.
        ratio: the last's distance from ``perfect`` over the first's; None where the first is 0.
    """

    first: float
    last: float
    worse_by: float
    ratio: float | None


def law_drift(
    case: Case, observation: Observation, laws: Sequence[Law], share: float = END_SHARE
) -> dict[str, MetricDrift]:
    """The figures of ``laws`` in the first and the last ``share`` of a clip.

    Only laws whose question can be put to any stretch say something here: of appearance,
    count, shadow, support; a fall happens once.

    Returns:
        By law and metric, ``"8 colour_delta_e"``; a metric that the case leaves nothing to
        measure of is missing.
    """
    first, last = ends(observation, share)
    drifts = {}
    for law in laws:
        before, after = law.measure(case, first), law.measure(case, last)
        for metric in law.metrics:
            if metric.groups is not None and case.group not in metric.groups:
                continue
            if not all(found is None or metric.name in found for found in (before, after)):
                continue
            drifts[f"{law.number} {metric.name}"] = _drift(metric, before, after)
    return drifts


def _drift(
    metric: Metric, before: dict[str, float | None] | None, after: dict[str, float | None] | None
) -> MetricDrift:
    low, high = sorted((metric.perfect, metric.worst))

    def value(found: dict[str, float | None] | None) -> float:
        figure = None if found is None else found[metric.name]
        return metric.worst if figure is None else min(max(figure, low), high)

    first, last = value(before), value(after)
    error_first, error_last = abs(first - metric.perfect), abs(last - metric.perfect)
    return MetricDrift(
        first=first,
        last=last,
        worse_by=(error_last - error_first) / (high - low),
        ratio=error_last / error_first if error_first > 0 else None,
    )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """How a stretch of video looks.

    Args:
        color: mean CIE Lab. contrast: deviation of the lightness. saturation: mean chroma.
        sharpness: mean steepness of the lightness, per pixel.
    """

    color: tuple[float, float, float]
    contrast: float
    saturation: float
    sharpness: float


def looks(observation: Observation, region: NDArray[np.bool_] | None = None) -> Looks:
    """The looks of what stands still in a clip: of each pixel's median over time.

    Args:
        region: pixels ``h w`` to look at; all by default.
    """
    last = observation.num_frames - 1
    chosen = np.unique(np.linspace(0, last, MAX_LOOKED_AT).round().astype(int))
    colors = lab(np.median(observation.frames[chosen], axis=0) / 255).astype(np.float64)
    steep_y, steep_x = np.gradient(colors[..., 0])
    seen = np.ones(colors.shape[:2], bool) if region is None else region
    lightness, a, b = colors[seen].T
    return Looks(
        color=(float(lightness.mean()), float(a.mean()), float(b.mean())),
        contrast=float(lightness.std()),
        saturation=float(np.hypot(a, b).mean()),
        sharpness=float(np.hypot(steep_x, steep_y)[seen].mean()),
    )


def scenery(case: Case, stretches: Sequence[Observation]) -> NDArray[np.bool_]:
    """Pixels ``h w`` that none of the case's objects comes near in any of ``stretches``; all, if
    that leaves less than a quarter of the picture."""
    region = np.ones(stretches[0].frames.shape[1:3], bool)
    for observation in stretches:
        for thing in case.things:
            track = observation.tracks[thing.color]
            for t in np.flatnonzero(track.seen):
                top, left = (max(int(low[t]) - MARGIN_PX, 0) for low in (track.top, track.left))
                bottom, right = (int(high[t]) + MARGIN_PX for high in (track.bottom, track.right))
                region[top:bottom, left:right] = False
    return region if 4 * region.sum() >= region.size else np.ones_like(region)


def looks_by_stretch(observation: Observation, num_stretches: int) -> list[Looks]:
    """The looks of ``num_stretches`` stretches of a clip, one after the other."""
    cuts = np.linspace(0, observation.num_frames, num_stretches + 1).round().astype(int)
    return [looks(stretch(observation, int(a), int(b))) for a, b in pairwise(cuts)]


def object_color(observation: Observation, color: str) -> NDArray[np.float64] | None:
    """Mean CIE Lab ``(3,)`` of the object that is tracked as ``color``; None where it is not seen
    in at least half of the frames."""
    track = observation.tracks[color]
    seen = np.flatnonzero(track.seen)
    if 2 * len(seen) < observation.num_frames:
        return None
    means = []
    for t in seen[:: max(len(seen) // MAX_LOOKED_AT, 1)]:
        rows = slice(int(track.top[t]), int(track.bottom[t]))
        columns = slice(int(track.left[t]), int(track.right[t]))
        inside = observation.classes[t, rows, columns] == 1 + list(COLORS).index(color)
        means.append(lab(observation.frames[t, rows, columns][inside]).mean(axis=0))
    return np.stack(means).astype(np.float64).mean(axis=0)


def _change_pct(first: float, last: float) -> float | None:
    return 100 * abs(last / first - 1) if first > 0 else None


def _measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    first, last = ends(observation)
    region = scenery(case, (first, last))
    before, after = looks(first, region), looks(last, region)
    objects = [
        (object_color(first, thing.color), object_color(last, thing.color)) for thing in case.things
    ]
    shifts = [
        WORST_DELTA_E
        if a is None or b is None
        else min(float(np.linalg.norm(a - b)), WORST_DELTA_E)
        for a, b in objects
    ]
    return {
        "color_delta_e": float(np.linalg.norm(np.subtract(before.color, after.color))),
        "objects_delta_e": float(np.mean(shifts)),
        "contrast_pct": _change_pct(before.contrast, after.contrast),
        "saturation_pct": _change_pct(before.saturation, after.saturation),
    }


def _change(name: str, chance: float) -> Metric:
    return Metric(
        name=f"{name}_pct",
        label=f"change of {name} (%)",
        perfect=0.0,
        worst=WORST_PCT,
        floor="chance",
        chance=chance,
    )


DRIFT = Law(
    number=17,
    name="drift",
    question="Does a clip look at its end as it did at its beginning?",
    groups=("swing",),
    metrics=(
        Metric(
            name="color_delta_e",
            label="scenery's colour (delta E)",
            perfect=0.0,
            worst=WORST_DELTA_E,
            floor="chance",
            chance=25.0,
        ),
        Metric(
            name="objects_delta_e",
            label="objects' colours (delta E)",
            perfect=0.0,
            worst=WORST_DELTA_E,
            floor="chance",
            chance=30.0,
        ),
        _change("contrast", 34.0),
        _change("saturation", 42.0),
    ),
    measure=_measure,
)
"""Law 17, as far as it needs no other law. What it would be between the clips of two cases is
its ``chance``, measured on the simulator. The camera must be still, and the objects must stay in
the picture, under the same light: so it is measured on pendulums."""
