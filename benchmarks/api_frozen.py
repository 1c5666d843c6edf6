"""Freezes the worker that holds a job until another has taken it over, then wakes it.

    python benchmarks/api_frozen.py --rounds 100 --out benchmarks/results/api-frozen.json

Two workers with a lease of two seconds; SIGSTOP at a random moment of a job, SIGCONT once the
other has published it. A stale publication would show as another fence, as other files under the
published name, or as a second message about the same video. A worker that is frozen inside a
transaction holds SQLite's only lock; it is woken, and not counted (`worldreel serve` ends frozen
workers of its own, which frees the lock).
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.job_bench import OWNER, Bench, soon  # noqa: E402

from worldreel.app.jobs.folder import sha256_of  # noqa: E402
from worldreel.app.jobs.hooks import HookStore  # noqa: E402
from worldreel.app.jobs.video import Video  # noqa: E402
from worldreel.app.jobs.workers import WorkerStore  # noqa: E402

JOB_S = 1.6
TAKEN_S = 12.0
"""Beyond it the frozen worker must have stopped everyone: see ``froze_with_sqlites_lock``."""
WAKE_S = 2.0


def found(bench: Bench, video: str) -> Video:
    """The video, which nobody deletes here."""
    there = bench.store.get(OWNER, video)
    assert there is not None
    return there


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="api-frozen-")) / "data"
    bench = Bench(folder)
    types = ["video.completed"]
    HookStore(bench.database).add(OWNER, name="a", url="https://a.example", event_types=types)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "-m", "tests.lease_worker", str(folder), ""]
    running = {
        name: subprocess.Popen([*words, name, "", "slow"], env=environment) for name in ("a", "b")
    }
    began = time.monotonic()
    taken_over = stale = too_late = with_lock = 0
    try:
        soon(lambda: len(WorkerStore(bench.database).living(2)) == 2, 60)
        while taken_over < options.rounds:
            video = bench.admit()
            soon(lambda v=video: found(bench, v).status != "queued", 60)
            time.sleep(chance.uniform(0, JOB_S))
            holder = running[found(bench, video).worker or ""]
            holder.send_signal(signal.SIGSTOP)
            if found(bench, video).status == "completed":
                holder.send_signal(signal.SIGCONT)
                too_late += 1
                continue
            try:
                soon(lambda v=video: found(bench, v).status == "completed", TAKEN_S)
            except AssertionError:  # SQLite has one lock, and it froze with it: nobody could go on
                with_lock += 1
                holder.send_signal(signal.SIGCONT)
                soon(lambda v=video: found(bench, v).status == "completed", 90)
                soon(lambda: len(WorkerStore(bench.database).living(2)) == 2, 90)
                continue
            before = found(bench, video)
            path = bench.folder.published(video, before.published_fence or 0) / "video.mp4"
            content = sha256_of(path)
            holder.send_signal(signal.SIGCONT)
            time.sleep(WAKE_S)
            after = found(bench, video)
            stale += after != before or sha256_of(path) != content or before.published_fence != 2
            taken_over += 1
            soon(lambda: len(WorkerStore(bench.database).living(2)) == 2, 60)
            print(f"{taken_over} taken over, {stale} stale", file=sys.stderr, flush=True)
    finally:
        for process in running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
    with sqlite3.connect(folder / "worldreel.sqlite") as database:
        events = [json.loads(row[0]) for row in database.execute("select body from deliveries")]
    told = [event["data"]["id"] for event in events]
    result = {
        "taken_over": taken_over,
        "stale_publications": stale,
        "told_twice": len(told) - len(set(told)),
        "ended_before_the_freeze": too_late,
        "froze_with_sqlites_lock": with_lock,
        "seed": options.seed,
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if stale or result["told_twice"] else 0


if __name__ == "__main__":
    sys.exit(main())
