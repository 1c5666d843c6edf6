"""How long the laws take to measure clips that are there, against how long the clips last.

    python benchmarks/laws.py --json benchmarks/results/laws.json

Six cases of each of the twelve kinds (72 clips of 4 s) are simulated, taken through the shipped
model's autoencoder and generated; that is not timed. Then all laws of single clips are read from
the three columns and from every floor that they need, with one process per core.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from worldreel.app.machine import describe_machine, num_cores
from worldreel.core.progress import silent
from worldreel.evaluate.battery import Battery, measure
from worldreel.evaluate.columns import read_clip
from worldreel.evaluate.observe import observe
from worldreel.world.scene import FPS, NUM_FRAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=Path, help="keep the clips in this folder")
    parser.add_argument("--num-clips", type=int, default=6)
    parser.add_argument("--workers", type=int, default=num_cores())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    battery = Battery(num_clips=options.num_clips, splits=("within",), num_workers=options.workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.clips or Path(temporary)
        measured = measure(battery, folder, model="toybox", progress=silent)
        cases = measured.cases
        clips = [read_clip(folder / "simulator", case.key) for case in cases[::6]]
    by_law: dict[int, list[float]] = {}
    for case, frames in zip(cases[::6], clips, strict=True):
        began = time.perf_counter()
        seen = observe(frames, FPS)
        by_law.setdefault(0, []).append(time.perf_counter() - began)
        for law in battery.laws:
            if case.group in law.groups:
                began = time.perf_counter()
                law.measure(case, seen)
                by_law.setdefault(law.number, []).append(time.perf_counter() - began)
    seconds = measured.seconds["measuring"]
    machine = describe_machine()
    results = {
        "hardware": {key: machine[key] for key in ("cpu", "cores", "torch", "python")},
        "workers": options.workers,
        "num_cases": len(cases),
        "num_readings": len(measured.readings),
        "seconds": seconds,
        "seconds_for_64_cases": round(seconds * 64 / len(cases), 1),
        "times_as_fast_as_the_clips_last": round(len(cases) * NUM_FRAMES / FPS / seconds, 2),
        "median_ms_by_law": {
            "observing" if number == 0 else str(number): round(1000 * statistics.median(values), 1)
            for number, values in sorted(by_law.items())
        },
    }
    text = json.dumps(results, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
