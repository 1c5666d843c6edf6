"""What can be done with a clip: each command lays out a canvas, and the rest is the same."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from worldreel.app.clips import ClipFilling, FitOption, GivenClip, read_clip
from worldreel.app.commands.generate import read_prompt
from worldreel.app.options import Flag, OptionalFloat, OptionalText, parse_size
from worldreel.core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ClipFile = Annotated[Positional[str], arg(metavar="CLIP")]


@dataclass(frozen=True, kw_only=True)
class Extend(ClipFilling):
    """Lets a clip go on, or leads up to it."""

    clip: ClipFile
    """The clip; its own frames stay as they are."""
    seconds: float = 2.0
    """How much longer it gets."""
    backward: Flag = False
    """Make what came before it, instead of what comes after."""

    def run(self) -> int:
        from worldreel.generate import verbs

        given = self.read(self.clip)
        canvas = verbs.extend(
            given.frames,
            self.said(self.clip),
            seconds=self.seconds,
            fps=given.fps,
            backward=self.backward,
        )
        return self.fill(given.finish(canvas), sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Connect(ClipFilling):
    """Makes what lies between two clips."""

    first: Annotated[Positional[str], arg(metavar="FIRST")]
    """The clip that it begins with."""
    second: Annotated[Positional[str], arg(metavar="SECOND")]
    """The clip that it ends with; it is fitted to the first."""
    seconds: float = 1.0
    """How long it takes from one to the other."""

    def run(self) -> int:
        from worldreel.generate import verbs

        first = self.read(self.first)
        size = "x".join(map(str, first.size))
        second = read_clip(self.second, self.model, size=size, fit=self.fit, keep_fps=self.keep_fps)
        if first.fps != second.fps:
            raise UsageError(
                f"The clips have {first.fps:g} and {second.fps:g} frames per second.",
                remedy="Leave out --keep-fps, so that both are shown at the model's rate.",
            )
        if first.kept != second.kept:
            raise UsageError(
                "The clips have different shapes, and --fit contain would leave different parts "
                "of the picture free.",
                remedy="Choose --fit cover or --fit stretch.",
            )
        canvas = verbs.connect(
            first.frames,
            second.frames,
            self.said(self.first),
            seconds=self.seconds,
            fps=first.fps,
        )
        canvas = replace(canvas, notes=second.notes)
        return self.fill(first.finish(canvas), sources=[self.first, self.second])


@dataclass(frozen=True, kw_only=True)
class Loop(ClipFilling):
    """Makes a video whose last frame is followed by its first: of a clip, or of a sentence."""

    what: Annotated[Positional[str | None], arg(metavar="[CLIP|PROMPT]", help_behavior_hint="")] = (
        None
    )
    """A clip, which is led back to its beginning, or what should be seen."""
    seconds: Annotated[OptionalFloat, arg(help_behavior_hint="(default: 4 or, of a clip, 1)")] = (
        None
    )
    """The duration, or how long the way back to the clip's beginning takes."""

    def run(self) -> int:
        from pathlib import Path

        from worldreel.generate import verbs
        from worldreel.generate.request import Request

        if self.what is not None and Path(self.what).is_file():
            given = self.read(self.what)
            seconds = 1.0 if self.seconds is None else self.seconds
            prompt = self.said(self.what)
            canvas = verbs.close(given.frames, prompt, seconds=seconds, fps=given.fps)
            return self.fill(given.finish(canvas), sources=[self.what])
        width, height = parse_size(self.size) if self.size is not None else (None, None)
        prompt = read_prompt(self.prompt if self.what is None else self.what)
        request = Request(
            prompt=prompt, model=self.model, seconds=self.seconds, width=width, height=height
        )
        return self.fill(request.validate(self.describe()).canvas.loop())


