"""Workers that are killed, for real: what they were doing goes on, and nothing is done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.job_bench import NUM_FRAMES, OWNER, Bench, soon
from tests.live_server import FAST, LiveServer

from worldreel.app.jobs.hooks import HookStore
from worldreel.media.read import read_video

ROOT = Path(__file__).parent.parent
MOVES = [
    "check",
    "plan",
    "denoise",
    "stretch 2 of 3",
    "decode",
    "before publish",
    "between rename and commit",
    "after publish",
]
SOME_MOVES = ["stretch 2 of 3", "between rename and commit", "after publish"]


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


class Worker:
    """The dying worker as a process."""

    def __init__(self, bench, log: Path, move: str = "") -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.dying_worker", str(bench.settings.data), str(log), move],
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def status(bench, video):
    return bench.store.get(OWNER, video).status


@pytest.mark.parametrize("moves", [SOME_MOVES, pytest.param(MOVES, marks=pytest.mark.slow)])
def test_a_job_whose_worker_is_killed_again_and_again_is_published_once(bench, tmp_path, moves):
    """One worker after the other dies at the next move; what was finished is not done again."""
    HookStore(bench.database).add(
        OWNER, name="count", url="https://a.example", event_types=["video.completed"]
    )
    log = tmp_path / "log"
    video = bench.admit()
    for move in moves:
        with Worker(bench, log, move) as worker:
            assert worker.process.wait(60) == -signal.SIGKILL, move
    with Worker(bench, log) as worker:
        soon(lambda: status(bench, video) == "completed")
        soon(lambda: not bench.folder.work(video).exists())
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(20) == 0
    found = bench.store.get(OWNER, video)
    published = bench.folder.published(video, found.published_fence)
    assert len(read_video(published / "video.mp4")) == NUM_FRAMES
    (event,) = HookStore(bench.database).due()
    assert json.loads(event.body)["data"]["id"] == video
    made = log.read_text().split("\n")
    # each stretch ends once, but for the one at whose end the worker died: it is made once more
    assert [made.count(f"stretch {n} of 3") for n in (1, 2, 3)] == [1, 2, 1]
    assert made.count("plan") == 1 + ("plan" in moves) and made.count("after publish") == 1


def test_a_job_that_kills_three_workers_is_failed_and_the_queue_goes_on(bench, tmp_path):
    poison = bench.admit()
    for _ in range(3):
        with Worker(bench, tmp_path / "log", "stretch 1 of 3") as worker:
            assert worker.process.wait(60) == -signal.SIGKILL
    after = bench.admit()
    with Worker(bench, tmp_path / "log"):
        soon(lambda: status(bench, after) == "completed")
    found = bench.store.get(OWNER, poison)
    assert (found.status, found.error_code) == ("failed", "worker_died")
    assert "died 3 times" in found.error_message and "stretch 1 of 3" in found.error_message


def test_a_worker_that_is_asked_to_stop_ends_the_job_in_its_hands(bench, tmp_path):
    videos = [bench.admit() for _ in range(3)]
    with Worker(bench, tmp_path / "log") as worker:
        soon(lambda: status(bench, videos[0]) != "queued")
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(20) == 0
    standing = [status(bench, video) for video in videos]
    assert "failed" not in standing
    with Worker(bench, tmp_path / "log"):
        for video in videos:
            soon(lambda video=video: status(bench, video) == "completed")
    assert {bench.store.get(OWNER, video).beginnings for video in videos} == {1}


@pytest.mark.slow
def test_an_upgrade_keeps_the_queue(bench, tmp_path):
    """What an older worldreel accepted is made by a newer one: the queue has no version in it."""
    videos = [bench.admit() for _ in range(2)]
    with Worker(bench, tmp_path / "log", "plan") as worker:
        assert worker.process.wait(60) == -signal.SIGKILL
    bench.database.upgrade()
    began = time.monotonic()
    with Worker(bench, tmp_path / "log"):
        for video in videos:
            soon(lambda video=video: status(bench, video) == "completed")
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_a_store_that_was_restored_without_its_workflows_begins_anew(bench, tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    log = tmp_path / "log"
    words = [
        sys.executable,
        "-m",
        "tests.lease_worker",
        str(bench.settings.data),
        "",
        "a",
        str(log),
    ]
    video = bench.admit()
    first = subprocess.Popen([*words, "hang"], env=environment, stdout=subprocess.DEVNULL)
    try:
        soon(lambda: log.exists() and "denoise" in log.read_text(), 60)
    finally:
        first.kill()
        first.wait()
    for path in bench.settings.data.glob("workflows.sqlite*"):
        path.unlink()
    second = subprocess.Popen([*words, ""], env=environment, stdout=subprocess.DEVNULL)
    try:
        soon(lambda: status(bench, video) == "completed", 60)
    finally:
        second.kill()
        second.wait()
    assert bench.store.get(OWNER, video).workflow == 2


def test_a_workflow_whose_end_could_not_be_written_is_begun_anew(bench, tmp_path):
    """As on a full disk: what DBOS takes for running is executed by nobody."""
    video = bench.admit()
    words = ["-m", "tests.lease_worker", str(bench.settings.data), "", "a", "", "unrecorded"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    worker = subprocess.Popen([sys.executable, *words], env=environment, stdout=subprocess.DEVNULL)
    try:
        soon(lambda: status(bench, video) == "completed", 60)
    finally:
        worker.kill()
        worker.wait()
    found = bench.store.get(OWNER, video)
    assert found.workflow == 2 and found.beginnings == 1


def test_a_server_that_is_asked_to_stop_ends_what_is_in_hand(tmp_path):
    """What waits is left to the next start, and the process ends with 0."""
    server = LiveServer(tmp_path / "data")
    try:
        with server.http() as client:
            body = {"prompt": "a ball", "model": "toybox", "size": "96x96", "seconds": "4", **FAST}
            one, two = (client.post("/v1/videos", json=body).json()["id"] for _ in range(2))
            soon(lambda: client.get(f"/v1/videos/{one}").json()["progress"] >= 5, 60)
    finally:
        assert server.stop() == 0
    bench = Bench(tmp_path / "data")
    standing = bench.store.standing([one, two])
    assert standing[one].status == "completed"
    assert standing[two].status in ("queued", "completed", "in_progress")
    assert standing[two].error_code is None and standing[two].beginnings <= 1
    bench.database.close()
