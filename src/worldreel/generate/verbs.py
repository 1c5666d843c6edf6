"""What people ask for, as layouts of a canvas; nothing else tells one from another.

Clips are uint8 sRGB ``t h w 3`` at the canvas's rate and, but for `expand`, of its size.
"""

import numpy as np
from numpy.typing import NDArray

from worldreel.core.errors import UsageError
from worldreel.generate.canvas import Canvas

Clip = NDArray[np.uint8]


def animate(canvas: Canvas, *, first: Clip | None = None, last: Clip | None = None) -> Canvas:
    """A canvas whose first frame, or last, or both are given; one frame each, ``h w 3``."""
    if first is not None:
        canvas = canvas.place(first)
    if last is not None:
        canvas = canvas.place(last, at_s=(canvas.num_frames - 1) / canvas.fps)
    return canvas


def extend(
    clip: Clip, prompt: str, *, seconds: float, fps: float, backward: bool = False
) -> Canvas:
    """A clip that goes on for ``seconds``, or that is led up to for as long."""
    canvas = _around(clip, seconds, fps).say(prompt)
    return canvas.place(clip, at_s=_whole(seconds, fps) / fps if backward else 0.0)


def connect(first: Clip, second: Clip, prompt: str, *, seconds: float, fps: float) -> Canvas:
    """Two clips with ``seconds`` between them that lead from one to the other."""
    if first.shape[1:] != second.shape[1:]:
        raise UsageError(
            f"The clips have {_wxh(first)} and {_wxh(second)} pixels.",
            remedy="Fit both to one size.",
        )
    between = _whole(seconds, fps)
    count = len(first) + between + len(second)
    canvas = Canvas.of_frames(count, width=first.shape[2], height=first.shape[1], fps=fps)
    return canvas.say(prompt).place(first).place(second, at_s=(len(first) + between) / fps)


def close(clip: Clip, prompt: str, *, seconds: float, fps: float) -> Canvas:
    """A clip and ``seconds`` that lead from its end back to its beginning: a loop."""
    return _around(clip, seconds, fps).say(prompt).place(clip).loop()


def edit(clip: Clip, prompt: str, *, noise: float, fps: float) -> Canvas:
    """A clip given loosely, all of it; see `noise_of` for the level."""
    return _around(clip, 0, fps).say(prompt).place(clip, noise=noise)


def erase(
    clip: Clip, mask: NDArray[np.bool_], prompt: str, *, fps: float, noise: float = 1.0
) -> Canvas:
    """A clip that is free where its mask is True; with a prompt that names something, replaced.

    Args:
        noise: below 1, what is under the mask is given loosely instead.
    """
    canvas = _around(clip, 0, fps).say(prompt).place(clip, mask=mask)
    if noise < 1:
        inverse = ~np.broadcast_to(mask if mask.ndim == 3 else mask[None], clip.shape[:3])
        canvas = canvas.place(clip, mask=inverse, noise=noise)
    return canvas


def expand(
    clip: Clip,
    prompt: str,
    *,
    width: int,
    height: int,
    fps: float,
    xy: tuple[int, int] | None = None,
) -> Canvas:
    """A clip inside a larger picture, in its middle unless ``xy`` names its upper left corner."""
    if width < clip.shape[2] or height < clip.shape[1]:
        raise UsageError(
            f"A clip of {_wxh(clip)} pixels cannot be expanded to {width}x{height}.",
            remedy="Ask for a size that is at least as large on both sides.",
        )
    left, top = xy or ((width - clip.shape[2]) // 2, (height - clip.shape[1]) // 2)
    canvas = Canvas.of_frames(len(clip), width=width, height=height, fps=fps)
    return canvas.say(prompt).place(clip, xy=(left, top))


def interpolate(clip: Clip, prompt: str, *, times: int, fps: float) -> Canvas:
    """A clip with ``times`` as many frames a second, shown at ``fps``: between each two of its
    frames ``times - 1`` are free."""
    if times < 2 or len(clip) < 2:
        raise UsageError(
            f"{len(clip)} frames cannot get {times} times as many.",
            remedy="Give a clip of two frames or more, and a rate of at least twice its own.",
        )
    count = (len(clip) - 1) * times + 1
    canvas = Canvas(
        width=clip.shape[2], height=clip.shape[1], seconds=count / fps, fps=fps, retimed=True
    )
    return canvas.say(prompt).place(clip, every=times)


def recut(
    clip: Clip,
    prompt: str,
    *,
    from_s: float,
    to_s: float,
    before_s: float = 0.0,
    after_s: float = 0.0,
    fps: float,
) -> Canvas:
    """A clip's best part, from ``from_s`` to ``to_s``, with its ends made anew."""
    start, stop = _whole(from_s, fps), _whole(to_s, fps)
    if not 0 <= start < stop <= len(clip):
        raise UsageError(
            f"From {from_s:g} s to {to_s:g} s is no part of a clip of {len(clip) / fps:g} s.",
            remedy="Let the part begin before it ends, both within the clip.",
        )
    before, after = _whole(before_s, fps), _whole(after_s, fps)
    kept = clip[start:stop]
    canvas = _around(kept, (before + after) / fps, fps)
    return canvas.say(prompt).place(kept, at_s=before / fps)


def upscale(clip: Clip, prompt: str, *, noise: float, fps: float) -> Canvas:
    """A clip that was enlarged beforehand, given loosely so that detail is dreamt into it."""
    return edit(clip, prompt, noise=noise, fps=fps)


def noise_of(strength: float, shift: float) -> float:
    """The level at which a clip is given for a strength: the share of the steps that it takes.

    Args:
        strength: from 0 (unchanged) to below 1 (nothing of it is left).
        shift: of the model's sampling; see `worldreel.diffusion.schedule.shift_time`.
    """
    if not 0 <= strength < 1:
        raise UsageError(
            f"The strength is {strength:g}; it must be from 0 to below 1.",
            remedy="0.3 restyles a little, 0.8 keeps hardly more than the layout.",
        )
    return shift * strength / (1 + (shift - 1) * strength)


def _around(clip: Clip, seconds: float, fps: float) -> Canvas:
    """An empty canvas of a clip's size that lasts ``seconds`` longer."""
    count = len(clip) + _whole(seconds, fps)
    return Canvas.of_frames(count, width=clip.shape[2], height=clip.shape[1], fps=fps)


def _whole(seconds: float, fps: float) -> int:
    frames = seconds * fps
    if not 0 <= frames < 1e9 or abs(frames - round(frames)) > 1e-3:
        near = max(0, int(frames)) if 0 <= frames < 1e9 else 0
        raise UsageError(
            f"{seconds:g} seconds at {fps:g} frames per second are {frames:.6g} frames.",
            remedy=f"The nearest: {near / fps:.6g} s or {(near + 1) / fps:.6g} s.",
        )
    return round(frames)


def _wxh(clip: Clip) -> str:
    return f"{clip.shape[2]}x{clip.shape[1]}"
