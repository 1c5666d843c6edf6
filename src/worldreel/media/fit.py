"""Frames of one size and rate into another, never in silence: what was done comes back in words.

Lanczos by Pillow, whose filter widens with the reduction, so that nothing flickers; large
reductions begin with a box (1920x1080 to 128x128: 5.5 ms a frame; 17.7 without, with the same
rest of aliasing; swscale's Lanczos takes 8.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.core.errors import UsageError

How = Literal["cover", "contain", "stretch", "refuse"]
Rectangle = tuple[int, int, int, int]
"""Top, left, height, width in pixels."""

BOX_FIRST = 3.0
"""A reduction beyond this many times goes through a box filter to within it, then Lanczos."""
ALIKE = 0.002
"""Rates that differ by less than this share (24 and 23.976) keep every frame; it is said."""

A = TypeVar("A", np.uint8, np.bool_)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """Frames in the size that was asked for, and what was done to them.

    Args:
        frames: uint8 ``t h w 3``.
        what: one sentence; None where nothing was done.
        kept: the rectangle of ``frames`` that holds real content, top, left, height, width;
            around it ``contain`` is black.
    """

    frames: NDArray[np.uint8]
    what: str | None
    kept: Rectangle


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Where a picture of one size goes in another: geometry alone, the same for every frame.

    Args:
        source: height and width of what is given.
        size: height and width of what is wanted.
        box: the part of the source that is shown: left, top, right, bottom, in its pixels.
        kept: where it lies in the result: top, left, height, width.
    """

    source: tuple[int, int]
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    kept: Rectangle

    @property
    def what(self) -> str | None:
        """What is done to a picture, in one sentence; None where nothing is."""
        left, top, right, bottom = self.box
        _, _, height, width = self.kept
        cut = (math.ceil(bottom - top - 1e-6), math.ceil(right - left - 1e-6))
        done = []
        if cut != self.source:
            done.append(f"cropped from {wxh(self.source)} to {wxh(cut)}")
        if (height, width) != cut:
            across, down = width / (right - left), height / (bottom - top)
            # a pixel more or less comes from rounding, not from another shape
            is_alike = (
                abs(across * (bottom - top) - height) < 1 or abs(down * (right - left) - width) < 1
            )
            verb = "stretched" if not is_alike else "reduced" if across < 1 else "enlarged"
            start = "" if done else f" from {wxh(self.source)}"
            done.append(f"{verb}{start} to {width}x{height}")
        if (height, width) != self.size:
            done.append(f"set on black in {wxh(self.size)}")
        return f"the picture is {' and '.join(done)}" if done else None


def plan_fit(source: tuple[int, int], size: tuple[int, int], how: How) -> Fit:
    """The geometry of ``fit`` for a picture of ``source`` height and width.

    Raises:
        UsageError: ``how`` is ``refuse`` and the sizes differ, or ``size`` is below 1 pixel.
    """
    (source_height, source_width), (height, width) = source, size
    if height < 1 or width < 1:
        raise UsageError(
            f"a picture of {wxh(size)} pixels cannot be", remedy="Give at least 1 pixel a side."
        )
    assert source_height > 0 and source_width > 0, source
    whole = (0.0, 0.0, float(source_width), float(source_height))
    kept = (0, 0, height, width)
    if source == size or how == "stretch":
        return Fit(source=source, size=size, box=whole, kept=kept)
    if how == "refuse":
        raise UsageError(
            f"the picture is {wxh(source)} pixels, and {wxh(size)} is wanted",
            remedy="Give it in that size, or let it be fitted: cover, contain or stretch.",
        )
    if how == "cover":
        scale = max(height / source_height, width / source_width)
        shown_height = min(height / scale, source_height)
        shown_width = min(width / scale, source_width)
        top, left = (source_height - shown_height) / 2, (source_width - shown_width) / 2
        box = (left, top, left + shown_width, top + shown_height)
        return Fit(source=source, size=size, box=box, kept=kept)
    assert how == "contain", how
    scale = min(height / source_height, width / source_width)
    inner_height = min(height, max(1, round(source_height * scale)))
    inner_width = min(width, max(1, round(source_width * scale)))
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    return Fit(source=source, size=size, box=whole, kept=(top, left, inner_height, inner_width))


def fit(frames: NDArray[np.uint8], size: tuple[int, int], how: How) -> Fitted:
    """Frames in another size, antialiased.

    Args:
        frames: uint8 ``t h w 3``.
        size: height and width that are wanted.
        how: ``cover`` fills the size and crops what is too much, evenly on both sides;
            ``contain`` shows all, on black; ``stretch`` changes the shape; ``refuse`` raises.

    Raises:
        UsageError: ``how`` is ``refuse`` and the sizes differ, or ``size`` is below 1 pixel.
    """
    assert frames.dtype == np.uint8, frames.dtype
    assert frames.ndim == 4 and frames.shape[3] == 3, frames.shape
    plan = plan_fit((frames.shape[1], frames.shape[2]), size, how)
    if plan.what is None:
        return Fitted(frames=frames, what=None, kept=plan.kept)
    fitted = np.stack([apply_fit(plan, frame) for frame in frames])
    return Fitted(frames=fitted, what=plan.what, kept=plan.kept)


