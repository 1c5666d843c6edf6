"""Video files out: frames go in as they are decoded, a whole file or none comes out."""

import contextlib
import errno
import math
import os
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.media import settings as embedded
from worldreel.media.atomic import atomic_target, disk_errors

ENDINGS = (".mp4", ".webp", ".gif", ".png")
GIF_MAX_FPS = 50
CRF = 17
SMALL = 512 * 512
"""Pixels up to which one thread encodes: more only cost memory there."""

EXACT = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.FULL_CHR_H_INT
)
"""swscale's exact colour conversion; its default is one off in saturated colours."""


class VideoWriter:
    """Writes uint8 frames into one file, chunk by chunk, and gives it its name at the end.

    The file's ending chooses the format: .mp4 (H.264, yuv420p, converted to BT.709 and
    tagged so, moov first), .webp and .gif (both loop for ever), .png (one still). Leaving
    the ``with`` block by an exception, or a failing disk, leaves no file.

    Args:
        path: the file to be; an older one of that name is replaced, at the end.
        size: height and width in pixels.
        fps: frames per second, above 0.
        settings: what made the video, as JSON can say it; embedded in the file.
        seal: called with the finished file before it gets its name; what it raises leaves no
            file.

    Raises:
        UsageError: ending, size, rate or folder that cannot be (see ``check_writable``).
        WorldreelError: from ``write`` or at the end of the block, when the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: tuple[int, int],
        fps: float | Fraction,
        settings: Mapping[str, Any],
        seal: Callable[[Path], None] | None = None,
    ) -> None:
        check_writable(path, size=size, fps=fps)
        self._seal = seal
        self.path = Path(path)
        self.size = size
        self.num_frames = 0
        self._rate = Fraction(fps).limit_denominator(1001)
        self._comment = embedded.to_json(settings)
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._exit.enter_context(self._opened())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exit.__exit__(kind, error, traceback)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[None]:
        with atomic_target(self.path) as part:
            with _write_errors(self.path):
                self._file = _FORMATS[_ending(self.path)](
                    part, self.size, self._rate, self._comment
                )
            try:
                yield
                assert self.num_frames > 0, "a video has at least one frame"
                with _write_errors(self.path):
                    self._file.finish()
                if self._seal is not None:
                    self._seal(part)
            except BaseException:
                self._file.abandon()
                raise

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Append frames: uint8 ``t h w 3``, RGB, of the writer's size."""
        assert frames.dtype == np.uint8, frames.dtype
        assert frames.ndim == 4 and frames.shape[1:] == (*self.size, 3), frames.shape
        with _write_errors(self.path):
            for pixels in frames:
                if self.num_frames == 1 and isinstance(self._file, _Png):
                    raise _still_only(self.path)
                self._file.add(np.ascontiguousarray(pixels), self.num_frames)
                self.num_frames += 1


