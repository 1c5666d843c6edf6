"""Video and image files in: their frames, what they are, and the settings inside."""

import contextlib
import errno
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps

from worldreel.core.errors import WorldreelError
from worldreel.media import settings as embedded
from worldreel.media.write import EXACT

FFMPEG_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,ogg,flv,ivf,yuv4mpegpipe,asf,mxf"
    ",h264,hevc,wav,mp3,flac,aac",
}
"""Containers only: a playlist could name other files or hosts, and FFmpeg would open them."""

HD_HEIGHT = 720
UNTAGGED = 2
"""H.273's "unspecified", for the matrix of a video that does not say."""


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


def probe(path: str | Path) -> VideoInfo:
    """Size, rate, length and codec of a video or image file.

    Raises:
        WorldreelError: no such file, no video, sound only, or cut off.
    """
    size_bytes = _size_bytes(path)
    if _is_image(path):
        with _read_errors(path), Image.open(path) as image:
            return _probe_image(image, size_bytes)
    with _read_errors(path), _open_video(path) as (container, stream):
        _check_whole(path, stream, size_bytes)
        context = stream.codec_context
        height, width = context.height, context.width
        if _quarter_turns(container, stream) % 2:
            height, width = width, height
        num_frames = stream.frames or _count_frames(container, stream)
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


def read_video(path: str | Path) -> NDArray[np.uint8]:
    """All frames of a video or image file: uint8 ``t h w 3``, sRGB.

    A still has one frame. Transparent pixels are shown on black. Frames come as they are
    stored, whatever their time stamps. ``iterate_video`` does it with little memory.

    Raises:
        WorldreelError: no such file, no video, sound only, cut off, or damaged.
    """
    return np.concatenate(list(iterate_video(path)))


