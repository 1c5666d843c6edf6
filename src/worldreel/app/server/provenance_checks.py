"""The route of provenance checks: where a file says that it comes from, and what that means."""

from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from worldreel.app.jobs.folder import VIDEO
from worldreel.app.jobs.marking import KEYS
from worldreel.app.jobs.video import COMPLETED
from worldreel.app.server.bodies import open_body
from worldreel.app.server.callers import Owner
from worldreel.app.server.intake import incoming, save_upload
from worldreel.app.server.problems import ApiError, disk_full, invalid, not_found
from worldreel.app.server.service import Served, Service, in_thread
from worldreel.app.server.shapes import In, VideoReference
from worldreel.core.errors import WorldreelError

router = APIRouter(prefix="/v1/content_provenance_checks", tags=["provenance"])


class CheckProvenance(In):
    """The body of ``POST /v1/content_provenance_checks``; ``file`` may come instead."""

    video: VideoReference | None = None


class StepObject(BaseModel):
    """Who said what was done, the latest first."""

    issuer: str
    generator: str
    title: str
    actions: list[str]
    made_by_model: bool
    model: str
    depth: int
    """0 is the file itself, 1 what it was made from, and so on."""


class CredentialsObject(BaseModel):
    """What a file's content credentials (C2PA) say."""

    state: Literal["trusted", "valid", "invalid", "none"]
    steps: list[StepObject]
    reasons: list[str]
    content_id: str | None
    signed_at: str | None


class LabelsObject(BaseModel):
    """The labels for machines in a file."""

    aigc: dict[str, str] | None
    """The object of GB 45438-2025."""
    source_type: str | None
    """IPTC's digital source type, a URI."""


class WatermarkObject(BaseModel):
    """What became of the search for the invisible mark."""

    state: Literal["found", "not_found", "not_searched"]
    false_alarm: float | None
    """The probability that an unmarked file scores as high."""
    payload: int | None
    num_bits: int
    is_public: bool


class ProvenanceObject(BaseModel):
    """Where a file says that it comes from. That there are no marks proves nothing."""

    object: Literal["content_provenance_check"] = "content_provenance_check"
    mime: str
    says_generated: bool
    credentials: CredentialsObject
    labels: LabelsObject
    watermark: WatermarkObject
    words: list[str] = Field(description="What it means, and what it does not mean.")


@router.post("", response_model=ProvenanceObject, openapi_extra={"x-body": "CheckProvenance"})
async def check_provenance(request: Request, owner: Owner, service: Served) -> Any:
    """Checks a file that is sent as ``file``, or a finished video of the owner."""
    async with open_body(request, files=("file",)) as body:
        asked = body.read_as(CheckProvenance)
        upload = body.files.get("file")
        if (asked.video is None) == (upload is None):
            message = "Give exactly one of file and video."
            raise invalid(message, "file", "missing_required_parameter")

        def look() -> ProvenanceObject:
            if asked.video is not None:
                return _check(service, _published(service, owner, asked.video.id), "video")
            assert upload is not None
            if not service.has_room():
                raise disk_full()
            with incoming(service.folder) as place:
                path = place / "file"
                save_upload(upload.file, path)
                return _check(service, path, "file")

        return await in_thread(look)


def _published(service: Service, owner: str, video: str) -> Path:
    """The file of a finished video; raises ApiError where there is none of this owner."""
    found = service.videos.get(owner, video) if "\0" not in video else None
    if found is None:
        raise not_found("video", video, "video")
    if found.status != COMPLETED or found.files_gone or found.published_fence is None:
        state = "expired" if found.files_gone else found.status
        message = f"The video {video} is {state}; it must be completed and still be there."
        raise invalid(message, "video", "video_not_ready")
    return service.folder.published(video, found.published_fence) / VIDEO


def _check(service: Service, path: Path, param: str) -> ProvenanceObject:
    from worldreel.media.limits import UPLOAD
    from worldreel.provenance.verify import Keys, check

    settings = service.settings
    keys = Keys.open(settings.data / KEYS, settings.provenance)
    try:
        with service.media:
            report = check(path, keys, UPLOAD)
    except WorldreelError as error:
        message = str(error).replace("\n", " ").replace(path.name, "the file")
        if "disk is full" in message:
            raise
        raise invalid(f"{param}: {message}", param, "invalid_media") from None
    except FileNotFoundError:
        raise ApiError(404, "The video's files have expired.", code="video_expired") from None
    return ProvenanceObject.model_validate(report.to_json())
