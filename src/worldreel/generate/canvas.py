"""The canvas: a stretch of spacetime, what is given in it, and what is said about it.

Every capability is a canvas laid out differently. Where nothing is given the model dreams;
what is given at noise 0 stays, what is given with more is restyled. No torch: a canvas is
checked, drawn and saved before anything heavy is loaded.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.core.words import check_text
from worldreel.media.fit import How
from worldreel.media.fit import fit as fit_frames

FRAME_TOLERANCE = 1e-3
"""How far a time may be from a whole frame, in frames: what rounding to 6 digits needs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """A picture or clip that lies on a canvas.

    Args:
        frames: uint8 sRGB ``t h w 3``, at the size that it has on the canvas.
        first: the canvas frame on which its first frame lies.
        every: its next frame lies so many canvas frames later.
        left, top: pixels of the canvas at which its upper left corner lies.
        noise: level at which it is given, from 0 (stays) to below 1 (restyled).
        free: bool ``t h w`` or ``1 h w``, True where it is not given; None if it is all given.
        source: the file that it came from, if there is one.
    """

    frames: NDArray[np.uint8]
    first: int
    every: int = 1
    left: int = 0
    top: int = 0
    noise: float = 0.0
    free: NDArray[np.bool_] | None = None
    source: str | None = None

    @property
    def last(self) -> int:
        """The canvas frame on which its last frame lies."""
        return self.first + (len(self.frames) - 1) * self.every

    def index_at(self, frame: int) -> int | None:
        """Which of its frames lies on a canvas frame; None if none does."""
        index, between = divmod(frame - self.first, self.every)
        return index if not between and 0 <= index < len(self.frames) else None

    def given_at(self, index: int) -> NDArray[np.bool_]:
        """Where one of its frames is given: bool ``h w``."""
        if self.free is None:
            return np.ones(self.frames.shape[1:3], bool)
        return ~self.free[min(index, len(self.free) - 1)]

    @property
    def region(self) -> tuple[slice, slice]:
        """Its rows and columns on the canvas."""
        height, width = self.frames.shape[1:3]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A prompt and the frames that it is pinned to."""

    prompt: str
    first: int
    stop: int
    """The frame after its last."""
    cut: bool = False
    """Whether nothing before its first frame is carried over into it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """A picture or clip that is shown to the model before a shot, and not to anybody else."""

    frames: NDArray[np.uint8]
    """uint8 sRGB ``t h w 3``, as large as the canvas."""
    first: int
    stop: int
    """The frames that are made with it in sight: from ``first`` to before ``stop``."""
    source: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """A stretch of spacetime: an immutable value, to which each method adds.

    >>> canvas = Canvas(width=128, height=128, seconds=4, fps=12)
    >>> canvas = canvas.say("a red ball rolls on grass").loop()
    >>> canvas.num_frames, canvas.is_loop
    (48, True)

    Args:
        width, height: pixels.
        seconds: duration; a whole number of frames.
        fps: frames per second.

    Raises:
        UsageError: a side, duration or rate that cannot be; what models can do is checked
            when a plan is made.
    """

    width: int
    height: int
    seconds: float
    fps: float
    placements: tuple[Placement, ...] = ()
    spans: tuple[Span, ...] = ()
    references: tuple[Reference, ...] = ()
    is_loop: bool = False
    retimed: bool = False
    """Whether the model's frames are shown at ``fps``, whatever rate it was trained at."""
    notes: tuple[str, ...] = ()
    """What was done to make things fit, each one sentence."""

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            if side != int(side) or not 1 <= side <= 16384:
                raise UsageError(
                    f"The {name} of the canvas is {side}; it must be a whole number of pixels "
                    "from 1 to 16384.",
                    remedy="128x128 is what the default model was trained at.",
                )
        if not (math.isfinite(self.fps) and 0 < self.fps <= 240):
            raise UsageError(
                f"The rate of the canvas is {self.fps:g} frames per second; it must be above 0 "
                "and at most 240.",
                remedy="12 is what the default model was trained at.",
            )
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= 86400):
            raise UsageError(
                f"The duration of the canvas is {self.seconds:g} s; it must be above 0 and at "
                "most 86400.",
                remedy=f"One frame is {1 / self.fps:.6g} s.",
            )
        if self._frame("duration", self.seconds) < 1:
            raise UsageError(
                f"The canvas lasts {self.seconds:g} s: less than one frame "
                f"({1 / self.fps:.6g} s at {self.fps:g} frames per second).",
                remedy="Make it at least one frame long.",
            )

    @classmethod
    def of_frames(cls, num_frames: int, *, width: int, height: int, fps: float) -> "Canvas":
        """An empty canvas of a number of frames."""
        return cls(width=width, height=height, seconds=num_frames / fps, fps=fps)

    @property
    def num_frames(self) -> int:
        """Frames of the video."""
        return round(self.seconds * self.fps)

    @property
    def prompt(self) -> str:
        """What is said, all spans in a row."""
        return " ".join(dict.fromkeys(span.prompt for span in self.spans if span.prompt))

    @property
    def cuts(self) -> tuple[int, ...]:
        """The frames before which nothing is carried over."""
        return tuple(span.first for span in self.spans if span.cut and span.first > 0)

    def place(
        self,
        frames: NDArray[np.uint8],
        *,
        at_s: float = 0.0,
        noise: float = 0.0,
        mask: NDArray[np.bool_] | None = None,
        xy: tuple[int, int] | None = None,
        fit: How = "refuse",
        every: int = 1,
        source: str | None = None,
    ) -> "Canvas":
        """The canvas with a picture or clip on it.

        Args:
            frames: uint8 sRGB, ``h w 3`` or ``t h w 3`` at the canvas's rate.
            at_s: when its first frame is shown, seconds.
            noise: level in [0, 1): 0 stays as it is, more is changed more.
            mask: bool of the same size, ``h w``, ``1 h w`` or ``t h w``: True where it is free.
            xy: columns and rows from the canvas's upper left corner to its own; its size then
                stays as it is. Without it the frames fill the canvas.
            fit: what is done with frames of another size than the canvas: ``cover`` cuts what
                sticks out, ``contain`` leaves the rest free, ``stretch`` distorts, ``refuse``
                does not take them.
            every: its frames lie so many canvas frames apart; those between are free.
            source: the file that it came from.

        Raises:
            UsageError: it sticks out in space or time, is of another size, or lies where
                something else was given.
        """
        frames = _as_clip(frames)
        free = None if mask is None else _as_mask(mask, frames)
        notes = self.notes
        left = top = 0
        if xy is None:
            fitted = fit_frames(frames, (self.height, self.width), fit)
            top, left, height, width = fitted.kept
            rows, columns = slice(top, top + height), slice(left, left + width)
            if fitted.what is not None:
                notes = (*notes, fitted.what)
                if free is not None:
                    raise UsageError(
                        f"A masked clip has {frames.shape[2]}x{frames.shape[1]} pixels and the "
                        f"canvas {self.width}x{self.height}.",
                        remedy="Fit the clip and its mask to the canvas before they are placed.",
                    )
            frames = fitted.frames[:, rows, columns]
        else:
            left, top = xy
        if free is not None and free.all():
            raise UsageError(
                "The mask leaves all of the clip free: nothing of it would be kept.",
                remedy="White or non-zero is free; invert the mask if it is the other way round.",
            )
        if not 0 <= noise < 1:
            raise UsageError(
                f"The noise of a placement is {noise:g}; it must be from 0 to below 1.",
                remedy="0 keeps it as it is; 1 would be free, so leave it out instead.",
            )
        if every < 1:
            raise UsageError(f"every is {every}; it must be 1 or more.", remedy="1 is each frame.")
        placement = Placement(
            frames=frames,
            first=self._frame("place", at_s),
            every=every,
            left=left,
            top=top,
            noise=noise,
            free=free,
            source=source,
        )
        self._check_inside(placement)
        for other in self.placements:
            _check_apart(placement, other, self.fps)
        return replace(self, placements=(*self.placements, placement), notes=notes)

    def say(
        self,
        prompt: str,
        *,
        from_s: float = 0.0,
        to_s: float | None = None,
        cut: bool = False,
    ) -> "Canvas":
        """The canvas with a prompt pinned to a span of its time.

        Args:
            prompt: what is seen; at most 32,000 characters.
            from_s, to_s: seconds; to the end by default.
            cut: whether nothing is carried over into the span; otherwise one prompt passes
                into the next within a few frames.

        Raises:
            UsageError: it sticks out in time, or something else is said at that time.
        """
        check_text("prompt", prompt)
        first = self._frame("beginning of a prompt", from_s)
        stop = self.num_frames if to_s is None else self._frame("end of a prompt", to_s)
        if not 0 <= first < stop <= self.num_frames:
            raise UsageError(
                f"A prompt is pinned from {from_s:g} s to {stop / self.fps:g} s of a canvas that "
                f"lasts {self.seconds:g} s.",
                remedy="Let it begin before it ends, both within the canvas.",
            )
        for other in self.spans:
            if first < other.stop and other.first < stop:
                raise UsageError(
                    f"Two prompts are pinned to the same time: one from {other.first / self.fps:g}"
                    f" to {other.stop / self.fps:g} s, one from {first / self.fps:g} to "
                    f"{stop / self.fps:g} s.",
                    remedy="Let one end where the next begins, or join their words.",
                )
        span = Span(prompt=prompt, first=first, stop=stop, cut=cut)
        return replace(self, spans=tuple(sorted((*self.spans, span), key=lambda s: s.first)))

    def refer(
        self,
        frames: NDArray[np.uint8],
        *,
        from_s: float = 0.0,
        to_s: float | None = None,
        fit: How = "refuse",
        source: str | None = None,
    ) -> "Canvas":
        """The canvas with a picture or clip outside of what is seen, so that shots share it.

        Args:
            frames: uint8 sRGB, ``h w 3`` or ``t h w 3``.
            from_s, to_s: the time that is made with it in sight, seconds.
            fit: as for `place`; ``contain`` is not possible.

        Raises:
            UsageError: it sticks out in time, or is of another size.
        """
        fitted = fit_frames(_as_clip(frames), (self.height, self.width), fit)
        if fitted.kept != (0, 0, self.height, self.width):
            raise UsageError(
                "A reference must fill the picture; with contain it does not.",
                remedy="Choose cover or stretch.",
            )
        first = self._frame("beginning of a reference", from_s)
        stop = self.num_frames if to_s is None else self._frame("end of a reference", to_s)
        if not 0 <= first < stop <= self.num_frames:
            raise UsageError(
                f"A reference is for {from_s:g} to {stop / self.fps:g} s of a canvas that lasts "
                f"{self.seconds:g} s.",
                remedy="Let it begin before it ends, both within the canvas.",
            )
        for other in self.references:
            if first < other.stop and other.first < stop:
                raise UsageError(
                    "Two references are in sight at the same time.",
                    remedy="Join them into one clip, or give each its own time.",
                )
        reference = Reference(frames=fitted.frames, first=first, stop=stop, source=source)
        notes = self.notes if fitted.what is None else (*self.notes, fitted.what)
        return replace(self, references=(*self.references, reference), notes=notes)

    def loop(self) -> "Canvas":
        """The canvas whose last frame is followed by its first.

        Raises:
            UsageError: it has a single frame, or a cut.
        """
        if self.num_frames < 2:
            raise UsageError(
                "A loop of a single frame is a picture.", remedy="Make it longer, or no loop."
            )
        return replace(self, is_loop=True)

    def save(self, path: str | Path) -> Path:
        """Writes the canvas as a TOML file, with what is given on it beside it, bit for bit."""
        from worldreel.generate.board import save_board

        return save_board(self, path)

    def __str__(self) -> str:
        from worldreel.generate.diagram import diagram

        return diagram(self)

    def _frame(self, what: str, seconds: float) -> int:
        frames = seconds * self.fps
        if not math.isfinite(frames) or abs(frames - round(frames)) > FRAME_TOLERANCE:
            near = (math.floor(frames), math.ceil(frames)) if math.isfinite(frames) else (0, 1)
            named = " or ".join(f"{n / self.fps:.6g} s" for n in near)
            raise UsageError(
                f"The {what} is at {seconds:g} s; at {self.fps:g} frames per second that is "
                f"{frames:.6g} frames, not a whole number.",
                remedy=f"The nearest: {named}.",
            )
        return round(frames)

    def _check_inside(self, placement: Placement) -> None:
        height, width = placement.frames.shape[1:3]
        right, bottom = placement.left + width, placement.top + height
        if min(placement.left, placement.top) < 0 or right > self.width or bottom > self.height:
            raise UsageError(
                f"A clip of {width}x{height} pixels at {placement.left},{placement.top} sticks "
                f"out of a canvas of {self.width}x{self.height}.",
                remedy="Make it smaller, move it, or make the canvas larger.",
            )
        if placement.first < 0 or placement.last >= self.num_frames:
            begin, end = placement.first / self.fps, (placement.last + 1) / self.fps
            raise UsageError(
                f"A clip from {begin:g} s to {end:g} s sticks out of a canvas that lasts "
                f"{self.seconds:g} s.",
                remedy="Trim the clip, move it, or make the canvas longer.",
            )


