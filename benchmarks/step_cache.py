"""What a step cache saves and what it changes: the same clips with and without it, taking turns.

    python benchmarks/step_cache.py --out benchmarks/results/step-cache.json
    python benchmarks/step_cache.py --num-clips 4 --thresholds 0.1

Prompts and seeds are those of the front page's sheet, not picked. Each row is compared with the
clip of all steps, frame by frame as decoded; beside the thresholds stand runs of fewer steps,
which are the other way to be faster. Seconds are of one processor thread, so that a busy machine
distorts them little; a whole clip is its latents and its frames, without the file.
"""

import argparse
import datetime
import json
import math
import runpy
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worldreel.app.machine import cpu_name
from worldreel.generate.engine import decode, make_stretch
from worldreel.generate.plan import plan_request
from worldreel.generate.request import Request
from worldreel.generate.velocity import GuidedVelocity
from worldreel.weights.load import LoadedModel, load_model

ROOT = Path(__file__).resolve().parent.parent
PROMPTS: list[str] = runpy.run_path(str(ROOT / "examples" / "twenty_prompts.py"))["PROMPTS"]
BAR_DB = 30.0


class Counting:
    """Counts the steps at which the transformer was asked."""

    def __init__(self) -> None:
        self.count = 0
        compute = GuidedVelocity._computed

        def count(it: GuidedVelocity, x: Tensor, t: Tensor, rows: tuple[int, ...]) -> list[Tensor]:
            self.count += 1
            return compute(it, x, t, rows)

        setattr(GuidedVelocity, compute.__name__, count)


def main() -> None:
    options = parse_options()
    torch.set_num_threads(1)
    model = load_model(options.model)
    counting = Counting()
    ways: dict[str, dict[str, Any]] = {"all steps": {}}
    ways |= {f"threshold {value:g}": {"step_cache": value} for value in options.thresholds}
    ways |= {f"{steps} steps": {"num_inference_steps": steps} for steps in options.steps}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    make(model, counting, 0, {})  # warms up
    for clip in range(options.num_clips):
        exact: NDArray[np.uint8] | None = None
        for name, how in ways.items():
            frames, row = make(model, counting, clip, how)
            exact = frames if exact is None else exact
            rows[name].append({**row, "psnr_db": psnr(frames, exact)})
        print(f"clip {clip}", file=sys.stderr, flush=True)
    report = {
        "date": datetime.date.today().isoformat(),
        "processor": cpu_name(),
        "model": f"{model.description.name} {model.description.version}",
        "dtype": str(model.dtype).removeprefix("torch."),
        "num_clips": options.num_clips,
        "rows": {name: summary(found, rows["all steps"]) for name, found in rows.items()},
    }
    print(json.dumps(report, indent=2))
    if options.out:
        Path(options.out).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def make(
    model: LoadedModel, counting: Counting, clip: int, how: dict[str, Any]
) -> tuple[NDArray[np.uint8], dict[str, float]]:
    """Frames ``t h w 3`` of one clip, and what they took."""
    name = model.description.name
    request = Request(prompt=PROMPTS[clip % len(PROMPTS)], model=name, seed=clip, **how)
    plan = plan_request(request, model.description)
    counting.count = 0
    began = time.process_time()
    latents = make_stretch(model, plan, 0, {})
    made = time.process_time()
    frames = np.concatenate(list(decode(model, latents[None])))
    ended = time.process_time()
    return frames, {"num": counting.count, "denoise_s": made - began, "clip_s": ended - began}


def psnr(found: NDArray[np.uint8], exact: NDArray[np.uint8]) -> float:
    """Over all frames of a clip, against 255, in dB; 99 where they are the same."""
    error = float(np.square(found.astype(np.float64) - exact).mean())
    return 10 * math.log10(255**2 / error) if error else 99.0


def summary(rows: list[dict[str, float]], all_steps: list[dict[str, float]]) -> dict[str, float]:
    """Medians of one way, and how many times as fast as all steps it is."""

    def times_as_fast(key: str) -> float:
        ratios = [one[key] / row[key] for one, row in zip(all_steps, rows, strict=True)]
        return round(statistics.median(ratios), 2)

    found = [row["psnr_db"] for row in rows]
    return {
        "computed_steps": round(statistics.mean(row["num"] for row in rows), 1),
        "denoise_times_as_fast": times_as_fast("denoise_s"),
        "clip_times_as_fast": times_as_fast("clip_s"),
        "psnr_mean_db": round(statistics.mean(found), 1),
        "psnr_median_db": round(statistics.median(found), 1),
        "psnr_least_db": round(min(found), 1),
        "clips_at_30_db": sum(value >= BAR_DB for value in found),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="toybox")
    parser.add_argument("--num-clips", type=int, default=20)
    thresholds = [0.05, 0.08, 0.1, 0.12, 0.15, 0.2]
    parser.add_argument("--thresholds", type=float, nargs="*", default=thresholds)
    parser.add_argument("--steps", type=int, nargs="*", default=[16, 12, 10])
    parser.add_argument("--out", help="a JSON file for the result")
    return parser.parse_args()


if __name__ == "__main__":
    main()
