"""Keeps a server's own workers running: starts them, starts them again, ends the frozen."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError

from worldreel.app.jobs.database import Database
from worldreel.app.jobs.settings import Settings
from worldreel.app.jobs.workers import WorkerStore, worker_name

LOOK_S = 0.25
PAUSE_MIN_S, PAUSE_MAX_S = 0.25, 4.0
SOUND_S = 30.0
"""A worker that lived so long is started again without a pause."""
START_S = 60.0
"""How long a worker may take until it first says that it lives."""

WORKER = (sys.executable, "-m", "worldreel.app.main", "worker", "--leashed")

log = logging.getLogger("worldreel.jobs")


@dataclass(eq=False)
class _Child:
    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = PAUSE_MIN_S
    not_before: float = 0.0


class Supervisor:
    """Workers as child processes on a leash: they end when this process ends.

    Args:
        words: options of ``worldreel worker`` that say where everything is.
        count: how many workers.
    """

    def __init__(
        self, database: Database, settings: Settings, words: list[str], count: int
    ) -> None:
        self._settings = settings
        self._environment = dict(os.environ)
        if settings.database is not None:  # not an option: everybody may read those
            self._environment["WORLDREEL_DATABASE"] = settings.database
        self._words = words
        self._workers = WorkerStore(database)
        self._children = [_Child(worker_name(number)) for number in range(count)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Starts the workers and returns."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the workers to end what they do, and waits for them."""
        self._stopping.set()
        self._thread.join()
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            with contextlib.suppress(OSError):
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + self._settings.drain_s + 5
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def names(self) -> list[str]:
        """The names of the workers."""
        return [child.name for child in self._children]

    def _run(self) -> None:
        while not self._stopping.is_set():
            for child in self._children:
                self._look_after(child)
            self._stopping.wait(LOOK_S)

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None and (code := child.process.poll()) is not None:
            log.warning("the worker %s ended with %s", child.name, code)
            if now - child.started > SOUND_S:
                child.pause_s = PAUSE_MIN_S
            child.not_before = now + child.pause_s
            child.pause_s = min(2 * child.pause_s, PAUSE_MAX_S)
            child.process = None
        if child.process is None and now >= child.not_before:
            child.process = subprocess.Popen(
                [*WORKER, "--name", child.name, *self._words],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env=self._environment,
            )
            child.started = now
        elif child.process is not None and now - child.started > START_S:
            self._end_if_frozen(child)

    def _end_if_frozen(self, child: _Child) -> None:
        """A worker that does not say that it lives any more does not come back by itself."""
        try:
            living = self._workers.living(2 * self._settings.lease_s)
        except DBAPIError:
            return
        if child.name not in living and child.process is not None:
            log.error("the worker %s is frozen: ending it", child.name)
            child.process.kill()
