"""Opens a file as what its first bytes say it is, and nothing else."""

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import av
from PIL import Image

from worldreel.media.frame import check_pixels, decoder_errors
from worldreel.media.limits import Limits
from worldreel.media.picture_source import PictureSource
from worldreel.media.sniff import HEAD_BYTES, sniff, webp_size
from worldreel.media.video_source import VideoSource

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


@contextlib.contextmanager
def open_source(file: BinaryIO, name: str, limits: Limits) -> Iterator[VideoSource | PictureSource]:
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
        with decoder_errors(name, limits):
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


class _Plain:
    """A file that is only read and sought: what has a number, libtiff opens once more."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
        self.readline = file.readline


def _end_of(file: BinaryIO) -> int:
    here = file.tell()
    end = file.seek(0, 2)
    file.seek(here)
    return end
