"""The loop: the same for every kind of network.

Whatever is random in step ``k`` is derived from the run's seed and ``k``, so that a killed
run goes on from its last checkpoint with the same numbers, bit for bit on CPU. A run may go
on on another device: its checkpoints are the same.
"""

import dataclasses
import math
import shutil
import signal
import statistics
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.randomness import torch_generator
from worldreel.train.checkpoint import (
    Checkpoint,
    generator_state,
    load_latest,
    save_checkpoint,
)
from worldreel.train.device import find_device
from worldreel.train.ema import Ema
from worldreel.train.lock import locked
from worldreel.train.machine import describe_machine
from worldreel.train.optim import Optimizer, schedule_factor
from worldreel.train.recipe import Recipe, ScheduleConfig, recipe_values
from worldreel.train.report import Reporter

FROZEN = ("kind", "seed", "model", "prediction", "level_channel", "position_channels")
"""What cannot change on resume; everything else may, and the change is logged."""


class Task(Protocol):
    """What the loop needs to know of what it trains."""

    module: nn.Module
    blocks: list[nn.Module]
    """The parts of it that are compiled where the recipe asks for it."""

    def loss(self, step: int, generator: torch.Generator) -> tuple[Tensor, int]:
        """The loss of one step, a scalar with a gradient, and the number of samples in it."""
        ...

    def sample(self, path: Path) -> dict[str, float]:
        """Writes a contact sheet to ``path`` (png) with the weights as they are; figures."""
        ...


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """How a run ended: ``finished`` is False where a signal or the time budget ended it early."""

    step: int
    finished: bool
    bad_steps: int
    seconds: float


@dataclass(kw_only=True)
class _Counters:
    bad_steps: int = 0
    bad_in_a_row: int = 0
    samples: int = 0
    seconds: float = 0.0
    ema_updates: int = 0
    total_steps: int = 0
    """The run's end, where the time budget has moved it; 0 is the schedule's."""


