"""The same store on Postgres, with workers that take over from one another."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.job_bench import NUM_FRAMES, OWNER, Bench, soon
from tests.own_postgres import own_postgres, why_not

from worldreel.app.jobs import tables
from worldreel.app.jobs.store import Once, QueueFull
from worldreel.app.jobs.video import LostClaim
from worldreel.app.jobs.workers import WorkerStore
from worldreel.media.read import read_video

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def url():
    with own_postgres() as made:
        yield made


@pytest.fixture
def bench(tmp_path, url):
    made = Bench(tmp_path / "data", database=url)
    yield made
    with made.database.write() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(table.delete())
    made.database.close()


def test_the_migrations_make_the_same_tables(bench):
    with bench.database.read() as connection:
        options = {
            "version_table": "worldreel_version",
            "include_name": lambda name, kind, parents: kind != "schema" or name is None,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_many_at_once_are_held_to_the_bound_and_to_their_keys(tmp_path, url):
    bench = Bench(tmp_path / "data", database=url, queue_max=5)
    accepted, refused = [], []
    go = threading.Barrier(16)

    def ask(number):
        go.wait()
        try:
            accepted.append(bench.admit(once=Once(f"k{number % 8}", "body")))
        except QueueFull:
            refused.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(accepted)) == 5 == bench.store.waiting()[0]
    assert len(accepted) + len(refused) == 16
    for video in set(accepted):
        assert bench.store.delete(OWNER, video)
    bench.database.close()


def test_a_claim_that_was_taken_over_publishes_nothing(bench):
    video = bench.admit()
    stale = bench.store.claim(video, "a")
    fresh = bench.store.claim(video, "b")
    with pytest.raises(LostClaim):
        bench.store.publish(stale, size_bytes=1, sha256="", facts={})
    bench.store.publish(fresh, size_bytes=1, sha256="", facts={})
    assert bench.store.get(OWNER, video).published_fence == fresh.fence


def test_of_two_workers_one_is_killed_and_the_other_takes_its_job_over(bench, url, tmp_path):
    """The first one waits inside a stretch until it is killed; nobody starts it again."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    words = [sys.executable, "-m", "tests.lease_worker", str(bench.settings.data), url]
    log = tmp_path / "log"
    video = bench.admit()
    first = subprocess.Popen([*words, "first", str(log), "hang"], env=environment)
    try:
        soon(lambda: log.exists() and "first denoise" in log.read_text(), 60)
        second = subprocess.Popen([*words, "second", str(log), ""], env=environment)
        try:
            workers = WorkerStore(bench.database)
            soon(lambda: set(workers.living(2)) == {"first", "second"}, 60)
            others = [bench.admit() for _ in range(2)]
            first.send_signal(signal.SIGKILL)
            first.wait()
            for one in (video, *others):
                soon(lambda one=one: bench.store.get(OWNER, one).status == "completed", 60)
        finally:
            second.kill()
            second.wait()
    finally:
        if first.poll() is None:
            first.kill()
        first.wait()
    found = bench.store.get(OWNER, video)
    assert (found.worker, found.fence, found.published_fence) == ("second", 2, 2)
    published = bench.folder.published(video, 2) / "video.mp4"
    assert len(read_video(published)) == NUM_FRAMES
