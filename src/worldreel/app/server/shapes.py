"""What goes in and out over HTTP: OpenAI's shapes, and worldreel's additions to them."""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from worldreel.app.jobs import sizes
from worldreel.app.jobs.queue import Queue
from worldreel.app.jobs.video import Verb, Video, Wish
from worldreel.core.randomness import SEED_MAX

PROMPT_MAX = 32_000
IMAGE_URL_MAX = 20_971_520
CHARACTERS_MAX = 2
CANVAS_MAX = 1_000_000


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
Status = Literal["queued", "in_progress", "completed", "failed"]


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
    shows_person: bool | None = None
    """Whether a person is in the picture or clip that is given: some servers want it said."""
    consent: Id | None = None
    """The id of that person's consent."""


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


class VideoError(BaseModel):
    """Why a video failed."""

    code: str
    message: str


class ParentObject(BaseModel):
    """A video that another one was made from; it may be gone by now."""

    video_id: str
    role: Literal["source", "second", "image", "last_image", "mask", "board"]


class Making(BaseModel):
    """How a video is made, and where its owner keeps it: worldreel's addition to the object."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    """The model behind the name that was asked for."""
    made_size: str
    """The size at which the model makes it; where it differs, it is enlarged to ``size``."""
    fps: float
    num_frames: int
    seed: int
    negative_prompt: str = ""
    num_inference_steps: int | None = None
    """None: as many as the model takes by itself."""
    guidance_scale: float | None = None
    strength: float | None = None
    stage: str | None = None
    notes: list[str]
    verb: Verb = "create"
    parents: list[ParentObject] = []
    batch_id: str | None = None
    """What the takes of one request have in common."""
    take: int = 1
    favourite: bool = False
    picked: bool = False
    folder_id: str | None = None
    kept: bool = False
    """Whether it is a favourite, picked or in a folder: it does not expire then."""
    queue_position: int | None = None
    """1 is the next one; None once it is being made."""
    seconds_left: float | None = None
    """Until it is done, with what is before it; None once it has ended."""
    previews: int = 0
    """Grows with each new picture of it on its way."""


class VideoObject(BaseModel):
    """A video, in OpenAI's 13 keys and one of worldreel's."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Status
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
    def of(cls, video: Video, queue: Queue | None = None) -> "VideoObject":
        """A row as clients see it.

        Args:
            queue: says when it will be done, where it has not ended.
        """
        wish, facts = Wish.from_json(video.wish), json.loads(video.facts)
        place = queue.places.get(video.id) if queue and not video.ended else None
        error = None
        if video.error_code is not None:
            error = VideoError(code=video.error_code, message=video.error_message or "")
        return cls(
            id=video.id,
            model=video.model,
            status=video.status,  # pyright: ignore[reportArgumentType]
            progress=video.progress,
            created_at=int(video.created_at),
            completed_at=whole(video.completed_at),
            expires_at=None if video.kept else whole(video.expires_at),
            size=video.size,
            seconds=video.seconds,
            prompt=video.prompt,
            remixed_from_video_id=video.remixed_from_video_id,
            error=error,
            worldreel=making_of(
                wish,
                facts,
                stage=video.stage or None,
                verb=video.verb,
                batch_id=video.batch,
                take=video.take,
                favourite=video.favourite,
                picked=video.picked,
                folder_id=video.folder,
                kept=video.kept,
                queue_position=place.position if place else None,
                seconds_left=place.seconds_left if place else None,
                previews=video.previews,
            ),
        )


def making_of(wish: Wish, facts: dict[str, Any], **standing: Any) -> Making:
    """What is told of how a wish is met.

    Args:
        standing: the fields of `Making` that are not the wish's, where they differ from those
            of a video that was just accepted.
    """
    clip = [given.num_frames for given in wish.given if given.role == "clip"]
    total = wish.num_frames + (sum(clip) if wish.kind == "extend" else 0)
    return Making(
        model=wish.model_name or wish.model,
        made_size=f"{wish.width}x{wish.height}",
        fps=wish.fps,
        num_frames=total,
        seed=wish.seed,
        negative_prompt=wish.negative_prompt,
        num_inference_steps=wish.num_inference_steps,
        guidance_scale=wish.guidance_scale,
        strength=wish.strength,
        notes=facts.get("notes", list(wish.notes)),
        parents=[ParentObject(video_id=one.video, role=one.role) for one in wish.parents],
        **{"verb": wish.verb or wish.kind, **standing},
    )


class VideoList(BaseModel):
    """A page of videos."""

    object: Literal["list"] = "list"
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool
    total: int
    """How many there are on all pages."""


class VideoDeleted(BaseModel):
    """A video that is gone."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: bool = True


class EstimateObject(BaseModel):
    """What a video would cost; nothing runs."""

    object: Literal["estimate"] = "estimate"
    takes: int
    work_seconds: float
    """How long all takes would be worked on."""
    wait_seconds: float
    """How long until then, as the queue stands."""
    done_seconds: float
    """How long until the last one is done."""
    queue_position: int
    """The place of the first one in the queue: 1 begins at once."""
    memory_bytes: int
    memory_free_bytes: int
    """What is free on the server's machine, beside its workers."""
    fits: bool
    """Whether that is enough, where a worker holds no other model."""
    size: str
    seconds: float
    num_frames: int
    worldreel: Making


def whole(value: float | None) -> int | None:
    """A time as the API writes it, seconds."""
    return None if value is None else int(value)
