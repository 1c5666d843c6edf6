"""Frames out of an open file, one by one, with their time and what had to be done to show them."""

import contextlib
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from worldreel.core.errors import WorldreelError
from worldreel.media.limits import Limits
from worldreel.media.sniff import HEAD_BYTES, not_readable, sniff, webp_size
from worldreel.media.write import EXACT

FFMPEG_OPTIONS = {
    # the file is handed over open: whatever a container names besides is not to be opened
    "protocol_whitelist": "none",
    "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,ivf,yuv4mpegpipe"
    ",asf,mxf,h264,hevc",
    "codec_whitelist": "h264,hevc,vp8,vp9,libdav1d,av1,mpeg4,mpeg2video,mpeg1video,msmpeg4v2"
    ",msmpeg4,wmv1,wmv2,wmv3,vc1,h263,flv,theora,prores,dnxhd,cfhd,mjpeg,png,ffv1,huffyuv,ffvhuff"
    ",utvideo,magicyuv,qtrle,rawvideo,wrapped_avframe,dvvideo,v210",
    "threads": "1",
}
"""Containers only: a playlist could name other files or hosts. Decoders that people have files
for; FFmpeg has some four hundred, most of them for games of the nineties."""

HD_HEIGHT = 720
UNTAGGED = 2
"""H.273's "unspecified", for the matrix of a video that does not say."""
HDR_CURVES = {16: "PQ", 18: "HLG"}
"""H.273's transfer characteristics whose pictures look pale when they are shown as they are."""
STRIP_PIXELS = 2**20
"""Pictures are converted in strips of this many pixels, so that one copy is enough."""
NO_DURATION_MS = 100
"""How long browsers show a frame that asks for no time at all."""
UPRIGHT = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True)} | {
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF's orientations as quarter turns counterclockwise and whether to mirror afterwards."""


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


@contextlib.contextmanager
def open_source(
    file: BinaryIO, name: str, limits: Limits
) -> Iterator["VideoSource | PictureSource"]:
    """Opens a video or picture by its first bytes, within limits of pixels and frames.

    Args:
        file: a regular file, open for reading.
        name: its name for messages.

    Raises:
        WorldreelError: it is neither, sound only, cut off, damaged, or beyond a limit. Raised
            by ``frames`` too.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    sniffed = sniff(head, name)
    with contextlib.ExitStack() as stack:
        with decoder_errors(name):
            if sniffed.kind == "picture":
                if sniffed.format == "WEBP" and (size := webp_size(head)) is not None:
                    check_pixels(name, size, limits.picture_pixels)
                plain: Any = _Plain(file)
                image = stack.enter_context(Image.open(plain, formats=[sniffed.format]))
                # Pillow keeps 8 of a png's 16 bits and does not say so; the header does
                is_deep = sniffed.format == "PNG" and head[24] == 16
                source = PictureSource(image, name, limits, is_deep)
            else:
                options = {**FFMPEG_OPTIONS, "max_pixels": str(limits.video_pixels)}
                container = av.open(file, "r", format=sniffed.format, options=options)
                stack.enter_context(container)
                source = VideoSource(container, name, limits, _end_of(file))
        yield source


class VideoSource:
    """What FFmpeg reads."""

    is_still = False

    def __init__(
        self, container: InputContainer, name: str, limits: Limits, size_bytes: int
    ) -> None:
        self.container = container
        self.name = name
        self.limits = limits
        self.stream = video_stream(container, name)
        context = self.stream.codec_context
        check_pixels(name, (context.height, context.width), limits.video_pixels)
        check_frames(name, self.stream.frames, limits)
        check_whole(name, self.stream, size_bytes)
        self.fps = float(self.stream.average_rate or 0)
        self._seen: Counter[str] = Counter()
        self._end_s = 0.0

    def frames(self, *, with_alpha: bool) -> Generator[Frame]:
        """The frames in order of time, on black unless ``with_alpha``; can be had once."""
        self.stream.thread_type = "NONE"
        number = 0
        with decoder_errors(self.name):
            for frame in self.container.decode(self.stream):
                number += 1
                check_frames(self.name, number, self.limits)
                check_pixels(self.name, (frame.height, frame.width), self.limits.video_pixels)
                yield self._to_frame(frame, with_alpha)
        if number == 0:
            raise WorldreelError(
                f"{self.name} holds a video stream without a single frame",
                remedy="Fetch or export the file again.",
            )

    def _to_frame(self, frame: VideoFrame, with_alpha: bool) -> Frame:
        base = float(frame.time_base or 0)
        time_s = None if frame.pts is None or not base else frame.pts * base
        duration_s = frame.duration * base if frame.duration and base else None
        self._end_s = max(self._end_s, (time_s or 0) + (duration_s or 0))
        bits = max((part.bits for part in frame.format.components), default=8)
        self._seen[f"bits {bits}"] += bits > 8
        self._seen["corrupt"] += frame.is_corrupt
        self._seen["interlaced"] += frame.interlaced_frame
        if frame.color_trc in HDR_CURVES:
            self._seen[HDR_CURVES[frame.color_trc]] += 1
        has_alpha = any(part.is_alpha for part in frame.format.components)
        pixels = to_rgb(frame, "rgba" if has_alpha else "rgb24")
        if has_alpha:
            self._seen["alpha"] += int(pixels[..., 3].min()) < 255
            if not with_alpha:
                pixels = on_black(pixels)
        return Frame(pixels, time_s, duration_s, turns=round(frame.rotation / 90) % 4)

    def notes(self) -> list[str]:
        """What was done to show the frames, in sentences; whole once they have ended."""
        notes = []
        context = self.stream.codec_context
        ratio = context.sample_aspect_ratio
        if ratio and ratio != 1:
            notes.append(
                f"its pixels are not square ({ratio.numerator}:{ratio.denominator}) and are taken"
                " as square"
            )
        notes += [
            f"its {key.split()[1]} bits a channel are reduced to 8"
            for key, count in self._seen.items()
            if key.startswith("bits") and count
        ]
        notes += [
            f"it is HDR ({curve}) and is shown without tone mapping: colours look pale"
            for curve in HDR_CURVES.values()
            if self._seen[curve]
        ]
        if self._seen["alpha"]:
            notes.append("its transparent parts are shown on black")
        if self.stream.metadata.get("alpha_mode") == "1":
            notes.append("its transparency is not read: what lies beneath is shown")
        if self._seen["interlaced"]:
            notes.append("it is interlaced: both fields are shown in one frame")
        if self._seen["corrupt"]:
            notes.append(f"{self._seen['corrupt']} of its frames are damaged, shown as they are")
        others = len([s for s in self.container.streams.video if not _is_cover(s)]) - 1
        if others:
            notes.append(f"only the first of its {others + 1} videos is read")
        if self.container.streams.audio:
            notes.append("its sound is not read")
        declared_s = (self.container.duration or 0) / av.time_base
        start_s = max(0.0, (self.container.start_time or 0) / av.time_base)
        if self._end_s and declared_s - max(0.0, self._end_s - start_s) > max(1.0, declared_s / 20):
            notes.append(
                f"it should last {declared_s:.4g} s and its picture ends after"
                f" {self._end_s - start_s:.4g} s: it may be cut off"
            )
        return notes


class PictureSource:
    """What Pillow reads: stills, and moving gif, webp and png."""

    def __init__(self, image: Image.Image, name: str, limits: Limits, is_deep: bool) -> None:
        self.image = image
        self.is_deep = is_deep
        self.name = name
        self.limits = limits
        width, height = image.size
        check_pixels(name, (height, width), limits.picture_pixels)
        self.num_stored = getattr(image, "n_frames", 1)
        # a phone's jpeg may carry a second, smaller picture of the same moment
        is_jpeg = image.format in ("JPEG", "MPO")
        self.numbers = range(1 if is_jpeg else self.num_stored)
        if image.info.get("default_image") and self.num_stored > 1:
            self.numbers = range(1, self.num_stored)  # shown only by what cannot move
        check_frames(name, len(self.numbers), limits)
        self.is_still = len(self.numbers) == 1
        self.fps = 0.0
        self._seen: Counter[str] = Counter()

    def frames(self, *, with_alpha: bool) -> Generator[Frame]:
        """The frames in order of time, on black unless ``with_alpha``."""
        time_ms = 0.0
        with decoder_errors(self.name):
            for number in self.numbers:
                self.image.seek(number)
                width, height = self.image.size
                check_pixels(self.name, (height, width), self.limits.picture_pixels)
                pixels = self._to_pixels(with_alpha)
                turns, is_mirrored = UPRIGHT.get(self.orientation(), (0, False))
                if self.is_still:
                    yield Frame(pixels, None, None, turns, is_mirrored)
                    return
                # a webp tells a frame's duration once it is decoded
                duration_ms = self.image.info.get("duration")
                if duration_ms is None:
                    yield Frame(pixels, None, None, turns, is_mirrored)
                    continue
                self._seen["no duration"] += duration_ms <= 0
                duration_ms = duration_ms if duration_ms > 0 else NO_DURATION_MS
                yield Frame(pixels, time_ms / 1000, duration_ms / 1000, turns, is_mirrored)
                time_ms += duration_ms

    def orientation(self) -> int:
        """EXIF's number for how the picture lies; 1 is upright."""
        return self.image.getexif().get(0x0112, 1)

    def _to_pixels(self, with_alpha: bool) -> NDArray[np.uint8]:
        image = self.image
        image.load()
        width, height = image.size
        has_alpha = image.has_transparency_data
        mode = image.mode
        if mode == "F" or (mode == "I" and image.format != "PNG"):
            raise WorldreelError(
                f"{self.name} holds measurements ({mode}), not shades between black and white",
                remedy="Export it as a png of 8 or 16 bits.",
            )
        self._seen["bits"] += mode.startswith("I") or self.is_deep
        if mode == "CMYK" or mode == "YCCK":
            self._seen["CMYK"] += 1
        rows = max(1, STRIP_PIXELS // width)
        result = np.empty((height, width, 4 if has_alpha and with_alpha else 3), np.uint8)
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            strip = image.crop((0, top, width, bottom))
            if mode.startswith("I"):
                shades = np.asarray(strip).astype(np.uint32)
                pixels = np.repeat(((shades + 128) // 257).clip(0, 255)[..., None], 3, axis=2)
            elif has_alpha:
                pixels = np.asarray(strip.convert("RGBA"))
                self._seen["alpha"] += int(pixels[..., 3].min()) < 255
                pixels = pixels if with_alpha else on_black(pixels)
            else:
                pixels = np.asarray(strip.convert("RGB"))
            result[top:bottom] = pixels
        return result

    def notes(self) -> list[str]:
        """What was done to show the frames, in sentences; whole once they have ended."""
        notes = []
        if self._seen["alpha"]:
            notes.append("its transparent parts are shown on black")
        if self._seen["bits"]:
            notes.append("its 16 bits a channel are reduced to 8")
        if self._seen["CMYK"]:
            notes.append("its colours for print (CMYK) are converted without a colour profile")
        if self._seen["no duration"]:
            notes.append(
                f"{self._seen['no duration']} of its frames ask for no time and are shown for"
                f" {NO_DURATION_MS} ms"
            )
        if len(self.numbers) < self.num_stored:
            others = self.num_stored - len(self.numbers)
            notes.append(f"{others} of the {self.num_stored} pictures in it are not read")
        return notes


class _Plain:
    """A file that is only read and sought: what has a number, libtiff opens once more."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
        self.readline = file.readline


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The first video; the picture on the cover of a song is not one.

    Raises:
        WorldreelError: there is none, or no decoder for it.
    """
    videos = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not videos:
        what = "sound only" if container.streams.audio else "no picture"
        raise WorldreelError(f"{name} holds {what}", remedy="Give a video or an image.")
    context = videos[0].codec_context
    if context is None or context.width < 1 or context.height < 1:
        raise WorldreelError(
            f"{name} holds a video stream that is not read here, or that is too large to be",
            remedy="Export it as H.264, VP9 or AV1, of at most 4096x2304 pixels.",
        )
    return videos[0]


def to_rgb(frame: VideoFrame, format: str = "rgb24") -> NDArray[np.uint8]:
    """The frame in sRGB: by its own tags, or BT.709 for HD and BT.601 below where it has none."""
    matrix = frame.colorspace
    if matrix == UNTAGGED:
        matrix = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    pixels: Any = frame.reformat(
        format=format,
        src_colorspace=matrix,
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
        threads=1,
    ).to_ndarray()
    return pixels


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


def check_whole(name: str, stream: VideoStream, size_bytes: int) -> None:
    """An mp4 lists where every frame lies: one beyond the end tells that the file is cut off."""
    ends = [entry.pos + entry.size for entry in stream.index_entries]
    if ends and max(ends) > size_bytes:
        missing = sum(end > size_bytes for end in ends)
        raise WorldreelError(
            f"{name} is cut off: {missing} of its {len(ends)} frames lie past its end",
            remedy="Fetch or export the file again.",
        )


@contextlib.contextmanager
def decoder_errors(name: str) -> Iterator[None]:
    """What Pillow and FFmpeg say of a file, as errors that a person can act on."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise WorldreelError(
            f"{name} has more pixels than is safe to open: {error}", remedy="Make it smaller."
        ) from error
    except MemoryError as error:
        raise WorldreelError(
            f"{name} needs more memory than a decoder may take", remedy="Make it smaller."
        ) from error
    except (InvalidDataError, ArgumentError, FFmpegError) as error:
        raise not_readable(name) from error
    except (SyntaxError, EOFError, ValueError, OSError) as error:  # Pillow's words for damage
        raise not_readable(name) from error


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _end_of(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end
