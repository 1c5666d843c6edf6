"""All laws, all columns: from a model or a folder of clips to the table."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from worldreel.core.progress import Progress, silent
from worldreel.evaluate.case import GROUPS, SPLITS, Case, Group, Split, draw_cases
from worldreel.evaluate.columns import (
    constant_velocity_column,
    generate_column,
    import_column,
    round_trip_column,
    simulate_column,
)
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws import LAWS
from worldreel.evaluate.readings import Reading, applies, floors_of, read_all
from worldreel.evaluate.results import Cell, LawResult, MetricResult, WorstClip
from worldreel.evaluate.statistics import bootstrap_mean

NUM_WORST = 3
"""Clips of a law that the report shows beside the truth."""


@dataclass(frozen=True, kw_only=True)
class Battery:
    """What is measured, and on how many clips.

    Args:
        laws: all that measure single clips, unless fewer are wanted.
        num_clips: cases of each group and split.
        splits: where cases are drawn from.
        seed: of the cases, the floors and the intervals.
        num_workers: processes that simulate and measure.
    """

    laws: tuple[Law, ...] = LAWS
    num_clips: int = 64
    splits: tuple[Split, ...] = SPLITS
    seed: int = 0
    num_workers: int = 2

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of cases that its laws need, in the order of `GROUPS`."""
        return tuple(g for g in GROUPS if any(g in law.groups for law in self.laws))

    def cases(self) -> list[Case]:
        """All cases, group by group and split by split."""
        return [
            case
            for group in self.groups
            for split in self.splits
            for case in draw_cases(group, split, self.num_clips, self.seed)
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """The readings of a battery and the cases that they are of."""

    cases: list[Case]
    readings: list[Reading]
    columns: tuple[str, ...]
    seconds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def by_place(self) -> dict[tuple[int, str], list[Reading]]:
        """The readings of each law in each column."""
        places: dict[tuple[int, str], list[Reading]] = {}
        for reading in self.readings:
            places.setdefault((reading.law, reading.column), []).append(reading)
        return places


def measure(
    battery: Battery,
    folder: Path,
    *,
    model: str | None,
    clips: Path | None = None,
    round_trips: bool = True,
    progress: Progress = silent,
) -> Measured:
    """Makes every clip that is not in ``folder/<column>`` yet, and reads every law from it.

    Args:
        folder: where the clips go; the same call goes on where it was stopped.
        model: the name of the one that makes the round trips, and the generated clips where
            there are no ``clips``. Without a model there is no column of round trips.
        clips: a folder of somebody's videos, ``<key>.mp4`` for each case.
        round_trips: whether the column of round trips is wanted.

    Raises:
        UsageError: ``clips`` lacks some, or they do not fit.
        WorldreelError: the world cannot be drawn here, or a process died.
    """
    clock = _Clock()
    cases = battery.cases()
    simulator, workers = folder / "simulator", battery.num_workers
    columns = ["simulator"]
    if clips is not None:  # first: it may refuse
        import_column(cases, clips, folder / "generated", progress)
    clock.lap("clips")
    simulate_column(cases, simulator, workers, progress)
    moving = [
        case
        for case in cases
        if any("constant_velocity" in floors_of(law, case) for law in battery.laws)
    ]
    constant_velocity_column(moving, folder / "constant_velocity", workers, progress)
    clock.lap("simulating")
    if model is not None:
        if round_trips:
            trips = folder / "round_trip"
            round_trip_column(model, cases, simulator, trips, workers, progress)
            columns.append("round_trip")
            clock.lap("round trips")
        if clips is None:
            generate_column(model, cases, folder / "generated", workers, progress)
            clock.lap("generating")
    if model is not None or clips is not None:
        columns.append("generated")
    readings = read_all(
        cases,
        battery.laws,
        folder,
        {column: column for column in columns},
        seed=battery.seed,
        num_workers=workers,
        progress=progress,
    )
    clock.lap("measuring")
    return Measured(cases=cases, readings=readings, columns=tuple(columns), seconds=clock.seconds)


def tabulate(battery: Battery, measured: Measured) -> list[LawResult]:
    """The readings as a table: means, intervals, scores and the worst clips."""
    by_key = {case.key: case for case in measured.cases}
    results = []
    for law in battery.laws:
        metrics = [
            _metric_result(law, metric, split, by_key, measured, battery.seed)
            for split in battery.splits
            for metric in law.metrics
            if any(_asked(law, metric, case, split) for case in measured.cases)
        ]
        if metrics:
            results.append(
                LawResult(
                    number=law.number,
                    name=law.name,
                    question=law.question,
                    metrics=tuple(metrics),
                    worst=tuple(_worst(law, battery.splits, by_key, measured)),
                )
            )
    return results


def values_of(
    readings: Sequence[Reading], metric: Metric, cases: dict[str, Case]
) -> tuple[list[float], int]:
    """A figure's values over the clips of ``cases``, and how many clips' tracks failed.

    Values are held between the metric's ``perfect`` and ``worst``; a failure counts as
    ``worst``. Readings in which the case leaves nothing to measure are not there.
    """
    low, high = sorted((metric.perfect, metric.worst))
    values: list[float] = []
    failed = 0
    for reading in readings:
        if reading.key not in cases or not applies(metric, cases[reading.key]):
            continue
        figures = reading.figures
        if figures is not None and metric.name not in figures:
            continue
        value = None if figures is None else figures[metric.name]
        failed += value is None
        values.append(metric.worst if value is None else min(max(value, low), high))
    return values, failed


def _metric_result(
    law: Law,
    metric: Metric,
    split: Split,
    by_key: dict[str, Case],
    measured: Measured,
    seed: int,
) -> MetricResult:
    cases = {key: case for key, case in by_key.items() if case.split == split}
    cells: dict[str, Cell | None] = {}
    for column in measured.columns:
        readings = measured.by_place.get((law.number, column), [])
        cells[column] = cell(*values_of(readings, metric, cases), seed)
    if metric.floor == "chance":
        assert metric.chance is not None, metric.name
        chance = metric.chance
        cells["floor"] = Cell(mean=chance, low=chance, high=chance, num_clips=0, failed_share=0.0)
    else:
        readings = measured.by_place.get((law.number, metric.floor), [])
        cells["floor"] = cell(*values_of(readings, metric, cases), seed)
    return compare(metric, split, cells)


def compare(metric: Metric, split: str, columns: dict[str, Cell | None]) -> MetricResult:
    """One row of the table from its cells."""
    return MetricResult.compare(
        name=metric.name,
        label=metric.label,
        perfect=metric.perfect,
        worst=metric.worst,
        floor_name=metric.floor,
        split=split,
        columns=columns,
    )


def cell(values: Sequence[float], failed: int, seed: int) -> Cell | None:
    """Mean and bootstrap interval of clips' values; None of no clips."""
    if not values:
        return None
    mean, low, high = bootstrap_mean(values, seed)
    return Cell(
        mean=mean, low=low, high=high, num_clips=len(values), failed_share=failed / len(values)
    )


def _asked(law: Law, metric: Metric, case: Case, split: Split) -> bool:
    return case.split == split and case.group in law.groups and applies(metric, case)


def _worst(
    law: Law, splits: Sequence[Split], by_key: dict[str, Case], measured: Measured
) -> list[WorstClip]:
    """The generated clips that are farthest from perfect by the law's first figure: the worst of
    each split, then the next of each, as long as there are places."""
    metric = law.metrics[0]
    found: dict[str, list[tuple[float, Case, float | None]]] = {split: [] for split in splits}
    for reading in measured.by_place.get((law.number, "generated"), []):
        case, figures = by_key[reading.key], reading.figures
        if not applies(metric, case) or (figures is not None and metric.name not in figures):
            continue
        value = None if figures is None else figures[metric.name]
        distance = float("inf") if value is None else abs(value - metric.perfect)
        found[case.split].append((distance, case, value))
    for rows in found.values():
        rows.sort(key=lambda row: (-row[0], row[1].key))
    turns = itertools.zip_longest(*found.values())
    chosen = [row for turn in turns for row in turn if row is not None]
    return [
        WorstClip(
            key=case.key,
            prompt=case.prompt,
            metric=metric.name,
            value=value,
            split=case.split,
            generated=f"generated/{case.key}.mp4",
            simulator=f"simulator/{case.key}.mp4",
        )
        for _, case, value in chosen[:NUM_WORST]
    ]


class _Clock:
    """Seconds of the stages, by the wall."""

    def __init__(self) -> None:
        import time

        self._now = time.perf_counter
        self._last = self._now()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The time since the last lap belongs to ``stage``."""
        now = self._now()
        self.seconds[stage] = round(now - self._last, 1)
        self._last = now
