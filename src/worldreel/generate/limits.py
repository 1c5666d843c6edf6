"""What a model can make: sizes, rates and durations, checked before anything is loaded."""

import math

from worldreel.core.errors import UsageError
from worldreel.generate.canvas import FRAME_TOLERANCE
from worldreel.weights.description import ModelDescription


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
    """The width and height that the model can make whose shape is nearest to that of a picture.

    Its own size where that is possible; otherwise of the sizes of nearly the same shape the one
    whose area is nearest to the picture's, or to the default's where the picture is larger.
    """
    across, down = description.size_multiple
    wide = range(_sides(across, description)[0], _sides(across, description)[1] + 1, across)
    tall = range(_sides(down, description)[0], _sides(down, description)[1] + 1, down)
    if width in wide and height in tall:
        return width, height
    area = min(width * height, math.prod(description.size.default))
    shape = math.log(width / height)

    def distance(size: tuple[int, int]) -> float:
        # a tenth of the shape counts as much as a factor of two in area
        w, h = size
        return 10 * abs(math.log(w / h) - shape) + abs(math.log2(w * h / area))

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
