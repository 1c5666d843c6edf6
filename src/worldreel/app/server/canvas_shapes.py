"""What goes in over HTTP for every verb: one body each, told apart by ``verb``."""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, model_validator

from worldreel.app.server.shapes import (
    CANVAS_MAX,
    HowToMake,
    Id,
    In,
    Prompt,
    Size,
    Storable,
)

TAKES_MAX = 16
STROKES_MAX, POINTS_MAX, MOVES_MAX = 500, 20_000, 1000
LONGEST_S = 86_400

At = Annotated[float, Field(ge=0, le=LONGEST_S)]
"""A moment, seconds."""
For = Annotated[float, Field(gt=0, le=LONGEST_S)]
"""A duration, seconds."""
Strength = Annotated[float, Field(gt=0, lt=1)]
Fraction = Annotated[float, Field(ge=-1, le=2)]
"""Of the width or height; strokes may leave the picture."""


class Source(In):
    """A clip or picture: a finished video of the caller's, or a file that was uploaded."""

    video_id: Id | None = None
    file_id: Id | None = None
    from_s: At | None = None
    """Only what comes after that moment."""
    to_s: For | None = None
    """Only what comes before it."""

    @model_validator(mode="after")
    def _one(self) -> "Source":
        if (self.video_id is None) == (self.file_id is None):
            raise ValueError("give exactly one of video_id and file_id")
        if self.from_s is not None and self.to_s is not None and self.from_s >= self.to_s:
            raise ValueError("from_s must be before to_s")
        return self


class Move(In):
    """Where a stroke has moved to at a moment, from where it was drawn."""

    at_s: At
    dx: Fraction
    dy: Fraction


class Stroke(In):
    """A line of a brush: what is under it is free."""

    points: Annotated[
        list[Annotated[list[Fraction], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=POINTS_MAX),
    ]
    """Each x and y: fractions of the source's width and height."""
    radius: Annotated[float, Field(gt=0, le=2)]
    """A fraction of the source's shorter side."""
    from_s: At = 0.0
    to_s: For | None = None
    """It is there from ``from_s`` to before ``to_s``; to the end of the clip by default."""
    moves: Annotated[list[Move], Field(max_length=MOVES_MAX, default_factory=list)]
    """Straight from one to the next, and at rest before the first and after the last."""
    erase: bool = False
    """Takes away from the strokes before it."""


class MaskGiven(In):
    """What is made anew: a picture or clip in which it is white, or strokes of a brush."""

    file_id: Id | None = None
    strokes: Annotated[list[Stroke], Field(min_length=1, max_length=STROKES_MAX)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "MaskGiven":
        if (self.file_id is None) == (self.strokes is None):
            raise ValueError("give exactly one of file_id and strokes")
        if sum(len(stroke.points) for stroke in self.strokes or []) > POINTS_MAX:
            raise ValueError(f"the strokes have more than {POINTS_MAX:,} points together")
        return self


class Asked(HowToMake):
    """What the bodies of all verbs have in common."""

    takes: Annotated[int, Field(ge=1, le=TAKES_MAX)] = 1
    """So many videos, with seeds from ``seed`` up."""
    model: Annotated[Storable, Field(min_length=1, max_length=128)] | None = None
    """By default the source's, or the server's own."""
    folder_id: Id | None = None
    """Where the videos are put."""


class FromSource(Asked):
    """What the bodies of all verbs have in common that begin with a clip."""

    source: Source
    prompt: Prompt | None = None
    """What is seen; by default what the source was made from."""


class Create(Asked):
    """A video from words, and from its first frame, its last, or both."""

    verb: Literal["create"]
    prompt: Prompt
    seconds: For | None = None
    size: Size | None = None
    image: Source | None = None
    last_image: Source | None = None
    loop: bool = False
    """Whether its last frame is followed by its first."""


class Image(Asked):
    """A picture from words."""

    verb: Literal["image"]
    prompt: Prompt
    size: Size | None = None


class Edit(FromSource):
    """A clip made anew under another prompt."""

    verb: Literal["edit"]
    prompt: Prompt  # pyright: ignore[reportGeneralTypeIssues,reportIncompatibleVariableOverride]
    strength: Strength = 0.5


class Extend(FromSource):
    """A clip that goes on, or is led up to."""

    verb: Literal["extend"]
    seconds: For
    direction: Literal["forward", "backward"] = "forward"


class Loop(FromSource):
    """A clip that is led back to its beginning."""

    verb: Literal["loop"]
    seconds: For = 1.0
    """How long the way back takes."""


class Connect(FromSource):
    """What lies between two clips, and both of them."""

    verb: Literal["connect"]
    second: Source
    seconds: For = 1.0


class Erase(FromSource):
    """A clip without what is under a mask; nothing is said by default."""

    verb: Literal["erase"]
    mask: MaskGiven


class Replace(FromSource):
    """A clip with something else under a mask."""

    verb: Literal["replace"]
    prompt: Prompt  # pyright: ignore[reportGeneralTypeIssues,reportIncompatibleVariableOverride]
    mask: MaskGiven


class Expand(FromSource):
    """A clip inside of a larger picture."""

    verb: Literal["expand"]
    size: Size
    box: (
        Annotated[list[Annotated[int, Field(ge=0, le=16384)]], Field(min_length=4, max_length=4)]
        | None
    ) = None
    """Left, top, width and height of the clip in it, pixels; by default as large as fits, in
    the middle."""


class Upscale(FromSource):
    """A clip that is enlarged, with detail dreamt into it."""

    verb: Literal["upscale"]
    size: Size
    strength: Strength = 0.2


class Recut(FromSource):
    """A part of a clip, with its ends made anew."""

    verb: Literal["recut"]
    from_s: At = 0.0
    to_s: For | None = None
    before: At = 0.0
    """Seconds that are made before the part."""
    after: At = 0.0
    """Seconds that are made after it."""


class Interpolate(FromSource):
    """A clip with frames between its frames."""

    verb: Literal["interpolate"]
    fps: Annotated[float, Field(gt=0, le=240)]
    """A whole multiple of the source's."""


class Storyboard(Asked):
    """Shots on a time axis; see docs/canvas.md. Files are ids of files and videos."""

    verb: Literal["storyboard"]
    board: dict[str, Any] | Annotated[str, Field(min_length=1, max_length=CANVAS_MAX)]
    """The values of a canvas file, or its text. Beside what such a file may hold, shots have
    ``clip_from_s`` and ``clip_to_s``."""
    prompt: Prompt | None = None
    """Said where the board says nothing."""


AnyVerb = (
    Create
    | Image
    | Edit
    | Extend
    | Loop
    | Connect
    | Erase
    | Replace
    | Expand
    | Upscale
    | Recut
    | Interpolate
    | Storyboard
)


class CreateCanvas(RootModel[Annotated[AnyVerb, Field(discriminator="verb")]]):
    """The body of ``POST /v1/canvases``."""
