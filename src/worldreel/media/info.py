"""What a file is, without its frames: size, rate, length, codec, and the settings inside."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

from worldreel.media import settings as embedded
from worldreel.media.frame import decoder_errors
from worldreel.media.picture_source import UPRIGHT, PictureSource
from worldreel.media.video_source import VideoSource

RAW = ("h264", "hevc", "mpegvideo")
"""Streams without a container, in which there are no places to go to."""


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a file is; of a video only the first frame is decoded to learn it.

    Args:
        size: height and width in pixels, as shown (a phone's rotation applied).
        fps: mean frames per second; 0 for a still.
        num_frames: number of frames.
        duration_s: seconds; 0 for a still.
        codec: the codec's usual short name (``h264``, ``webp``, ``gif``, ``png``, ...).
        size_bytes: size of the file.
    """

    size: tuple[int, int]
    fps: float
    num_frames: int
    duration_s: float
    codec: str
    size_bytes: int


def describe(source: VideoSource | PictureSource, size_bytes: int) -> VideoInfo:
    """What an open file is; its frames cannot be read afterwards.

    Raises:
        WorldreelError: it is cut off or damaged.
    """
    with decoder_errors(source.name, source.limits):
        if isinstance(source, PictureSource):
            return _describe_picture(source, size_bytes)
        return _describe_video(source.container, source.stream, size_bytes)


def settings_in(source: VideoSource | PictureSource) -> dict[str, Any] | None:
    """The settings that ``VideoWriter`` embedded in an open file; None if there are none."""
    with decoder_errors(source.name, source.limits):
        if isinstance(source, PictureSource):
            info, exif = source.image.info, source.image.getexif()
            description = exif.get(embedded.EXIF_IMAGE_DESCRIPTION)
            comments = [info.get("Comment"), info.get("comment"), description]
        else:
            metadata = source.container.metadata
            comments = [metadata.get("comment"), metadata.get("COMMENT")]
    found = (embedded.from_json(comment) for comment in comments)
    return next((settings for settings in found if settings is not None), None)


def _describe_picture(source: PictureSource, size_bytes: int) -> VideoInfo:
    image: Image.Image = source.image
    durations_ms = []
    if not source.is_still:
        for number in source.numbers:
            image.seek(number)
            image.load()  # a webp tells a frame's duration once it is decoded
            durations_ms.append(image.info.get("duration", 0))
    duration_s = sum(durations_ms) / 1000
    num_frames = len(source.numbers)
    width, height = image.size
    if UPRIGHT.get(source.orientation(), (0, False))[0] % 2:
        width, height = height, width
    codec = (image.format or "").lower()
    return VideoInfo(
        size=(height, width),
        fps=num_frames / duration_s if duration_s else 0.0,
        num_frames=num_frames,
        duration_s=duration_s,
        codec="jpeg" if codec == "mpo" else codec,
        size_bytes=size_bytes,
    )


def _describe_video(container: InputContainer, stream: VideoStream, size_bytes: int) -> VideoInfo:
    context = stream.codec_context
    height, width = context.height, context.width
    turns, num_frames = _turns_and_count(container, stream)
    if turns % 2:
        height, width = width, height
    duration_s = _duration_s(container, stream)
    fps = float(stream.average_rate or (num_frames / duration_s if duration_s else 0))
    return VideoInfo(
        size=(height, width),
        fps=fps,
        num_frames=num_frames,
        duration_s=duration_s or (num_frames / fps if fps else 0.0),
        codec=context.name,
        size_bytes=size_bytes,
    )


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(Fraction(container.duration or 0, av.time_base))


def _turns_and_count(container: InputContainer, stream: VideoStream) -> tuple[int, int]:
    """Quarter turns that a phone asks for, which PyAV tells with the first frame; and frames."""
    frames = container.decode(stream)
    first = next(frames, None)
    turns = round(first.rotation / 90) if first is not None else 0
    if stream.frames:
        return turns, stream.frames
    if container.format.name in RAW:
        return turns, (first is not None) + sum(1 for _ in frames)
    container.seek(0)
    # webm and mkv do not tell their number: it is that of their packets
    return turns, sum(packet.size > 0 for packet in container.demux(stream))
