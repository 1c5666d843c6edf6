"""The corpus of hostile media, uploaded: as a character's clip, a first frame and a clip to edit.

python benchmarks/api_hostile.py --out benchmarks/results/api-hostile.json
"""

import argparse
import collections
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.hostile_corpus import hostile_cases, sample  # noqa: E402
from tests.live_server import FAST, LiveServer  # noqa: E402

from worldreel.media.lossless import encode_lossless  # noqa: E402

FORM = {"prompt": "x", "model": "toybox", "size": "96x96", "seconds": "1"}
SLOWEST_S = 15.0
NO_UPLOADS = ("no file", "name with a meaning", "odd name", "gigabytes of nothing")
"""Cases about names and places on the server's disk: no client has any say in those."""
SECRET = "a secret that no answer may hold"


class Peak(threading.Thread):
    """The most memory that the server itself had."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.mb, self.done = pid, 0.0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.1):
            text = Path(f"/proc/{self.pid}/status").read_text()
            (line,) = [line for line in text.splitlines() if line.startswith("VmRSS:")]
            self.mb = max(self.mb, int(line.split()[1]) / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="api-hostile-"))
    (place / "corpus").mkdir()
    outside = place / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (outside / "canary.mp4").write_bytes(encode_lossless(sample(), 12))
    server = LiveServer(place / "data", "--queue-max", "100000", workers=0)
    answers: collections.Counter[str] = collections.Counter()
    wrong, slowest, tried = [], 0.0, 0
    try:
        with server.http(timeout=120) as client:
            client.get("/healthz")
            peak = Peak(server.process.pid)
            peak.start()
            for case in hostile_cases(place / "corpus", outside, 9):
                if case.kind in NO_UPLOADS:
                    continue
                path = Path(case.path)
                data = path.read_bytes()
                for where, name, form in (
                    ("/v1/videos/characters", "video", {"name": "x"}),
                    ("/v1/videos", "input_reference", {**FORM, **FAST}),
                    ("/v1/videos/edits", "video", {"prompt": "x"}),
                ):
                    began = time.monotonic()
                    form = {key: str(value) for key, value in form.items()}
                    answer = client.post(where, data=form, files={name: ("a.mp4", data)})
                    took = time.monotonic() - began
                    tried += 1
                    slowest = max(slowest, took)
                    answers[f"{where} {answer.status_code}"] += 1
                    secret = SECRET in answer.text
                    if answer.status_code >= 500 or secret or took > SLOWEST_S:
                        wrong.append([path.name, where, answer.status_code, round(took, 1)])
            peak.done.set()
            alive = client.get("/healthz").status_code == 200
    finally:
        server.stop()
    result = {
        "uploads": tried,
        "answers": dict(answers),
        "wrong": len(wrong),
        "examples": wrong[:10],
        "slowest_s": round(slowest, 1),
        "server_peak_mb": round(peak.mb),
        "server_alive": alive,
        "tracebacks": server_log(place).count("Traceback"),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 1 if wrong or not alive else 0


def server_log(place: Path) -> str:
    return (place / "data.log").read_text("utf-8", "replace")


if __name__ == "__main__":
    sys.exit(main())