@dataclass(frozen=True, kw_only=True)
class Edit(ClipFilling):
    """Makes a clip anew under another prompt, and keeps more or less of it."""

    clip: ClipFile
    """The clip that it begins from."""
    new_prompt: Annotated[
        Positional[str | None], arg(metavar="[PROMPT]", help_behavior_hint="")
    ] = None
    """What should be seen now."""
    strength: float = 0.5
    """How much is changed, from 0 to below 1: the share of the steps that are taken."""

    def run(self) -> int:
        from worldreel.generate import verbs

        given = self.read(self.clip)
        prompt = read_prompt(self.prompt if self.new_prompt is None else self.new_prompt)
        noise = verbs.noise_of(self.strength, self.describe().sampling.shift)
        canvas = verbs.edit(given.frames, prompt, noise=noise, fps=given.fps)
        return self.fill(given.finish(canvas), sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Erase(ClipFilling):
    """Takes what is under a mask out of a clip."""

    clip: ClipFile
    """The clip; outside of the mask it stays as it is."""
    mask: str
    """A picture or clip of the same size: what is white is taken out."""

    def run(self) -> int:
        return self._fill_mask(self.prompt or "")

    def _fill_mask(self, prompt: str) -> int:
        from worldreel.generate import verbs

        given = self.read(self.clip)
        mask, notes = read_mask_for(given, self.clip, self.mask, self.fit)
        canvas = verbs.erase(given.frames, mask, prompt, fps=given.fps)
        return self.fill(given.finish(replace(canvas, notes=notes)), sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Replace(Erase):
    """Puts something else where the mask of a clip is."""

    new_prompt: Annotated[
        Positional[str | None], arg(metavar="[PROMPT]", help_behavior_hint="")
    ] = None
    """What should be seen, the new thing with the rest of the clip."""

    def run(self) -> int:
        prompt = read_prompt(self.prompt if self.new_prompt is None else self.new_prompt)
        return self._fill_mask(prompt)


@dataclass(frozen=True, kw_only=True)
class Expand(ClipFilling):
    """Makes what lies around a clip, in a larger picture or one of another shape."""

    clip: ClipFile
    """The clip; inside it stays as it is."""
    to: Annotated[str, arg(metavar="WIDTHxHEIGHT")]
    """The size of the larger picture. The clip keeps its own size, or gets that of --size."""
    at: Annotated[OptionalText, arg(metavar="X,Y", help_behavior_hint="")] = None
    """Where the clip's upper left corner lies, in pixels. (default: the clip is in the middle)"""

    def run(self) -> int:
        from worldreel.generate import verbs
        from worldreel.media.footage import describe_file, read_footage

        width, height = parse_size(self.to)
        description = self.describe()
        if self.size is not None:
            inner_width, inner_height = parse_size(self.size)
        else:
            inner_height, inner_width = describe_file(self.clip)[0].size
        footage = read_footage(
            self.clip,
            fps=None if self.keep_fps else description.fps,
            size=(inner_height, inner_width),
            how=self.fit,
        )
        fps = footage.fps or description.fps
        canvas = verbs.expand(
            footage.frames,
            self.said(self.clip),
            width=width,
            height=height,
            fps=fps,
            xy=None if self.at is None else _parse_place(self.at),
        )
        retimed = self.keep_fps and fps != description.fps
        canvas = replace(canvas, notes=footage.notes, retimed=retimed)
        return self.fill(canvas, sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Interpolate(ClipFilling):
    """Makes frames between the frames of a clip."""

    clip: ClipFile
    """The clip; its own frames stay as they are."""
    fps: float
    """The rate that it gets: a whole multiple of its own."""

    def run(self) -> int:
        from worldreel.generate import verbs

        given = read_clip(self.clip, self.model, size=self.size, fit=self.fit, keep_fps=True)
        times = round(self.fps / given.fps)
        if times < 2 or abs(self.fps / given.fps - times) > 1e-6:
            raise UsageError(
                f"--fps is {self.fps:g}; the clip has {given.fps:g} frames per second.",
                remedy=f"Choose a whole multiple, for example {2 * given.fps:g}.",
            )
        canvas = verbs.interpolate(given.frames, self.said(self.clip), times=times, fps=self.fps)
        return self.fill(given.finish(canvas), sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Recut(ClipFilling):
    """Keeps the best part of a clip and makes its ends anew."""

    clip: ClipFile
    """The clip."""
    from_s: float = 0.0
    """Where the part that is kept begins, seconds."""
    to_s: OptionalFloat = None
    """Where it ends, seconds. (default: the clip's end)"""
    before: float = 0.0
    """Seconds that are made before it."""
    after: float = 0.0
    """Seconds that are made after it."""

    def run(self) -> int:
        from worldreel.generate import verbs

        given = self.read(self.clip)
        canvas = verbs.recut(
            given.frames,
            self.said(self.clip),
            from_s=self.from_s,
            to_s=len(given.frames) / given.fps if self.to_s is None else self.to_s,
            before_s=self.before,
            after_s=self.after,
            fps=given.fps,
        )
        return self.fill(given.finish(canvas), sources=[self.clip])


@dataclass(frozen=True, kw_only=True)
class Upscale(ClipFilling):
    """Enlarges a clip and dreams detail into it."""

    clip: ClipFile
    """The clip; name the size that it gets with --size."""
    strength: float = 0.2
    """How much is dreamt, from 0 to below 1."""

    def run(self) -> int:
        from worldreel.generate import verbs

        if self.size is None:
            raise UsageError(
                "There is no size to enlarge the clip to.", remedy="Name it: --size 256x256."
            )
        given = self.read(self.clip)
        noise = verbs.noise_of(self.strength, self.describe().sampling.shift)
        prompt = self.said(self.clip)
        canvas = verbs.upscale(given.frames, prompt, noise=noise, fps=given.fps)
        return self.fill(given.finish(canvas), sources=[self.clip])


def read_mask_for(
    given: GivenClip, clip: str, path: str, fit: FitOption
) -> "tuple[NDArray[np.bool_], tuple[str, ...]]":
    """A mask as large as the clip's file, fitted as the clip was; and what was done.

    Raises:
        UsageError: it has another size or another number of frames than the clip.
    """
    from worldreel.media.fit import fit_mask
    from worldreel.media.footage import describe_file, read_mask

    mask = read_mask(path, fps=given.fps)
    clip_size = describe_file(clip)[0].size
    width, height = given.size
    free = fit_mask(mask.free, (len(given.frames), *clip_size), (height, width), fit)
    return free, mask.notes


def _parse_place(text: str) -> tuple[int, int]:
    left, separator, top = text.partition(",")
    if not (separator and left.strip().isdigit() and top.strip().isdigit()):
        raise UsageError(
            f"--at {text!r} is not a place.", remedy="Write X,Y in pixels, for example --at 0,32."
        )
    return int(left), int(top)
