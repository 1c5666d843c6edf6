"""The job store: what is accepted, who may make it, and what a lost claim can no longer do."""

import json
import threading
import time

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tests.job_bench import Bench, new_video

from worldreel.app.jobs import hooks, tables
from worldreel.app.jobs.gallery import Gallery
from worldreel.app.jobs.hooks import HookStore
from worldreel.app.jobs.keys import KeyStore
from worldreel.app.jobs.store import KeyReused, Once, QueueFull, QuotaReached
from worldreel.app.jobs.sweeper import Sweeper
from worldreel.app.jobs.uploads import Upload, UploadStore
from worldreel.app.jobs.video import LostClaim, Wish, new_id
from worldreel.app.jobs.workers import WorkerStore
from worldreel.app.jobs.workflow import make
from worldreel.core.errors import UsageError


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


def publish(bench, claim):
    bench.store.publish(claim, size_bytes=10, sha256="00", facts={})


def test_the_migrations_make_the_tables_that_the_code_reads(bench):
    with bench.database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "worldreel_version"}
        )
        assert compare_metadata(context, tables.metadata) == []


def test_tables_that_are_there_are_left_as_they_are(bench):
    video = bench.admit()
    bench.database.upgrade()
    assert bench.store.get("alice", video)


def test_what_was_accepted_is_there_after_a_restart(bench, tmp_path):
    video = bench.admit()
    bench.database.close()
    again = Bench(tmp_path / "data")
    found = again.store.get("alice", video)
    assert found and found.status == "queued"
    assert [one.id for one in again.store.undispatched()] == [video]
    again.database.close()


def test_a_wish_comes_back_as_it_was_given(bench):
    new = new_video(notes=("a", "b"), guidance_scale=2.5)
    assert Wish.from_json(new.wish.to_json()) == new.wish


def test_the_same_key_and_body_give_the_first_answer_again(bench):
    once = Once("k", "body")
    first = bench.admit(once=once)
    assert bench.admit(once=once) == first
    assert bench.store.waiting()[0] == 1
    assert bench.store.answered("alice", once) == first


def test_the_same_key_with_another_body_is_refused(bench):
    bench.admit(once=Once("k", "body"))
    with pytest.raises(KeyReused):
        bench.admit(once=Once("k", "other"))


def test_keys_of_two_owners_do_not_meet(bench):
    once = Once("k", "body")
    assert bench.admit("alice", once=once) != bench.admit("bob", once=once)


def test_twenty_at_once_with_one_key_make_one_video(bench):
    answers = []
    go = threading.Barrier(20)

    def ask():
        go.wait()
        answers.append(bench.admit(once=Once("k", "body")))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20 and len(set(answers)) == 1
    assert bench.store.waiting()[0] == 1


def test_past_the_bound_nothing_waits(tmp_path):
    bench = Bench(tmp_path / "data", queue_max=3, owner_queue_max=2)
    bench.admit("alice")
    bench.admit("alice")
    with pytest.raises(QueueFull, match="2 videos of yours"):
        bench.admit("alice")
    bench.admit("bob")
    with pytest.raises(QueueFull, match="The queue is full: 3") as raised:
        bench.admit("carol")
    assert raised.value.retry_s >= 1
    with pytest.raises(QueueFull):
        bench.store.check_room("carol")
    bench.database.close()


def test_past_the_quota_nothing_is_accepted(tmp_path):
    bench = Bench(tmp_path / "data", disk_quota_bytes=10)
    publish(bench, bench.store.claim(bench.admit(), "w"))
    with pytest.raises(QuotaReached):
        bench.admit()
    bench.database.close()


def test_a_later_claim_ends_every_earlier_one(bench):
    video = bench.admit()
    stale = bench.store.claim(video, "a")
    fresh = bench.store.claim(video, "b")
    assert stale and fresh and fresh.fence == stale.fence + 1
    for act in (
        lambda: bench.store.report(stale, progress=50),
        lambda: bench.store.check(stale),
        lambda: bench.store.stage_done(stale),
        lambda: bench.store.fail(stale, "x", "y"),
        lambda: publish(bench, stale),
    ):
        with pytest.raises(LostClaim):
            act()
    found = bench.store.get("alice", video)
    assert found.status == "in_progress" and found.progress == 0
    publish(bench, fresh)
    assert bench.store.get("alice", video).published_fence == fresh.fence


def test_a_video_is_published_once(bench):
    claim = bench.store.claim(bench.admit(), "a")
    publish(bench, claim)
    with pytest.raises(LostClaim):
        publish(bench, claim)
    assert bench.store.claim(claim.id, "b") is None


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_what_was_cancelled_or_deleted_is_published_no_more(bench, end):
    claim = bench.store.claim(bench.admit(), "a")
    assert getattr(bench.store, end)("alice", claim.id)
    with pytest.raises(LostClaim):
        publish(bench, claim)
    assert not bench.store.cancel("alice", claim.id)


def test_a_video_at_which_three_workers_died_is_failed_with_the_reason(bench):
    video = bench.admit()
    for _ in range(3):
        claim = bench.store.claim(video, "w")
        bench.store.report(claim, stage="decode")
    assert bench.store.claim(video, "w") is None
    found = bench.store.get("alice", video)
    assert (found.status, found.error_code) == ("failed", "worker_died")
    assert "died 3 times" in found.error_message and "decode" in found.error_message


def test_deaths_at_different_stages_are_not_added_up(bench):
    video = bench.admit()
    for _ in range(6):
        claim = bench.store.claim(video, "w")
        bench.store.stage_done(claim)
    assert bench.store.get("alice", video).status == "in_progress"


def test_a_worker_that_stops_in_order_is_no_death(bench):
    video = bench.admit()
    for _ in range(6):
        bench.store.release(bench.store.claim(video, "w"))
    assert bench.store.claim(video, "w") is not None


