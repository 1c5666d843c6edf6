"""What the laws gave, as it stands in ``laws.json``: figures only, no clips, no torch."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from worldreel.core.errors import WorldreelError
from worldreel.core.parse import parse, plain
from worldreel.evaluate.statistics import score

FILE_NAME = "laws.json"

Column = Literal["simulator", "round_trip", "generated", "floor"]
"""Where a clip came from: the simulator (the ceiling), the simulator through the autoencoder
and back, the model, nonsense."""

COLUMNS: tuple[Column, ...] = get_args(Column)

TOLD_APART = 10.0
"""The least distance of floor and ceiling, in widths of the ceiling's interval."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One figure: the mean over clips with its 95% bootstrap interval.

    Args:
        mean, low, high: in the unit of the metric.
        num_clips: clips that it was taken over, failed ones included; 0 where it is known, such
            as chance.
        failed_share: the share of them whose tracks failed, 0 to 1.
    """

    mean: float
    low: float
    high: float
    num_clips: int
    failed_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mean", "low", "high"):
            _check(name, getattr(self, name), -1e300, 1e300)
        _check("num_clips", self.num_clips, 0, 10**9)
        _check("failed_share", self.failed_share, 0, 1)

    @property
    def width(self) -> float:
        """The interval's."""
        return self.high - self.low


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """One metric on one split; `compare` fills in what follows from the columns.

    Args:
        name, label, perfect, worst: those of the `worldreel.evaluate.law.Metric`.
        floor_name: the nonsense of the floor column, a `worldreel.evaluate.law.Floor`.
        split: a `worldreel.evaluate.case.Split`.
        columns: by `COLUMNS`; None or absent where nothing was measured.
        score: of the generated clips, see `worldreel.evaluate.statistics.score`.
        score_round_trip: of the simulator's clips after the autoencoder.
        intervals_apart: from floor to ceiling, in widths of the ceiling's interval; None where
            that interval has no width (every clip gave the same) or a column is absent.
    """

    name: str
    label: str
    perfect: float
    worst: float
    floor_name: str
    split: str
    columns: dict[str, Cell | None]
    score: float | None = None
    score_round_trip: float | None = None
    intervals_apart: float | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.columns) - set(COLUMNS))
        if unknown:
            raise _wrong("columns", unknown, f"out of {', '.join(COLUMNS)}")

    @classmethod
    def compare(
        cls,
        *,
        name: str,
        label: str,
        perfect: float,
        worst: float,
        floor_name: str,
        split: str,
        columns: Mapping[str, Cell | None],
    ) -> "MetricResult":
        """The result of these columns, with its scores and the distance of floor and ceiling."""
        ceiling, floor = columns.get("simulator"), columns.get("floor")
        apart = None
        if ceiling is not None and floor is not None and ceiling.width > 0:
            apart = abs(floor.mean - ceiling.mean) / ceiling.width
        return cls(
            name=name,
            label=label,
            perfect=perfect,
            worst=worst,
            floor_name=floor_name,
            split=split,
            columns={column: columns.get(column) for column in COLUMNS},
            score=_score(columns, "generated"),
            score_round_trip=_score(columns, "round_trip"),
            intervals_apart=apart,
        )

    def cell(self, column: Column) -> Cell | None:
        """The figure of a column; None where nothing was measured."""
        return self.columns.get(column)

    @property
    def score_interval(self) -> tuple[float, float] | None:
        """The generated clips' interval as scores, low and high; floor and ceiling held fixed."""
        cell, ceiling, floor = (self.cell(c) for c in ("generated", "simulator", "floor"))
        if cell is None or ceiling is None or floor is None:
            return None
        ends = [score(floor.mean, ceiling.mean, end) for end in (cell.low, cell.high)]
        low, high = ends
        return None if low is None or high is None else (min(low, high), max(low, high))

    @property
    def is_told_apart(self) -> bool | None:
        """Whether floor and ceiling are `TOLD_APART` intervals apart; None without both."""
        ceiling, floor = self.cell("simulator"), self.cell("floor")
        if ceiling is None or floor is None:
            return None
        if self.intervals_apart is None:
            return floor.mean != ceiling.mean
        return self.intervals_apart >= TOLD_APART


@dataclass(frozen=True, kw_only=True)
class WorstClip:
    """A generated clip among those that break a law most.

    Args:
        key, prompt, split: of its case.
        metric: the name of the metric by which it is among the worst.
        value: its figure; None where the tracks failed.
        generated, simulator: files, relative to the results; empty where there is none.
    """

    key: str
    prompt: str
    metric: str
    split: str
    value: float | None = None
    generated: str = ""
    simulator: str = ""