def check_writable(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    fps: float | Fraction | None = None,
    num_frames: int | None = None,
) -> None:
    """Raise UsageError at once if a video of that size, rate and length cannot go to ``path``.

    Permission is tried, not asked for: a temporary file is made in the folder and removed,
    because the system tells root that it may write everywhere.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise UsageError("the output path holds a NUL character", remedy="Choose another name.")
    ending = _ending(path)
    if ending not in ENDINGS:
        given = f"ends in {ending!r}" if ending else "has no ending"
        raise UsageError(
            f"{text} {given}; a video can be {', '.join(ENDINGS[:-1])} and a still {ENDINGS[-1]}",
            remedy=f"Choose a name such as {Path(text).stem or 'clip'}.mp4.",
        )
    if size is not None:
        _check_size(text, ending, size)
    if fps is not None:
        _check_rate(text, ending, fps)
    if num_frames is not None and num_frames > 1 and ending == ".png":
        raise _still_only(path)
    _check_folder(Path(text))


def _check_size(path: str, ending: str, size: tuple[int, int]) -> None:
    height, width = size
    if height < 1 or width < 1:
        raise UsageError(
            f"a size of {width}x{height} pixels holds no picture",
            remedy="Choose a width and a height of at least 2 pixels.",
        )
    if ending == ".mp4" and (height % 2 or width % 2):
        raise UsageError(
            f"{path}: {width}x{height} is odd, and mp4 (yuv420p) takes even sizes only",
            remedy=f"Choose {width + width % 2}x{height + height % 2}, or a .webp or .gif file.",
        )
    limit = {".mp4": 16384, ".webp": 16383, ".gif": 65535, ".png": 65535}[ending]
    if max(size) > limit:
        raise UsageError(
            f"{path}: {width}x{height} is larger than {ending[1:]} can hold, {limit} pixels a side",
            remedy="Choose a smaller size.",
        )


def _check_rate(path: str, ending: str, fps: float | Fraction) -> None:
    limit = GIF_MAX_FPS if ending == ".gif" else 1000
    if not math.isfinite(fps) or not 0.1 <= fps <= limit:
        raise UsageError(
            f"{path}: {float(fps):g} frames per second is outside 0.1 to {limit} for {ending[1:]}",
            remedy="Choose a rate in the range"
            + (", or an .mp4 or .webp file." if ending == ".gif" else "."),
        )


def _check_folder(path: Path) -> None:
    with disk_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)  # a name that is too long shows here
    with contextlib.suppress(_Trial), atomic_target(path):
        raise _Trial


class _Trial(Exception):
    """Leaves ``atomic_target`` before it renames anything."""


def _still_only(path: str | Path) -> UsageError:
    return UsageError(
        f"{path} would be a still picture, and the video has more than one frame",
        remedy="Choose a name that ends in .mp4, .webp or .gif, or ask for one frame.",
    )


def _ending(path: str | Path) -> str:
    return Path(path).suffix.lower()


@contextlib.contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    """What FFmpeg, Pillow and the system say of a failing disk, in our words."""
    try:
        with disk_errors(path):  # PyAV's errors of the system are OSErrors too
            yield
    except FFmpegError as error:
        raise WorldreelError(
            f"{path} was not written: the encoder said: {error.strerror}",
            remedy="Try another format: .mp4, .webp or .gif.",
        ) from error


class _Container:
    """What the formats that FFmpeg writes have in common."""

    def __init__(self, part: Path, format_name: str, options: dict[str, str]) -> None:
        self.part = part
        # "file:" because a name such as "http://x.mp4" is one for FFmpeg to open
        self.container = av.open(f"file:{part}", "w", format=format_name, options=options)

    stream: Any

    def encode(self, frame: av.VideoFrame | None) -> None:
        for packet in self.stream.encode(frame):
            self.container.mux(packet)

    def finish(self) -> None:
        self.encode(None)
        self.container.close()

    def abandon(self) -> None:
        with contextlib.suppress(OSError, FFmpegError):
            self.container.close()


@lru_cache(maxsize=1)
def _steady() -> dict[str, str]:
    """What makes x264 write the same bytes for the same frames.

    Its AVX-512 code for the weights of macroblocks (mbtree) reads what was never written in
    narrow pictures: 40 times the same 12 frames of 96x96 became 11 different files, which
    differed by 1.5 shades. Without AVX-512 they are one.
    """
    try:
        has_it = "avx512" in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        has_it = False
    return {"x264-params": "asm=avx2"} if has_it else {}


class _Mp4(_Container):
    def __init__(self, part: Path, size: tuple[int, int], rate: Fraction, comment: str) -> None:
        super().__init__(part, "mp4", {"movflags": "+faststart"})
        self.container.metadata["comment"] = comment
        stream = self.container.add_stream("libx264", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(CRF), "preset": "medium", **_steady()}
        stream.gop_size = max(1, round(2 * rate))  # a player can jump to every second second
        if size[0] * size[1] <= SMALL:
            stream.thread_type = "NONE"
            stream.thread_count = 1
        context = stream.codec_context
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        self.stream = stream

    def add(self, pixels: NDArray[np.uint8], index: int) -> None:
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_trc=ColorTrc.BT709,
            dst_color_primaries=ColorPrimaries.BT709,
            interpolation=EXACT,
            threads=1,
        )
        frame.pts = index
        self.encode(frame)


class _Webp(_Container):
    def __init__(self, part: Path, size: tuple[int, int], rate: Fraction, comment: str) -> None:
        super().__init__(part, "webp", {"loop": "0"})
        self.size = size
        self.comment = comment
        stream = self.container.add_stream("libwebp_anim", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "bgra"
        stream.options = {"quality": "90", "compression_level": "4", "loop": "0"}
        self.stream = stream

    def add(self, pixels: NDArray[np.uint8], index: int) -> None:
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="bgra")
        frame.pts = index
        self.encode(frame)

    def finish(self) -> None:
        super().finish()
        embedded.add_to_webp(self.part, self.comment, self.size)


class _Gif(_Container):
    """One palette of 256 colours per frame, so that frames need not wait for each other."""

    def __init__(self, part: Path, size: tuple[int, int], rate: Fraction, comment: str) -> None:
        super().__init__(part, "gif", {"loop": "0"})
        self.comment = comment
        stream = self.container.add_stream("gif", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "pal8"
        self.stream = stream
        self.graph = Graph()
        self.graph.threads = 1
        height, width = size
        source = self.graph.add_buffer(
            width=width, height=height, format=av.VideoFormat("rgb24"), time_base=1 / rate
        )
        split = self.graph.add("split")
        palette = self.graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
        use = self.graph.add("paletteuse", "new=1:dither=floyd_steinberg")
        sink = self.graph.add("buffersink")
        source.link_to(split)
        split.link_to(use, 0, 0)
        split.link_to(palette, 1, 0)
        palette.link_to(use, 0, 1)
        use.link_to(sink)
        self.graph.configure()

    def add(self, pixels: NDArray[np.uint8], index: int) -> None:
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = index
        self.graph.vpush(frame)
        self.drain()

    def drain(self) -> None:
        while True:
            try:
                frame = self.graph.vpull()
            except (BlockingIOError, EOFError):
                return
            self.encode(frame)

    def finish(self) -> None:
        self.graph.vpush(None)
        self.drain()
        super().finish()
        embedded.add_to_gif(self.part, self.comment)


class _Png:
    def __init__(self, part: Path, size: tuple[int, int], rate: Fraction, comment: str) -> None:
        self.part = part
        self.comment = comment

    def add(self, pixels: NDArray[np.uint8], index: int) -> None:
        self.image = Image.fromarray(pixels)

    def finish(self) -> None:
        text = PngImagePlugin.PngInfo()
        text.add_text("Comment", self.comment)
        self.image.save(self.part, format="png", pnginfo=text)

    def abandon(self) -> None:
        """Nothing is open."""


_FORMATS = {".mp4": _Mp4, ".webp": _Webp, ".gif": _Gif, ".png": _Png}
