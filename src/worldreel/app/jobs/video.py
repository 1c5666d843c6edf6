"""One video as the job store knows it, and what is asked of its maker."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from worldreel.core.parse import parse

QUEUED, IN_PROGRESS, COMPLETED, FAILED = "queued", "in_progress", "completed", "failed"
ENDED = (COMPLETED, FAILED)

Kind = Literal["create", "edit", "extend"]
Verb = Literal[
    "create",
    "image",
    "edit",
    "extend",
    "loop",
    "connect",
    "erase",
    "replace",
    "expand",
    "upscale",
    "recut",
    "interpolate",
    "storyboard",
    "play",
]
"""What people ask for; each is a canvas laid out in its own way."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """A picture or clip that was given, kept in the job's own folder until the job ends."""

    role: Literal["first_frame", "clip", "character"]
    file: str
    """Its name in the folder: worldreel's, never the client's."""
    num_frames: int = 1
    """Frames that it has, at the wish's rate."""


@dataclass(frozen=True)
class Parent:
    """A video that another one is made from."""

    video: str
    role: Literal["source", "second", "image", "last_image", "mask", "board"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the maker of a video is asked for; complete, so that it can be made on any machine."""

    kind: Kind
    model: str
    """The model that makes it, a name or a folder: the operator's word, never the client's."""
    model_name: str = ""
    """What that model calls itself."""
    prompt: str
    negative_prompt: str = ""
    seed: int
    num_frames: int
    """New frames: an extension's are without those of the clip."""
    fps: float
    width: int
    """Pixels that the model makes."""
    height: int
    shown_width: int
    """Pixels of the published video."""
    shown_height: int
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    given: tuple[Given, ...] = ()
    num_seen: int = 0
    """Last frames of the clip that an extension goes on from."""
    noise: float = 0.0
    """How far an edit may leave its clip: 0 keeps it, 1 forgets it."""
    canvas: str | None = None
    """The file of a canvas, as text."""
    source: str | None = None
    """The id of the video that is edited or extended."""
    notes: tuple[str, ...] = ()
    """What a person should know about how the wish is met."""
    verb: str = ""
    """One of `Verb`; empty where an older version wrote it."""
    parents: tuple[Parent, ...] = ()
    num_given: int = 0
    """Frames of a canvas that were there already: the model's longest duration leaves them out."""
    strength: float | None = None
    characters: tuple[str, ...] = ()
    """Ids of the characters that it shows."""
    consent: str | None = None
    """The consent of a person who is in what is given."""
    shows_person: bool | None = None
    """Whether a person is in what is given, by the client's word; None if nothing was said."""
    asked: dict[str, Any] | None = None
    """The request, so that it can be made again: the body of ``POST /v1/canvases``."""

    @property
    def clip(self) -> Given:
        """The clip that is edited or extended."""
        (clip,) = [given for given in self.given if given.role == "clip"]
        return clip

    def to_json(self) -> str:
        """The text that `from_json` reads."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Wish":
        """Reads what `to_json` wrote."""
        return parse(cls, json.loads(text))


@dataclass(frozen=True, kw_only=True)
class NewVideo:
    """A video that is about to be accepted."""

    id: str
    owner: str
    wish: Wish
    model: str
    """The name that the client asked for."""
    size: str
    seconds: str
    cost_s: float = 0.0
    """Estimated seconds of work."""
    memory_bytes: int = 0
    remixed_from_video_id: str | None = None
    batch: str | None = None
    """What the takes of one request have in common."""
    take: int = 1
    folder: str | None = None


@dataclass(frozen=True, kw_only=True)
class Video:
    """A row of the table of videos."""

    seq: int
    id: str
    owner: str
    created_at: float
    wish: str
    model: str
    prompt: str
    size: str
    seconds: str
    remixed_from_video_id: str | None
    verb: str
    batch: str | None
    take: int
    favourite: bool
    picked: bool
    folder: str | None
    status: str
    progress: int
    stage: str
    cost_s: float
    started_at: float | None
    completed_at: float | None
    expires_at: float | None
    error_code: str | None
    error_message: str | None
    facts: str
    workflow: int
    worker: str | None
    fence: int
    beginnings: int
    previews: int
    published_fence: int | None
    published_bytes: int
    sha256: str | None
    files_gone: bool

    @property
    def ended(self) -> bool:
        """Whether it will change no more."""
        return self.status in ENDED

    @property
    def kept(self) -> bool:
        """Whether its owner wants it for longer than videos are kept."""
        return self.favourite or self.picked or self.folder is not None

    @property
    def workflow_id(self) -> str:
        """The name of its workflow; a new one where an earlier one broke."""
        return workflow_id(self.id, self.workflow)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to make one video: every claim has a higher fence than the one before it."""

    id: str
    fence: int
    worker: str
    wish: Wish
    facts: dict[str, Any] = field(default_factory=dict)


class LostClaim(Exception):
    """The video was taken over, cancelled or deleted: whoever holds this claim must stop."""


def workflow_id(video: str, number: int) -> str:
    """The name of a video's ``number``-th workflow."""
    return f"{video}:{number}"


def new_id(kind: str) -> str:
    """A name nobody can guess, such as ``video_8f14…``."""
    return f"{kind}_{secrets.token_hex(16)}"
