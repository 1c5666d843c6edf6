"""A server with its worker as processes of their own, for tests and benchmarks that need one."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx2

KEY = "live-server-test-key-0123456789"
ROOT = Path(__file__).parent.parent
SERVE = [sys.executable, "-m", "worldreel.app.main", "serve", "--port", "0", "--threads", "1"]
FAST = {"num_inference_steps": 2}
"""What makes a video as quickly as can be, beside a small size and one second."""


class LiveServer:
    """``worldreel serve`` on a free port.

    Args:
        data: the data folder; it outlives the process.
        words: more options.
    """

    def __init__(self, data: Path, *words: str, workers: int = 1, key: str = KEY) -> None:
        self.data = data
        self.key = key
        self._log = open(data.parent / f"{data.name}.log", "ab")  # noqa: SIM115
        environment = {**os.environ, "WORLDREEL_API_KEY": key, "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = str(ROOT / "src")
        self.process = subprocess.Popen(
            [*SERVE, "--data", str(data), "--workers", str(workers), *words],
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        found = re.search(r"http://\S+:(\d+)/v1", line)
        if found is None:
            said = f"the server said {line!r}: {self.log_text()[-2000:]}"
            self.stop()
            raise AssertionError(said)
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def log_text(self) -> str:
        """What the processes wrote to standard error."""
        self._log.flush()
        return Path(self._log.name).read_text("utf-8", "replace")

    def children(self) -> list[int]:
        """The process ids of the workers."""
        path = Path(f"/proc/{self.process.pid}/task")
        found: list[int] = []
        for task in path.iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
        return found

    def http(self, key: str | None = None, timeout: float = 30.0) -> httpx2.Client:
        """A plain client with a key."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=timeout)

    def wait_until_ready(self, limit_s: float = 90.0) -> None:
        """Waits until a worker lives."""
        with self.http() as client:
            end = time.monotonic() + limit_s
            while client.get("/readyz").status_code != 200:
                assert time.monotonic() < end, self.log_text()[-3000:]
                time.sleep(0.1)

    def kill(self) -> None:
        """Ends the server as a power cut would; its workers notice by themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self, limit_s: float = 60.0) -> int:
        """Asks the server to stop, and waits; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._log.close()
        return code


@contextlib.contextmanager
def live_server(data: Path, *words: str, workers: int = 1) -> Iterator[LiveServer]:
    """A server for the length of the block."""
    server = LiveServer(data, *words, workers=workers)
    try:
        yield server
    finally:
        server.stop()


def wait_for(client: httpx2.Client, video: str, limit_s: float = 120.0) -> dict:
    """The video once it has ended."""
    end = time.monotonic() + limit_s
    while True:
        answer = client.get(f"/v1/videos/{video}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        if found["status"] in ("completed", "failed"):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def official(server: LiveServer, **options):
    """OpenAI's own client, with only the address and the key changed."""
    warnings.filterwarnings("ignore", message="The Sora API", category=DeprecationWarning)
    from openai import OpenAI

    options = {"max_retries": 0, "timeout": 60, **options}
    return OpenAI(base_url=f"{server.url}/v1", api_key=server.key, **options)
