"""What a model can make: sizes, rates and durations, checked before anything is loaded."""

import math

from worldreel.core.errors import UsageError
from worldreel.generate.canvas import FRAME_TOLERANCE
from worldreel.weights.description import ModelDescription

CROP_MAX = 0.03
"""The share of a picture that may be cut off for a size that is nearer to the model's own."""


def check_size(width: int, height: int, description: ModelDescription) -> None:
    """Raises UsageError for a size that the model cannot make, with the nearest that it can."""
    sides = ("width", width), ("height", height)
    for (name, side), unit in zip(sides, description.size_multiple, strict=True):
        least, most = _sides(unit, description)
        check_whole(name, side, least, most, f"pixels for {description.name}")
        if side % unit:
            below = side // unit * unit
            near = [n for n in (below, below + unit) if least <= n <= most]
            raise UsageError(
                f"The {name} is {side} pixels; {description.name} needs a multiple of "
                f"{unit} from {least} to {most}.",
                remedy=f"The nearest: {' or '.join(map(str, near))}.",
            )


def nearest_size(width: int, height: int, description: ModelDescription) -> tuple[int, int]:
    """The width and height at which a model makes a picture of any size: the same shape.

    The size itself where the model can make it. Otherwise, of all sizes that it can make and
    that lose at most `CROP_MAX` of the picture by trimming, the one whose area is nearest to the
    model's default; where there is none, the one that loses least.
    """
    across, down = description.size_multiple
    (least, most), (low, high) = _sides(across, description), _sides(down, description)
    wide, tall = range(least, most + 1, across), range(low, high + 1, down)
    if width in wide and height in tall:
        return width, height
    default = math.prod(description.size.default)
    shape = width / height

    def distance(size: tuple[int, int]) -> tuple[float, float]:
        ratio = size[0] / size[1] / shape
        lost = 1 - min(ratio, 1 / ratio)
        return max(lost - CROP_MAX, 0), abs(math.log(math.prod(size) / default))

    return min(((w, h) for w in wide for h in tall), key=distance)


def check_rate(fps: float, description: ModelDescription) -> None:
    """Raises UsageError for a rate that is not the model's own divided by a whole number."""
    native = description.fps
    rates = [rate for rate in range(1, native + 1) if native % rate == 0]
    if not math.isfinite(fps) or fps not in rates:
        raise UsageError(
            f"The rate is {fps:g} frames per second; {description.name} makes {native}, "
            f"of which every n-th frame can be kept.",
            remedy=f"Choose one of {', '.join(map(str, rates))}.",
        )


def check_duration(seconds: float, fps: float, description: ModelDescription) -> None:
    """Raises UsageError for a duration that is too long, or no whole number of frames."""
    most = description.seconds.max
    if not math.isfinite(seconds) or not 0 < seconds <= most:
        raise UsageError(
            f"The duration is {seconds:g} seconds; {description.name} makes "
            f"from 1 frame ({1 / fps:.6g} s) to {most:g} s.",
            remedy=f"Choose a duration of up to {most:g} seconds.",
        )
    frames = seconds * fps
    if abs(frames - round(frames)) > FRAME_TOLERANCE or round(frames) < 1:
        near = [n for n in (math.floor(frames), math.ceil(frames)) if n >= 1]
        near = [f"{n / fps:.6g} s ({n} frames)" for n in near if n / fps <= most]
        raise UsageError(
            f"{seconds:g} seconds at {fps:g} frames per second are {frames:.6g} "
            "frames, not a whole number.",
            remedy=f"The nearest: {' or '.join(near)}.",
        )


def check_whole(name: str, value: float | None, low: int, high: int, unit: str = "") -> None:
    """Raises UsageError unless ``value`` is a whole number of the closed range."""
    assert value is not None
    if not math.isfinite(value) or value != int(value) or not low <= value <= high:
        unit = f" {unit}" if unit else ""
        raise UsageError(
            f"The {name} is {value}; it must be a whole number from {low} to {high}{unit}.",
            remedy=f"Choose a {name} in that range.",
        )


def check_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raises UsageError unless ``value`` is a number of the closed range."""
    assert value is not None
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(
            f"The {name} is {value:g}; it must be from {low:g} to {high:g}.",
            remedy=f"Choose a {name} in that range.",
        )


def _sides(unit: int, description: ModelDescription) -> tuple[int, int]:
    """The least and the greatest side that is a multiple of ``unit``, pixels."""
    size = description.size
    return math.ceil(size.min / unit) * unit, size.max // unit * unit
