"""What a run says of itself: a log of JSON lines, a bar on a terminal, a tracker."""

import contextlib
import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from worldreel.core.errors import WorldreelError
from worldreel.train.recipe import Recipe, recipe_values


class Reporter:
    """Appends to ``folder/log.jsonl``; each line is one JSON object with ``step``.

    ``show_progress`` is a bar on a terminal, and the same lines on standard error elsewhere.

    After a resume the steps since the last checkpoint are logged again: for a step the last
    line counts.
    """

    def __init__(self, folder: Path, recipe: Recipe, *, show_progress: bool) -> None:
        self.folder = Path(folder)
        self.recipe = recipe
        self.show_bar = show_progress and sys.stderr.isatty()
        self.show_lines = show_progress and not self.show_bar
        self._tracker: _Trackio | None = None
        self._bar: Any = None

    def __enter__(self) -> "Reporter":
        self._log = open(self.folder / "log.jsonl", "a", encoding="utf-8", buffering=1)
        if self.recipe.run.tracker:
            self._tracker = _Trackio(self.recipe)
        if self.show_bar:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._bar_task = self._bar.add_task(self.recipe.name, total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.event("error", message=str(error))
        if self._bar is not None:
            self._bar.stop()
        if self._tracker is not None:
            self._tracker.finish()
        self._log.close()

    def event(self, name: str, **values: Any) -> None:
        """Something that happens now and then: start, resume, checkpoint, end."""
        self._write({"event": name, **values})

    def step(self, step: int, total: int, figures: dict[str, float]) -> None:
        """The figures of one step, of ``total``."""
        self._write({"step": step, **figures})
        if self._tracker is not None:
            self._tracker.log(dict(figures), step=step)
        text = (
            f"{self.recipe.name}  step {step}/{total}  loss {figures['loss']:.4f}  "
            f"{figures['samples_per_s']:.1f} samples/s"
        )
        if self._bar is not None:
            self._bar.update(self._bar_task, completed=step, total=total, description=text)

    def sample(self, step: int, path: Path, figures: dict[str, float]) -> None:
        """A contact sheet that was written, with what was measured on it."""
        self._write({"event": "sample", "step": step, "path": str(path), **figures})
        if self._tracker is not None:
            self._tracker.log({"samples": self._tracker.image(path), **figures}, step=step)

    def _write(self, values: dict[str, Any]) -> None:
        values = {**values, "time": round(time.time(), 3)}
        line = json.dumps(values)
        self._log.write(line + "\n")
        if self.show_lines:
            print(line, file=sys.stderr, flush=True)


class _Trackio:
    """trackio without a network: curves and pictures in its local database."""

    def __init__(self, recipe: Recipe) -> None:
        try:
            import trackio
        except ImportError as error:
            raise WorldreelError(
                "run.tracker is true, but trackio is not installed.",
                remedy="Run: pip install 'worldreel[train]', or train with run.tracker=false.",
            ) from error
        self.trackio = trackio
        with contextlib.redirect_stdout(sys.stderr):
            trackio.init(
                project="worldreel", name=recipe.name, config=recipe_values(recipe), resume="allow"
            )

    def log(self, values: dict[str, Any], step: int) -> None:
        self.trackio.log(values, step=step)

    def image(self, path: Path) -> Any:
        return self.trackio.Image(path)

    def finish(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self.trackio.finish()