def _as_clip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frames = np.asarray(frames)
    if frames.ndim == 3:
        frames = frames[None]
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise UsageError(
            f"A picture or clip has shape {frames.shape} and type {frames.dtype}; it must be "
            "uint8 of (height, width, 3) or (frames, height, width, 3).",
            remedy="Convert it to 8-bit RGB; worldreel.media.read does it for files.",
        )
    return frames


def _as_mask(mask: NDArray[np.bool_], frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    mask = mask[None] if mask.ndim == 2 else mask
    if mask.dtype != np.bool_ or mask.ndim != 3 or mask.shape[1:] != frames.shape[1:3]:
        raise UsageError(
            f"A mask has shape {mask.shape} and type {mask.dtype}; for a clip of shape "
            f"{frames.shape} it must be bool of {frames.shape[1:3]} or {frames.shape[:3]}.",
            remedy="Make it as large as the clip; True is where the clip is free.",
        )
    if len(mask) not in (1, len(frames)):
        raise UsageError(
            f"A mask has {len(mask)} frames and its clip {len(frames)}.",
            remedy="Give one frame for all, or one for each frame of the clip.",
        )
    return mask


def _check_apart(one: Placement, other: Placement, fps: float) -> None:
    """Raises UsageError if both give the same pixel of the same frame."""
    rows, columns = one.region
    their_rows, their_columns = other.region
    top, bottom = max(rows.start, their_rows.start), min(rows.stop, their_rows.stop)
    left, right = (
        max(columns.start, their_columns.start),
        min(columns.stop, their_columns.stop),
    )
    if top >= bottom or left >= right:
        return
    for frame in range(max(one.first, other.first), min(one.last, other.last) + 1):
        mine, theirs = one.index_at(frame), other.index_at(frame)
        if mine is None or theirs is None:
            continue
        both = (
            one.given_at(mine)[top - one.top : bottom - one.top, left - one.left : right - one.left]
            & other.given_at(theirs)[
                top - other.top : bottom - other.top, left - other.left : right - other.left
            ]
        )
        if both.any():
            raise UsageError(
                f"Two clips lie on the same {int(both.sum())} pixels at {frame / fps:g} s.",
                remedy="Move one in time or space, or mask one of them there.",
            )
