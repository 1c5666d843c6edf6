"""What goes in and out over HTTP: OpenAI's shapes, and worldreel's additions to them."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from worldreel.app.jobs import sizes
from worldreel.app.jobs.hooks import EVENT_TYPES, Endpoint
from worldreel.app.jobs.uploads import Character, Upload
from worldreel.app.jobs.video import Video, Wish
from worldreel.core.randomness import SEED_MAX

PROMPT_MAX = 32_000
IMAGE_URL_MAX = 20_971_520
CHARACTERS_MAX = 2
CANVAS_MAX = 1_000_000
MADE_BEFORE_SUMMER = 1759708800
"""When Sora 2 came out: the date that OpenAI's list of models gave it."""


def _storable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no text") from None
    if "\0" in text:
        raise ValueError("it holds a NUL character")
    return text


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty: say what should be seen")
    return text


Storable = Annotated[str, AfterValidator(_storable)]
Prompt = Annotated[
    Storable, Field(min_length=1, max_length=PROMPT_MAX), AfterValidator(_says_something)
]
Id = Annotated[Storable, Field(min_length=1, max_length=128)]
Seconds = Annotated[str, Field(min_length=1, max_length=16, examples=list(sizes.OFFICIAL_SECONDS))]
Size = Annotated[str, Field(min_length=3, max_length=11, examples=list(sizes.OFFICIAL_SIZES))]


class In(BaseModel):
    """A body that comes in: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ImageReference(In):
    """A picture: exactly one of the two."""

    file_id: Id | None = None
    image_url: Annotated[Storable, Field(min_length=1, max_length=IMAGE_URL_MAX)] | None = None
    """An http or https URL, or a data URL with base64."""

    @model_validator(mode="after")
    def _one(self) -> "ImageReference":
        if (self.file_id is None) == (self.image_url is None):
            raise ValueError("give exactly one of file_id and image_url")
        return self


class VideoReference(In):
    """A video that was made here."""

    id: Id


class CharacterReference(In):
    """A character that was made here."""

    id: Id


class HowToMake(In):
    """worldreel's additions, under the names that other open servers use."""

    seed: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = None
    negative_prompt: Annotated[Storable, Field(max_length=PROMPT_MAX)] | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance_scale: Annotated[float, Field(ge=0, le=20)] | None = None


class CreateVideo(HowToMake):
    """The body of ``POST /v1/videos``."""

    prompt: Prompt
    model: Annotated[Storable, Field(min_length=1, max_length=128)] = "sora-2"
    seconds: Seconds | None = None
    size: Size | None = None
    input_reference: ImageReference | None = None
    characters: Annotated[list[CharacterReference], Field(max_length=CHARACTERS_MAX)] | None = None
    fps: Annotated[float, Field(gt=0, le=240)] | None = None
    num_frames: Annotated[int, Field(ge=1, le=100_000)] | None = None
    canvas: Annotated[str, Field(min_length=1, max_length=CANVAS_MAX)] | dict[str, Any] | None = (
        None
    )
    """A canvas file as text, TOML or JSON, or its values as an object (not in a form, where
    numbers would come as text); files in it are ids of files, videos and characters here."""


class EditVideo(HowToMake):
    """The body of ``POST /v1/videos/edits``; ``video`` may be a file instead."""

    prompt: Prompt
    video: VideoReference
    strength: Annotated[float, Field(gt=0, lt=1)] | None = None
    """How far the result may leave the clip."""


class ExtendVideo(HowToMake):
    """The body of ``POST /v1/videos/extensions``; ``video`` may be a file instead."""

    prompt: Prompt
    video: VideoReference
    seconds: Seconds


class RemixVideo(HowToMake):
    """The body of ``POST /v1/videos/{id}/remix``."""

    prompt: Prompt
    strength: Annotated[float, Field(gt=0, lt=1)] | None = None


class CreateCharacter(In):
    """The fields beside the file of ``POST /v1/videos/characters``."""

    name: Annotated[Storable, Field(min_length=1, max_length=80)]


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class Making(BaseModel):
    """How a video is made: worldreel's addition to the object."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    """The model behind the name that was asked for."""
    made_size: str
    """The size at which the model makes it; where it differs, it is enlarged to ``size``."""
    fps: float
    num_frames: int
    seed: int
    stage: str | None
    notes: list[str]


class VideoObject(BaseModel):
    """A video, in OpenAI's 13 keys and one of worldreel's."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: Annotated[int, Field(ge=0, le=100)]
    created_at: int
    completed_at: int | None
    expires_at: int | None
    size: str
    seconds: str
    prompt: str | None
    remixed_from_video_id: str | None
    error: VideoError | None
    worldreel: Making

    @classmethod
    def of(cls, video: Video) -> "VideoObject":
        """A row as clients see it."""
        wish, facts = Wish.from_json(video.wish), json.loads(video.facts)
        error = None
        if video.error_code is not None:
            error = VideoError(code=video.error_code, message=video.error_message or "")
        return cls(
            id=video.id,
            model=video.model,
            status=video.status,  # pyright: ignore[reportArgumentType]
            progress=video.progress,
            created_at=int(video.created_at),
            completed_at=_whole(video.completed_at),
            expires_at=_whole(video.expires_at),
            size=video.size,
            seconds=video.seconds,
            prompt=video.prompt,
            remixed_from_video_id=video.remixed_from_video_id,
            error=error,
            worldreel=making_of(wish, facts, video.stage),
        )


