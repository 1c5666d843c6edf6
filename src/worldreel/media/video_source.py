"""Frames of a video, as FFmpeg reads them."""

from collections import Counter
from collections.abc import Generator
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from numpy.typing import NDArray

from worldreel.core.errors import WorldreelError
from worldreel.media.frame import Frame, check_frames, check_pixels, decoder_errors, on_black
from worldreel.media.limits import Limits
from worldreel.media.write import EXACT

HD_HEIGHT = 720
UNTAGGED = 2
"""H.273's "unspecified", for the matrix of a video that does not say."""
HDR_CURVES = {16: "PQ", 18: "HLG"}
"""H.273's transfer characteristics whose pictures look pale when they are shown as they are."""


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
        self.stream.thread_type = "NONE"  # a decoding process may start no thread
        context = self.stream.codec_context
        context.thread_count = 1
        check_pixels(name, (context.height, context.width), limits.video_pixels)
        check_frames(name, self.stream.frames, limits)
        check_whole(name, self.stream, size_bytes)
        self.fps = float(self.stream.average_rate or 0)
        self._seen: Counter[str] = Counter()
        self._start_s: float | None = None
        self._length_s = 0.0

    def frames(self, *, with_alpha: bool) -> Generator[Frame]:
        """The frames in order of time, on black unless ``with_alpha``; can be had once."""
        number = 0
        with decoder_errors(self.name, self.limits):
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
        if time_s is not None:
            self._start_s = time_s if self._start_s is None else self._start_s
            end_s = time_s - self._start_s + (duration_s or 0)
            self._length_s = max(self._length_s, end_s)
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
        missing_s = self._declared_s() - self._length_s
        if self._length_s and missing_s > max(0.1, self._declared_s() / 20):
            notes.append(
                f"it should last {self._declared_s():.4g} s and its picture ends after"
                f" {self._length_s:.4g} s: it may be cut off"
            )
        return notes

    def _declared_s(self) -> float:
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        if self.container.streams.audio:
            return 0.0  # the container's own may be that of its sound
        return (self.container.duration or 0) / av.time_base


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


def check_whole(name: str, stream: VideoStream, size_bytes: int) -> None:
    """An mp4 lists where every frame lies: one beyond the end tells that the file is cut off."""
    ends = [entry.pos + entry.size for entry in stream.index_entries]
    if ends and max(ends) > size_bytes:
        missing = sum(end > size_bytes for end in ends)
        raise WorldreelError(
            f"{name} is cut off: {missing} of its {len(ends)} frames lie past its end",
            remedy="Fetch or export the file again.",
        )


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)