def fit(task: Task, recipe: Recipe, folder: Path, *, show_progress: bool = True) -> FitResult:
    """Trains ``task.module`` by the recipe, from the last checkpoint in ``folder`` if any.

    ``folder`` gets ``checkpoints/``, ``log.jsonl`` and ``samples/``. SIGTERM and SIGINT end
    the run after the step in progress, with a checkpoint.

    Raises:
        UsageError: the folder's run was begun with another model or seed.
        WorldreelError: another process trains in the folder, too many non-finite steps in a
            row, or the disk is full.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.run.num_threads:
        torch.set_num_threads(recipe.run.num_threads)
    if recipe.run.compile:
        _compile(task.blocks)
    with (
        locked(folder),
        Reporter(folder, recipe, show_progress=show_progress) as report,
        _signals() as caught,
    ):
        run = _Run(task, recipe, folder)
        resumed, changes = run.resume()
        name, machine = "resume" if resumed else "start", describe_machine(recipe.run.device)
        report.event(name, step=run.step, machine=machine, **changes)
        return _steps(run, report, caught)


class _Run:
    """The state of a run: what a checkpoint holds."""

    def __init__(self, task: Task, recipe: Recipe, folder: Path) -> None:
        self.task = task
        self.recipe = recipe
        self.folder = folder / "checkpoints"
        self.device = find_device(recipe.run.device)
        self.optimizer = Optimizer(task.module, recipe.optim)
        self.ema = Ema(task.module, recipe.ema.decay)
        self.counters = _Counters()
        self.step = 0

    @property
    def schedule(self) -> ScheduleConfig:
        total = self.counters.total_steps
        schedule = self.recipe.schedule
        return dataclasses.replace(schedule, total_steps=total) if total else schedule

    def save(self) -> Path:
        tensors: dict[str, Tensor] = {"rng": generator_state()}
        tensors |= {f"model.{n}": t for n, t in self.task.module.state_dict().items()}
        tensors |= {f"ema.{n}": t for n, t in self.ema.averages.items()}
        tensors |= {f"optim.{n}": t for n, t in self.optimizer.state().items()}
        self.counters.ema_updates = self.ema.num_updates
        checkpoint = Checkpoint(
            step=self.step,
            tensors=tensors,
            counters=dataclasses.asdict(self.counters),
            recipe=recipe_values(self.recipe),
        )
        return save_checkpoint(checkpoint, self.folder)

    def resume(self) -> tuple[bool, dict[str, Any]]:
        checkpoint = load_latest(self.folder)
        if checkpoint is None:
            return False, {}
        changes = _changes(checkpoint.recipe, recipe_values(self.recipe))
        for key, (old, new) in changes.items():
            if key.split(".")[0] in FROZEN:
                raise UsageError(
                    f"the run in {self.folder.parent} was begun with {key} = {old!r}, not {new!r}.",
                    remedy="Undo the change, or train into another folder.",
                )
        self.task.module.load_state_dict(checkpoint.part("model"))
        for name, average in self.ema.averages.items():
            average.copy_(checkpoint.part("ema")[name])
        self.optimizer.load_state(checkpoint.part("optim"))
        torch.set_rng_state(checkpoint.tensors["rng"])
        self.counters = _Counters(**checkpoint.counters)
        self.ema.num_updates = self.counters.ema_updates
        self.step = checkpoint.step
        if any(key.startswith(("schedule.", "run.max_minutes")) for key in changes):
            self.counters.total_steps = 0  # a new plan replaces what the old budget decided
        return True, {"changes": changes} if changes else {}

    def train_step(self) -> dict[str, float]:
        """One step, applied only if its loss and gradient are finite."""
        recipe, optimizer = self.recipe, self.optimizer
        generator = torch_generator(recipe.seed, "step", self.step)
        self.task.module.train()
        optimizer.zero_grad()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.run.autocast):
            loss, num_samples = self.task.loss(self.step, generator)
        norm = torch.tensor(math.nan)
        if torch.isfinite(loss):
            loss.backward()
            norm = optimizer.grad_norm()
        factor = schedule_factor(self.step, self.schedule)
        if torch.isfinite(norm):
            optimizer.clip(norm)
            optimizer.step(factor)
            self.ema.update()
            self.counters.bad_in_a_row = 0
        else:
            self.counters.bad_steps += 1
            self.counters.bad_in_a_row += 1
        optimizer.zero_grad()
        self.counters.samples += num_samples
        self.step += 1
        rate = max(recipe.optim.learning_rate, recipe.optim.muon_learning_rate) * factor
        return {"loss": float(loss.detach()), "grad_norm": float(norm), "lr": rate}


def _steps(run: _Run, report: Reporter, caught: list[int]) -> FitResult:
    recipe = run.recipe
    before = run.counters.seconds
    began = saved = time.monotonic()
    first_step, first_samples = run.step, run.counters.samples
    recent: deque[float] = deque(maxlen=20)  # the first steps are slow, and sheets take time
    while run.step < run.schedule.total_steps and not caught:
        step_began = time.monotonic()
        figures = run.train_step()
        now = time.monotonic()
        recent.append(now - step_began)
        run.counters.seconds = before + now - began
        if run.counters.bad_in_a_row >= recipe.run.max_bad_steps:
            raise WorldreelError(
                f"the loss or gradient was not finite in {run.counters.bad_in_a_row} steps in a "
                f"row, the last of them {run.step - 1}; none of them touched the weights.",
                remedy="Lower optim.learning_rate or optim.grad_clip; run.max_bad_steps is the "
                "limit. The run goes on from its last checkpoint.",
            )
        step_seconds = statistics.median(recent)
        if _plan(run, step_seconds, certain=len(recent) >= 5):
            run.save()
            report.event("plan", step=run.step, total_steps=run.schedule.total_steps)
        last = run.step == run.schedule.total_steps
        if run.step % recipe.run.log_every == 0 or last or not math.isfinite(figures["grad_norm"]):
            speed = (run.counters.samples - first_samples) / max(now - began, 1e-9)
            left = (run.schedule.total_steps - run.step) * step_seconds
            report.step(
                run.step,
                run.schedule.total_steps,
                figures
                | {"samples_per_s": round(speed, 3), "seconds_left": round(left, 1)}
                | {"samples": run.counters.samples, "bad_steps": run.counters.bad_steps},
            )
        every = recipe.run.sample_every
        if last or (every and run.step % every == 0):
            _sample(run, report)
        if last or caught or now - saved >= 60 * recipe.run.checkpoint_minutes:
            path = run.save()
            report.event("checkpoint", step=run.step, path=str(path))
            saved = time.monotonic()
    if caught and run.step > first_step:
        run.save()
    finished = run.step >= run.schedule.total_steps
    report.event("end", step=run.step, finished=finished, seconds=round(run.counters.seconds, 1))
    return FitResult(
        step=run.step,
        finished=finished,
        bad_steps=run.counters.bad_steps,
        seconds=run.counters.seconds,
    )


def _plan(run: _Run, step_seconds: float, *, certain: bool) -> bool:
    """Moves the run's end forward where the time left is only enough for the cool-down.

    Before ``step_seconds`` is ``certain``, only a budget that is used up does so.
    """
    budget = 60 * run.recipe.run.max_minutes
    if not budget or run.counters.total_steps:
        return False
    cooldown = run.recipe.schedule.cooldown_steps
    left = budget - run.counters.seconds
    if left > (cooldown * step_seconds if certain else 0.0):
        return False
    total = max(run.step, min(run.step + cooldown, run.recipe.schedule.total_steps))
    run.counters.total_steps = total
    return True


def _sample(run: _Run, report: Reporter) -> None:
    run.task.module.eval()
    path = report.folder / "samples" / f"step-{run.step:08d}.png"
    path.parent.mkdir(exist_ok=True)
    # its shapes are others: not worth compiling for
    eager = torch.compiler.set_stance("force_eager")
    with run.ema.swapped_in(), torch.no_grad(), eager:
        figures = run.task.sample(path)
    report.sample(run.step, path, figures)


def _compile(blocks: list[nn.Module]) -> None:
    if shutil.which("g++") is None:
        raise UsageError(
            "run.compile is true, but there is no g++, which torch.compile needs.",
            remedy="Install g++, or train with --set run.compile=false.",
        )
    for block in blocks:
        block.compile(dynamic=False)


def _changes(old: Any, new: Any, place: str = "") -> dict[str, tuple[Any, Any]]:
    """Dotted names of the values that differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        out: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*old, *new}):
            inner = f"{place}.{key}" if place else key
            out |= _changes(old.get(key), new.get(key), inner)
        return out
    return {} if old == new else {place: (old, new)}


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT instead of dying of them; a second SIGINT interrupts."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    kept = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
