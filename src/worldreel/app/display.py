"""How progress is shown: a bar with the time left on a terminal, JSON lines otherwise."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from worldreel.core.progress import Progress

SECONDS_BETWEEN_LINES = 0.5


@contextlib.contextmanager
def progress_display(*, as_json: bool) -> Iterator[Progress]:
    """Shows progress on standard error while the block runs."""
    if sys.stderr.isatty() and not as_json:
        with _bars() as progress:
            yield progress
    else:
        yield JsonLines(sys.stderr)


class JsonLines:
    """Writes ``{"stage", "done", "total", "seconds_left"}``, a line at most every half second.

    The first and the last step of a stage are always written; ``seconds_left`` is of the
    stage, and null before its first step is done.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._stage = ""
        self._started = 0.0
        self._written = 0.0

    def __call__(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        if stage != self._stage or done == 0:
            self._stage, self._started, self._written = stage, now, 0.0
        if done < total and now - self._written < SECONDS_BETWEEN_LINES:
            return
        self._written = now
        left = (now - self._started) / done * (total - done) if done else None
        line = {
            "stage": stage,
            "done": done,
            "total": total,
            "seconds_left": None if left is None else round(left, 1),
        }
        print(json.dumps(line), file=self._out, flush=True)


@contextlib.contextmanager
def _bars() -> Iterator[Progress]:
    """A bar of rich per stage, one after the other."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar: RichProgress | None = None
    showing = ""

    def show(done: int, total: int, stage: str) -> None:
        nonlocal bar, showing
        if bar is not None and (stage != showing or done == 0):
            bar.stop()
            bar = None
        if bar is None:
            bar, showing = RichProgress(*columns, console=console), stage
            bar.add_task(stage, total=total)
            bar.start()
        bar.update(TaskID(0), completed=done, total=total)
        if done >= total:  # whatever comes between two stages has the terminal to itself
            bar.stop()
            bar = None

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()
