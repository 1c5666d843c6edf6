"""The routes of videos: create, list, look at, download, remix, edit, extend, cancel, delete."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse

from worldreel.app.jobs.folder import SPRITESHEET, THUMBNAIL, VIDEO
from worldreel.app.jobs.store import KeyReused, Once, QueueFull, QuotaReached
from worldreel.app.jobs.video import COMPLETED, QUEUED, NewVideo, Video
from worldreel.app.server.asking import Asking
from worldreel.app.server.bodies import Body, open_body
from worldreel.app.server.intake import incoming, save_upload
from worldreel.app.server.problems import ApiError, disk_full, invalid, not_found
from worldreel.app.server.service import Owner, Served, Service, in_thread
from worldreel.app.server.shapes import (
    CreateVideo,
    EditVideo,
    EstimateObject,
    ExtendVideo,
    Making,
    RemixVideo,
    VideoDeleted,
    VideoList,
    VideoObject,
    making_of,
)

router = APIRouter(prefix="/v1/videos", tags=["videos"])

MEDIA = {
    "video": (VIDEO, "video/mp4"),
    "thumbnail": (THUMBNAIL, "image/webp"),
    "spritesheet": (SPRITESHEET, "image/jpeg"),
}
POLL_MIN_MS, POLL_MAX_MS = 500, 10_000
LIST_DEFAULT = 20

Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]
Act = Callable[[Asking, Path | None], NewVideo]


@router.post("", response_model=VideoObject, openapi_extra={"x-body": CreateVideo.__name__})
async def create_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video to be made from words, and from a picture or characters if given."""
    async with open_body(request, files=("input_reference",)) as body:
        asked = body.read_as(CreateVideo)
        if asked.input_reference and body.files:
            raise invalid("Give input_reference as a file or as a reference, not both.")

        def act(asking: Asking, upload: Path | None) -> NewVideo:
            return asking.create(asked, upload)

        upload = body.files.get("input_reference")
        return await _accept(request, response, service, owner, key, body, upload, act)


@router.post("/edits", response_model=VideoObject, openapi_extra={"x-body": "EditVideo"})
async def edit_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video that is another one changed by words."""
    async with open_body(request, files=("video",)) as body:
        asked = _with_source(body, EditVideo)

        def act(asking: Asking, upload: Path | None) -> NewVideo:
            source = None if upload else asking.source(asked.video.id)
            return asking.edit(asked, source=source, upload=upload)

        upload = body.files.get("video")
        return await _accept(request, response, service, owner, key, body, upload, act)


@router.post("/extensions", response_model=VideoObject, openapi_extra={"x-body": "ExtendVideo"})
async def extend_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video that goes on where another one ends; both are stitched together."""
    async with open_body(request, files=("video",)) as body:
        asked = _with_source(body, ExtendVideo)

        def act(asking: Asking, upload: Path | None) -> NewVideo:
            source = None if upload else asking.source(asked.video.id)
            return asking.extend(asked, source=source, upload=upload)

        upload = body.files.get("video")
        return await _accept(request, response, service, owner, key, body, upload, act)


@router.post(
    "/{video_id}/remix", response_model=VideoObject, openapi_extra={"x-body": "RemixVideo"}
)
async def remix_video(
    video_id: str,
    request: Request,
    response: Response,
    owner: Owner,
    service: Served,
    key: Key = None,
) -> Any:
    """Accepts a video that is another one changed by words (the older form of an edit)."""
    async with open_body(request) as body:
        asked = body.read_as(RemixVideo)

        def act(asking: Asking, upload: Path | None) -> NewVideo:
            return asking.edit(asked, source=asking.source(video_id, "video_id"))

        return await _accept(request, response, service, owner, key, body, None, act)


@router.get("", response_model=VideoList)
def list_videos(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=0, le=100)] = LIST_DEFAULT,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(max_length=128)] = None,
) -> Any:
    """The owner's videos, the newest first."""
    last = None
    if after is not None and (last := service.videos.get(owner, after)) is None:
        raise not_found("video", after, "after")
    found = service.videos.page(owner, limit=limit + 1, ascending=order == "asc", after=last)
    data = [VideoObject.of(video) for video in found[:limit]]
    return VideoList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{video_id}", response_model=VideoObject)
def retrieve_video(video_id: str, response: Response, owner: Owner, service: Served) -> Any:
    """How a video stands."""
    video = _find(service, owner, video_id)
    if not video.ended:
        response.headers["openai-poll-after-ms"] = str(_poll_ms(video))
    return VideoObject.of(video)


@router.delete("/{video_id}", response_model=VideoDeleted)
def delete_video(video_id: str, owner: Owner, service: Served) -> Any:
    """Forgets a video and its files; one that is being made is stopped."""
    if not service.videos.delete(owner, video_id):
        raise not_found("video", video_id, "video_id")
    service.folder.remove(video_id)
    return VideoDeleted(id=video_id)


