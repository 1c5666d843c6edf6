"""Memory of a worker and of a server over many small jobs.

    python benchmarks/api_memory.py --jobs 20000 --out benchmarks/results/api-memory.json

The worker makes grey frames instead of a model's, so that what grows is what is around them: the
workflows, the store, the files. The server is asked over HTTP.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.live_server import LiveServer  # noqa: E402

BODY = {"prompt": "a red ball falls", "model": "toybox", "size": "96x96", "seconds": "1"}
AT_ONCE = 50


def rss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--warm", type=int, default=1_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="api-memory-")) / "data"
    server = LiveServer(data, "--queue-max", "200", workers=0)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "-m", "tests.lease_worker", str(data), "", "worker", "", "quick"]
    worker = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    began = time.monotonic()
    rows: list[tuple[int, float, float]] = []
    done = 0
    try:
        with server.http() as client:
            waiting: list[str] = []
            while done < options.jobs:
                while len(waiting) < AT_ONCE:
                    answer = client.post("/v1/videos", json=BODY)
                    assert answer.status_code == 200, answer.text
                    waiting.append(answer.json()["id"])
                time.sleep(0.2)
                ended = [
                    v for v in waiting if client.get(f"/v1/videos/{v}").json()["progress"] == 100
                ]
                for video in ended:
                    assert client.delete(f"/v1/videos/{video}").status_code == 200
                    waiting.remove(video)
                before, done = done, done + len(ended)
                if before // 500 != done // 500:
                    rows.append((done, rss_mb(server.process.pid), rss_mb(worker.pid)))
                    print(*rows[-1], file=sys.stderr, flush=True)
    finally:
        worker.kill()
        worker.wait()
        server.stop()
    warm = [row for row in rows if row[0] >= options.warm]
    first, last = warm[0], warm[-1]
    thousands = (last[0] - first[0]) / 1000
    result = {
        "jobs": done,
        "after_warm_up_of": first[0],
        "server_mb": [round(first[1], 1), round(last[1], 1)],
        "worker_mb": [round(first[2], 1), round(last[2], 1)],
        "server_mb_per_1000": round((last[1] - first[1]) / thousands, 3),
        "worker_mb_per_1000": round((last[2] - first[2]) / thousands, 3),
        "jobs_per_s": round(done / (time.monotonic() - began), 1),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
