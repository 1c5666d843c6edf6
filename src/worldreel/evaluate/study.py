"""What a study is: a law that makes clips of its own, or a look at sets of clips."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worldreel.core.progress import Progress
from worldreel.evaluate.battery import Battery, Measured
from worldreel.evaluate.results import DistanceRow, LawResult


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every study is told.

    Args:
        measured: the battery's cases and readings. folder: its clips, in columns.
        model: the name of the model; None where somebody's clips are measured.
        battery: seed, splits, number of clips and of workers.
        progress: of whatever takes long.
    """

    measured: Measured
    folder: Path
    model: str | None
    battery: Battery
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a study found: rows of the table, distances, sentences."""

    laws: tuple[LawResult, ...] = ()
    distances: tuple[DistanceRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """A law that makes clips of its own; 0 is the number of what is no law."""

    number: int
    name: str
    run: Callable[[Setting], Found]

    def timed(self, setting: Setting) -> tuple[Found, float]:
        """What it found, and the seconds that it took."""
        began = time.perf_counter()
        return self.run(setting), round(time.perf_counter() - began, 1)
