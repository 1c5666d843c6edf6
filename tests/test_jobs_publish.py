"""Publication: whole or not at all, by the holder of the claim alone, whatever fails on the way."""

import contextlib
import errno
import os
import random
import shutil
import threading
from pathlib import Path

import pytest
from tests.job_bench import NUM_FRAMES, OWNER, Bench, QuickMaker

from worldreel.app.jobs import folder as folder_module
from worldreel.app.jobs.folder import PUBLISHED, SMALL, Folder
from worldreel.app.jobs.workflow import make
from worldreel.media.read import read_video


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "data")
    yield made
    made.database.close()


def run(bench, video, worker="w", **fields):
    claim = bench.store.claim(video, worker)
    assert claim is not None
    make(bench.workshop(worker, **fields), claim)
    return bench.store.get(OWNER, video)


def check_whole(bench, video):
    """The rule: completed means that a whole video is there, under the published fence."""
    found = bench.store.get(OWNER, video)
    if found is not None and found.status == "completed":
        path = bench.folder.published(video, found.published_fence) / "video.mp4"
        assert len(read_video(path)) == NUM_FRAMES
    return found


def test_a_video_is_made_and_published_and_its_work_is_removed(bench):
    video = bench.admit()
    found = run(bench, video)
    assert (found.status, found.progress, found.published_fence) == ("completed", 100, 1)
    (published,) = bench.published(video)
    assert {path.name for path in published.iterdir()} == {*PUBLISHED, SMALL}
    assert found.published_bytes == sum(path.stat().st_size for path in published.iterdir())
    assert not bench.folder.work(video).exists() and not list(bench.folder.aside.iterdir())


def test_what_the_disk_lost_is_made_again(bench):
    """Steps are remembered, but their files vanished: exactly those stages are done anew."""
    kept: list = []

    def recall(name, act):
        if len(kept) > recall.place:
            outcome = kept[recall.place]
        else:
            outcome = act()
            kept.append(outcome)
        recall.place += 1
        return outcome

    class Death(BaseException):
        pass

    def die(where):
        if where == "before publish":
            raise Death

    video = bench.admit()
    maker = QuickMaker(num_stretches=3)
    recall.place = 0
    with pytest.raises(Death):
        run(bench, video, maker=maker, remember=recall, hurt=die)
    assert maker.made == [0, 1, 2] and maker.decoded == 1
    work = bench.folder.work(video)
    (work / "stretch-1.safetensors").unlink()
    (work / "decoded-1" / "video.mp4").write_bytes(b"cut off")
    recall.place = 0
    found = run(bench, video, maker=maker, remember=recall)
    assert found.status == "completed" and maker.made == [0, 1, 2, 1] and maker.decoded == 2
    check_whole(bench, video)


@pytest.mark.parametrize(
    "where",
    ["denoise", "stretch 1 of 2", "decode", "before publish", "between rename and commit"],
)
def test_a_frozen_worker_that_wakes_after_another_took_over_changes_nothing(bench, where):
    """In the middle of its work it sleeps; another claims, makes and publishes; then it wakes."""
    video = bench.admit()
    frozen, woken = threading.Event(), threading.Event()

    def sleep(place):
        if place == where and not frozen.is_set():
            frozen.set()
            assert woken.wait(30)

    claim = bench.store.claim(video, "slow")
    thread = threading.Thread(target=make, args=(bench.workshop("slow", hurt=sleep), claim))
    thread.start()
    assert frozen.wait(30)
    found = run(bench, video, "quick")
    assert (found.status, found.published_fence) == ("completed", 2)
    woken.set()
    thread.join(30)
    again = check_whole(bench, video)
    assert again == found
    stale = bench.folder.published(video, 1)
    assert not stale.exists() or where == "between rename and commit"


def test_twenty_workers_that_were_taken_over_publish_nothing_stale(bench):
    chance = random.Random(0)
    stale = 0
    for _ in range(20):
        video = bench.admit()
        calls = chance.randrange(2, 14)
        count = 0

        def take_over(place, video=video, calls=calls):
            nonlocal count
            count += 1
            if count == calls:
                bench.store.claim(video, "other")

        claim = bench.store.claim(video, "slow")
        make(bench.workshop("slow", hurt=take_over, maker=QuickMaker(1)), claim)
        found = bench.store.get(OWNER, video)
        if count >= calls and found.status == "completed":
            # taken over after the commit is no stale publication
            stale += calls <= 10 and found.published_fence == 1 and found.fence == 2
        bench.store.delete(OWNER, video)
        bench.folder.remove(video)
    assert stale == 0


@pytest.mark.parametrize("end", ["cancel", "delete"])
def test_a_video_that_is_cancelled_or_deleted_stops_and_frees_the_disk(bench, end):
    video = bench.admit()
    maker = QuickMaker()

    def stop(place):
        if place == "denoise":
            getattr(bench.store, end)(OWNER, video)

    run(bench, video, maker=maker, hurt=stop)
    assert maker.made == [] and maker.decoded == 0
    assert not bench.folder.work(video).exists() and not bench.published(video)


# a full disk


