"""How requests for videos are accepted: once per idempotency key, all takes or none."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Header, Request, Response
from pydantic import BaseModel

from worldreel.app.jobs.store import KeyReused, Once, QueueFull, QuotaReached
from worldreel.app.jobs.video import NewVideo
from worldreel.app.machine import memory_free_bytes
from worldreel.app.server.asking import Asking
from worldreel.app.server.bodies import Body
from worldreel.app.server.intake import incoming, save_upload
from worldreel.app.server.problems import ApiError, disk_full
from worldreel.app.server.service import in_thread
from worldreel.app.server.shapes import EstimateObject, VideoObject, making_of

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Act = Callable[[Asking, Path | None], Sequence[NewVideo]]
Answer = TypeVar("Answer", bound=BaseModel)
Tell = Callable[[Sequence[NewVideo]], Answer]


async def accept(
    request: Request,
    response: Response,
    asking: Asking,
    key: str | None,
    body: Body,
    act: Act,
    tell: Tell[Answer],
    shape: type[Answer],
    *,
    upload: Any = None,
    count: int = 1,
) -> Answer:
    """Makes new videos of a request, once per idempotency key.

    Args:
        act: what is to be made; given the file of ``upload``, if there is one.
        tell: what is answered to that; a repeated request is answered the same.
        count: how many videos there will be.

    Raises:
        ApiError: they cannot be, or there is no room for them.
    """
    service, owner = asking.service, asking.owner

    def take() -> Answer:
        try:
            service.videos.check_room(owner, count)
            no_room = None
        except (QueueFull, QuotaReached) as error:
            no_room = error
        with incoming(service.folder) as place:
            file = None
            if upload is not None:
                file = place / "upload"
                save_upload(upload.file, file)
            once = None
            if key is not None:
                once = Once(key, _fingerprint(request.url.path, body, file))
                if (before := service.videos.answered(owner, once)) is not None:
                    response.headers["idempotent-replayed"] = "true"
                    return shape.model_validate_json(before)
            if no_room is not None:
                raise no_room
            if not service.has_room():
                raise disk_full()
            try:
                news = act(asking, file)
                service.gate.check_request(owner, asking.id, news[0].wish, asking.inputs)
                fresh = tell(news).model_dump_json()
                told = service.videos.admit(news, once, fresh)
            except BaseException:
                asking.abandon()
                raise
            if told != fresh:  # somebody else came first with the same key
                asking.abandon()
                response.headers["idempotent-replayed"] = "true"
            return shape.model_validate_json(told)

    try:
        return await in_thread(take)
    except QueueFull as error:
        headers = {"retry-after": str(error.retry_s)}
        kind = {"type": "rate_limit_error", "code": "rate_limit_exceeded"}
        message = f"{error} Try again in about {error.retry_s} s."
        raise ApiError(429, message, headers=headers, **kind) from None
    except QuotaReached as error:
        message = f"{error} Delete some, or wait until they expire."
        kind = {"type": "insufficient_quota", "code": "insufficient_quota"}
        raise ApiError(429, message, headers={"retry-after": "3600"}, **kind) from None
    except KeyReused:
        message = "This Idempotency-Key was used before, for another request."
        raise ApiError(
            400,
            message,
            type="idempotency_error",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        ) from None


def estimate(asking: Asking, act: Act, upload: Any = None) -> EstimateObject:
    """What new videos would cost, and when they would be done; nothing is kept or run."""
    service = asking.service
    with incoming(service.folder) as place:
        try:
            file = place / "upload"
            news = act(asking, file if upload and save_upload(upload.file, file) else None)
        finally:
            asking.abandon()
    queue = service.queue()
    workers = max(1, service.num_workers())
    work_s = sum(new.cost_s for new in news)
    free = memory_free_bytes()
    wish = news[0].wish
    making = making_of(wish, {})
    return EstimateObject(
        takes=len(news),
        work_seconds=round(work_s, 3),
        wait_seconds=round(queue.work_s / workers, 3),
        done_seconds=round((queue.work_s + work_s) / workers, 3),
        queue_position=len(queue.places) + 1,
        memory_bytes=news[0].memory_bytes,
        memory_free_bytes=free,
        fits=news[0].memory_bytes <= free,
        size=news[0].size,
        seconds=making.num_frames / wish.fps,
        num_frames=making.num_frames,
        worldreel=making,
    )


def new_object(new: NewVideo) -> VideoObject:
    """A video that was just accepted, as clients see it."""
    return VideoObject(
        id=new.id,
        model=new.model,
        status="queued",
        progress=0,
        created_at=int(time.time()),
        completed_at=None,
        expires_at=None,
        size=new.size,
        seconds=new.seconds,
        prompt=new.wish.prompt,
        remixed_from_video_id=new.remixed_from_video_id,
        error=None,
        worldreel=making_of(
            new.wish,
            {},
            batch_id=new.batch,
            take=new.take,
            folder_id=new.folder,
            kept=new.folder is not None,
        ),
    )


def _fingerprint(path: str, body: Body, file: Path | None) -> str:
    digest = hashlib.sha256(json.dumps([path, body.fields], sort_keys=True).encode())
    if file is not None:
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
