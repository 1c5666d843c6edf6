"""A worker: one process that makes videos one after the other until it is asked to stop."""

import contextlib
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.exc import DBAPIError

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.marking import Marking
from worldreel.app.jobs.settings import Settings, check_folder
from worldreel.app.jobs.stages import Maker, import_heavy
from worldreel.app.jobs.store import VideoStore
from worldreel.app.jobs.sweeper import Sweeper
from worldreel.app.jobs.video import Video, workflow_id
from worldreel.app.jobs.workers import WorkerStore
from worldreel.app.jobs.workflow import QUEUE, Workshop, register

WORKFLOW_VERSION = "1"
"""The shape of the workflow: a version that changes its steps changes this, and must be able to
finish what an earlier one began. It is not worldreel's version: an upgrade keeps the queue."""

BEATS_PER_LEASE = 6
NICENESS = 5
"""A worker on the server's own machine computes after the server has answered."""
SWEEP_S = 60.0
ENDED_WORKFLOWS = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

log = logging.getLogger("worldreel.jobs")


class Worker:
    """Makes videos.

    Args:
        name: takes up what a dead worker of this name left, at once; what others left, after
            their lease.
        leashed: whether the end of standard input stops it: the server that started it is gone.
    """

    def __init__(self, settings: Settings, name: str, *, leashed: bool = False) -> None:
        check_folder(settings.data)
        self.settings = settings
        self.name = name
        self.process = secrets.token_hex(8)
        self.leashed = leashed
        self.database = Database(settings.database_url)
        self.database.upgrade()
        folder = Folder(settings.data)
        folder.make()
        self.store = VideoStore(self.database, settings)
        self.workers = WorkerStore(self.database)
        marking = Marking(settings.data, settings.provenance)
        marking.open()  # keys that cannot be used are said now, and not job by job
        self.shop = Workshop(
            settings=settings,
            folder=folder,
            store=self.store,
            workers=self.workers,
            maker=Maker(settings.threads, marking),
            worker=name,
            marking=marking,
        )
        self.sweeper = Sweeper(self.database, settings, folder)
        self._make_video: Callable[[str], None] | None = None
        self._idle: set[str] = set()
        """Workflows that are this worker's by the book and not by its hands, at the last look."""

    def run(self) -> int:
        """Works until SIGTERM or SIGINT; returns the exit code."""
        if self.leashed:
            os.nice(NICENESS)  # first: on Linux it is each thread's own, and inherited
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self.shop.stopping.set())
        self.begin()
        print(f"worldreel worker {self.name} is ready", flush=True)
        while not self.shop.stopping.wait(1.0):
            pass
        return self.drain()

    def begin(self) -> None:
        """Starts everything; returns at once."""
        self.workers.beat(self.name, self.process, first=True)
        lease_s = self.settings.lease_s
        self._often(self._beat, lease_s / BEATS_PER_LEASE)
        import_heavy()  # before any other thread needs it: Python's imports may lock each other out
        launch(self.settings, self.name, lambda: setattr(self, "_make_video", register(self.shop)))
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=1,
            polling_interval_sec=self.settings.poll_s,
            on_conflict="always_update",
        )
        self._often(self._dispatch, self.settings.poll_s)
        self._often(self._take_over, lease_s / BEATS_PER_LEASE)
        self._often(self._mend, lease_s)
        self._often(self._sweep, SWEEP_S)
        threading.Thread(target=self._warm_up, daemon=True).start()
        if self.leashed:
            threading.Thread(target=self._watch_leash, daemon=True).start()

    def drain(self) -> int:
        """Takes no more work, ends what it can in the time it has, and lets go of the rest."""
        self.shop.stopping.set()
        end = time.monotonic() + self.settings.drain_s
        while self.shop.claims and time.monotonic() < end:
            time.sleep(0.05)
        self._let_go()
        return 0

    def _let_go(self) -> None:
        """Ends this process; what it holds is taken up later, and is no death of a worker."""
        with contextlib.suppress(DBAPIError):
            for claim in list(self.shop.claims.values()):
                self.store.release(claim)
        sys.stdout.flush()
        os._exit(0)  # threads that compute cannot be asked to stop

    def _watch_leash(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while sys.stdin.buffer.raw.read(1):  # pyright: ignore[reportAttributeAccessIssue]
                pass
        self._let_go()

    def _warm_up(self) -> None:
        """Loads the model that most will ask for, before they do."""
        for _, model in self.settings.aliases[:1]:
            try:
                self.shop.maker.load(model)
            except Exception as error:
                log.warning("the model %s cannot be loaded: %s", model, error)

    def _beat(self) -> None:
        if not self.workers.beat(self.name, self.process):
            log.error("another worker has the name %s: stopping", self.name)
            self._let_go()

    def _dispatch(self) -> None:
        """Starts workflows for what was accepted; doing it twice is harmless."""
        assert self._make_video is not None
        if self.shop.stopping.is_set():
            return
        for video in self.store.undispatched():
            with SetWorkflowID(workflow_id(video.id, 1)):
                DBOS.enqueue_workflow(QUEUE, self._make_video, video.id)
            self.store.dispatched(video, 1)

    def _take_over(self) -> None:
        """Takes up what silent workers had in their hands."""
        for worker in self.workers.silent(self.settings.lease_s):
            if worker != self.name and self.workers.retire(worker, self.settings.lease_s):
                log.warning("the worker %s is silent: taking over", worker)
                DBOS._recover_pending_workflows([worker])

    def _mend(self) -> None:
        """Starts a new workflow for every video whose own broke without ending it."""
        idle: set[str] = set()
        for video in self.store.unfinished(older_than=time.time() - self.settings.lease_s):
            status = DBOS.get_workflow_status(video.workflow_id)
            if status is None or status.status in ENDED_WORKFLOWS:
                self._start_anew(video)
            elif status.status == "PENDING" and status.executor_id == self.name:
                # its end could not be written, as on a full disk: nothing runs, nobody takes over
                if video.id in self.shop.running:
                    continue
                if video.workflow_id in self._idle:
                    DBOS.cancel_workflow(video.workflow_id)
                    self._start_anew(video, forgive=True)
                else:
                    idle.add(video.workflow_id)
        self._idle = idle

    def _start_anew(self, video: Video, *, forgive: bool = False) -> None:
        assert self._make_video is not None
        standing = self.store.standing([video.id]).get(video.id)
        if standing is None or standing.ended or standing.workflow != video.workflow:
            return
        log.warning("%s has no workflow: starting another", video.id)
        number = video.workflow + 1
        with SetWorkflowID(workflow_id(video.id, number)):
            DBOS.enqueue_workflow(QUEUE, self._make_video, video.id)
        self.store.dispatched(video, number, forgive=forgive)

    def _sweep(self) -> None:
        self.sweeper.sweep()
        forget_workflows(self.store)
        self.workers.forget_old(keep=[self.name])

    def _often(self, act: Callable[[], None], every_s: float) -> None:
        def run() -> None:
            while not self.shop.stopping.is_set():
                try:
                    act()
                except DBAPIError as error:
                    log.warning("%s: %s", act.__name__, str(error.orig).splitlines()[0])
                except Exception:
                    log.exception("%s failed", act.__name__)
                self.shop.stopping.wait(every_s)

        threading.Thread(target=run, name=act.__name__, daemon=True).start()


def launch(settings: Settings, name: str, prepare: Callable[[], None]) -> None:
    """Starts DBOS under a worker's name; what that name left is recovered at once.

    Args:
        prepare: makes workflows known, between configuration and launch.
    """
    config: DBOSConfig = {
        "name": "worldreel",
        "system_database_url": settings.workflow_url,
        "application_version": WORKFLOW_VERSION,
        "executor_id": name,
        "log_level": "WARNING",
        "serializer": DBOSPortableJSONSerializer(),
        "scheduler_polling_interval_sec": 3600.0,
    }
    DBOS(config=config)
    prepare()
    DBOS.launch()


def forget_workflows(store: VideoStore, limit: int = 500) -> int:
    """Drops what DBOS remembers of videos that have ended."""
    done = DBOS.list_workflows(
        status=["SUCCESS", "ERROR"],
        queue_name=QUEUE,
        limit=limit,
        load_input=False,
        load_output=False,
    )
    videos = {one.workflow_id: one.workflow_id.partition(":")[0] for one in done}
    standing = store.standing(sorted(set(videos.values())))
    over = [
        workflow
        for workflow, video in videos.items()
        if video not in standing or standing[video].ended
    ]
    if over:
        DBOS.delete_workflows(over)
    return len(over)
