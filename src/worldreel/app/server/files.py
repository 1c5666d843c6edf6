"""The routes of files: pictures that are uploaded once and named in requests."""

import re
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from pydantic import Field

from worldreel.app.jobs.folder import link_or_copy, sync
from worldreel.app.jobs.pictures import small_webp
from worldreel.app.jobs.uploads import Upload
from worldreel.app.jobs.video import new_id
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.file_shapes import (
    FileDeleted,
    FileList,
    FileObject,
    FileSettings,
)
from worldreel.app.server.intake import incoming, save_upload, unreadable
from worldreel.app.server.problems import ApiError, disk_full, invalid, not_found
from worldreel.app.server.remaking import body_in
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import In
from worldreel.core.errors import WorldreelError

router = APIRouter(prefix="/v1/files", tags=["files"])

OWNER_MAX_BYTES = 10 * 2**30
"""What one owner's files and characters may take."""

_UNPRINTABLE = re.compile(r"[^\w .,()+@~-]", re.ASCII)


class ExpiresAfter(In):
    """When a file is let go."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class CreateFile(In):
    """The fields beside the file of ``POST /v1/files``."""

    purpose: Literal["vision", "user_data", "assistants"]
    expires_after: ExpiresAfter | None = None


@router.post("", response_model=FileObject, openapi_extra={"x-body": "CreateFile"})
async def create_file(request: Request, owner: Owner, service: Served) -> Any:
    """Keeps a file; it is looked at when a request names it."""
    async with open_body(request, files=("file",)) as body:
        asked = body.read_as(CreateFile)
        upload = body.files.get("file")
        if upload is None:
            raise invalid("Give the file as file.", "file", "missing_required_parameter")

        def keep() -> Upload:
            if not service.has_room():
                raise disk_full()
            now = time.time()
            with incoming(service.folder) as place:
                raw = place / "upload"
                size_bytes = save_upload(upload.file, raw)
                if service.uploads.used_bytes(owner) + size_bytes > OWNER_MAX_BYTES:
                    message = f"Your files would take more than {OWNER_MAX_BYTES:,} bytes."
                    kind = {"type": "insufficient_quota", "code": "insufficient_quota"}
                    raise ApiError(429, message, headers={"retry-after": "3600"}, **kind)
                after = asked.expires_after
                kept = Upload(
                    id=new_id("file"),
                    owner=owner,
                    created_at=now,
                    expires_at=now + after.seconds if after else None,
                    filename=_shown(upload.filename),
                    purpose=asked.purpose,
                    size_bytes=size_bytes,
                    ending=".bin",
                )
                link_or_copy(raw, kept.path(service.folder))
            sync(kept.path(service.folder))
            sync(service.folder.uploads)
            service.uploads.add(kept)
            return kept

        return FileObject.of(await in_thread(keep))


@router.get("", response_model=FileList)
def list_files(
    owner: Owner,
    service: Served,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[str | None, Query(max_length=128)] = None,
    purpose: Annotated[str | None, Query(max_length=32)] = None,
) -> Any:
    """The owner's files, the newest first."""
    last = None if after is None else _find(service, owner, after, "after")
    how: dict[str, Any] = {"ascending": order == "asc", "after": last}
    how["purpose"] = None if purpose and "\0" in purpose else purpose
    found = service.uploads.page(owner, limit=limit + 1, **how)
    data = [FileObject.of(upload) for upload in found[:limit]]
    return FileList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


@router.get("/{file_id}", response_model=FileObject)
def retrieve_file(file_id: str, owner: Owner, service: Served) -> Any:
    """What is known of a file."""
    return FileObject.of(_find(service, owner, file_id))


@router.get(
    "/{file_id}/content",
    response_class=FileResponse,
    responses={
        200: {"description": "The bytes.", "content": {"application/octet-stream": {}}},
        206: {"description": "The part that was asked for."},
        416: {"description": "There is no such part."},
    },
)
def download_file(file_id: str, owner: Owner, service: Served) -> Any:
    """A file's bytes, as they came."""
    path = _there(service, owner, file_id)
    # never shown as a page of this host, whatever the bytes say
    return FileResponse(path, media_type="application/octet-stream", filename=f"{file_id}.bin")


@router.delete("/{file_id}", response_model=FileDeleted)
def delete_file(file_id: str, owner: Owner, service: Served) -> Any:
    """Lets a file go."""
    found = _find(service, owner, file_id)
    if not service.uploads.remove(owner, file_id):
        raise not_found("file", file_id, "file_id")
    found.path(service.folder).unlink(missing_ok=True)
    return FileDeleted(id=file_id)


@router.get("/{file_id}/settings", response_model=FileSettings)
def retrieve_file_settings(file_id: str, owner: Owner, service: Served) -> Any:
    """What a picture or clip is, and what made it, where worldreel did."""
    from worldreel.media.footage import describe_file
    from worldreel.media.limits import UPLOAD

    path = _there(service, owner, file_id)
    try:
        with service.media:
            info, settings = describe_file(path, limits=UPLOAD)
    except WorldreelError as error:
        raise unreadable(error, "file_id", path) from None
    height, width = info.size
    return FileSettings(
        id=file_id,
        kind="video" if info.num_frames > 1 else "picture",
        width=width,
        height=height,
        fps=info.fps,
        num_frames=info.num_frames,
        seconds=info.duration_s,
        settings=settings,
        body=body_in(settings),
    )


@router.get(
    "/{file_id}/thumbnail",
    response_class=Response,
    responses={200: {"description": "The picture.", "content": {"image/webp": {}}}},
)
def download_file_thumbnail(file_id: str, owner: Owner, service: Served) -> Any:
    """The first frame of a picture or clip, small."""
    from worldreel.media.footage import stream_footage
    from worldreel.media.limits import UPLOAD

    path = _there(service, owner, file_id)
    try:
        with service.media:
            frames = stream_footage(path, limits=UPLOAD).frames
            picture = small_webp(next(frames))
            frames.close()  # pyright: ignore[reportAttributeAccessIssue]
    except WorldreelError as error:
        raise unreadable(error, "file_id", path) from None
    headers = {"cache-control": "private, max-age=31536000, immutable"}
    return Response(picture, media_type="image/webp", headers=headers)


def _there(service: Service, owner: str, file: str) -> Path:
    path = _find(service, owner, file).path(service.folder)
    if not path.is_file():
        raise not_found("file", file, "file_id")
    return path


def _find(service: Service, owner: str, file: str, param: str = "file_id") -> Upload:
    found = service.uploads.get(owner, file) if "\0" not in file else None
    if found is None:
        raise not_found("file", file, param)
    return found


def _shown(name: str | None) -> str:
    """A client's name for a file, as it is shown: a name, no path."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _UNPRINTABLE.sub("_", last)[:255] or "file"
