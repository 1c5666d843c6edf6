"""Ten times the load that a server can take, from 200 clients for two minutes.

    python benchmarks/api_load.py --out benchmarks/results/api-load.json

First it is measured how many videos a second one worker makes; then 200 clients together ask for
ten times as many, look at what they were given every second, and at the server's health.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path

import httpx2

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.live_server import FAST, LiveServer, wait_for  # noqa: E402

BODY = {"prompt": "a red ball falls", "model": "toybox", "size": "96x96", "seconds": "1", **FAST}
TIMES = 10
STATUS_EVERY_S, HEALTH_EVERY_S = 1.0, 5.0


class Load:
    """What the clients did, and how long the answers took."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {"429": [], "accepted": [], "status": [], "health": []}
        self.accepted: list[str] = []
        self.wrong: list[str] = []

    async def timed(self, client: httpx2.AsyncClient, method: str, path: str, **body):
        began = time.perf_counter()
        answer = await client.request(method, path, **body)
        return answer, time.perf_counter() - began

    async def client(self, client, number: int, every_s: float, end: float) -> None:
        chance = random.Random(number)
        mine: list[str] = []
        ask_at = time.monotonic() + chance.uniform(0, every_s)
        health_at = time.monotonic() + chance.uniform(0, 40 * HEALTH_EVERY_S)
        while time.monotonic() < end:
            now = time.monotonic()
            try:
                if now >= ask_at:
                    ask_at = now + every_s
                    answer, took = await self.timed(client, "POST", "/v1/videos", json=BODY)
                    if answer.status_code == 200:
                        self.took["accepted"].append(took)
                        mine.append(answer.json()["id"])
                        self.accepted.append(mine[-1])
                    elif answer.status_code == 429 and "retry-after" in answer.headers:
                        self.took["429"].append(took)
                    else:
                        self.wrong.append(answer.text)
                for video in mine[-1:]:
                    answer, took = await self.timed(client, "GET", f"/v1/videos/{video}")
                    self.took["status"].append(took)
                    if answer.status_code != 200:
                        self.wrong.append(answer.text)
                if now >= health_at:
                    health_at = now + 40 * HEALTH_EVERY_S
                    answer, took = await self.timed(client, "GET", "/healthz")
                    self.took["health"].append(took)
            except httpx2.HTTPError as error:
                self.wrong.append(repr(error))
            await asyncio.sleep(STATUS_EVERY_S * chance.uniform(0.8, 1.2))


async def press(server: LiveServer, clients: int, rate: float, seconds: float) -> Load:
    load = Load()
    headers = {"authorization": f"Bearer {server.key}"}
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)
    options = {"base_url": server.url, "headers": headers, "timeout": 60, "limits": limits}
    async with httpx2.AsyncClient(**options) as client:
        end = time.monotonic() + seconds
        every_s = clients / rate
        await asyncio.gather(*(load.client(client, n, every_s, end) for n in range(clients)))
    return load


def capacity(server: LiveServer, count: int = 12) -> float:
    with server.http() as client:
        wait_for(client, client.post("/v1/videos", json=BODY).json()["id"])
        began = time.monotonic()
        videos = [client.post("/v1/videos", json=BODY).json()["id"] for _ in range(count)]
        for video in videos:
            wait_for(client, video)
    return count / (time.monotonic() - began)


def quantiles(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    if not ordered:
        return {"count": 0}
    picks = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    found = {key: round(1000 * ordered[int(q * (len(ordered) - 1))], 1) for key, q in picks.items()}
    return {"count": len(ordered), **found}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    server = LiveServer(Path(tempfile.mkdtemp(prefix="api-load-")) / "data")
    try:
        server.wait_until_ready()
        can = capacity(server)
        load = asyncio.run(press(server, options.clients, TIMES * can, options.seconds))
        with server.http() as client:
            ended = [wait_for(client, video, 600)["status"] for video in load.accepted]
    finally:
        server.stop()
    result = {
        "clients": options.clients,
        "seconds": options.seconds,
        "capacity_per_s": round(can, 2),
        "asked_per_s": round(TIMES * can, 2),
        "accepted": len(load.accepted),
        "completed": ended.count("completed"),
        "wrong_answers": len(load.wrong),
        "wrong": load.wrong[:5],
        **{name: quantiles(took) for name, took in load.took.items()},
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if load.wrong or ended.count("completed") != len(ended) else 0


if __name__ == "__main__":
    sys.exit(main())
