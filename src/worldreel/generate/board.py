"""Canvases as TOML files: a storyboard of shots, or every placement and prompt by itself.

size = [128, 128]

[[shot]]
prompt = "a red ball rolls to the right on grass"
seconds = 2

[[shot]]
prompt = "the red ball falls onto snow and bounces"
seconds = 3
transition = "cut"
image = "snow.png"
"""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from worldreel.core.errors import UsageError
from worldreel.core.parse import parse
from worldreel.generate.canvas import Canvas
from worldreel.media.fit import How, fit_mask
from worldreel.media.footage import Footage, Mask, read_footage, read_mask
from worldreel.media.lossless import encode_lossless
from worldreel.weights.description import ModelDescription

BOARD_MAX_BYTES = 1_000_000
FindFile = Callable[[str], Path]
"""The file that a name in a board means."""


@dataclass(frozen=True)
class Readers:
    """How the files of a board are read: as `read_footage` and `read_mask` do, with the same
    arguments."""

    footage: Callable[..., Footage] = read_footage
    mask: Callable[..., Mask] = read_mask


GUARDED = Readers()
"""For files of anybody: each in a process of its own."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A span of a storyboard: what is said in it, and what it begins or ends with."""

    prompt: str
    seconds: float | None = None
    from_s: float | None = None
    """Where it begins; where the shot before it ends unless it is said."""
    transition: Literal["cut", "blend"] = "cut"
    """``cut``: nothing is carried over from the shot before; ``blend``: it goes on."""
    image: str | None = None
    last_image: str | None = None
    clip: str | None = None
    """Footage that it begins with."""
    reference: str | None = None
    """A picture or clip that the model has in sight and nobody else sees."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """As the arguments of `Canvas.place`."""

    file: str
    at_s: float = 0.0
    noise: float = 0.0
    mask: str | None = None
    xy: tuple[int, int] | None = None
    fit: How | None = None
    every: int = 1


@dataclass(frozen=True, kw_only=True)
class Say:
    """As the arguments of `Canvas.say`."""

    prompt: str
    from_s: float = 0.0
    to_s: float | None = None
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Refer:
    """As the arguments of `Canvas.refer`."""

    file: str
    from_s: float = 0.0
    to_s: float | None = None
    fit: How | None = None


@dataclass(frozen=True, kw_only=True)
class Board:
    """What a canvas file may hold. What is missing is the model's to choose."""

    size: tuple[int, int] | None = None
    """Width and height in pixels."""
    seconds: float | None = None
    """The duration; of a board with shots it is their sum."""
    fps: float | None = None
    retimed: bool = False
    loop: bool = False
    fit: How = "cover"
    """How pictures and clips of another size are fitted, where they do not say otherwise."""
    shot: tuple[Shot, ...] = ()
    place: tuple[Place, ...] = ()
    say: tuple[Say, ...] = ()
    refer: tuple[Refer, ...] = ()

    def canvas(
        self, description: ModelDescription, find: FindFile, readers: Readers = GUARDED
    ) -> Canvas:
        """The canvas for a model.

        Raises:
            UsageError: times, sizes or shots that cannot be; every one is named.
            WorldreelError: a file that cannot be read.
        """
        files = _Files(find, readers)
        width, height = self.size or description.size.default
        fps = description.fps if self.fps is None else self.fps
        seconds = self.seconds
        spans = self._shots(fps)
        if spans:
            end_s = max(stop for _, _, stop in spans)
            if seconds is not None and abs(seconds - end_s) * fps > 1e-3:
                raise UsageError(
                    f"The board lasts {seconds:g} s and its shots end at {end_s:g} s.",
                    remedy="Leave the duration out, or change the shots.",
                )
            seconds = end_s
        seconds = description.seconds.default if seconds is None else seconds
        canvas = Canvas(width=width, height=height, seconds=seconds, fps=fps, retimed=self.retimed)
        for number, (shot, start, stop) in enumerate(spans, start=1):
            try:
                canvas = self._lay(canvas, shot, start, stop, files)
            except UsageError as error:
                message = f"Shot {number}: {error.message}"
                raise UsageError(message, remedy=error.remedy) from error
        for said in self.say:
            canvas = canvas.say(said.prompt, from_s=said.from_s, to_s=said.to_s, cut=said.cut)
        for placed in self.place:
            canvas = self._place(canvas, placed, files)
        for shown in self.refer:
            footage = self._read(canvas, shown.file, files, shown.fit)
            canvas = canvas.refer(
                footage.frames, from_s=shown.from_s, to_s=shown.to_s, source=shown.file
            )
        return canvas.loop() if self.loop else canvas

    def _shots(self, fps: float) -> list[tuple[Shot, float, float]]:
        """Each shot with its beginning and end, seconds."""
        spans: list[tuple[Shot, float, float]] = []
        at_s = 0.0
        for number, shot in enumerate(self.shot, start=1):
            start = at_s if shot.from_s is None else shot.from_s
            if shot.seconds is None or shot.seconds <= 0:
                raise UsageError(
                    f"Shot {number} lasts {shot.seconds} seconds.",
                    remedy="Say how long it lasts: seconds = 2",
                )
            if start < at_s - 1e-3 / fps:
                raise UsageError(
                    f"Shot {number} begins at {start:g} s, before shot {number - 1} ends at "
                    f"{at_s:g} s.",
                    remedy="Shots may not overlap: begin it later, or leave from_s out.",
                )
            if start > at_s + 1e-3 / fps:
                raise UsageError(
                    f"Between {at_s:g} s and {start:g} s there is no shot.",
                    remedy="Let each shot begin where the one before it ends, or leave from_s out.",
                )
            at_s = at_s + shot.seconds
            spans.append((shot, start, at_s))
        return spans

    def _lay(
        self, canvas: Canvas, shot: Shot, start: float, stop: float, files: "_Files"
    ) -> Canvas:
        cut = shot.transition == "cut"
        canvas = canvas.say(shot.prompt, from_s=start, to_s=stop, cut=cut)
        if shot.image is not None and shot.clip is not None:
            raise UsageError("It begins with an image and with a clip.", remedy="Give one of them.")
        if shot.image is not None:
            canvas = self._place(canvas, Place(file=shot.image, at_s=start), files, still=True)
        if shot.clip is not None:
            placed = self._place(canvas, Place(file=shot.clip, at_s=start), files)
            long = (placed.placements[-1].last + 1) / canvas.fps
            if long > stop + 1e-3 / canvas.fps:
                raise UsageError(
                    f"Its clip ends at {long:g} s, and the shot at {stop:g} s.",
                    remedy="Make the shot longer, or trim the clip.",
                )
            canvas = placed
        if shot.last_image is not None:
            last = Place(file=shot.last_image, at_s=stop - 1 / canvas.fps)
            canvas = self._place(canvas, last, files, still=True)
        if shot.reference is not None:
            footage = self._read(canvas, shot.reference, files, None)
            canvas = canvas.refer(footage.frames, from_s=start, to_s=stop, source=shot.reference)
        return canvas

    def _place(
        self, canvas: Canvas, placed: Place, files: "_Files", *, still: bool = False
    ) -> Canvas:
        how = placed.fit or self.fit
        own_size = placed.xy is not None
        footage = self._read(canvas, placed.file, files, how, own_size=own_size)
        frames = footage.frames[:1] if still else footage.frames
        mask = None
        if placed.mask is not None:
            free = files.readers.mask(files.find(placed.mask), fps=canvas.fps).free
            height, width = frames.shape[1:3]
            mask = fit_mask(free, (len(frames), *footage.source_size), (height, width), how)
        top, left, height, width = footage.kept
        rows, columns = slice(top, top + height), slice(left, left + width)
        canvas = canvas.place(
            frames[:, rows, columns],
            at_s=placed.at_s,
            noise=placed.noise,
            mask=None if mask is None else mask[:, rows, columns],
            xy=placed.xy or (left, top),
            every=placed.every,
            source=placed.file,
        )
        return replace(canvas, notes=(*canvas.notes, *footage.notes))

    def _read(
        self,
        canvas: Canvas,
        name: str,
        files: "_Files",
        how: How | None,
        *,
        own_size: bool = False,
    ) -> Footage:
        size = None if own_size else (canvas.height, canvas.width)
        path = files.find(name)
        return files.readers.footage(path, fps=canvas.fps, size=size, how=how or self.fit)


