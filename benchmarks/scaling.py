"""Three sizes of one recipe at three budgets: loss and prompt following against compute.

    python benchmarks/scaling.py train --data runs/toybox --size small
    python benchmarks/scaling.py measure --size small --num-clips 64
    python benchmarks/scaling.py table --report runs/laws

Every size trains with the default model's recipe, data and batches, at a constant learning rate,
and is looked at (averaged weights) where its budget ends. A budget is a number of steps: about
what two cores do in 4, 12 and 36 minutes when nothing else runs; its seconds are noted.
Compute is counted, not timed: three times the matrix products of a forward pass.

The data is the folder of a run of that recipe, and is only read. What was stopped, with Ctrl-C or
SIGTERM, goes on with the same command. ``table`` also puts the picture into the report of a
folder of ``worldreel evaluate laws``.
"""

import argparse
import json
import signal
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from worldreel.app.machine import describe_machine
from worldreel.app.measuring import write_results
from worldreel.core.errors import UsageError, WorldreelError
from worldreel.core.parse import parse, plain
from worldreel.data.files import write_json
from worldreel.evaluate.battery import Battery, measure, tabulate
from worldreel.evaluate.laws.words import WORDS
from worldreel.evaluate.results import FILE_NAME, Results, ScalingRow
from worldreel.generate.plan import evaluation_flops
from worldreel.train.autoencoder import load_autoencoder
from worldreel.train.checkpoint import load_latest
from worldreel.train.export import export_model
from worldreel.train.recipe import TransformerRecipe, load_recipe
from worldreel.train.run import NUM_TOKENS
from worldreel.train.transformer import TransformerTask, train_transformer
from worldreel.weights.description import ModelDescription

MINUTES = (4, 12, 36)
SIZES: dict[str, dict[str, int]] = {
    "small": {"num_heads": 2, "ffn_dim": 512, "num_layers": 4},
    "medium": {"num_heads": 3, "ffn_dim": 768, "num_layers": 6},
    "large": {"num_heads": 4, "ffn_dim": 1024, "num_layers": 8},
}
STEPS_PER_MINUTE = {"small": 150, "medium": 72, "large": 35}
"""Estimated for two cores from the processor time of single steps on one (0.7, 1.5 and 3.1 s)."""