@router.post("/{video_id}/cancel", response_model=VideoObject)
def cancel_video(video_id: str, owner: Owner, service: Served) -> Any:
    """Stops a video: it is failed with the code ``cancelled``, and its disk is freed."""
    video = _find(service, owner, video_id)
    if not service.videos.cancel(owner, video_id):
        video = _find(service, owner, video_id)
        message = f"The video is {video.status}: there is nothing to cancel."
        raise invalid(message, "video_id", "video_has_ended")
    if video.status == QUEUED:
        service.folder.remove_work(video_id)
    return VideoObject.of(_find(service, owner, video_id))


@router.get(
    "/{video_id}/content",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file.",
            "content": {kind: {} for _, kind in MEDIA.values()},
        },
        206: {"description": "The part that was asked for."},
        416: {"description": "There is no such part."},
    },
)
def download_content(
    video_id: str,
    owner: Owner,
    service: Served,
    variant: Literal["video", "thumbnail", "spritesheet"] = "video",
) -> Any:
    """A finished video, its thumbnail or its sheet of pictures; in parts, if asked so."""
    video = _find(service, owner, video_id)
    if video.status != COMPLETED or video.published_fence is None:
        message = f"The video is {video.status}: there is nothing to download."
        raise invalid(message, "video_id", "video_not_ready")
    name, kind = MEDIA[variant]
    path = service.folder.published(video.id, video.published_fence) / name
    if video.files_gone or not path.is_file():
        message = f"The files of the video {video_id} have expired."
        raise ApiError(404, message, param="video_id", code="video_expired")
    headers = {"etag": f'"{(video.sha256 or "")[:32]}-{variant}"'}
    headers["cache-control"] = "private, max-age=3600"
    return FileResponse(path, media_type=kind, filename=f"{video_id}-{name}", headers=headers)


async def estimate_video(request: Request, owner: Owner, service: Served) -> Any:
    """What a video would cost, and when it would begin: nothing runs."""
    async with open_body(request, files=("input_reference",)) as body:
        asked = body.read_as(CreateVideo)
        upload = body.files.get("input_reference")

        def reckon() -> EstimateObject:
            asking = Asking(service, owner)
            with incoming(service.folder) as place:
                try:
                    file = place / "upload"
                    given = file if upload and save_upload(upload.file, file) else None
                    new = asking.create(asked, given)
                finally:
                    asking.abandon()
            waiting, work_s = service.videos.waiting()
            workers = max(1, len(service.workers.living(service.settings.lease_s)))
            return EstimateObject(
                work_seconds=round(new.cost_s, 3),
                wait_seconds=round(work_s / workers, 3),
                queue_position=waiting + 1,
                memory_bytes=new.memory_bytes,
                worldreel=_making(new),
            )

        return await in_thread(reckon)


def _making(new: NewVideo) -> Making:
    return making_of(new.wish, {})


async def _accept(
    request: Request,
    response: Response,
    service: Service,
    owner: str,
    key: str | None,
    body: Body,
    upload: Any,
    act: Act,
) -> Any:
    """Makes a new video of a request, once per idempotency key."""

    def accept() -> VideoObject:
        try:
            service.videos.check_room(owner)
            new_room = None
        except (QueueFull, QuotaReached) as error:
            new_room = error
        with incoming(service.folder) as place:
            file = None
            if upload is not None:
                file = place / "upload"
                save_upload(upload.file, file)
            once = None
            if key is not None:
                once = Once(key, _fingerprint(request.url.path, body, file))
                before = service.videos.answered(owner, once)
                if before is not None:
                    response.headers["idempotent-replayed"] = "true"
                    return VideoObject.model_validate_json(before)
            if new_room is not None:
                raise new_room
            if not service.has_room():
                raise disk_full()
            return _admit(service, owner, once, file, act, response)

    try:
        return await in_thread(accept)
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


def _admit(
    service: Service,
    owner: str,
    once: Once | None,
    file: Path | None,
    act: Act,
    response: Response,
) -> VideoObject:
    asking = Asking(service, owner)
    try:
        new = act(asking, file)
        fresh = new_object(new)
        answer = service.videos.admit(new, once, fresh.model_dump_json())
    except BaseException:
        asking.abandon()
        raise
    taken = VideoObject.model_validate_json(answer)
    if taken.id != new.id:  # somebody else came first with the same key
        asking.abandon()
        response.headers["idempotent-replayed"] = "true"
    return taken


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
        worldreel=_making(new),
    )


def _with_source(body: Body, model: Any) -> Any:
    """The fields of an edit or extension, whose video may have come as a file."""
    if "video" in body.files:
        if "video" in body.fields:
            raise invalid("Give video as a file or as a reference, not both.", "video")
        body = Body({**body.fields, "video": {"id": "uploaded"}}, body.files, body.is_form)
    return body.read_as(model)


def _fingerprint(path: str, body: Body, file: Path | None) -> str:
    digest = hashlib.sha256(json.dumps([path, body.fields], sort_keys=True).encode())
    if file is not None:
        with open(file, "rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def _find(service: Service, owner: str, video: str) -> Video:
    found = service.videos.get(owner, video) if "\0" not in video else None
    if found is None:
        raise not_found("video", video, "video_id")
    return found


def _poll_ms(video: Video) -> int:
    """When it is worth asking again: a twentieth of the work."""
    return int(min(POLL_MAX_MS, max(POLL_MIN_MS, 1000 * video.cost_s / 20)))