@dataclass(frozen=True, kw_only=True)
class LawResult:
    """What a law gave: its metrics, each once per split, the most telling one first.

    Args:
        number, name, question: of the `worldreel.evaluate.law.Law`.
        worst: the clips to show, worst first.
        missing: why there are no generated clips, one sentence; empty where there are.
    """

    number: int
    name: str
    question: str
    metrics: tuple[MetricResult, ...]
    worst: tuple[WorstClip, ...] = ()
    missing: str = ""

    def metric(self, name: str, split: str) -> MetricResult | None:
        """One metric on one split."""
        found = (m for m in self.metrics if m.name == name and m.split == split)
        return next(found, None)

    def headline(self, split: str) -> MetricResult | None:
        """The most telling metric on a split; None where it was not measured there."""
        return self.metric(self.metrics[0].name, split) if self.metrics else None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Each once, in order."""
        return tuple(dict.fromkeys(metric.name for metric in self.metrics))


@dataclass(frozen=True, kw_only=True)
class DistanceRow:
    """A distance between the generated clips and the simulator's, such as Fréchet's.

    Args:
        name: with its unit where it has one.
        value, low, high: the interval may be absent.
        note: what to compare it with, one sentence.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ScalingRow:
    """One training run of the scaling picture.

    Args:
        size: the recipe's name for it.
        parameters: number of them. flops: of the whole training. minutes: of wall clock.
        held_out_loss: of clips that were never trained on.
        laws: the score of each law by its name; None where it is not defined.
    """

    size: str
    parameters: int
    flops: float
    minutes: float
    held_out_loss: float
    laws: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("parameters", "flops", "minutes", "held_out_loss"):
            _check(name, getattr(self, name), 1e-300, 1e300)


@dataclass(frozen=True, kw_only=True)
class Results:
    """Everything that a run of the laws gave.

    Args:
        title: the report's heading.
        model: its name, or ``clips FOLDER``. model_version: empty for clips.
        created: the date, ISO 8601.
        versions: of worldreel, torch, mujoco, numpy, python.
        hardware: what it ran on, by name.
        seed: of cases, noise and resampling.
        num_clips: clips of each group and split.
        seconds: of wall clock by stage.
        splits: those that were measured, in the order of the report; the first one decides
            the scores at its top.
        distances, notes, scaling: shown where there are any.
    """

    title: str
    model: str
    created: str
    seed: int
    splits: tuple[str, ...]
    laws: tuple[LawResult, ...]
    model_version: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    num_clips: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    distances: tuple[DistanceRow, ...] = ()
    notes: tuple[str, ...] = ()
    scaling: tuple[ScalingRow, ...] = ()

    def __post_init__(self) -> None:
        if not self.splits:
            raise _wrong("splits", list(self.splits), "at least one")

    @property
    def subject(self) -> str:
        """The model with its version, or the folder of clips."""
        return f"{self.model} {self.model_version}".strip()

    def law(self, number: int) -> LawResult | None:
        """The law of that number; None where it was not measured."""
        return next((law for law in self.laws if law.number == number), None)

    def to_json(self) -> str:
        """The text of a ``laws.json``."""
        return json.dumps(plain(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str = FILE_NAME) -> "Results":
        """Reads what `to_json` wrote.

        Raises:
            WorldreelError: not JSON, a missing or unknown key, a value of another type or
                outside its range; ``source`` is named.
        """
        remedy = "Measure again, or use the version of worldreel that wrote it."
        try:
            return parse(cls, json.loads(text))
        except json.JSONDecodeError as error:
            raise WorldreelError(f"{source} is not JSON: {error}.", remedy=remedy) from error
        except WorldreelError as error:
            raise WorldreelError(f"{source}: {error.message}", remedy=remedy) from error

    @classmethod
    def read(cls, path: Path) -> "Results":
        """The results in a file; raises WorldreelError if it cannot be read."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WorldreelError(
                f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
                remedy="Name the laws.json that `worldreel evaluate laws` wrote.",
            ) from error
        return cls.from_json(text, str(path))


def _score(columns: Mapping[str, Cell | None], column: Column) -> float | None:
    cell, ceiling, floor = (columns.get(c) for c in (column, "simulator", "floor"))
    if cell is None or ceiling is None or floor is None:
        return None
    return score(floor.mean, ceiling.mean, cell.mean)


def _check(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise _wrong(name, value, f"from {low:g} to {high:g}")


def _wrong(name: str, value: Any, expected: str) -> WorldreelError:
    return WorldreelError(f"{name} is {value!r}; it must be {expected}.")
