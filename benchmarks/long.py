"""A minute and more: memory, cost, and whether what is seen holds.

    python benchmarks/long.py --num-seeds 16 --json benchmarks/results/long.json

Memory is the peak of a whole process that makes 10 s and one that makes 300 s. Cost is processor
time of the last ten seconds of a long video over that of its first ten (after the first stretch,
which is larger). Holding: prompts of one object at rest or swinging, 60 s each; an object holds if
its colour is found in the last four seconds as in the first, and no colour more or less is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import worldreel
from worldreel.app.machine import describe_machine
from worldreel.evaluate.observe import observe
from worldreel.generate.model import Model
from worldreel.world.vocabulary import COLORS

PROMPT = "a blue ball swings on a string over grass"
PROMPTS = (
    "a {color} ball swings on a string over {floor}",
    "a {color} ball lies still on {floor}, the camera is still",
    "a {color} cube lies still on {floor}, the camera is still",
)
FLOORS = ("grass", "snow", "a wooden floor", "blue tiles", "sand", "a concrete floor")
SEEN, AREA = 0.5, 64
"""A colour is there if it covers so many pixels in so many of the frames; a ball covers 150."""


def peak_bytes(seconds: float, steps: int) -> int:
    """Peak memory of a process that makes a video of so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "worldreel.app.main", "generate", PROMPT, "--seed", "1"]
        words += ["--seconds", str(seconds), "--num-inference-steps", str(steps), "--json"]
        words += ["--output-path", str(Path(folder) / "long.mp4")]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            _, status, usage = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        assert run.returncode == 0, run.returncode
    return usage.ru_maxrss * 1024


def cost_ratio(model: Model, seconds: float, steps: int) -> float:
    """Processor time of the last ten seconds over that of the first ten after the first window."""
    window = model.description.seconds.default
    marks = []
    for frame in model.stream(model.canvas(seconds).say(PROMPT), seed=1, num_inference_steps=steps):
        assert frame.ndim == 3
        marks.append(time.process_time())
    fps, ten = model.description.fps, 10 * model.description.fps
    first = round(window * fps)
    return (marks[-1] - marks[-1 - ten]) / (marks[first + ten] - marks[first])


def colours(frames: np.ndarray, fps: float) -> set[str]:
    """The colours of the objects that are found in most of the frames."""
    tracks = observe(frames, fps).tracks
    return {color for color in COLORS if (tracks[color].num_pixels >= AREA).mean() >= SEEN}


def holding(model: Model, num_seeds: int, seconds: float) -> dict[str, Any]:
    """The share of seeds whose colours at the end are those of the beginning."""
    names, held, asked, seams = list(COLORS), [], [], []
    for seed in range(num_seeds):
        color = names[seed % len(names)]
        prompt = PROMPTS[seed % len(PROMPTS)].format(color=color, floor=FLOORS[seed % len(FLOORS)])
        video = model.generate(model.canvas(seconds).say(prompt), seed=seed)
        frames = video.frames
        luma = frames.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
        steps = np.abs(np.diff(luma, axis=0)).mean(axis=(1, 2))
        starts = [stretch.made[0] for stretch in video.plan.stretches[1:]]
        seams.append(float(np.median(steps[np.array(starts) - 1]) / np.median(steps)))
        span = round(4 * model.description.fps)
        first, last = (colours(part, 12) for part in (frames[:span], frames[-span:]))
        held.append(first == last and bool(first))
        asked.append(color in last)
        print(f"{seed}: {prompt}: {sorted(first)} -> {sorted(last)}", file=sys.stderr, flush=True)
    return {
        "num_seeds": num_seeds,
        "seconds": seconds,
        "held": sum(held),
        "step_at_seams_over_median_step": round(float(np.mean(seams)), 2),
        "colour_that_was_asked_for_at_the_end": sum(asked),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="toybox")
    parser.add_argument("--num-seeds", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = worldreel.load(options.model)
    short, long = peak_bytes(10, 1), peak_bytes(300, 1)
    machine = describe_machine()
    results = {
        "hardware": {key: machine[key] for key in ("cpu", "cores", "torch", "python")},
        "model": f"{model.description.name} {model.description.version}",
        "peak_mb": {"10 s": round(short / 1e6, 1), "300 s": round(long / 1e6, 1)},
        "peak_ratio": round(long / short, 4),
        "cost_of_last_ten_seconds_over_first": round(cost_ratio(model, 124.0, 2), 3),
        "holding": holding(model, options.num_seeds, options.seconds),
    }
    text = json.dumps(results, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