def making_of(wish: Wish, facts: dict[str, Any], stage: str = "") -> Making:
    """What is told of how a wish is met."""
    clip = [given.num_frames for given in wish.given if given.role == "clip"]
    total = wish.num_frames + (sum(clip) if wish.kind == "extend" else 0)
    return Making(
        model=wish.model_name or wish.model,
        made_size=f"{wish.width}x{wish.height}",
        fps=wish.fps,
        num_frames=total,
        seed=wish.seed,
        stage=stage or None,
        notes=facts.get("notes", list(wish.notes)),
    )


class VideoList(BaseModel):
    """A page of videos."""

    object: Literal["list"] = "list"
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeleted(BaseModel):
    """A video that is gone."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


class CharacterObject(BaseModel):
    """A character."""

    id: str
    object: Literal["character"] = "character"
    name: str
    created_at: int

    @classmethod
    def of(cls, character: Character) -> "CharacterObject":
        """A row as clients see it."""
        created_at = int(character.created_at)
        return cls(id=character.id, name=character.name, created_at=created_at)


class FileObject(BaseModel):
    """A file that was uploaded."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"

    @classmethod
    def of(cls, upload: Upload) -> "FileObject":
        """A row as clients see it."""
        return cls(
            id=upload.id,
            bytes=upload.size_bytes,
            created_at=int(upload.created_at),
            expires_at=_whole(upload.expires_at),
            filename=upload.filename,
            purpose=upload.purpose,
        )


class FileList(BaseModel):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileDeleted(BaseModel):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class ModelObject(BaseModel):
    """A model that can be asked for."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    worldreel: dict[str, Any]
    """What it can do."""


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelObject]


class EstimateObject(BaseModel):
    """What a video would cost; nothing runs."""

    object: Literal["estimate"] = "estimate"
    work_seconds: float
    """How long it would be worked on."""
    wait_seconds: float
    """How long until then, as the queue stands."""
    queue_position: int
    """Its place in the queue: 1 begins at once."""
    memory_bytes: int
    worldreel: Making


EventType = Literal["video.completed", "video.failed"]
Name = Annotated[Storable, Field(min_length=1, max_length=255)]
Url = Annotated[Storable, Field(min_length=1, max_length=2048)]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=len(EVENT_TYPES))]


class CreateEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints``."""

    name: Name
    url: Url
    event_types: EventTypes


class ChangeEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints/{id}``."""

    name: Name | None = None
    url: Url | None = None
    event_types: EventTypes | None = None


class RotateSecret(In):
    """The body of ``POST /v1/webhook_endpoints/{id}/rotate_secret``."""

    keep_old_secret_active_for_24_hours: bool = False


class TestEndpoint(In):
    """The body of ``POST /v1/webhook_endpoints/{id}/test``."""

    __test__ = False  # its name is that of the call, and no test's

    event_type: EventType


class EndpointObject(BaseModel):
    """An address that is told when a video is done."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    name: str
    url: str
    event_types: list[str]
    signing_secret_hint: str

    @classmethod
    def fields_of(cls, endpoint: Endpoint) -> dict[str, Any]:
        """A row as clients see it, without its secret."""
        return {
            "id": endpoint.id,
            "created_at": int(endpoint.created_at),
            "updated_at": int(endpoint.updated_at),
            "name": endpoint.name,
            "url": endpoint.url,
            "event_types": endpoint.event_types.split(","),
            "signing_secret_hint": f"whsec_...{endpoint.secret[-4:]}",
        }


class EndpointWithSecret(EndpointObject):
    """The same with its secret: at its making and after a rotation only."""

    signing_secret: str


class EndpointList(BaseModel):
    """A page of endpoints."""

    object: Literal["list"] = "list"
    data: list[EndpointObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class EndpointDeleted(BaseModel):
    """An endpoint that is gone."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: bool = True


class EndpointTested(BaseModel):
    """How a test message was answered."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    status_code: int
    success: Literal[True] = True


class EventTypeList(BaseModel):
    """The events that there are."""

    object: Literal["list"] = "list"
    data: list[str]


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
