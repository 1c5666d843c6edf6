"""The stream of a video's progress, as server-sent events."""

import base64
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from worldreel.app.jobs.folder import PREVIEW
from worldreel.app.jobs.video import Video
from worldreel.app.server.callers import Owner
from worldreel.app.server.problems import ApiError, not_found
from worldreel.app.server.service import Served, Service, Watch, in_thread
from worldreel.app.server.shapes import VideoObject

router = APIRouter(prefix="/v1/videos", tags=["videos"])

SILENT_S = 15.0
"""A comment is sent after so long, so that nothing in between takes the stream for dead."""
EVENT_STREAM = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
            "required": ["event", "data"],
        }
    }
}
"""What a stream of events is in the OpenAPI document: each event by itself."""
TRUST_S = 600.0
"""A stream ends after so long; the client begins anew, with its key looked at again."""


@router.get(
    "/{video_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `progress`, `preview` and at the end `done`; each carries JSON.",
            "content": EVENT_STREAM,
        }
    },
)
async def stream_events(video_id: str, request: Request, owner: Owner, service: Served) -> Any:
    """How a video comes along, with a small picture now and then, until it has ended."""
    video = None
    if "\0" not in video_id:
        video = await in_thread(service.videos.get, owner, video_id)
    if video is None:
        raise not_found("video", video_id, "video_id")
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    watch: Watch = request.app.state.watch
    stream = _stream(service, watch, video, request.app.state.stopping)
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


@router.get(
    "/{video_id}/preview",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/webp": {}}}},
)
def download_preview(video_id: str, owner: Owner, service: Served) -> Any:
    """A small picture of a video on its way."""
    video = service.videos.get(owner, video_id) if "\0" not in video_id else None
    if video is None:
        raise not_found("video", video_id, "video_id")
    picture = None if video.ended else preview_of(service, video.id)
    if picture is None:
        message = f"There is no picture of {video_id} on its way: it is {video.status}."
        raise ApiError(404, message, param="video_id", code="preview_not_found")
    return Response(picture, media_type="image/webp", headers={"cache-control": "no-store"})


async def _stream(
    service: Service, watch: Watch, video: Video, stopping: threading.Event
) -> AsyncIterator[str]:
    told: tuple[Any, ...] = ()
    previews = 0
    waited_s = total_s = 0.0
    latest: Video | None = video
    await watch.follow(video.id)
    try:
        while latest is not None and total_s < TRUST_S and not stopping.is_set():
            state = (latest.status, latest.progress, latest.stage)
            if state != told:
                told, waited_s = state, 0.0
                names = ("status", "progress", "stage")
                yield event("progress", {"id": video.id, **dict(zip(names, state, strict=True))})
            if latest.previews > previews and not latest.ended:
                previews = latest.previews
                if picture := await in_thread(preview_url, service, video.id):
                    yield event("preview", {"id": video.id, "image_url": picture})
            if latest.ended:
                yield event("done", VideoObject.of(latest).model_dump())
                return
            await watch.round(1.0)
            waited_s, total_s = waited_s + 0.25, total_s + 0.25
            if waited_s > SILENT_S:
                waited_s = 0.0
                yield ": still here\n\n"
            latest = watch.latest(video.id) or await in_thread(
                service.videos.get, video.owner, video.id
            )
        if latest is None:
            yield event("done", {"id": video.id, "object": "video.deleted", "deleted": True})
    finally:
        watch.leave(video.id)


def event(name: str, data: dict[str, Any]) -> str:
    """An event as it goes over the wire."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def preview_of(service: Service, video: str) -> bytes | None:
    """The picture of a video on its way, webp; None where there is none."""
    try:
        return (service.folder.work(video) / PREVIEW).read_bytes()
    except OSError:
        return None


def preview_url(service: Service, video: str) -> str | None:
    """The same as a data URL."""
    if (picture := preview_of(service, video)) is None:
        return None
    return "data:image/webp;base64," + base64.b64encode(picture).decode()
