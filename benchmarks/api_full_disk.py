"""Fills the disk under a server, its databases and its worker at random moments.

    python benchmarks/api_full_disk.py --times 50 --out benchmarks/results/api-full-disk.json

Runs as root in a mount namespace of its own, where the data folder is a small disk in memory. A
client asks for videos without a pause. Whenever the disk is full, nothing may be accepted that is
lost, no answer may be an unexplained error, and once there is room again everything that was
accepted must become a whole video.
"""

import argparse
import collections
import contextlib
import errno
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.live_server import FAST, LiveServer  # noqa: E402

from worldreel.media.read import read_video  # noqa: E402

BODY = {"prompt": "a red ball falls", "model": "toybox", "size": "96x96", "seconds": "1", **FAST}
INSIDE = "WORLDREEL_BENCHMARK_NAMESPACE"
DISK = "640m"
BLOCK = 4096


class Ballast(threading.Thread):
    """Takes every free block of a disk, and each that becomes free, until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.path = folder / "ballast"
        self.done = threading.Event()

    def run(self) -> None:
        with self.path.open("wb", buffering=0) as file:
            while not self.done.is_set():
                try:
                    for size in (2**20, BLOCK, 1):
                        with contextlib.suppress(OSError):
                            while file.write(bytes(size)):
                                pass
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error
                self.done.wait(0.02)
        self.path.unlink()


class Client(threading.Thread):
    """Asks for videos without a pause, and remembers what was answered."""

    def __init__(self, server: LiveServer) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.accepted: list[str] = []
        self.is_full = False
        self.answers: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.done = threading.Event()

    def run(self) -> None:
        with self.server.http(timeout=60) as client:
            while not self.done.wait(0.1):
                self.ask(client, "POST", "/v1/videos", BODY)
                if self.accepted:
                    self.ask(client, "GET", f"/v1/videos/{self.accepted[-1]}")

    def ask(self, client: httpx2.Client, method: str, path: str, body: dict | None = None) -> None:
        try:
            answer = client.request(method, path, json=body)
        except httpx2.HTTPError as error:
            self.wrong.append(f"{method} {error!r}")
            return
        code = "" if answer.is_success else answer.json()["error"]["code"]
        self.answers[f"{method} {answer.status_code} {code}".strip()] += 1
        if method == "POST" and answer.is_success:
            self.accepted.append(answer.json()["id"])
        elif answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(answer.text)


def completed(server: LiveServer, client: httpx2.Client, video: str) -> int:
    """How many frames a completed video has; 0 if it has none to show."""
    answer = client.get(f"/v1/videos/{video}/content")
    if answer.status_code != 200:
        return 0
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(answer.content)
        file.flush()
        return len(read_video(file.name))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if INSIDE not in os.environ:
        words = ["unshare", "--mount", sys.executable, *sys.argv]
        return subprocess.run(words, env={**os.environ, INSIDE: "1"}).returncode
    chance = random.Random(options.seed)
    disk = Path(tempfile.mkdtemp(prefix="api-full-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    data = disk / "data"
    with tempfile.TemporaryDirectory() as place:
        log = Path(place) / "data.log"
        (disk / "data.log").symlink_to(log)  # what is said goes to another disk
        server = LiveServer(data, "--queue-max", "12")
        server.wait_until_ready()
        asker = Client(server)
        asker.start()
        again, ended, rows = [], 0, []
        try:
            with server.http(timeout=60) as client:
                for number in range(options.times):
                    time.sleep(chance.uniform(0.2, 3.0))
                    ballast = Ballast(disk)
                    ballast.start()
                    time.sleep(chance.uniform(0.5, 3.0))
                    ballast.done.set()
                    ballast.join()
                    since, before = time.monotonic(), len(asker.accepted)
                    # 429 is an answer of a server that works: the queue is full, the disk is not
                    turned = asker.answers["POST 429 rate_limit_exceeded"]
                    while len(asker.accepted) == before and time.monotonic() - since < 60:
                        if asker.answers["POST 429 rate_limit_exceeded"] > turned:
                            break
                        time.sleep(0.02)
                    again.append(time.monotonic() - since)
                    print(f"{number + 1:4} again after {again[-1]:.2f} s", file=sys.stderr)
                asker.done.set()
                asker.join()
                end = time.monotonic() + 600
                for video in asker.accepted:
                    while True:
                        found = client.get(f"/v1/videos/{video}").json()
                        if found["status"] in ("completed", "failed") or time.monotonic() > end:
                            break
                        time.sleep(0.1)
                    rows.append((found["status"], found["error"]))
                    ended += found["status"] == "completed" and completed(server, client, video) > 0
            alive = server.process.poll() is None
        finally:
            server.stop()
        sound = [
            sqlite3.connect(path).execute("pragma integrity_check").fetchone()[0]
            for path in sorted(data.glob("*.sqlite"))
        ]
        tracebacks = log.read_text("utf-8", "replace").count("Traceback")
        if tracebacks:
            print(log.read_text("utf-8", "replace"), file=sys.stderr)
    failed = [error for status, error in rows if status != "completed"]
    claimed = sum(status == "completed" for status, _ in rows)
    result = {
        "times_full": options.times,
        "seed": options.seed,
        "accepted": len(asker.accepted),
        "completed": claimed,
        "completed_and_whole": ended,
        "not_completed": failed[:5],
        "answers": dict(asker.answers),
        "wrong_answers": len(asker.wrong),
        "wrong": asker.wrong[:5],
        "server_alive": alive,
        "databases": sound,
        "again_s": {"median": round(statistics.median(again), 2), "max": round(max(again), 2)},
        "tracebacks_logged": tracebacks,
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    bad = asker.wrong or failed or ended != claimed or not alive or set(sound) != {"ok"}
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
