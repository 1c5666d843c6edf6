"""What the Studio asks of the server, without a model: pages of a gallery of 2,000, searches,
families, storyboards, estimates, verbs on a clip, and how soon pages that follow hear of a change.

python benchmarks/studio_api.py --out benchmarks/results/studio-api.json
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.job_bench import new_video  # noqa: E402
from tests.studio_bench import StudioBench  # noqa: E402

from worldreel.app.jobs import tables  # noqa: E402
from worldreel.app.jobs.store import insert  # noqa: E402
from worldreel.app.jobs.video import Parent  # noqa: E402
from worldreel.app.server import pulse  # noqa: E402

VIDEOS, PAGES, CHANGES = 2000, 50, 20
COLOURS = ("red", "blue", "green", "yellow", "purple")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    bench = StudioBench(Path(tempfile.mkdtemp(prefix="studio-api-")) / "bench")
    words = {"prompt": "a red ball falls", "size": "64x32", "num_inference_steps": 1}
    (clip,) = bench.make({"verb": "create", "seconds": 1, **words})
    ids = fill(bench)
    source = {"video_id": clip["id"]}
    extend = {"verb": "extend", "source": source, "seconds": 1, "num_inference_steps": 1}
    stroke = {"points": [[0.5, 0.5]], "radius": 0.2}
    erase = {"verb": "erase", "source": source, "mask": {"strokes": [stroke]}}
    create = {"verb": "create", "seconds": 1, **words, "takes": 4}
    get, post = bench.client.get, bench.client.post
    asked: dict[str, Callable[[], Any]] = {
        "a page of 100 with its total": lambda: get("/v1/videos?limit=100"),
        "a page of 100 from the middle": lambda: get(f"/v1/videos?limit=100&after={ids[1000]}"),
        "a search for two words": lambda: get("/v1/videos?limit=100&q=purple+take"),
        "favourites": lambda: get("/v1/videos?limit=100&favourite=true"),
        "a family of 200": lambda: get(f"/v1/videos/{ids[0]}/lineage"),
        "marking 500": lambda: post("/v1/marks", json={"video_ids": ids[:500], "picked": True}),
        "an estimate from words": lambda: post("/v1/canvases/estimates", json=create),
        "an estimate from a clip": lambda: post("/v1/canvases/estimates", json=extend),
        "accepting four takes": lambda: post("/v1/canvases", json=create),
        "accepting an extension": lambda: post("/v1/canvases", json=extend),
        "accepting an erasure": lambda: post("/v1/canvases", json=erase),
        "the server's state": lambda: get("/v1/server"),
    }
    figures = {}
    for name, ask in asked.items():
        figures[name] = timed(ask, options.rounds)
        post("/v1/cancellations", json={"all": True})
        print(name, figures[name], file=sys.stderr, flush=True)
    result = {
        "machine": {"platform": platform.platform(), "load_average": os.getloadavg()},
        "videos": VIDEOS,
        "rounds": options.rounds,
        "milliseconds": figures,
        "events": asyncio.run(follow(bench)),
    }
    bench.close()
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def fill(bench: StudioBench) -> list[str]:
    """Finished videos without files; the first is the parent of every tenth one."""
    ids: list[str] = []
    with bench.service.database.write() as connection:
        for number in range(VIDEOS):
            parents = (Parent(ids[0], "source"),) if ids and number % 10 == 0 else ()
            prompt = f"a {COLOURS[number % 5]} ball rolls on grass, take {number}"
            new = new_video("alice", prompt=prompt, verb="create", parents=parents)
            done: dict[str, Any] = {"status": "completed", "progress": 100, "published_fence": 1}
            done |= {"completed_at": time.time(), "expires_at": time.time() + 3600}
            done |= {"favourite": number % 20 == 0, "facts": json.dumps({"num_frames": 4})}
            insert(connection, new, float(number), **done)
            ids.append(new.id)
    return ids


def timed(ask: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Milliseconds that pass, and milliseconds of this process's time, of a request."""
    passed, worked = [], []
    for _ in range(rounds):
        wall, own = time.perf_counter(), time.process_time()
        answer = ask()
        passed.append(1000 * (time.perf_counter() - wall))
        worked.append(1000 * (time.process_time() - own))
        assert answer.status_code == 200, answer.text
    return {
        "median": round(statistics.median(passed), 1),
        "worst": round(max(passed), 1),
        "processor_median": round(statistics.median(worked), 1),
    }


async def follow(bench: StudioBench) -> dict[str, Any]:
    """How long after a change 50 pages hear of it, and what a second of following costs."""
    state = bench.app.state
    video = bench.client.post(
        "/v1/canvases", json={"verb": "create", "prompt": "x", "seconds": 1, "size": "64x32"}
    ).json()["data"][0]["id"]
    heard: list[float] = []
    changed_at = 0.0
    ready = asyncio.Semaphore(0)

    async def page() -> None:
        async for text in pulse._stream(bench.service, state.pulse, "alice", state.stopping):
            if text.startswith("event: ready"):
                ready.release()
            elif text.startswith("event: video") and changed_at:
                heard.append(1000 * (time.perf_counter() - changed_at))

    pages = [asyncio.create_task(page()) for _ in range(PAGES)]
    for _ in range(PAGES):
        await ready.acquire()
    own, wall = time.process_time(), time.perf_counter()
    await asyncio.sleep(5)
    idle = (time.process_time() - own) / (time.perf_counter() - wall)
    for number in range(CHANGES):
        await asyncio.sleep(0.4)
        changed_at = time.perf_counter()
        with bench.service.database.write() as connection:
            mine = tables.videos.update().where(tables.videos.c.id == video)
            connection.execute(mine.values(progress=number + 1))
        while len(heard) < (number + 1) * PAGES:
            await asyncio.sleep(0.01)
    state.stopping.set()
    await asyncio.gather(*pages)
    return {
        "pages": PAGES,
        "changes": CHANGES,
        "heard": len(heard),
        "median_ms": round(statistics.median(heard), 1),
        "worst_ms": round(max(heard), 1),
        "share_of_a_core_while_nothing_happens": round(idle, 4),
    }


if __name__ == "__main__":
    sys.exit(main())