def iterate_video(path: str | Path, *, num_frames: int = 16) -> Iterator[NDArray[np.uint8]]:
    """The frames of ``read_video`` in chunks of at most ``num_frames``, as they are decoded."""
    assert num_frames > 0, num_frames
    frames = _image_frames(path) if _is_image(path) else _video_frames(path)
    chunk: list[NDArray[np.uint8]] = []
    with _read_errors(path), contextlib.closing(frames):
        for frame in frames:
            if chunk and frame.shape != chunk[0].shape:
                raise WorldreelError(
                    f"{path}: the picture changes from {_wxh(chunk[0])} to {_wxh(frame)} pixels",
                    remedy="Cut the video where its size changes.",
                )
            chunk.append(frame)
            if len(chunk) == num_frames:
                yield np.stack(chunk)
                chunk = []
        if chunk:
            yield np.stack(chunk)


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings that ``VideoWriter`` embedded in a file.

    Raises:
        WorldreelError: the file cannot be read, or carries no settings of worldreel.
    """
    _size_bytes(path)
    with _read_errors(path):
        if _is_image(path):
            with Image.open(path) as image:
                description = image.getexif().get(embedded.EXIF_IMAGE_DESCRIPTION)
                comments = [image.info.get("Comment"), image.info.get("comment"), description]
        else:
            with av.open(f"file:{path}", options=FFMPEG_OPTIONS) as container:
                comments = [container.metadata.get("comment"), container.metadata.get("COMMENT")]
    for comment in comments:
        if (settings := embedded.from_json(comment)) is not None:
            return settings
    raise WorldreelError(
        f"{path} carries no settings of worldreel",
        remedy="Only files that worldreel wrote carry them, and re-encoding drops them.",
    )


def _video_frames(path: str | Path) -> Generator[NDArray[np.uint8]]:
    size_bytes = _size_bytes(path)
    num_frames = 0
    with _open_video(path) as (container, stream):
        _check_whole(path, stream, size_bytes)
        if stream.codec_context.width * stream.codec_context.height <= 512 * 512:
            stream.thread_type = "NONE"
        else:
            stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            num_frames += 1
            yield _to_rgb(frame)
    if num_frames == 0:
        raise WorldreelError(
            f"{path} holds a video stream without a single frame",
            remedy="Fetch or export the file again.",
        )


def _to_rgb(frame: VideoFrame) -> NDArray[np.uint8]:
    """The frame in sRGB: by its own tags, or BT.709 for HD and BT.601 below where it has none."""
    matrix = frame.colorspace
    if matrix == UNTAGGED:
        matrix = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    pixels = frame.reformat(
        format="rgb24",
        src_colorspace=matrix,
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
        threads=1,
    ).to_ndarray()
    turns = round(frame.rotation / 90)  # counterclockwise, as NumPy counts
    return np.ascontiguousarray(np.rot90(pixels, turns), dtype=np.uint8)


def _image_frames(path: str | Path) -> Generator[NDArray[np.uint8]]:
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            shown = ImageOps.exif_transpose(image)
            if shown.has_transparency_data:
                shown = shown.convert("RGBA")
                black = Image.new("RGBA", shown.size, (0, 0, 0, 255))
                shown = Image.alpha_composite(black, shown)
            yield np.asarray(shown.convert("RGB"))


def _probe_image(image: Image.Image, size_bytes: int) -> VideoInfo:
    num_frames = getattr(image, "n_frames", 1)
    durations_ms = []
    for index in range(num_frames if num_frames > 1 else 0):
        image.seek(index)
        image.load()  # a webp tells a frame's duration once it is decoded
        durations_ms.append(image.info.get("duration", 0))
    duration_s = sum(durations_ms) / 1000
    width, height = ImageOps.exif_transpose(image).size
    return VideoInfo(
        size=(height, width),
        fps=num_frames / duration_s if duration_s else 0.0,
        num_frames=num_frames,
        duration_s=duration_s,
        codec=(image.format or "").lower(),
        size_bytes=size_bytes,
    )


@contextlib.contextmanager
def _open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    with av.open(f"file:{path}", options=FFMPEG_OPTIONS) as container:
        videos = [  # the picture on the cover of a song is not a video
            stream
            for stream in container.streams.video
            if not stream.disposition & Disposition.attached_pic
        ]
        if not videos:
            what = "sound only" if container.streams.audio else "no picture"
            raise WorldreelError(f"{path} holds {what}", remedy="Give a video or an image.")
        context = videos[0].codec_context
        if context is None or context.width < 1 or context.height < 1:
            raise WorldreelError(
                f"{path} holds a video stream that this build of FFmpeg does not read",
                remedy="Export it as H.264, VP9 or AV1.",
            )
        yield container, videos[0]


def _check_whole(path: str | Path, stream: VideoStream, size_bytes: int) -> None:
    """An mp4 lists where every frame lies: one beyond the end tells that the file is cut off."""
    ends = [entry.pos + entry.size for entry in stream.index_entries]
    if ends and max(ends) > size_bytes:
        missing = sum(end > size_bytes for end in ends)
        raise WorldreelError(
            f"{path} is cut off: {missing} of its {len(ends)} frames lie past its end",
            remedy="Fetch or export the file again.",
        )


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(Fraction(container.duration or 0, av.time_base))


def _quarter_turns(container: InputContainer, stream: VideoStream) -> int:
    """Quarter turns that a phone asks for; PyAV tells them with the first frame only."""
    for frame in container.decode(stream):
        return round(frame.rotation / 90)
    return 0


def _count_frames(container: InputContainer, stream: VideoStream) -> int:
    """Frames of a container that does not tell their number (webm, mkv): its packets."""
    container.seek(0)
    return sum(packet.size > 0 for packet in container.demux(stream))


def _is_image(path: str | Path) -> bool:
    """Whether Pillow reads the file: by its first bytes, whatever its name says."""
    _size_bytes(path)
    with _read_errors(path), open(path, "rb") as file:
        head = file.read(16)
    starts = (b"GIF8", b"\x89PNG\r\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
    return head.startswith(starts) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _size_bytes(path: str | Path) -> int:
    with _read_errors(path):
        if "\0" in str(path):
            raise FileNotFoundError(errno.ENOENT, "no such file")
        path = Path(path)
        if path.is_dir():
            raise WorldreelError(f"{path} is a folder", remedy="Give one file.")
        size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise WorldreelError(f"{path} is empty", remedy="Fetch or export the file again.")
    return size_bytes


@contextlib.contextmanager
def _read_errors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise WorldreelError(
            f"there is no file {path}", remedy="Check the name and the folder."
        ) from error
    except PermissionError as error:
        raise WorldreelError(
            f"{path} may not be read", remedy="Change its permissions, or copy it."
        ) from error
    except Image.DecompressionBombError as error:
        raise WorldreelError(
            f"{path} has more pixels than is safe to open: {error}",
            remedy="Give a smaller picture.",
        ) from error
    except (InvalidDataError, ArgumentError, SyntaxError, EOFError) as error:
        raise _not_readable(path) from error
    except (OSError, FFmpegError) as error:
        if error.errno is None:  # Pillow's words about damaged pictures
            raise _not_readable(path) from error
        raise WorldreelError(
            f"{path} cannot be read: {error.strerror or error}",
            remedy="Fetch or export the file again.",
        ) from error


def _not_readable(path: str | Path) -> WorldreelError:
    return WorldreelError(
        f"{path} is not a video or an image that can be read, or it is cut off or damaged",
        remedy="Give an mp4, mov, webm, mkv, webp, gif, png or jpeg; or export it again.",
    )


def _wxh(frame: NDArray[np.uint8]) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"
