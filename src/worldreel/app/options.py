"""The types of the options: how their words are read, and how the help shows them."""

import math
from typing import Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, arg
from tyro.constructors import PrimitiveConstructorSpec

from worldreel.core.errors import UsageError

OF_THE_MODEL = "(default: the model's)"


def _number(words: list[str]) -> float:
    try:
        return float(words[0])
    except ValueError:
        raise ValueError(f"{words[0]!r} is not a number") from None


def _whole_number(words: list[str]) -> int:
    try:
        return int(words[0])
    except ValueError:
        raise ValueError(f"{words[0]!r} is not a whole number") from None


def _optional(read: Any, kind: type) -> PrimitiveConstructorSpec[Any]:
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: value is None or isinstance(value, kind),
        str_from_instance=lambda value: [str(value)],
    )


OptionalFloat = Annotated[float | None, _optional(_number, float)]
OptionalInt = Annotated[int | None, _optional(_whole_number, int)]
OptionalText = Annotated[str | None, _optional(lambda words: words[0], str)]
File = Annotated[Positional[str], arg(metavar="FILE")]
Flag = Annotated[bool, FlagCreatePairsOff, arg(help_behavior_hint="")]


def parse_size(text: str) -> tuple[int, int]:
    """``"160x96"`` -> ``(160, 96)``, width first.

    Raises:
        UsageError: the text is not two whole numbers with an x between.
    """
    width, separator, height = text.strip().lower().partition("x")
    if not (separator and _is_count(width) and _is_count(height)):
        raise UsageError(
            f"--size {shown(text)} is not a size.",
            remedy="Write width, x, height in pixels, for example --size 128x128.",
        )
    return int(width), int(height)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def check_at_least(option: str, value: float, least: float) -> None:
    """Raises UsageError unless ``value`` is a finite number of ``least`` or more."""
    if not (math.isfinite(value) and value >= least):
        raise UsageError(
            f"{option} is {value:g}; it must be {least:g} or more.",
            remedy=f"Give {option} a number from {least:g} up.",
        )


def shown(text: str, limit: int = 60) -> str:
    """``text`` quoted for an error message, shortened, with control characters visible."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
