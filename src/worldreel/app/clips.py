"""Clips and pictures of the command line: read, fitted to what a model makes, and what was done."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from worldreel.app.filling import Filling
from worldreel.app.options import Flag, OptionalText, parse_size
from worldreel.core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from worldreel.generate.canvas import Canvas
    from worldreel.media.fit import Rectangle

FitOption = Literal["cover", "contain", "stretch", "refuse"]


@dataclass(frozen=True)
class GivenClip:
    """A clip as it goes on the canvas.

    Args:
        frames: uint8 ``t h w 3``, of the canvas's size.
        fps: frames per second of the canvas.
        kept: the rectangle that holds real content: top, left, height, width.
        notes: what was done to it.
        retimed: whether ``fps`` is the clip's, and not one of the model's.
    """

    frames: "NDArray[np.uint8]"
    fps: float
    kept: "Rectangle"
    notes: tuple[str, ...]
    retimed: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frames.shape[2], self.frames.shape[1]

    def finish(self, canvas: "Canvas") -> "Canvas":
        """A canvas that was laid out with the clip: without its black borders, and with notes."""
        top, left, height, width = self.kept
        if (height, width) != (canvas.height, canvas.width) and self.size == (
            canvas.width,
            canvas.height,
        ):
            rows, columns = slice(top, top + height), slice(left, left + width)
            canvas = replace(
                canvas,
                placements=tuple(
                    replace(
                        placement,
                        frames=placement.frames[:, rows, columns],
                        top=top,
                        left=left,
                        free=None if placement.free is None else placement.free[:, rows, columns],
                    )
                    for placement in canvas.placements
                ),
            )
        notes = tuple(dict.fromkeys((*canvas.notes, *self.notes)))
        return replace(canvas, notes=notes, retimed=self.retimed or canvas.retimed)


@dataclass(frozen=True, kw_only=True)
class ClipFilling(Filling):
    """Options of the commands that begin with a clip."""

    prompt: Annotated[OptionalText, arg(metavar="TEXT", help_behavior_hint="")] = None
    """What is seen. (default: the prompt that the clip was made from, where worldreel made it)"""
    size: Annotated[OptionalText, arg(metavar="WIDTHxHEIGHT", help_behavior_hint="")] = None
    """The size in pixels. (default: the clip's, or the nearest shape that the model can make)"""
    fit: FitOption = "cover"
    """What is done with a clip of another size: cut what sticks out, leave the rest free, distort
    it, or refuse it."""
    keep_fps: Flag = False
    """Keep the clip's frames per second; otherwise it is shown at the model's."""

    def read(self, path: str) -> GivenClip:
        """A clip of the size and rate that the model makes, or those that were asked for."""
        return read_clip(path, self.model, size=self.size, fit=self.fit, keep_fps=self.keep_fps)

    def said(self, path: str) -> str:
        """The prompt of the command, or the one inside the clip.

        Raises:
            UsageError: there is neither.
        """
        if self.prompt is not None:
            return self.prompt
        from worldreel.media.footage import describe_file

        prompt = (describe_file(path)[1] or {}).get("prompt")
        if not prompt:
            raise UsageError(
                f"There is no prompt, and {path} carries none.",
                remedy='Say what is seen, for example --prompt "a red ball rolls on grass".',
            )
        return str(prompt)


def read_clip(
    path: str, model: str, *, size: str | None, fit: FitOption, keep_fps: bool
) -> GivenClip:
    """Reads a clip within the decoder's limits, and fits it to what a model makes.

    Raises:
        UsageError: a size that the model cannot make, or one that is to be refused.
        WorldreelError: a file that cannot be read.
    """
    from worldreel.generate.limits import check_size, nearest_size
    from worldreel.media.footage import describe_file, read_footage
    from worldreel.weights.catalogue import describe

    description = describe(model)
    if size is not None:
        width, height = parse_size(size)
    else:
        info, _ = describe_file(path)
        width, height = nearest_size(info.size[1], info.size[0], description)
    check_size(width, height, description)
    footage = read_footage(
        path, fps=None if keep_fps else description.fps, size=(height, width), how=fit
    )
    fps = footage.fps or description.fps
    return GivenClip(
        frames=footage.frames,
        fps=fps,
        kept=footage.kept,
        notes=footage.notes,
        retimed=keep_fps and fps != description.fps,
    )


def read_picture(path: str, *, width: int, height: int, fit: FitOption) -> GivenClip:
    """The first frame of a picture or clip in a given size; errors as for `read_clip`."""
    from worldreel.media.footage import read_footage

    footage = read_footage(path, size=(height, width), how=fit)
    return GivenClip(
        frames=footage.frames[:1], fps=0, kept=footage.kept, notes=footage.notes, retimed=False
    )
