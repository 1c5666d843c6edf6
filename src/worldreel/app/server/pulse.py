"""All of an owner's videos as one stream of events: a page needs one connection, however many
videos are on their way (browsers open no more than six to a server)."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from worldreel.app.jobs.database import patiently
from worldreel.app.jobs.queue import Place, Queue
from worldreel.app.jobs.video import Video
from worldreel.app.server.callers import Owner
from worldreel.app.server.events import EVENT_STREAM, SILENT_S, TRUST_S, event, preview_url
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import VideoObject

router = APIRouter(prefix="/v1/events", tags=["events"])

ROUND_S = 0.25
PATIENCE_S = 1.0

log = logging.getLogger("worldreel.server")


@dataclass(frozen=True)
class Seen:
    """A video as it was read last, made once for all pages that follow.

    Args:
        state: what pages are told of at once where it differs: all but pictures and seconds.
    """

    video: Video
    place: Place | None
    shown: VideoObject
    state: dict[str, Any]

    @classmethod
    def of(cls, video: Video, queue: Queue) -> "Seen":
        """A row and its place in the queue."""
        shown = VideoObject.of(video, queue)
        rest: dict[str, Any] = {"worldreel": {"previews", "seconds_left"}}
        return cls(video, queue.places.get(video.id), shown, shown.model_dump(exclude=rest))


class Pulse:
    """Reads the videos of all owners who follow, in one query, a few times a second."""

    def __init__(self, service: Service, every_s: float = ROUND_S) -> None:
        self._service = service
        self._every_s = every_s
        self._owners: dict[str, int] = {}
        self._known: dict[str, set[str]] = {}
        self._since = 0
        self._found: dict[str, dict[str, Seen]] = {}
        self._round = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def follow(self, owner: str) -> None:
        """Begins to read an owner's videos."""
        self._owners[owner] = self._owners.get(owner, 0) + 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())

    def leave(self, owner: str) -> None:
        """Ends it, once none of the owner's pages follows."""
        self._owners[owner] -= 1
        if not self._owners[owner]:
            for kept in (self._owners, self._known, self._found):
                kept.pop(owner, None)

    @property
    def number(self) -> int:
        """How many readings there were."""
        return self._round

    async def next(self, after: int) -> int:
        """Waits a while for a reading newer than ``after``; returns the number of the last."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(lambda: self._round > after)
        return self._round

    def knows(self, owner: str) -> bool:
        """Whether there was a reading with the owner's videos."""
        return owner in self._found

    def found(self, owner: str) -> dict[str, Seen]:
        """The owner's videos that have not ended or did so a moment ago."""
        return self._found.get(owner, {})

    async def _read(self) -> None:
        self._since = await run_in_threadpool(patiently, self._service.gallery.newest)
        while self._owners:
            owners = list(self._owners)
            known = [name for owner in owners for name in self._known.get(owner, ())]
            try:
                rows, queue = await run_in_threadpool(self._look, owners, known, self._since)
            except DBAPIError as error:  # it may come back: pages keep what they know
                log.warning("events: %s", str(error.orig).splitlines()[0])
                await asyncio.sleep(PATIENCE_S)
                continue
            found: dict[str, dict[str, Seen]] = {owner: {} for owner in owners}
            for row in rows:
                before = self._found.get(row.owner, {}).get(row.id)
                same = before is not None and before.video == row
                if before is None or not same or before.place != queue.places.get(row.id):
                    before = Seen.of(row, queue)
                found[row.owner][row.id] = before
                self._since = max(self._since, row.seq)
            for owner, videos in found.items():
                self._known[owner] = {name for name, one in videos.items() if not one.video.ended}
            self._found = found
            async with self._changed:
                self._round += 1
                self._changed.notify_all()
            await asyncio.sleep(self._every_s)

    def _look(self, owners: list[str], known: list[str], since: int) -> tuple[list[Video], Queue]:
        rows = self._service.gallery.lively(owners, known, since)
        is_empty = all(row.ended for row in rows)
        return rows, Queue({}, 0.0) if is_empty else self._service.queue()


@router.get(
    "",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `video`, `preview`, `done`, `deleted`, and `ready` after the "
            "first round; each carries JSON.",
            "content": EVENT_STREAM,
        }
    },
)
async def stream_all_events(
    request: Request,
    owner: Owner,
    service: Served,
    seconds: Annotated[float, Query(gt=0, le=TRUST_S)] = TRUST_S,
) -> Any:
    """Everything that happens to the owner's videos, for so many seconds; then come again."""
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    state = request.app.state
    stream = _stream(service, state.pulse, owner, state.stopping, seconds)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


async def _stream(
    service: Service,
    pulse: Pulse,
    owner: str,
    stopping: threading.Event,
    seconds: float = TRUST_S,
) -> AsyncIterator[str]:
    told = _Told(service)
    loop = asyncio.get_running_loop()
    began = spoke = loop.time()
    pulse.follow(owner)
    try:
        number = pulse.number
        while not pulse.knows(owner) and not stopping.is_set():
            number = await pulse.next(number)
        is_ready = False
        while loop.time() - began < seconds and not stopping.is_set():
            async for line in told.news(pulse.found(owner)):
                spoke = loop.time()
                yield line
            if not is_ready:
                is_ready = True
                yield event("ready", {})
            if loop.time() - spoke > SILENT_S:
                spoke = loop.time()
                yield ": still here\n\n"
            number = await pulse.next(number)
    finally:
        pulse.leave(owner)


class _Told:
    """What one page knows already."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._before: dict[str, Seen] = {}
        self._previews: dict[str, int] = {}
        self._ended: set[str] = set()

    async def news(self, videos: dict[str, Seen]) -> AsyncIterator[str]:
        for name, seen in videos.items():
            if name in self._ended:
                continue
            if seen.video.ended:
                self._before.pop(name, None)
                self._ended.add(name)
                yield event("done", seen.shown.model_dump())
                continue
            before = self._before.get(name)
            if before is None or _has_news(before, seen):
                self._before[name] = seen
                yield event("video", seen.shown.model_dump())
            if seen.video.previews > self._previews.get(name, 0):
                self._previews[name] = seen.video.previews
                if picture := await in_thread(preview_url, self._service, name):
                    told = {"id": name, "image_url": picture, "previews": seen.video.previews}
                    yield event("preview", told)
        for gone in set(self._before) - set(videos):
            del self._before[gone]
            yield event("deleted", {"id": gone})


def _has_news(before: Seen, now: Seen) -> bool:
    """Whether more has changed than a second that went by and a picture that came."""
    if before is now:
        return False
    left, then = now.shown.worldreel.seconds_left, before.shown.worldreel.seconds_left
    if left is not None and then is not None and abs(left - then) >= 1:
        return True
    return before.state != now.state
