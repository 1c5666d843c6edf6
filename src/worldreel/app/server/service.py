"""What all routes share: the stores, the folder, and who is asking."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from worldreel.app.jobs.consents import ConsentStore
from worldreel.app.jobs.database import Database
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.gallery import Gallery
from worldreel.app.jobs.hooks import HookStore
from worldreel.app.jobs.keys import KeyStore
from worldreel.app.jobs.queue import Queue, read_queue
from worldreel.app.jobs.sessions import SessionStore
from worldreel.app.jobs.settings import Settings, check_folder
from worldreel.app.jobs.store import VideoStore
from worldreel.app.jobs.storyboards import StoryboardStore
from worldreel.app.jobs.uploads import UploadStore
from worldreel.app.jobs.video import Video
from worldreel.app.jobs.workers import WorkerStore
from worldreel.app.policy.gate import Gate
from worldreel.app.policy.policy import load_policy
from worldreel.app.server.metrics import Metrics

T = TypeVar("T")

SLOWNESS_S = 5.0
LIVING_S = 1.0
MEDIA_AT_ONCE = 2
"""Files of clients that are decoded at the same time."""
DISK_SPARE_BYTES = 256 * 2**20
"""Below this free space nothing is accepted: what was accepted needs it."""


@dataclass(eq=False)
class Service:
    """A server's stores; made once."""

    settings: Settings
    database: Database
    folder: Folder
    videos: VideoStore
    uploads: UploadStore
    hooks: HookStore
    keys: KeyStore
    sessions: SessionStore
    gallery: Gallery
    storyboards: StoryboardStore
    workers: WorkerStore
    metrics: Metrics
    consents: ConsentStore
    gate: Gate
    media: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MEDIA_AT_ONCE)
    )
    _slowness: tuple[float, float] = (0.0, 1.0)
    _living: tuple[float, int] = (0.0, 0)

    @classmethod
    def open(cls, settings: Settings) -> "Service":
        """Opens the database, which is made or brought up to date, and the folder."""
        check_folder(settings.data)
        database = Database(settings.database_url)
        database.upgrade()
        folder = Folder(settings.data)
        folder.make()
        return cls(
            settings=settings,
            database=database,
            folder=folder,
            videos=VideoStore(database, settings),
            uploads=UploadStore(database),
            hooks=HookStore(database),
            keys=KeyStore(database),
            sessions=SessionStore(database),
            gallery=Gallery(database),
            storyboards=StoryboardStore(database),
            workers=WorkerStore(database),
            metrics=Metrics(),
            consents=ConsentStore(database),
            gate=Gate(
                policy=load_policy(settings.policy, shared=settings.shared), database=database
            ),
        )

    def slowness(self) -> float:
        """How much longer this server's workers take than is reckoned; 1 before they are known."""
        at, value = self._slowness
        if time.monotonic() - at > SLOWNESS_S:
            value = self.workers.slowness() or 1.0
            self._slowness = (time.monotonic(), value)
        return value

    def num_workers(self) -> int:
        """How many workers live, as of a moment ago."""
        at, count = self._living
        if time.monotonic() - at > LIVING_S:
            count = len(self.workers.living(self.settings.lease_s))
            self._living = (time.monotonic(), count)
        return count

    def queue(self) -> Queue:
        """Who waits, and until when."""
        return read_queue(self.database, self.num_workers())

    def free_bytes(self) -> int:
        """Free space where videos are kept."""
        return shutil.disk_usage(self.settings.data).free

    def has_room(self) -> bool:
        """Whether there is enough disk to accept anything."""
        return self.free_bytes() > DISK_SPARE_BYTES


class Watch:
    """Reads videos that streams follow, all of them in one query, a few times a second."""

    def __init__(self, service: Service, every_s: float = 0.25) -> None:
        self._service = service
        self._every_s = every_s
        self._followed: dict[str, int] = {}
        self._latest: dict[str, Video] = {}
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def follow(self, video: str) -> None:
        """Begins to read a video."""
        self._followed[video] = self._followed.get(video, 0) + 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())

    def leave(self, video: str) -> None:
        """Ends it, once nobody else follows."""
        self._followed[video] -= 1
        if not self._followed[video]:
            del self._followed[video]
            self._latest.pop(video, None)

    async def round(self, timeout_s: float) -> None:
        """Waits for the next reading."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    def latest(self, video: str) -> Video | None:
        """The video as it was read last; None where it is gone."""
        return self._latest.get(video)

    async def _read(self) -> None:
        while self._followed:
            ids = list(self._followed)
            self._latest = await run_in_threadpool(self._service.videos.standing, ids)
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(self._every_s)


def service_of(request: Request) -> Service:
    """The server's stores."""
    return request.app.state.service


async def in_thread(act: Callable[..., T], *args: Any) -> T:
    """Does what blocks beside the event loop."""
    return await run_in_threadpool(act, *args)


Served = Annotated[Service, Depends(service_of)]
