"""The routes of videos: create, list, look at, download, remix, edit, extend, cancel, delete."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from worldreel.app.jobs.folder import IMAGE, SMALL, SPRITESHEET, THUMBNAIL, VIDEO
from worldreel.app.jobs.gallery import Wanted
from worldreel.app.jobs.video import COMPLETED, QUEUED, NewVideo, Verb, Video
from worldreel.app.server.admission import Act, Key, accept, estimate, new_object
from worldreel.app.server.asking import Asking
from worldreel.app.server.bodies import Body, open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.problems import ApiError, invalid, not_found
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import (
    CreateVideo,
    EditVideo,
    ExtendVideo,
    RemixVideo,
    Status,
    VideoDeleted,
    VideoList,
    VideoObject,
)

router = APIRouter(prefix="/v1/videos", tags=["videos"])

MEDIA = {
    "video": (VIDEO, "video/mp4"),
    "thumbnail": (THUMBNAIL, "image/webp"),
    "small": (SMALL, "image/webp"),
    "image": (IMAGE, "image/png"),
    "spritesheet": (SPRITESHEET, "image/jpeg"),
}
POLL_MIN_MS, POLL_MAX_MS = 500, 10_000
LIST_DEFAULT = 20


@router.post("", response_model=VideoObject, openapi_extra={"x-body": CreateVideo.__name__})
async def create_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video to be made from words, and from a picture or characters if given."""
    async with open_body(request, files=("input_reference",)) as body:
        asked = body.read_as(CreateVideo)
        if asked.input_reference and body.files:
            raise invalid("Give input_reference as a file or as a reference, not both.")

        def act(asking: Asking, upload: Path | None) -> Sequence[NewVideo]:
            return [asking.create(asked, upload)]

        upload = body.files.get("input_reference")
        return await _accept(request, response, service, owner, key, body, act, upload)


