"""From a wish to the canvas that the model fills in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from worldreel.app.jobs.video import Given, Wish
from worldreel.weights.description import ModelDescription

if TYPE_CHECKING:
    from worldreel.generate.canvas import Canvas
    from worldreel.media.footage import Footage, Mask


BOARD_FILE = re.compile(r"canvas-[0-9]{1,3}\.[a-z0-9]{2,4}")
"""How files are called that a canvas names: worldreel's names, put in the place of ids."""
OWN_FIRST = 500
OWN_FILE = re.compile(r"canvas-[5-9][0-9]{2}\.[a-z0-9]{2,4}")
"""Those that worldreel wrote, at the rate of the canvas: from `OWN_FIRST` on."""
MASK_ENDING = ".mask"
"""Of what is no content but says where content may be."""


def lay_out(wish: Wish, inputs: Path | None, description: ModelDescription) -> "Canvas":
    """The canvas of a wish.

    Args:
        inputs: the folder of what is given; None lays out black pictures of the same shape,
            which is enough to tell what the model can do and what it will cost; a wish with a
            canvas of its own needs it.

    Raises:
        UsageError: it cannot be laid out so.
    """
    from worldreel.generate.canvas import Canvas

    if wish.canvas is not None:
        assert inputs is not None
        return read_canvas(wish.canvas, wish.prompt, inputs, description)
    size = wish.height, wish.width
    num_frames = wish.num_seen + wish.num_frames
    canvas = Canvas.of_frames(num_frames, width=wish.width, height=wish.height, fps=wish.fps)
    if wish.prompt:
        canvas = canvas.say(wish.prompt)
    for given in wish.given:
        if given.role == "first_frame":
            canvas = canvas.place(_pixels(inputs, given, size))
        elif given.role == "character":
            canvas = canvas.refer(_pixels(inputs, given, size))
        elif wish.kind == "extend":
            canvas = canvas.place(_pixels(inputs, given, size, last=wish.num_seen))
        else:
            canvas = canvas.place(_pixels(inputs, given, size), noise=wish.noise)
    return canvas


def read_canvas(text: str, prompt: str, inputs: Path, description: ModelDescription) -> "Canvas":
    """The canvas in a JSON text, as `worldreel.generate.board` describes it.

    Args:
        prompt: what is said where the canvas itself says nothing.
    """
    from worldreel.generate.board import Readers, parse_board

    def find(name: str) -> Path:
        assert BOARD_FILE.fullmatch(name), name
        return inputs / name

    canvas = parse_board(json.loads(text), description, find, Readers(_footage, _mask))
    return canvas if canvas.spans else canvas.say(prompt)


def _footage(path: Path, *, size: tuple[int, int] | None, **how: Any) -> "Footage":
    """As `read_footage`; what worldreel wrote for this very canvas needs no guard, and no
    fitting."""
    from worldreel.media.footage import Footage, read_footage
    from worldreel.media.read import read_video

    if OWN_FILE.fullmatch(path.name):
        frames = read_video(path)
        height, width = frames.shape[1:3]
        if size in (None, (height, width)):
            fps = how["fps"] if len(frames) > 1 else 0.0
            whole = (0, 0, height, width)
            seen = {"source_size": (height, width), "source_frames": len(frames), "kept": whole}
            return Footage(frames=frames, fps=fps, notes=(), **seen)
    return read_footage(path, size=size, **how)


def _mask(path: Path, *, fps: float) -> "Mask":
    """As `read_mask`, likewise."""
    from worldreel.media.footage import Mask, read_mask
    from worldreel.media.read import read_video

    if OWN_FILE.fullmatch(path.name):
        return Mask(free=read_video(path)[..., 0] >= 128, fps=fps, notes=())
    return read_mask(path, fps=fps)


def clip_frames(inputs: Path, given: Given, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The frames of what is given, uint8 ``h w 3``, cut and scaled to a height and width."""
    yield from own_frames(inputs / given.file, size)


def own_frames(path: Path, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The frames of a file that worldreel wrote, uint8 ``h w 3``, cut and scaled to a height and
    width; what came from a client was decoded within limits before."""
    from worldreel.media.fit import apply_fit, plan_fit
    from worldreel.media.read import iterate_video

    for chunk in iterate_video(path):
        fitting = plan_fit((chunk.shape[1], chunk.shape[2]), size, "cover")
        for frame in chunk:
            yield frame if fitting.what is None else apply_fit(fitting, frame)


def _pixels(
    inputs: Path | None, given: Given, size: tuple[int, int], last: int | None = None
) -> NDArray[np.uint8]:
    """All frames of what is given, or the last ones: uint8 ``t h w 3``."""
    if inputs is None:
        return np.zeros((last or given.num_frames, *size, 3), np.uint8)
    frames = list(clip_frames(inputs, given, size))
    return np.stack(frames if last is None else frames[-last:])