@dataclass(frozen=True)
class _Files:
    """Where the files of a board are, and how they are read."""

    find: FindFile
    readers: Readers


def read_board(path: str | Path, description: ModelDescription) -> Canvas:
    """The canvas in a TOML file; files in it are sought beside it.

    Raises:
        UsageError: no such file, no TOML, unknown keys, or what `Board.canvas` refuses.
        WorldreelError: a file in it that cannot be read.
    """
    path = Path(path)
    try:
        if path.stat().st_size > BOARD_MAX_BYTES:
            raise UsageError(
                f"{path} has more than {BOARD_MAX_BYTES:,} bytes.", remedy="Give a canvas file."
            )
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{path} cannot be read as a canvas: {what}.",
            remedy='It is a TOML file; see "Storyboards" in docs/canvas.md.',
        ) from error
    return parse_board(values, description, lambda name: path.parent / name)


def parse_board(
    values: dict[str, Any],
    description: ModelDescription,
    find: FindFile,
    readers: Readers = GUARDED,
) -> Canvas:
    """The canvas that plain values describe; errors as for `read_board`.

    Args:
        find: tells which file a name means; it may raise for names that mean none.
    """
    return parse(Board, values).canvas(description, find, readers)


def save_board(canvas: Canvas, path: str | Path) -> Path:
    """Writes a canvas as TOML, and what is given on it beside it, bit for bit.

    Clips become ``<name>-1.mp4`` and so on, lossless; masks ``<name>-1-mask.mp4``.

    Returns:
        The path of the TOML file.
    """
    path = Path(path)
    lines = [
        f"size = [{canvas.width}, {canvas.height}]",
        f"seconds = {canvas.seconds!r}",
        f"fps = {canvas.fps!r}",
        f"retimed = {str(canvas.retimed).lower()}",
        f"loop = {str(canvas.is_loop).lower()}",
        'fit = "refuse"',
    ]

    def written(frames: Any, name: str) -> str:
        target = path.with_name(f"{path.stem}-{name}.mp4")
        target.write_bytes(encode_lossless(frames, canvas.fps))
        return _quoted(target.name)

    for span in canvas.spans:
        lines += [
            "\n[[say]]",
            f"prompt = {_quoted(span.prompt)}",
            f"from_s = {span.first / canvas.fps!r}",
            f"to_s = {span.stop / canvas.fps!r}",
            f"cut = {str(span.cut).lower()}",
        ]
    for number, placement in enumerate(canvas.placements, start=1):
        lines += [
            "\n[[place]]",
            f"file = {written(placement.frames, str(number))}",
            f"at_s = {placement.first / canvas.fps!r}",
            f"noise = {float(placement.noise)!r}",
            f"xy = [{placement.left}, {placement.top}]",
            f"every = {placement.every}",
        ]
        if placement.free is not None:
            shades = np.repeat(placement.free[..., None].astype(np.uint8) * 255, 3, axis=3)
            lines.append(f"mask = {written(shades, f'{number}-mask')}")
    for number, reference in enumerate(canvas.references, start=1):
        lines += [
            "\n[[refer]]",
            f"file = {written(reference.frames, f'reference-{number}')}",
            f"from_s = {reference.first / canvas.fps!r}",
            f"to_s = {reference.stop / canvas.fps!r}",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    """A TOML string; JSON writes them alike, but for characters that are two in UTF-16."""
    return json.dumps(text, ensure_ascii=False)