class FullDisk:
    """Every write from a certain one on fails, as on a disk that is full."""

    def __init__(self, monkeypatch, from_call: int) -> None:
        self.calls = 0
        self.from_call = from_call
        for place, name in [
            (os, "fsync"),
            (os, "rename"),
            (os, "replace"),
            (os, "link"),
            (os, "mkdir"),
            (shutil, "copyfile"),
        ]:
            monkeypatch.setattr(place, name, self.wrap(getattr(place, name)))

    def wrap(self, act):
        def write(*args, **options):
            self.calls += 1
            if self.calls >= self.from_call:
                raise OSError(errno.ENOSPC, "No space left on device")
            return act(*args, **options)

        return write


def count_writes(bench) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = FullDisk(monkeypatch, 10**9)
        run(bench, bench.admit())
        return disk.calls


def test_a_disk_that_is_full_at_any_write_leaves_no_half_video(bench):
    writes = count_writes(bench)
    assert writes > 12
    failed = 0
    for number in range(1, writes + 1):
        video = bench.admit()
        with pytest.MonkeyPatch.context() as monkeypatch:
            FullDisk(monkeypatch, number)
            run(bench, video)
        found = check_whole(bench, video)
        if found.status == "failed":
            failed += 1
            assert found.error_code == "disk_full", found
            assert "/" not in found.error_message  # no path of the server
            assert not bench.folder.work(video).exists() and not bench.published(video)
    assert failed >= writes - 2
    assert run(bench, bench.admit()).status == "completed"  # there is space again


# a power cut


class PowerCut(BaseException):
    """The machine is off."""


class VanishingDisk:
    """A disk that loses at a power cut whatever was not synced: contents, and names in folders.

    A file's content is kept if it was synced after its last write; a folder's names are kept
    as they were when the folder was last synced.
    """

    def __init__(self, monkeypatch, roots: list[Path], cut_at: int) -> None:
        self.roots, self.cut_at, self.calls = roots, cut_at, 0
        self.contents: dict[int, bytes] = {}
        self.names = {root.stat().st_ino: set(os.listdir(root)) for root in roots}
        self.real = {"fsync": os.fsync, "rename": os.rename, "replace": os.replace}
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "rename", lambda a, b: self.tick("rename", a, b))
        monkeypatch.setattr(os, "replace", lambda a, b: self.tick("replace", a, b))

    def tick(self, name, *args):
        self.calls += 1
        if self.calls == self.cut_at:
            raise PowerCut
        return self.real[name](*args)

    def fsync(self, handle):
        self.tick("fsync", handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_dir():
            self.names[path.stat().st_ino] = set(os.listdir(path))
        else:
            self.contents[os.fstat(handle).st_ino] = path.read_bytes()

    def lose(self) -> None:
        """What is left after the cut."""
        for root in self.roots:
            for path in sorted(root.rglob("*"), reverse=True):
                known = self.names.get(path.parent.stat().st_ino)
                if known is None or path.name not in known:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                elif path.is_file():
                    kept = self.contents.get(path.stat().st_ino, b"")
                    path.write_bytes(kept)


def test_a_power_cut_at_any_moment_never_leaves_a_completed_video_that_is_not_whole(bench):
    """The commit to the database comes last, and survives: SQLite syncs each one."""
    cuts = completed = 0
    for cut_at in range(1, 40):
        video = bench.admit()
        claim = bench.store.claim(video, "w")
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = VanishingDisk(monkeypatch, [bench.folder.videos], cut_at)
            with contextlib.suppress(PowerCut):
                make(bench.workshop("w"), claim)
            happened = disk.calls >= cut_at
        cuts += happened
        disk.lose()
        found = check_whole(bench, video)
        completed += found.status == "completed"
        bench.folder.remove(video)
        bench.store.delete(OWNER, video)
        if not happened:
            break
    assert cuts > 10 and completed >= 1 and not happened


def test_the_shim_shows_a_publication_that_does_not_sync(bench, monkeypatch):
    """Without syncing, the same cut leaves a completed video without its bytes."""
    monkeypatch.setattr(folder_module, "sync", lambda path: None)
    video = bench.admit()
    with pytest.MonkeyPatch.context() as patch:
        disk = VanishingDisk(patch, [bench.folder.videos], cut_at=10**9)
        assert run(bench, video).status == "completed"
    disk.lose()
    with pytest.raises(Exception, match="there is no file"):
        check_whole(bench, video)


def test_a_claim_that_died_between_rename_and_commit_publishes_what_it_had(bench):
    class Death(BaseException):
        pass

    def die(where):
        if where == "between rename and commit":
            raise Death

    video = bench.admit()
    with pytest.raises(Death):
        run(bench, video, hurt=die)
    assert bench.store.get(OWNER, video).status == "in_progress"
    found = run(bench, video)
    assert (found.status, found.published_fence) == ("completed", 2)
    check_whole(bench, video)


def test_names_in_the_data_folder_are_worldreels_own(tmp_path):
    folder = Folder(tmp_path)
    for name in ("../x", "video_", "video_" + "a" * 31, "video_" + "A" * 32, "/etc/passwd", ""):
        for place in (folder.work, folder.remove):
            with pytest.raises(AssertionError):
                place(name)
