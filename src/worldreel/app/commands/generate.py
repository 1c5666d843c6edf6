"""``worldreel generate`` and ``worldreel image``: from words, and pictures, to a file."""

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from worldreel.app.clips import FitOption, read_picture
from worldreel.app.filling import Filling
from worldreel.app.options import OF_THE_MODEL, Flag, OptionalFloat, OptionalText, parse_size
from worldreel.core.errors import UsageError

if TYPE_CHECKING:
    from worldreel.generate.canvas import Canvas

STDIN_MAX_BYTES = 1_000_000
Prompt = Annotated[Positional[str | None], arg(metavar="[PROMPT]", help_behavior_hint="")]
Size = Annotated[OptionalText, arg(metavar="WIDTHxHEIGHT", help_behavior_hint=OF_THE_MODEL)]


@dataclass(frozen=True, kw_only=True)
class Generate(Filling):
    """Makes a video from a sentence, and from pictures of its ends, and writes it to a file."""

    prompt: Prompt = None
    """What should be seen. Read from standard input where it is missing or -."""
    seconds: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """The duration."""
    fps: Annotated[OptionalFloat, arg(help_behavior_hint=OF_THE_MODEL)] = None
    """Frames per second; the model's own rate, or that divided by a whole number."""
    size: Size = None
    """The size in pixels, for example 128x128."""
    image: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """A picture that is the first frame."""
    last_image: Annotated[OptionalText, arg(metavar="FILE", help_behavior_hint="")] = None
    """A picture that is the last frame."""
    fit: FitOption = "cover"
    """What is done with a picture of another size: cut what sticks out, leave the rest free,
    distort it, or refuse it."""
    loop: Flag = False
    """Let the last frame be followed by the first."""

    def run(self) -> int:
        return self.fill(self.canvas())

    def canvas(self) -> "Canvas":
        """What is given and said."""
        from worldreel.generate.request import Request

        width, height = parse_size(self.size) if self.size is not None else (None, None)
        canvas = (
            Request(
                prompt=read_prompt(self.prompt),
                model=self.model,
                seconds=self.seconds,
                fps=self.fps,
                width=width,
                height=height,
            )
            .validate(self.describe())
            .canvas
        )
        last_s = (canvas.num_frames - 1) / canvas.fps
        for path, at_s in ((self.image, 0.0), (self.last_image, last_s)):
            if path is not None:
                picture = read_picture(path, width=canvas.width, height=canvas.height, fit=self.fit)
                top, left, height, width = picture.kept
                frames = picture.frames[:, top : top + height, left : left + width]
                canvas = canvas.place(frames, at_s=at_s, xy=(left, top), source=path)
                canvas = replace(canvas, notes=(*canvas.notes, *picture.notes))
        return canvas.loop() if self.loop else canvas


@dataclass(frozen=True, kw_only=True)
class Image(Filling):
    """Makes a picture from a sentence: a video of one frame."""

    prompt: Prompt = None
    """What should be seen. Read from standard input where it is missing or -."""
    size: Size = None
    """The size in pixels, for example 128x128."""

    def run(self) -> int:
        from worldreel.generate.request import Request

        description = self.describe()
        width, height = parse_size(self.size) if self.size is not None else (None, None)
        request = Request(
            prompt=read_prompt(self.prompt),
            model=self.model,
            seconds=1 / description.fps,
            width=width,
            height=height,
        )
        return self.fill(request.validate(description).canvas, ending=".png")


def read_prompt(given: str | None) -> str:
    """The prompt as given, or from standard input where it is missing or ``-``.

    Raises:
        UsageError: nothing was given and standard input is a terminal, or holds no UTF-8 text
            of a size that a prompt can have.
    """
    if given is not None and given != "-":
        return given
    if sys.stdin is None or (given is None and sys.stdin.isatty()):
        raise UsageError(
            "There is no prompt.",
            remedy='Say what should be seen: worldreel generate "a red ball rolls on grass"',
        )
    text = sys.stdin.buffer.read(STDIN_MAX_BYTES + 1)
    if len(text) > STDIN_MAX_BYTES:
        raise UsageError(
            f"The prompt from standard input has more than {STDIN_MAX_BYTES:,} bytes.",
            remedy="Shorten it: one or two sentences say most.",
        )
    try:
        return text.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The prompt from standard input is not UTF-8: byte {error.start} is "
            f"0x{error.object[error.start]:02X}.",
            remedy="Save the text as UTF-8.",
        ) from error
