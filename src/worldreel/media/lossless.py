"""Clips as bytes, bit for bit: H.264 on RGB planes with a quantiser of 0, inside an mp4."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.media.atomic import disk_errors


def encode_lossless(
    frames: NDArray[np.uint8], fps: float | Fraction, *, preset: str = "veryfast"
) -> bytes:
    """A clip as the bytes of an mp4 (libx264rgb, qp 0) that give back every bit.

    Args:
        frames: uint8 ``t h w 3``, RGB, at least one frame.
        fps: frames per second, above 0.
        preset: speed against size in x264's words; the pixels are the same.
    """
    assert frames.dtype == np.uint8, frames.dtype
    assert frames.ndim == 4 and frames.shape[0] > 0 and frames.shape[3] == 3, frames.shape
    target = io.BytesIO()
    _encode(target, iter(frames), frames.shape[1:3], fps, preset)
    return target.getvalue()


def write_lossless(
    path: Path, frames: Iterator[NDArray[np.uint8]], size: tuple[int, int], fps: float
) -> None:
    """The same into a file, frame by frame: uint8 ``h w 3`` each, of a height and width.

    Raises:
        WorldreelError: the disk is full.
    """
    with disk_errors(path), open(path, "wb") as file:
        _encode(file, frames, size, fps, "veryfast")


def _encode(
    target: BinaryIO,
    frames: Iterator[NDArray[np.uint8]],
    size: tuple[int, ...],
    fps: float | Fraction,
    preset: str,
) -> None:
    rate = Fraction(fps).limit_denominator(1001 * 120)
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264rgb", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "rgb24"
        stream.thread_type = "NONE"
        stream.thread_count = 1
        stream.options = {"qp": "0", "preset": preset}
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decode_lossless(data: bytes) -> NDArray[np.uint8]:
    """The frames, uint8 ``t h w 3`` RGB, exactly as ``encode_lossless`` was given them.

    Raises:
        WorldreelError: the bytes are cut off, damaged or no video.
    """
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.video:
                raise _damaged(data, "no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            expected = stream.frames
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    except FFmpegError as error:
        raise _damaged(data, str(error.strerror)) from error
    if len(frames) != expected or not frames:
        raise _damaged(data, f"{len(frames)} of {expected} frames")
    return np.stack(frames).astype(np.uint8, copy=False)


def _damaged(data: bytes, what: str) -> WorldreelError:
    return WorldreelError(
        f"a clip of {len(data)} bytes cannot be decoded: {what}",
        remedy="Make or fetch its shard again.",
    )
