"""People's clips and masks as frames at a constant rate, with every change said."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.media.fit import (
    ALIKE,
    Fit,
    How,
    Rectangle,
    apply_fit,
    check_rate,
    pick_frames,
    plan_fit,
    say_alike,
    say_picks,
    say_rate,
    wxh,
)
from worldreel.media.frame import Frame
from worldreel.media.guard import guarded
from worldreel.media.info import VideoInfo
from worldreel.media.limits import Limits
from worldreel.media.regular import shown_name

UNTIMED_FPS = 24.0
"""For frames that carry no time: the pages of a tiff, a raw stream that declares no rate."""
MOST_FPS = 60.0
"""Highest rate that is chosen for a clip whose own varies."""
USUAL_FPS = (24000 / 1001, 24, 25, 30000 / 1001, 30, 48, 50, 60000 / 1001, 60)
MASK_GREY = 128
"""From this shade on a mask is free."""
NEARLY_BINARY = 16
"""A mask's shade this far from black or white counts as either: what a codec leaves."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Footage:
    """A clip or picture as frames at a constant rate.

    Args:
        frames: uint8 ``t h w 3``, sRGB, upright; a still has one.
        fps: frames per second; 0 for a still.
        notes: what was done to it and what is not read, each one sentence; empty if nothing.
        source_size: height and width in pixels before any fitting.
        source_frames: number of frames that were decoded.
        kept: the rectangle of ``frames`` that holds real content.
    """

    frames: NDArray[np.uint8]
    fps: float
    notes: tuple[str, ...]
    source_size: tuple[int, int]
    source_frames: int
    kept: Rectangle


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """Where a model is free.

    Args:
        free: bool ``t h w``, true where it is; a still has one frame.
        fps: frames per second; 0 for a still.
        notes: what was done to read it, each one sentence.
    """

    free: NDArray[np.bool_]
    fps: float
    notes: tuple[str, ...]


