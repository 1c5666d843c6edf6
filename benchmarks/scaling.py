"""Three sizes of one recipe at three budgets: loss and prompt following against compute.

    python benchmarks/scaling.py train --data runs/toybox --size small
    python benchmarks/scaling.py measure --size small --num-clips 64
    python benchmarks/scaling.py table

Every size trains with the default model's recipe, data and batches, at a constant learning rate,
and is looked at (averaged weights) where its budget ends. A budget is a number of steps: about
what two cores do in 4, 12 and 36 minutes when nothing else runs; its seconds are noted.
Compute is counted, not timed: three times the matrix products of a forward pass.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from worldreel.app.machine import describe_machine
from worldreel.evaluate.battery import Battery, measure, tabulate
from worldreel.evaluate.laws import LAWS
from worldreel.generate.plan import evaluation_flops
from worldreel.train.autoencoder import load_autoencoder
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

RECIPE = "recipes/toybox.toml"
OUT = Path("runs/scaling")
RESULTS = Path("benchmarks/results/scaling.json")


def recipe_of(size: str, steps: int, threads: int) -> TransformerRecipe:
    recipe = load_recipe(RECIPE)
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
    cells = (description.size.default[1] // 16 // patch_h) * (
        description.size.default[0] // 16 // patch_w
    )
    per_step = sum(
        bucket.weight
        / total
        * bucket.batch_size
        * 3
        * evaluation_flops(description, bucket.num_frames // patch_t * cells)
        for bucket in buckets
    )
    return per_step * steps


def train(data: Path, size: str, threads: int, minutes: list[int]) -> None:
    autoencoder = load_autoencoder(data / "autoencoder")
    for budget in minutes:
        steps = STEPS_PER_MINUTE[size] * budget
        recipe = recipe_of(size, steps, threads)
        run, model = OUT / size / "run", OUT / size / f"model-{budget}"
        if (model / "model.json").exists():
            continue
        paths = data / "latents", data / "text"
        result = train_transformer(recipe, *paths, autoencoder, run, data / "objects")
        if not result.finished:
            sys.exit(f"stopped at step {result.step}; the same command goes on")
        description = export_model(run, data / "autoencoder", data / "world", NUM_TOKENS, model)
        loss = held_out_loss(recipe, data, autoencoder, run)
        about = {
            "size": size,
            "minutes": budget,
            "steps": steps,
            "parameters": _count(recipe),
            "flops": flops_of(recipe, description, steps),
            "held_out_loss": loss,
            "measured_seconds": result.seconds,
            "threads": threads,
        }
        (OUT / size / f"model-{budget}.json").write_text(json.dumps(about, indent=1))
        print(json.dumps(about), flush=True)


def held_out_loss(recipe: TransformerRecipe, data: Path, autoencoder: Any, run: Path) -> float:
    """Of the averaged weights, always on the same clips with the same noise."""
    import torch

    from worldreel.train.checkpoint import load_latest

    task = TransformerTask(recipe, data / "latents", data / "text", autoencoder, data / "objects")
    checkpoint = load_latest(run / "checkpoints")
    assert checkpoint is not None
    task.module.load_state_dict(checkpoint.part("model") | checkpoint.part("ema"))
    with torch.autocast("cpu", torch.bfloat16):
        return task.held_out_loss()


def _count(recipe: TransformerRecipe) -> int:
    from worldreel.models.transformer import Transformer

    return sum(parameter.numel() for parameter in Transformer(recipe.model).parameters())


def measure_laws(size: str, num_clips: int, workers: int) -> None:
    """The scores of law 12 of every model of a size."""
    laws = tuple(law for law in LAWS if law.number == 12)
    battery = Battery(laws=laws, num_clips=num_clips, splits=("within",), num_workers=workers)
    for about_path in sorted((OUT / size).glob("model-*.json")):
        about = json.loads(about_path.read_text())
        if "laws" in about:
            continue
        model = about_path.with_suffix("")
        clips = OUT / size / f"clips-{about['minutes']}"
        clips.mkdir(parents=True, exist_ok=True)
        shared = OUT / "simulator"  # the same for all
        shared.mkdir(parents=True, exist_ok=True)
        if not (clips / "simulator").exists():
            (clips / "simulator").symlink_to(shared.resolve())
        measured = measure(battery, clips, model=str(model), round_trips=False)
        results = tabulate(battery, measured)
        about["laws"] = {
            metric.name: {
                "mean": cell.mean,
                "low": cell.low,
                "high": cell.high,
                "score": metric.score,
            }
            for law in results
            for metric in law.metrics
            if (cell := metric.columns["generated"]) is not None
        }
        about["num_clips"] = num_clips
        about_path.write_text(json.dumps(about, indent=1))
        print(json.dumps(about["laws"]), flush=True)


def table() -> None:
    rows = [json.loads(path.read_text()) for path in sorted(OUT.glob("*/model-*.json"))]
    rows.sort(key=lambda row: row["flops"])
    machine = describe_machine()
    hardware = {key: machine[key] for key in ("cpu", "cores", "torch", "python")}
    RESULTS.write_text(json.dumps({"hardware": hardware, "rows": rows}, indent=1) + "\n")
    for row in rows:
        laws = row.get("laws", {})
        shown = "  ".join(f"{name} {laws[name]['mean']:.2f}" for name in laws)
        print(
            f"{row['size']:7} {row['parameters'] / 1e6:5.2f}M {row['minutes']:3d} min "
            f"{row['flops']:.2e} FLOP  loss {row['held_out_loss']:.4f}  {shown}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("train", "measure", "table"))
    parser.add_argument("--data", type=Path, default=Path("runs/toybox"))
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=int, nargs="+", default=list(MINUTES))
    parser.add_argument("--num-clips", type=int, default=64)
    options = parser.parse_args()
    if options.what == "train":
        train(options.data, options.size, options.threads, options.minutes)
    elif options.what == "measure":
        measure_laws(options.size, options.num_clips, options.threads)
    else:
        table()


if __name__ == "__main__":
    main()