RECIPE = Path("recipes/toybox.toml")
OUT = Path("runs/scaling")
RESULTS = Path("benchmarks/results/scaling.json")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One size with one budget.

    Args:
        size: a key of `SIZES`. minutes: the budget. steps: what it comes to.
        parameters, flops: of the transformer, and of its training so far.
        held_out_loss: of the averaged weights.
        measured_seconds: that the training took, with its samples. threads: of it.
        laws: by the name of the figure its mean, interval and score; empty until measured.
        num_clips: of each kind that these are of.
    """

    size: str
    minutes: int
    steps: int
    parameters: int
    flops: float
    held_out_loss: float
    measured_seconds: float
    threads: int
    laws: dict[str, dict[str, float | None]] = field(default_factory=dict)
    num_clips: int = 0

    def row(self) -> ScalingRow:
        """The run as the report shows it, with the minutes that it took."""
        return ScalingRow(
            size=self.size,
            parameters=self.parameters,
            flops=self.flops,
            minutes=round(self.measured_seconds / 60, 1),
            held_out_loss=self.held_out_loss,
            laws={
                metric.label: self.laws[metric.label]["score"]
                for metric in WORDS.metrics
                if metric.label in self.laws
            },
        )


def recipe_of(path: Path, size: str, steps: int, threads: int) -> TransformerRecipe:
    """The recipe in ``path`` at another size, for so many steps at a constant rate."""
    recipe = load_recipe(path)
    assert isinstance(recipe, TransformerRecipe)
    return replace(
        recipe,
        model=replace(recipe.model, **SIZES[size]),
        schedule=replace(recipe.schedule, total_steps=steps, cooldown_steps=0),
        run=replace(recipe.run, num_threads=threads, sample_every=0, max_minutes=0),
    )


def flops_of(recipe: TransformerRecipe, description: ModelDescription, steps: int) -> float:
    """Of the training: three forward passes' worth for every sample of every step."""
    buckets = recipe.stages[0].buckets
    total = sum(bucket.weight for bucket in buckets)
    patch_t, patch_h, patch_w = recipe.model.patch_size
    _, stride_h, stride_w = description.stride
    width, height = description.size.default
    cells = (height // stride_h // patch_h) * (width // stride_w // patch_w)
    per_step = sum(
        bucket.weight
        / total
        * bucket.batch_size
        * 3
        * evaluation_flops(description, bucket.num_frames // patch_t * cells)
        for bucket in buckets
    )
    return per_step * steps


def train(options: argparse.Namespace) -> None:
    """Trains one size from budget to budget, and exports and looks at it at the end of each."""
    data, folder = options.data, options.out / options.size
    autoencoder = load_autoencoder(data / "autoencoder")
    run = folder / "run"
    for minutes in sorted(options.minutes):
        steps = minutes * (options.steps_per_minute or STEPS_PER_MINUTE[options.size])
        noted = folder / f"model-{minutes}.json"
        if noted.exists():
            if (found := read_run(noted)).steps != steps:
                raise UsageError(f"{noted} is of {found.steps} steps, not of {steps}.")
            continue
        recipe = recipe_of(options.recipe, options.size, steps, options.threads)
        checkpoint = load_latest(run / "checkpoints")
        if checkpoint is not None and checkpoint.step > steps:
            raise UsageError(
                f"{run} is at step {checkpoint.step}, beyond the {steps} of {minutes} minutes.",
                remedy="Begin anew in another folder (--out): a smaller budget comes first.",
            )
        result = train_transformer(
            recipe, data / "latents", data / "text", autoencoder, run, data / "objects"
        )
        if not result.finished:
            sys.exit(f"Stopped at step {result.step} of {steps}; the same command goes on.")
        model = folder / f"model-{minutes}"
        description = export_model(run, data / "autoencoder", data / "world", NUM_TOKENS, model)
        done = Run(
            size=options.size,
            minutes=minutes,
            steps=steps,
            parameters=_count(recipe),
            flops=flops_of(recipe, description, steps),
            held_out_loss=held_out_loss(recipe, data, autoencoder, run),
            measured_seconds=round(result.seconds, 1),
            threads=options.threads,
        )
        write_json(noted, plain(done))  # last: what was stopped before is done again
        print(json.dumps(plain(done)), flush=True)


def held_out_loss(recipe: TransformerRecipe, data: Path, autoencoder: Any, run: Path) -> float:
    """Of the averaged weights, always on the same clips with the same noise."""
    import torch

    task = TransformerTask(recipe, data / "latents", data / "text", autoencoder, data / "objects")
    checkpoint = load_latest(run / "checkpoints")
    assert checkpoint is not None
    task.module.load_state_dict(checkpoint.part("model") | checkpoint.part("ema"))
    task.module.eval()
    with torch.autocast("cpu", torch.bfloat16):
        return task.held_out_loss()


def _count(recipe: TransformerRecipe) -> int:
    from worldreel.models.transformer import Transformer

    return sum(parameter.numel() for parameter in Transformer(recipe.model).parameters())


def measure_laws(options: argparse.Namespace) -> None:
    """Law 12 of every model of a size; the simulator's clips are shared by all."""
    battery = Battery(
        laws=(WORDS,), num_clips=options.num_clips, splits=("within",), num_workers=options.threads
    )
    folder = options.out / options.size
    shared = options.out / "simulator"
    shared.mkdir(parents=True, exist_ok=True)
    paths = sorted(folder.glob("model-*.json"))
    if not paths:
        raise UsageError(
            f"{folder} has no model.", remedy="Train first: benchmarks/scaling.py train"
        )
    for path in paths:
        run = read_run(path)
        if run.num_clips == options.num_clips:
            continue
        clips = folder / f"clips-{run.minutes}"
        clips.mkdir(exist_ok=True)
        if not (clips / "simulator").is_symlink():
            (clips / "simulator").symlink_to(shared.resolve(), target_is_directory=True)
        model = str(path.with_suffix(""))
        results = tabulate(battery, measure(battery, clips, model=model, round_trips=False))
        figures = {
            metric.label: {
                "mean": cell.mean,
                "low": cell.low,
                "high": cell.high,
                "score": metric.score,
            }
            for law in results
            for metric in law.metrics
            if (cell := metric.cell("generated")) is not None
        }
        run = replace(run, laws=figures, num_clips=options.num_clips)
        write_json(path, plain(run))
        print(json.dumps(plain(run)), flush=True)


def read_run(path: Path) -> Run:
    """What `train` and `measure_laws` noted of a run."""
    return parse(Run, json.loads(path.read_text(encoding="utf-8")))


def table(options: argparse.Namespace) -> None:
    """Prints the runs, writes them down, and puts them into a report."""
    runs = [read_run(path) for path in options.out.glob("*/model-*.json")]
    if not runs:
        raise UsageError(f"{options.out} has no model.", remedy="Train first.")
    runs.sort(key=lambda run: (run.flops, run.size))
    machine = describe_machine()
    hardware = {key: machine[key] for key in ("cpu", "cores", "torch", "python")}
    write_json(options.results, {"hardware": hardware, "runs": [plain(run) for run in runs]})
    for run in runs:
        shown = "  ".join(f"{name} {figures['mean']:.2f}" for name, figures in run.laws.items())
        print(
            f"{run.size:7} {run.parameters / 1e6:5.2f}M {run.minutes:3d} min "
            f"{run.flops:.2e} FLOP  loss {run.held_out_loss:.4f}  {shown}"
        )
    if options.report:
        results = Results.read(options.report / FILE_NAME)
        write_results(options.report, replace(results, scaling=tuple(run.row() for run in runs)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("train", "measure", "table"))
    parser.add_argument("--data", type=Path, default=Path("runs/toybox"))
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=int, nargs="+", default=list(MINUTES))
    parser.add_argument("--steps-per-minute", type=int, help="(default: as estimated by size)")
    parser.add_argument("--num-clips", type=int, default=64)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", type=Path, help="a folder with a laws.json")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)  # the training has its own way, which saves first
    try:
        {"train": train, "measure": measure_laws, "table": table}[options.what](options)
    except WorldreelError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit("Stopped; the same command goes on.")


if __name__ == "__main__":
    sys.exit(main())
