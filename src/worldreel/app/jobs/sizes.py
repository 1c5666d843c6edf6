"""The official sizes and durations, and the size at which a smaller model makes each of them."""

import re
from dataclasses import dataclass

from worldreel.core.errors import UsageError
from worldreel.generate.limits import nearest_size
from worldreel.weights.description import ModelDescription

OFFICIAL_SIZES = ("720x1280", "1280x720", "1024x1792", "1792x1024", "1920x1080", "1080x1920")
OFFICIAL_SECONDS = ("4", "8", "12", "16", "20")
DEFAULT_SIZE, DEFAULT_SECONDS = "720x1280", "4"

_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_SECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,6})?")


@dataclass(frozen=True)
class RenderSize:
    """What a model makes for a size that was asked for; pixels."""

    width: int
    height: int
    shown_width: int
    shown_height: int

    @property
    def note(self) -> str | None:
        """What is done to the pictures, one sentence; None where they stay as they are."""
        made, shown = (self.width, self.height), (self.shown_width, self.shown_height)
        if made == shown:
            return None
        scale = max(shown[0] / made[0], shown[1] / made[1])
        cut = 1 - (shown[0] * shown[1]) / (made[0] * made[1] * scale**2)
        trimmed = f", and {100 * cut:.1f}% of it trimmed at the edges" if cut > 1e-4 else ""
        verb = "enlarged" if scale > 1 else "reduced"
        return (
            f"The picture was made at {made[0]}x{made[1]} and {verb} {scale:.2f} times to "
            f"{shown[0]}x{shown[1]}{trimmed}."
        )


def parse_size(text: str) -> tuple[int, int]:
    """``"720x1280"`` as width and height; raises UsageError for anything else."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise UsageError(
            f"The size {text[:40]!r} is not one.", remedy="Write width x height, such as 720x1280."
        )
    return int(found[1]), int(found[2])


def parse_seconds(text: str) -> float:
    """``"4"`` as a number of seconds; raises UsageError for anything else."""
    if not _SECONDS.fullmatch(text) or float(text) <= 0:
        raise UsageError(
            f"The duration {text[:40]!r} is not a number of seconds.",
            remedy='Write it as a string, such as "4".',
        )
    return float(text)


def show_seconds(seconds: float) -> str:
    """A duration as the API writes it: ``"4"``, ``"4.5"``."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def render_size(shown: tuple[int, int], description: ModelDescription) -> RenderSize:
    """The size at which a model makes a picture of any size; see `nearest_size`."""
    return RenderSize(*nearest_size(*shown, description), *shown)
