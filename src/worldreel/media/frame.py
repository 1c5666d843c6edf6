"""One decoded picture with its time, and what every decoder checks and says."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.core.errors import WorldreelError
from worldreel.media.limits import MIB, Limits
from worldreel.media.sniff import not_readable


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as it is stored.

    Args:
        pixels: uint8 ``h w 3``, or ``h w 4`` with an alpha that is not multiplied in.
        time_s: when it appears; None if the file does not say.
        duration_s: how long it is shown; None if the file does not say.
        turns: quarter turns counterclockwise that bring it upright.
        is_mirrored: whether left and right are exchanged, after the turn.
    """

    pixels: NDArray[np.uint8]
    time_s: float | None
    duration_s: float | None
    turns: int = 0
    is_mirrored: bool = False

    def upright(self) -> NDArray[np.uint8]:
        """The pixels as they are to be seen."""
        return turn(self.pixels, self.turns, self.is_mirrored)


def turn(pixels: NDArray[np.uint8], turns: int, is_mirrored: bool) -> NDArray[np.uint8]:
    """A picture after quarter turns counterclockwise, then mirrored left to right if asked."""
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if is_mirrored else turned)


def on_black(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with alpha, uint8 ``h w 4``, set on black: uint8 ``h w 3``."""
    alpha = pixels[..., 3:].astype(np.uint16)
    return ((pixels[..., :3] * alpha + 127) // 255).astype(np.uint8)


def check_pixels(name: str, size: tuple[int, int], limit: int) -> None:
    """Raises WorldreelError if a picture of that height and width is larger than the limit."""
    height, width = size
    if height * width > limit:
        raise WorldreelError(
            f"{name} is {width}x{height}, {height * width:,} pixels; the limit is {limit:,}",
            remedy="Make it smaller.",
        )


def check_frames(name: str, num_frames: int, limits: Limits) -> None:
    """Raises WorldreelError if that are more frames than the limit."""
    if num_frames > limits.num_frames:
        raise WorldreelError(
            f"{name} has {num_frames:,} frames or more; the limit is {limits.num_frames:,}",
            remedy="Cut it shorter.",
        )


@contextlib.contextmanager
def decoder_errors(name: str, limits: Limits) -> Iterator[None]:
    """What Pillow and FFmpeg say of a file, as errors that a person can act on."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise WorldreelError(
            f"{name} has more pixels than is safe to open: {error}", remedy="Make it smaller."
        ) from error
    except MemoryError as error:
        raise WorldreelError(
            f"{name} needs more memory to decode than {limits.memory_bytes / MIB:,.0f} MiB,"
            " the limit",
            remedy="Make it smaller.",
        ) from error
    except WorldreelError:
        raise
    except Exception as error:  # parsers of broken files raise whatever breaks first
        raise not_readable(name) from error