@router.post("/edits", response_model=VideoObject, openapi_extra={"x-body": "EditVideo"})
async def edit_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video that is another one changed by words."""
    async with open_body(request, files=("video",)) as body:
        asked = _with_source(body, EditVideo)

        def act(asking: Asking, upload: Path | None) -> Sequence[NewVideo]:
            source = None if upload else asking.source(asked.video.id)
            return [asking.edit(asked, source=source, upload=upload)]

        upload = body.files.get("video")
        return await _accept(request, response, service, owner, key, body, act, upload)


@router.post("/extensions", response_model=VideoObject, openapi_extra={"x-body": "ExtendVideo"})
async def extend_video(
    request: Request, response: Response, owner: Owner, service: Served, key: Key = None
) -> Any:
    """Accepts a video that goes on where another one ends; both are stitched together."""
    async with open_body(request, files=("video",)) as body:
        asked = _with_source(body, ExtendVideo)

        def act(asking: Asking, upload: Path | None) -> Sequence[NewVideo]:
            source = None if upload else asking.source(asked.video.id)
            return [asking.extend(asked, source=source, upload=upload)]

        upload = body.files.get("video")
        return await _accept(request, response, service, owner, key, body, act, upload)


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

        def act(asking: Asking, upload: Path | None) -> Sequence[NewVideo]:
            return [asking.edit(asked, source=asking.source(video_id, "video_id"))]

        return await _accept(request, response, service, owner, key, body, act)


@router.get("", response_model=VideoList)
def list_videos(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=0, le=100)] = LIST_DEFAULT,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(max_length=128)] = None,
    q: Annotated[str | None, Query(max_length=400)] = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    size: Annotated[str | None, Query(max_length=16)] = None,
    status: Annotated[Status | None, Query()] = None,
    verb: Annotated[Verb | None, Query()] = None,
    favourite: Annotated[bool | None, Query()] = None,
    picked: Annotated[bool | None, Query()] = None,
    folder_id: Annotated[str | None, Query(max_length=48)] = None,
    batch_id: Annotated[str | None, Query(max_length=48)] = None,
) -> Any:
    """The owner's videos, the newest first.

    Every word of ``q`` is in the prompt; the ``folder_id`` ``none`` is of those in no folder.
    """
    last = None
    if after is not None:
        last = find_video(service, owner, after, "after")
    texts = {"q": q, "model": model, "size": size, "folder_id": folder_id, "batch_id": batch_id}
    for name, text in texts.items():
        if text is not None and "\0" in text:
            raise invalid(f"{name}: it holds a NUL character.", name)
    wanted = Wanted(
        words=q,
        model=model,
        size=size,
        status=status,
        verb=verb,
        favourite=favourite,
        picked=picked,
        folder="" if folder_id == "none" else folder_id,
        batch=batch_id,
    )
    how: dict[str, Any] = {"ascending": order == "asc", "after": last}
    found = service.gallery.page(owner, wanted, limit=limit + 1, **how)
    data = show(service, found[:limit])
    return VideoList(
        total=service.gallery.count(owner, wanted),
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{video_id}", response_model=VideoObject)
def retrieve_video(video_id: str, response: Response, owner: Owner, service: Served) -> Any:
    """How a video stands."""
    video = find_video(service, owner, video_id)
    if not video.ended:
        response.headers["openai-poll-after-ms"] = str(_poll_ms(video))
    return show(service, [video])[0]


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
    video = find_video(service, owner, video_id)
    if not service.videos.cancel(owner, video_id):
        video = find_video(service, owner, video_id)
        message = f"The video is {video.status}: there is nothing to cancel."
        raise invalid(message, "video_id", "video_has_ended")
    if video.status == QUEUED:
        service.folder.remove_work(video_id)
    return VideoObject.of(find_video(service, owner, video_id))


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
    variant: Literal["video", "thumbnail", "small", "spritesheet", "image"] = "video",
) -> Any:
    """A finished video, its thumbnail or its sheet of pictures; in parts, if asked so."""
    video = find_video(service, owner, video_id)
    if video.status != COMPLETED or video.published_fence is None:
        message = f"The video is {video.status}: there is nothing to download."
        raise invalid(message, "video_id", "video_not_ready")
    name, kind = MEDIA[variant]
    path = service.folder.published(video.id, video.published_fence) / name
    if variant == "small" and not path.is_file():  # of before there were small ones
        path = path.with_name(THUMBNAIL)
    if video.files_gone or not path.is_file():
        missing = not video.files_gone and variant == "image"
        what = "It has no picture of its own" if missing else "Its files have expired"
        message = f"{what}: the video {video_id}."
        code = "image_not_found" if missing else "video_expired"
        raise ApiError(404, message, param="video_id", code=code)
    headers = {"etag": f'"{(video.sha256 or "")[:32]}-{variant}"'}
    headers["cache-control"] = "private, max-age=31536000, immutable"
    return FileResponse(path, media_type=kind, filename=f"{video_id}-{name}", headers=headers)


async def estimate_video(request: Request, owner: Owner, service: Served) -> Any:
    """What a video would cost, and when it would begin: nothing runs."""
    async with open_body(request, files=("input_reference",)) as body:
        asked = body.read_as(CreateVideo)
        upload = body.files.get("input_reference")

        def act(asking: Asking, file: Path | None) -> Sequence[NewVideo]:
            return [asking.create(asked, file)]

        return await in_thread(estimate, Asking(service, owner), act, upload)


async def _accept(
    request: Request,
    response: Response,
    service: Service,
    owner: str,
    key: str | None,
    body: Body,
    act: Act,
    upload: Any = None,
) -> VideoObject:
    def tell(news: Sequence[NewVideo]) -> VideoObject:
        return new_object(news[0])

    asking = Asking(service, owner)
    return await accept(request, response, asking, key, body, act, tell, VideoObject, upload=upload)


def _with_source(body: Body, model: Any) -> Any:
    """The fields of an edit or extension, whose video may have come as a file."""
    if "video" in body.files:
        if "video" in body.fields:
            raise invalid("Give video as a file or as a reference, not both.", "video")
        body = Body({**body.fields, "video": {"id": "uploaded"}}, body.files, body.is_form)
    return body.read_as(model)


def show(service: Service, videos: Sequence[Video]) -> list[VideoObject]:
    """Videos as clients see them, with their places in the queue."""
    queue = None if all(video.ended for video in videos) else service.queue()
    return [VideoObject.of(video, queue) for video in videos]


def find_video(service: Service, owner: str, video: str, param: str = "video_id") -> Video:
    """An owner's video; raises ApiError where there is none."""
    found = service.videos.get(owner, video) if "\0" not in video else None
    if found is None:
        raise not_found("video", video, param)
    return found


def _poll_ms(video: Video) -> int:
    """When it is worth asking again: a twentieth of the work."""
    return int(min(POLL_MAX_MS, max(POLL_MIN_MS, 1000 * video.cost_s / 20)))