def test_an_owner_sees_only_what_is_theirs(bench):
    video = bench.admit("alice")
    assert bench.store.get("bob", video) is None
    assert not bench.store.delete("bob", video) and not bench.store.cancel("bob", video)
    assert Gallery(bench.database).page("bob", limit=10, ascending=True, after=None) == []


def test_pages_follow_one_another_without_gap(bench):
    ids = [bench.admit() for _ in range(7)]
    for ascending in (True, False):
        seen, after = [], None
        how = {"limit": 3, "ascending": ascending}
        while page := Gallery(bench.database).page("alice", **how, after=after):
            seen += [video.id for video in page]
            after = page[-1]
        assert seen == (ids if ascending else ids[::-1])


def test_a_silent_worker_is_found_and_taken_over_once(bench):
    workers = WorkerStore(bench.database)
    workers.beat("a", "p1", first=True)
    assert workers.silent(60) == [] and list(workers.living(60)) == ["a"]
    with bench.database.write() as connection:
        connection.execute(tables.workers.update().values(heartbeat_at=time.time() - 100))
    assert workers.silent(60) == ["a"]
    assert workers.retire("a", 60) and workers.silent(60) == []
    assert workers.beat("a", "p1") and not workers.retire("a", 60)


def test_the_newest_process_of_a_name_is_the_worker(bench):
    workers = WorkerStore(bench.database)
    workers.beat("a", "old", first=True)
    workers.beat("a", "new", first=True)
    assert not workers.beat("a", "old") and workers.beat("a", "new")


# keys


def test_a_key_is_kept_as_a_hash_and_opens_its_owners_videos(bench):
    keys = KeyStore(bench.database)
    secret = keys.add("alice")
    assert keys.owner_of(secret) == "alice" and keys.owner_of(secret + "x") is None
    with bench.database.read() as connection:
        stored = str(connection.execute(sa.select(tables.keys)).all())
    assert secret not in stored


def test_a_revoked_key_opens_nothing(bench):
    keys = KeyStore(bench.database)
    secret = keys.add("alice")
    assert keys.revoke(keys.all()[0].id) and not keys.any()
    assert KeyStore(bench.database).owner_of(secret) is None
    assert not keys.revoke("nobody")


@pytest.mark.parametrize("secret", ["short", "with a line\nbreak in it", "ü" * 20])
def test_a_key_that_can_be_guessed_or_not_be_sent_is_refused(bench, secret):
    with pytest.raises(UsageError):
        KeyStore(bench.database).add("alice", secret)


# webhooks


def test_an_end_is_announced_once_to_those_who_want_to_know(bench):
    store = HookStore(bench.database)
    store.add("alice", name="a", url="https://a.example", event_types=["video.completed"])
    store.add("alice", name="b", url="https://b.example", event_types=["video.failed"])
    store.add("bob", name="c", url="https://c.example", event_types=["video.completed"])
    claim = bench.store.claim(bench.admit(), "w")
    publish(bench, claim)
    (due,) = store.due()
    assert due.endpoint.name == "a"
    assert json.loads(due.body)["data"] == {"id": claim.id}
    assert json.loads(due.body)["type"] == "video.completed"
    assert store.due() == []  # held back from other senders


def test_a_message_that_did_not_arrive_is_sent_again_later_and_given_up_at_last(bench):
    store = HookStore(bench.database)
    store.add("alice", name="a", url="https://a.example", event_types=["video.completed"])
    publish(bench, bench.store.claim(bench.admit(), "w"))
    pauses = []
    for _ in range(len(hooks.PAUSES_S) + 1):
        with bench.database.write() as connection:
            connection.execute(tables.deliveries.update().values(next_at=0.0))
        (delivery,) = store.due()
        store.sent(delivery, "503", delivered=False)
        with bench.database.read() as connection:
            at = connection.execute(sa.select(tables.deliveries.c.next_at)).scalar()
        pauses.append(None if at is None else at - time.time())
    assert pauses[-1] is None and store.due() == []
    assert pauses[:-1] == sorted(pauses[:-1]) and pauses[0] > 1


# the sweeper


def test_the_sweeper_removes_what_expired_and_what_is_nobodys(bench):
    kept, expired = bench.admit(), bench.admit()
    for video in (kept, expired):
        make(bench.workshop("w"), bench.store.claim(video, "w"))
    with bench.database.write() as connection:
        query = tables.videos.update().where(tables.videos.c.id == expired)
        connection.execute(query.values(expires_at=time.time() - 60))
    orphans = [
        bench.folder.videos / f"{new_id('video')}.1",
        bench.folder.videos / f"{kept}.99",
        bench.folder.work(new_id("video")),
        bench.folder.aside / f"{kept}.1",
    ]
    for orphan in orphans:
        orphan.mkdir()
    mine = Upload(
        id=new_id("file"), owner="a", created_at=1.0, filename="x", purpose="vision",
        size_bytes=1, ending=".bin",
    )  # fmt: skip
    UploadStore(bench.database).add(mine)
    mine.path(bench.folder).write_bytes(b"x")
    stray = bench.folder.upload(new_id("file"), ".bin")
    stray.write_bytes(b"x")
    waiting = bench.admit()
    bench.folder.work(waiting).mkdir()
    Sweeper(bench.database, bench.settings, bench.folder).sweep(grace_s=-1)
    assert bench.published(kept) and not bench.published(expired)
    assert not any(path.exists() for path in [*orphans, stray])
    assert mine.path(bench.folder).exists() and bench.folder.work(waiting).exists()
    found = bench.store.get("alice", expired)
    assert found.status == "completed" and found.files_gone and found.published_bytes == 0
