"""What is asked for, and whether it can be; no torch, so that bad input is refused at once."""

import dataclasses
import math
import unicodedata
from dataclasses import dataclass

from worldreel.core.errors import UsageError
from worldreel.core.randomness import SEED_MAX, random_seed
from worldreel.weights.catalogue import DEFAULT_MODEL
from worldreel.weights.description import ModelDescription

PROMPT_MAX = 32_000
STEPS_MAX = 200
GUIDANCE_MAX = 20.0
FRAME_TOLERANCE = 1e-3
"""How far a duration may be from whole frames, in frames: what rounding to 6 digits needs."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One video that is asked for. What is None is the model's to choose."""

    prompt: str
    negative_prompt: str = ""
    """What the video is guided away from."""
    model: str = DEFAULT_MODEL
    """A name of the catalogue, or the path of a model's folder."""
    seconds: float | None = None
    fps: float | None = None
    """Frames per second; a divisor of the model's own. Every n-th frame is kept."""
    width: int | None = None
    """Pixels."""
    height: int | None = None
    seed: int | None = None
    """Random if None; `validate` chooses it."""
    num_inference_steps: int | None = None
    guidance_scale: float | None = None

    def validate(self, description: ModelDescription) -> "Request":
        """The same request with nothing left open, if the model can do it.

        Raises:
            UsageError: a value that cannot be, with the range or the nearest that can.
        """
        _check_text("prompt", self.prompt)
        if not self.prompt.strip():
            raise UsageError(
                "The prompt is empty.",
                remedy='Say what should be seen, for example "a red ball rolls on grass".',
            )
        _check_text("negative prompt", self.negative_prompt)
        width, height = description.size.default
        defaults = {
            "seconds": description.seconds.default,
            "fps": description.fps,
            "width": width,
            "height": height,
            "seed": random_seed(),
            "num_inference_steps": description.sampling.num_inference_steps,
            "guidance_scale": description.sampling.guidance_scale,
        }
        left_open = {key: value for key, value in defaults.items() if getattr(self, key) is None}
        complete = dataclasses.replace(self, **left_open)
        complete._check_size(description)
        complete._check_time(description)
        _check_whole("number of inference steps", complete.num_inference_steps, 1, STEPS_MAX)
        _check_whole("seed", complete.seed, 0, SEED_MAX)
        _check_range("guidance scale", complete.guidance_scale, 0, GUIDANCE_MAX)
        return complete

    @property
    def num_frames(self) -> int:
        """Frames of a request that was validated."""
        assert self.seconds is not None and self.fps is not None
        return round(self.seconds * self.fps)

    def _check_size(self, description: ModelDescription) -> None:
        sides = ("width", self.width), ("height", self.height)
        for (name, side), unit in zip(sides, description.size_multiple, strict=True):
            least = math.ceil(description.size.min / unit) * unit
            most = description.size.max // unit * unit
            assert side is not None
            _check_whole(name, side, least, most, f"pixels for {description.name}")
            if side % unit:
                below = side // unit * unit
                near = [n for n in (below, below + unit) if least <= n <= most]
                raise UsageError(
                    f"The {name} is {side} pixels; {description.name} needs a multiple of "
                    f"{unit} from {least} to {most}.",
                    remedy=f"The nearest: {' or '.join(map(str, near))}.",
                )

    def _check_time(self, description: ModelDescription) -> None:
        assert self.seconds is not None and self.fps is not None
        native = description.fps
        rates = [rate for rate in range(1, native + 1) if native % rate == 0]
        if not math.isfinite(self.fps) or self.fps not in rates:
            raise UsageError(
                f"The rate is {self.fps:g} frames per second; {description.name} makes {native}, "
                f"of which every n-th frame can be kept.",
                remedy=f"Choose one of {', '.join(map(str, rates))}.",
            )
        most = description.seconds.max
        if not math.isfinite(self.seconds) or not 0 < self.seconds <= most:
            raise UsageError(
                f"The duration is {self.seconds:g} seconds; {description.name} makes "
                f"from 1 frame ({1 / self.fps:.6g} s) to {most:g} s.",
                remedy=f"Choose a duration of up to {most:g} seconds.",
            )
        frames = self.seconds * self.fps
        if abs(frames - round(frames)) > FRAME_TOLERANCE or round(frames) < 1:
            near = [n for n in (math.floor(frames), math.ceil(frames)) if n >= 1]
            near = [f"{n / self.fps:.6g} s ({n} frames)" for n in near if n / self.fps <= most]
            raise UsageError(
                f"{self.seconds:g} seconds at {self.fps:g} frames per second are {frames:.6g} "
                "frames, not a whole number.",
                remedy=f"The nearest: {' or '.join(near)}.",
            )


def _check_text(name: str, text: str) -> None:
    if len(text) > PROMPT_MAX:
        raise UsageError(
            f"The {name} has {len(text):,} characters; at most {PROMPT_MAX:,} are allowed.",
            remedy="Shorten it: one or two sentences say most.",
        )
    for place, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise UsageError(
                f"The {name} holds the control character U+{ord(character):04X} at place "
                f"{place + 1}; text may hold none but line breaks and tabs.",
                remedy="Remove it; it often comes in by copying from a terminal.",
            )


def _check_whole(name: str, value: float | None, low: int, high: int, unit: str = "") -> None:
    assert value is not None
    if not math.isfinite(value) or value != int(value) or not low <= value <= high:
        unit = f" {unit}" if unit else ""
        raise UsageError(
            f"The {name} is {value}; it must be a whole number from {low} to {high}{unit}.",
            remedy=f"Choose a {name} in that range.",
        )


def _check_range(name: str, value: float | None, low: float, high: float) -> None:
    assert value is not None
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(
            f"The {name} is {value:g}; it must be from {low:g} to {high:g}.",
            remedy=f"Choose a {name} in that range.",
        )