def read_footage(
    path: str | Path,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    how: How = "cover",
    limits: Limits | None = None,
) -> Footage:
    """The frames of a video or picture, decoded in a process of its own within limits.

    Frames are placed by their time stamps: a rate that varies becomes a constant one (``fps``,
    or the one that fits best), and a sentence says so.

    Args:
        fps: the rate that is wanted; None for the clip's own. A still has none.
        size: height and width that are wanted, fitted frame by frame as they are decoded, so
            that a large clip takes no more memory than the result; None for the clip's own.
        how: how it is fitted, as for ``fit``.

    Raises:
        UsageError: a rate or size that cannot be, or ``how`` is ``refuse`` and the sizes differ.
        WorldreelError: no such file, no video or picture, cut off, damaged, or beyond a limit.
    """
    if fps is not None:
        check_rate(fps)
    limits = limits or Limits()
    reel = _Reel(name=shown_name(path), fps=fps, size=size, how=how, limits=limits)
    with guarded(path, limits) as decoding:
        for frame in decoding.frames():
            reel.add(frame)
        return reel.finish(decoding.fps, decoding.is_still, decoding.notes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stream:
    """A clip whose frames come one by one, so that memory holds a single one.

    Args:
        frames: uint8 ``h w 3`` each, sRGB, upright; to be taken once.
        num_frames: how many there will be. fps: frames per second; 0 for a still.
        size: height and width of each in pixels.
        notes: what was done, each one sentence.
    """

    frames: Iterator[NDArray[np.uint8]]
    num_frames: int
    fps: float
    size: tuple[int, int]
    notes: tuple[str, ...]


def stream_footage(
    path: str | Path,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    how: How = "cover",
    limits: Limits | None = None,
) -> Stream:
    """The frames of `read_footage` one by one: the file is decoded twice, and nothing is held.

    The first time tells when each frame is shown; arguments and errors as for `read_footage`,
    those of the second time when the frames are taken.
    """
    if fps is not None:
        check_rate(fps)
    limits = limits or Limits()
    reel = _Reel(name=shown_name(path), fps=fps, size=size, how=how, limits=limits, holds=False)
    with guarded(path, limits) as decoding:
        for frame in decoding.frames():
            reel.add(frame)
        rate, words = reel.settle(decoding.fps, decoding.is_still, decoding.notes)

    def frames() -> Iterator[NDArray[np.uint8]]:
        wanted = iter(reel.picks)
        pick = next(wanted, None)
        with guarded(path, limits) as decoding:
            for number, frame in enumerate(decoding.frames()):
                shown = None
                while pick == number:
                    shown = reel.fitted(frame.upright()) if shown is None else shown
                    yield shown
                    pick = next(wanted, None)

    return Stream(
        frames=frames(),
        num_frames=len(reel.picks),
        fps=rate,
        size=reel.shown_size,
        notes=tuple(words),
    )


def describe_file(
    path: str | Path, *, limits: Limits | None = None
) -> tuple[VideoInfo, dict[str, Any] | None]:
    """What a file is and the settings inside, None without; read in a process of its own.

    Raises:
        WorldreelError: no such file, no video or picture, cut off, damaged, or beyond a limit.
    """
    with guarded(path, limits or Limits(), only_describe=True) as decoding:
        message = decoding.describe()
    info = message["info"]
    height, width = info.pop("size")
    return VideoInfo(size=(height, width), **info), message["settings"]


def read_mask(path: str | Path, *, fps: float | None = None, limits: Limits | None = None) -> Mask:
    """A mask drawn as a picture or moving picture: white, or opaque on one colour, is free.

    An alpha channel is taken where the picture beneath is all of one colour; else the shades
    are. Greys are divided at half, and a sentence says so.

    Raises:
        WorldreelError: as ``read_footage``, and for a mask that is free nowhere.
    """
    if fps is not None:
        check_rate(fps)
    limits = limits or Limits()
    name = shown_name(path)
    shades = _Reel(name=name, fps=fps, size=None, how="refuse", limits=limits)
    alphas: list[NDArray[np.uint8]] = []
    colours: set[bytes] = set()
    with guarded(path, limits, with_alpha=True) as decoding:
        for frame in decoding.frames():
            pixels = frame.pixels
            if pixels.shape[2] == 4:
                alphas.append(frame.upright()[..., 3])
                if len(colours) < 2:
                    colours |= {bytes(colour) for colour in _two_colours(pixels)}
            shades.add(_in_grey(frame))
        footage = shades.finish(decoding.fps, decoding.is_still, decoding.notes)
    notes = [note for note in footage.notes if "transparent" not in note]
    grey = footage.frames[..., 0]
    has_alpha = len(alphas) == footage.source_frames and min(a.min() for a in alphas) < 255
    if has_alpha and len(colours) < 2:
        grey = np.stack(alphas)[shades.picks]
        notes.append("its opaque part is taken as free")
    elif has_alpha:
        notes.append("its alpha channel is not read: the picture has shades of its own")
    free, what = _divide(grey)
    notes += what
    if not free.any():
        raise WorldreelError(
            f"{name} is free nowhere: it has no white",
            remedy="Paint white what is to be made anew, and leave the rest black.",
        )
    return Mask(free=free, fps=footage.fps, notes=tuple(notes))


@dataclass(kw_only=True)
class _Reel:
    """Frames as they come, fitted and put on a constant rate."""

    name: str
    fps: float | None
    size: tuple[int, int] | None
    how: How
    limits: Limits
    holds: bool = True
    """Whether the frames are kept, or only when they are shown."""
    picks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._frames: list[NDArray[np.uint8]] = []
        self._times_s: list[float | None] = []
        self._duration_s: float | None = None
        self._source_size: tuple[int, int] | None = None
        self._plan: Fit | None = None
        self._num_bytes = 0

    def add(self, frame: Frame) -> None:
        pixels = frame.upright()
        size = (pixels.shape[0], pixels.shape[1])
        if self._source_size is None:
            self._source_size = size
            if self.size is not None:
                self._plan = plan_fit(size, self.size, self.how)
        elif size != self._source_size:
            raise WorldreelError(
                f"{self.name}: the picture changes from {wxh(self._source_size)} to {wxh(size)}"
                " pixels",
                remedy="Cut the video where its size changes.",
            )
        self._times_s.append(frame.time_s)
        self._duration_s = frame.duration_s
        if not self.holds:
            return
        pixels = self.fitted(pixels)
        self._num_bytes += pixels.nbytes
        if self._num_bytes > self.limits.frames_bytes:
            raise WorldreelError(
                f"{self.name}: {len(self._frames) + 1} frames of"
                f" {wxh((pixels.shape[0], pixels.shape[1]))} take"
                f" {self._num_bytes / 2**20:,.0f} MiB; the limit is"
                f" {self.limits.frames_bytes / 2**20:,.0f} MiB",
                remedy="Cut it shorter, or make it smaller.",
            )
        self._frames.append(pixels)

    def fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame in the size that is wanted."""
        if self._plan is None or self._plan.what is None:
            return pixels
        return apply_fit(self._plan, pixels)

    @property
    def shown_size(self) -> tuple[int, int]:
        """Height and width of the result in pixels."""
        assert self._source_size is not None
        return self._plan.size if self._plan else self._source_size

    def settle(
        self, declared_fps: float, is_still: bool, notes: list[str]
    ) -> tuple[float, list[str]]:
        """The constant rate and what was done; ``picks`` says which frames are shown."""
        num_frames = len(self._times_s)
        words = list(notes)
        if self._plan is not None and self._plan.what is not None:
            words.append(self._plan.what)
        fps = 0.0
        self.picks = list(range(num_frames))
        if not is_still:
            fps, self.picks, what = pace(
                self._times_s, self._duration_s, declared_fps, self.fps, self.limits.num_frames
            )
            words += what
        return fps, words

    def finish(self, declared_fps: float, is_still: bool, notes: list[str]) -> Footage:
        assert self._frames and self._source_size is not None
        fps, words = self.settle(declared_fps, is_still, notes)
        frames = np.empty((len(self.picks), *self._frames[0].shape), np.uint8)
        if frames.nbytes > self.limits.frames_bytes:
            raise WorldreelError(
                f"{self.name} is {len(self.picks)} frames at {fps:.5g} per second, which take"
                f" {frames.nbytes / 2**20:,.0f} MiB; the limit is"
                f" {self.limits.frames_bytes / 2**20:,.0f} MiB",
                remedy="Ask for a lower rate, cut it shorter, or make it smaller.",
            )
        for number, pick in enumerate(self.picks):
            frames[number] = self._frames[pick]
        height, width = self.shown_size
        return Footage(
            frames=frames,
            fps=fps,
            notes=tuple(words),
            source_size=self._source_size,
            source_frames=len(self._frames),
            kept=self._plan.kept if self._plan else (0, 0, height, width),
        )


def pace(
    times_s: list[float | None],
    last_duration_s: float | None,
    declared_fps: float,
    fps: float | None,
    most_frames: int,
) -> tuple[float, list[int], list[str]]:
    """A constant rate for frames with time stamps.

    Args:
        times_s: when each frame appears; None where it is not known.
        last_duration_s: how long the last is shown, if that is known.
        declared_fps: what the file says, 0 if nothing.
        fps: the rate that is wanted; None for the clip's own.
        most_frames: the most that the result may have.

    Returns:
        frames per second; for each frame of the result the number of the frame that is shown;
        what was done, in sentences.

    Raises:
        WorldreelError: the result has too many frames.
    """
    num_frames = len(times_s)
    notes = []
    known = [time_s for time_s in times_s if time_s is not None]
    is_known = len(known) == num_frames and all(
        later > earlier for earlier, later in itertools.pairwise(known)
    )
    if not is_known or num_frames == 1:
        own = declared_fps or (1 / last_duration_s if last_duration_s else UNTIMED_FPS)
        if not is_known:
            notes.append(f"its frames carry no usable times: taken as {own:.5g} per second")
        known = [number / own for number in range(num_frames)]
        last_duration_s = 1 / own
    known = [time_s - known[0] for time_s in known]
    step_s = known[-1] / (num_frames - 1) if num_frames > 1 else last_duration_s or 1 / UNTIMED_FPS
    off_s = max(abs(time_s - number * step_s) for number, time_s in enumerate(known))
    if off_s <= 0.3 * step_s:
        # how far the rate can be told from stamps that are rounded, to 10 ms in a gif
        tolerance = max(0.001, 2 * off_s / known[-1]) if num_frames > 1 else 0.001
        own = _settle(1 / step_s, declared_fps, tolerance)
        if fps is None or fps == own:
            return own, list(range(num_frames)), notes
        if abs(fps - own) < ALIKE * own:
            return fps, list(range(num_frames)), [*notes, say_alike(own, fps)]
        sentence = say_rate(own, fps)
        end_s = num_frames * step_s
        wanted = fps
    else:
        steps_s = [later - earlier for earlier, later in itertools.pairwise(known)]
        median_s = float(np.median(steps_s))
        if last_duration_s is None or last_duration_s < median_s / 2:
            last_duration_s = median_s  # many files say one tick, and it would be gone
        end_s = known[-1] + last_duration_s
        wanted = fps or _best_rate([*steps_s, last_duration_s])
        sentence = (
            f"its frame rate varies ({1 / max(steps_s):.3g} to {1 / min(steps_s):.3g} per second)"
            f" and is made a constant {wanted:.5g}"
        )
    if end_s * wanted > most_frames:
        raise WorldreelError(
            f"the clip lasts {end_s:.1f} s, which is {end_s * wanted:.0f} frames at {wanted:.5g}"
            f" per second; the limit is {most_frames:,}",
            remedy="Cut it shorter, or ask for a lower rate.",
        )
    picks = pick_frames(known, end_s, wanted)
    return wanted, picks, [*notes, f"{sentence}: {say_picks(picks, num_frames)}"]


def _settle(measured: float, declared: float, tolerance: float) -> float:
    """The rate that a measured one stands for: the declared one, or a usual one close by."""
    usual = min((*USUAL_FPS, round(measured)), key=lambda fps: abs(fps - measured))
    for fps in (declared, usual):
        if fps and abs(fps - measured) <= tolerance * measured:
            return float(fps)
    return measured


def _best_rate(steps_s: list[float]) -> float:
    """The rate at which all steps are whole, as in a gif; else the one of most steps."""
    hundredths = [round(step_s * 100) for step_s in steps_s]
    if all(abs(step * 100 - whole) < 1e-6 for step, whole in zip(steps_s, hundredths, strict=True)):
        rate = 100 / math.gcd(*hundredths)
        if rate <= MOST_FPS:
            return rate
    median = 1 / float(np.median(steps_s))
    return min(MOST_FPS, max(1.0, _settle(median, 0.0, tolerance=0.02)))


def _divide(grey: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], list[str]]:
    shades = np.flatnonzero(np.bincount(grey.reshape(-1), minlength=256))
    if len(shades) == 2 and shades[0] == 0:  # labels: 0 and 1, or black and one grey
        brightest = int(shades[1])
        what = [] if brightest > 255 - NEARLY_BINARY else [f"its shade {brightest} is free"]
        return grey > 0, what
    between = (grey >= NEARLY_BINARY) & (grey <= 255 - NEARLY_BINARY)
    what = []
    if between.any():
        what = [f"{between.mean():.1%} of it is neither black nor white and is divided at half"]
    return grey >= MASK_GREY, what


def _in_grey(frame: Frame) -> Frame:
    """The frame's colours alone, as shades in all three channels; rounded to the shown size."""
    red, green, blue = (frame.pixels[..., i].astype(np.uint32) for i in range(3))
    grey = ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)
    return Frame(
        np.repeat(grey[..., None], 3, axis=2),
        frame.time_s,
        frame.duration_s,
        frame.turns,
        frame.is_mirrored,
    )


def _two_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of the pixels that are not wholly transparent, the first colour and one that differs."""
    colours = pixels[..., :3][pixels[..., 3] > 0]
    if len(colours) == 0:
        return colours
    others = colours[(colours != colours[0]).any(axis=1)]
    return np.concatenate([colours[:1], others[:1]])