def apply_fit(plan: Fit, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One frame, uint8 ``h w 3``, laid out as planned."""
    assert frame.shape == (*plan.source, 3), (frame.shape, plan.source)
    return _lay(plan, frame, Image.Resampling.LANCZOS)


def fit_mask(
    mask: NDArray[np.bool_],
    of: tuple[int, int, int],
    size: tuple[int, int],
    how: How,
) -> NDArray[np.bool_]:
    """A mask laid out as its clip is by ``fit``: a pixel is free if half of it or more was.

    Args:
        mask: bool ``t h w`` or ``1 h w``, true where the model is free.
        of: frames, height and width of the clip as it was read, before any fitting.
        size: height and width that are wanted.
        how: as for the clip. The black that ``contain`` adds is not free.

    Returns:
        bool ``t h w`` or ``1 h w``.

    Raises:
        UsageError: the mask has another size or number of frames than its clip; ``how`` is
            ``refuse`` and the sizes differ.
    """
    assert mask.dtype == np.bool_ and mask.ndim == 3, (mask.dtype, mask.shape)
    num_frames, *clip_size = of
    mask_size = (mask.shape[1], mask.shape[2])
    if mask_size != tuple(clip_size):
        raise UsageError(
            f"the mask is {wxh(mask_size)} pixels, and its clip {wxh(tuple(clip_size))}",
            remedy="Draw the mask over a frame of the clip, in the clip's own size.",
        )
    if mask.shape[0] not in (1, num_frames):
        raise UsageError(
            f"the mask has {mask.shape[0]} frames, and its clip {num_frames}",
            remedy="Give one picture for the whole clip, or one frame of mask per frame of clip.",
        )
    plan = plan_fit(mask_size, size, how)
    if plan.what is None:
        return mask
    grey = mask.astype(np.uint8) * 255
    return np.stack([_lay(plan, frame, Image.Resampling.BOX) >= 128 for frame in grey])


def fit_rate(frames: NDArray[A], fps: float, to_fps: float) -> tuple[NDArray[A], str | None]:
    """A clip or mask, ``t ...``, at another rate: each new frame is the nearest old one.

    Returns:
        the frames, and one sentence of what was done; None where the rates are the same.

    Raises:
        UsageError: ``to_fps`` is not above 0.
    """
    assert fps > 0 and len(frames) > 0, (fps, len(frames))
    check_rate(to_fps)
    if fps == to_fps:
        return frames, None
    if abs(fps - to_fps) < ALIKE * fps:
        return frames, say_alike(fps, to_fps)
    picks = pick_frames([i / fps for i in range(len(frames))], len(frames) / fps, to_fps)
    return frames[picks], f"{say_rate(fps, to_fps)}: {say_picks(picks, len(frames))}"


def pick_frames(times_s: Sequence[float], end_s: float, to_fps: float) -> list[int]:
    """For each frame of a constant rate, the number of the frame that is shown at its middle.

    Args:
        times_s: when each frame appears, ascending from 0.
        end_s: when the last one ends, after all of them.
        to_fps: frames per second of the result; it has at least one frame.
    """
    assert times_s and times_s[0] == 0 and end_s > 0 and to_fps > 0, (times_s, end_s, to_fps)
    picks = []
    index = 0
    for number in range(max(1, round(end_s * to_fps))):
        middle_s = (number + 0.5) / to_fps
        # at a tie (24 to 12 per second) the earlier one: the first frame stays the first
        while index + 1 < len(times_s) and times_s[index + 1] < middle_s - 1e-6 / to_fps:
            index += 1
        picks.append(index)
    return picks


def say_rate(fps: float, to_fps: float) -> str:
    """The beginning of the sentence about another rate."""
    return f"the clip is taken from {fps:.5g} to {to_fps:.5g} frames per second"


def say_alike(fps: float, to_fps: float) -> str:
    """The sentence about a rate that is so close that every frame stays."""
    return f"the clip's {fps:.5g} frames per second are played at {to_fps:.5g}"


def say_picks(picks: Sequence[int], num_frames: int) -> str:
    """How many frames are left out and how many are shown again."""
    left_out = num_frames - len(set(picks))
    again = len(picks) - len(set(picks))
    words = []
    if left_out:
        words.append(f"{left_out} of {num_frames} frames are left out")
    if again:
        words.append(f"{again} frames are repetitions")
    return " and ".join(words) or "every frame is there once"


def check_rate(fps: float) -> None:
    """Raises UsageError for a rate that is not a number above 0 and up to 1000."""
    if not (math.isfinite(fps) and 0 < fps <= 1000):
        raise UsageError(
            f"{fps:g} frames per second cannot be", remedy="Give a rate above 0 and up to 1000."
        )


def wxh(size: tuple[int, ...]) -> str:
    """A height and a width as people write them: 1920x1080."""
    height, width = size
    return f"{width}x{height}"


def _lay(plan: Fit, pixels: NDArray[np.uint8], resample: Image.Resampling) -> NDArray[np.uint8]:
    top, left, height, width = plan.kept
    inner = np.asarray(
        Image.fromarray(pixels).resize(
            (width, height), resample, box=plan.box, reducing_gap=BOX_FIRST
        )
    )
    if (height, width) == plan.size:
        return inner
    result = np.zeros((*plan.size, *pixels.shape[2:]), np.uint8)
    result[top : top + height, left : left + width] = inner
    return result
