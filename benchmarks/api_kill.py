"""Kills the server or its worker at random moments, and counts what was lost or published twice.

    python benchmarks/api_kill.py --kills 200 --seed 0 --out benchmarks/results/api-kill.json

A publication leaves, in the transaction that makes it, one message for each webhook endpoint:
an endpoint that nobody answers therefore counts publications. At the end every accepted video
must be completed, with one such message and a whole mp4.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sqlite3
import statistics
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

NOBODY = "http://127.0.0.1:9/nobody"
ALIVE_S = 60.0


class Client(threading.Thread):
    """Asks for videos without a pause, and remembers what was accepted."""

    def __init__(self, seed: int, waiting: int) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.waiting = waiting
        self.accepted: list[str] = []
        self.server: LiveServer | None = None
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            server = self.server
            if server is None:
                time.sleep(0.05)
                continue
            failures = contextlib.suppress(httpx2.HTTPError, json.JSONDecodeError)
            with failures, server.http(timeout=10) as client:
                while server is self.server and not self.done.is_set():
                    self.ask(client)
            time.sleep(0.1)

    def ask(self, client: httpx2.Client) -> None:
        seconds = "9" if self.random.random() < 0.1 else "1"
        body = {"prompt": "a red ball falls", "model": "toybox", "size": "96x96"}
        answer = client.post("/v1/videos", json={**body, "seconds": seconds, **FAST})
        if answer.status_code == 200:
            self.accepted.append(answer.json()["id"])
        else:
            time.sleep(0.3)


def standing(data: Path) -> dict[str, tuple]:
    with sqlite3.connect(data / "worldreel.sqlite", timeout=60) as database:
        rows = database.execute(
            "select id, status, fence, published_fence, error_code, progress from videos"
        ).fetchall()
    return {row[0]: row[1:] for row in rows}


def works(data: Path) -> int:
    """A number that grows whenever a worker takes a video or gets on with it."""
    return sum(1000 * fence + progress for _, fence, _, _, progress in standing(data).values())


def wait_for_work(data: Path, since: int, began: float) -> float:
    while works(data) <= since:
        if time.monotonic() - began > ALIVE_S:
            return float("inf")
        time.sleep(0.05)
    return time.monotonic() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    data = Path(tempfile.mkdtemp(prefix="api-kill-")) / "data"
    # the deaths come from outside and are no video's fault: none is to be failed for them
    words = ["--queue-max", "12", "--deaths-max", "100", "--allow-private-addresses"]
    server = LiveServer(data, *words)
    with server.http() as client:
        hook = {"name": "count", "url": NOBODY, "event_types": ["video.completed"]}
        assert client.post("/v1/webhook_endpoints", json=hook).status_code == 200
    asker = Client(options.seed, 12)
    asker.server = server
    asker.start()
    began = time.monotonic()
    server.wait_until_ready()
    again: dict[str, list[float]] = {"server": [], "worker": []}
    for number in range(options.kills):
        time.sleep(chance.uniform(0.0, 5.0))
        before, at = works(data), time.monotonic()
        victims = server.children()
        if victims and chance.random() < 0.5:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victims[0], signal.SIGKILL)
            kind = "worker"
        else:
            asker.server = None
            server.kill()
            at = time.monotonic()
            server = LiveServer(data, *words)
            asker.server = server
            kind = "server"
        took = wait_for_work(data, before, at)
        again[kind].append(took)
        print(f"{number + 1:4} {kind:6} again after {took:.1f} s", file=sys.stderr, flush=True)
    asker.done.set()
    asker.join()
    end = time.monotonic() + 600
    while any(row[0] in ("queued", "in_progress") for row in standing(data).values()):
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    rows = standing(data)
    with sqlite3.connect(data / "worldreel.sqlite", timeout=60) as database:
        events = database.execute("select body from deliveries").fetchall()
    published: dict[str, int] = {}
    for (body,) in events:
        video = json.loads(body)["data"]["id"]
        published[video] = published.get(video, 0) + 1
    lost = [v for v in asker.accepted if rows.get(v, ("gone",))[0] != "completed"]
    broken = []
    for video in asker.accepted:
        if video not in lost:
            path = data / "videos" / f"{video}.{rows[video][2]}" / "video.mp4"
            if not path.is_file() or len(read_video(path)) not in (12, 108):
                broken.append(video)
    server.stop()
    times = sorted(again["server"] + again["worker"])
    result = {
        "kills": options.kills,
        "of_server": len(again["server"]),
        "of_worker": len(again["worker"]),
        "seed": options.seed,
        "accepted": len(asker.accepted),
        "completed": sum(row[0] == "completed" for row in rows.values()),
        "lost": len(lost),
        "how": [rows.get(v) for v in lost][:5],
        "published_twice": sum(count > 1 for count in published.values()),
        "published_never_announced": sum(v not in published for v in rows if rows[v][2]),
        "not_whole": len(broken),
        "claims_per_video_max": max(row[1] for row in rows.values()),
        "again_s": {
            "median": round(statistics.median(times), 2),
            "p95": round(times[int(0.95 * (len(times) - 1))], 2),
            "max": round(times[-1], 2),
        },
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if lost or broken or result["published_twice"] else 0


if __name__ == "__main__":
    sys.exit(main())
