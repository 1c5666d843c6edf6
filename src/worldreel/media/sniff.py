"""What a file is, by its first bytes and whatever its name says: one decoder is then forced."""

from dataclasses import dataclass
from typing import Literal

from worldreel.core.errors import WorldreelError

HEAD_BYTES = 1024
READABLE = "Give an mp4, mov, webm, mkv, webp, gif, png or jpeg; or export it again."

PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
"""First bytes, and the format's name in Pillow."""

VIDEOS = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"FLV\x01", "flv"),
    (b"DKIF", "ivf"),
    (b"YUV4MPEG2 ", "yuv4mpegpipe"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01", "mxf"),
    (b"\0\0\x01\xba", "mpeg"),
    (b"\0\0\x01\xb3", "mpegvideo"),
)
"""First bytes, and the demuxer's name in FFmpeg."""

BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
"""Names of the first box of an mp4 or mov."""
STILL_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")

SOUNDS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1", b"\xff\xf9", b"#!AMR")

OTHERS = (
    (b"#EXTM3U", "a playlist, which names other files"),
    (b"ffconcat", "a playlist, which names other files"),
    (b"[playlist]", "a playlist, which names other files"),
    (b"<?xml", "XML"),
    (b"<svg", "an SVG drawing"),
    (b"<!DOCTYPE", "a page of the web"),
    (b"<html", "a page of the web"),
    (b"WEBVTT", "subtitles"),
    (b"[Script Info]", "subtitles"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
)


@dataclass(frozen=True)
class Sniffed:
    """What a file is taken for.

    Args:
        kind: which library reads it: Pillow a picture (a gif too), FFmpeg a video.
        format: the only format that this library may take it for, in its own word.
    """

    kind: Literal["picture", "video"]
    format: str


def sniff(head: bytes, name: str) -> Sniffed:
    """What a file is that begins with ``head``, its first ``HEAD_BYTES`` bytes.

    Args:
        name: the file's name for messages.

    Raises:
        WorldreelError: nothing that is read, in words of what it is as far as known.
    """
    for start, format in PICTURES:
        if head.startswith(start):
            return Sniffed("picture", format)
    for start, format in VIDEOS:
        if head.startswith(start):
            return Sniffed("video", format)
    riff = head[8:12] if head[:4] == b"RIFF" else b""
    if riff == b"WEBP":
        return Sniffed("picture", "WEBP")
    if riff == b"AVI ":
        return Sniffed("video", "avi")
    if riff == b"WAVE" or head.startswith(SOUNDS):
        raise WorldreelError(f"{name} holds sound only", remedy="Give a video or an image.")
    if head[4:8] == b"ftyp" and head[8:12] in STILL_BRANDS:
        raise WorldreelError(
            f"{name} is a HEIC or AVIF picture, which is not read",
            remedy="Export it as jpeg, png or webp.",
        )
    if head[4:8] in BOXES:
        return Sniffed("video", "mp4")
    for offset in (0, 4):  # a camera's transport stream has four bytes before each packet
        packet = 188 + offset
        if all(head[i : i + 1] == b"\x47" for i in range(offset, 3 * packet, packet)):
            return Sniffed("video", "mpegts")
    if (raw := _raw_stream(head)) is not None:
        return Sniffed("video", raw)
    raise not_readable(name, _other(head))


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Height and width that an extended webp declares; its decoder would allocate them at once."""
    if head[12:16] != b"VP8X" or len(head) < 30:
        return None
    return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1


def not_readable(name: str, other: str | None = None) -> WorldreelError:
    """The error about a file that is none of ours, or is damaged.

    Args:
        other: what it is instead, if that is known.
    """
    if other is not None:
        message = f"{name} is not a video or an image that can be read, but {other}"
    else:
        message = f"{name} is not a video or an image that can be read, or it is cut off or damaged"
    return WorldreelError(message, remedy=READABLE)


def _raw_stream(head: bytes) -> str | None:
    """H.264 or H.265 without a container begins with a start code and a parameter set."""
    for code in (b"\0\0\0\x01", b"\0\0\x01"):
        if head.startswith(code) and len(head) > len(code) + 1:
            byte = head[len(code)]
            if byte & 0x9F in (7, 9):
                return "h264"
            if byte & 0x81 == 0 and byte >> 1 in (32, 33, 35):
                return "hevc"
    return None


def _other(head: bytes) -> str | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, what in OTHERS:
        if start[: len(mark)].lower() == mark.lower():
            return what
    if len(start) > 8 and b"\0" not in head:
        try:
            head[:-4].decode("utf-8")  # the last letter may be cut in two
        except UnicodeDecodeError:
            return None
        return "text"
    return None
