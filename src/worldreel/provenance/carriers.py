"""Where labels lie in each format: written into a finished file, and read from any."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from worldreel.core.errors import UsageError, WorldreelError
from worldreel.provenance.boxes import label_mp4, read_mp4_labels
from worldreel.provenance.labels import XMP_MAX_BYTES, FoundLabels, Labels, find_labels

MIME = {
    ".mp4": "video/mp4",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
"""The endings of files that can be marked, and their types."""

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
GIF_TAIL = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
"""A reader that knows no XMP takes the packet for blocks of data; wherever it lands, this leads
it to the end."""
XMP_FLAG = 0x04
PICTURE_MAX_BYTES = 512 * 2**20


def mime_of(path: str | Path) -> str:
    """The type of a file by its ending.

    Raises:
        UsageError: a format that cannot carry marks.
    """
    ending = Path(path).suffix.lower()
    if ending not in MIME:
        raise UsageError(
            f"{path}: a file that ends in {ending or 'nothing'} cannot carry marks.",
            remedy=f"Choose one of {', '.join(MIME)}.",
        )
    return MIME[ending]


def write_labels(source: Path, target: Path, mime: str, labels: Labels) -> None:
    """Copies a finished file with labels.

    Raises:
        WorldreelError: it is not of that type.
        OSError: the disk is full.
    """
    if mime == "video/mp4":
        label_mp4(source, target, labels)
        return
    add = {
        "image/png": _add_to_png,
        "image/jpeg": _add_to_jpeg,
        "image/webp": _add_to_webp,
        "image/gif": _add_to_gif,
    }[mime]
    try:
        target.write_bytes(add(source.read_bytes(), labels.to_xmp()))
    except (_NotOfThisType, IndexError, struct.error):
        raise WorldreelError(f"{source} is no {mime}: labels cannot be written into it.") from None


def read_labels(file: BinaryIO, mime: str) -> FoundLabels:
    """The labels in an open file; what is broken holds none."""
    if mime == "video/mp4":
        return find_labels(*read_mp4_labels(file))
    find: dict[str, Callable[[bytes], list[bytes]]] = {
        "image/png": _in_png,
        "image/jpeg": _in_jpeg,
        "image/webp": _in_webp,
        "image/gif": _in_gif,
    }
    file.seek(0)
    data = file.read(PICTURE_MAX_BYTES)
    packets = find[mime](data) if mime in find else []
    return find_labels([packet for packet in packets if len(packet) <= XMP_MAX_BYTES], [])


class _NotOfThisType(Exception):
    """The bytes are of another format."""


def _need(holds: bool) -> None:
    if not holds:
        raise _NotOfThisType


def _add_to_png(data: bytes, xmp: bytes) -> bytes:
    _need(data.startswith(PNG_START) and data[12:16] == b"IHDR")
    body = b"iTXt" + PNG_XMP + xmp
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]  # behind the header, before every pixel


def _in_png(data: bytes) -> list[bytes]:
    found, at = [], len(PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"iTXt" and content.startswith(PNG_XMP):
            found.append(content[len(PNG_XMP) :])
        at += 12 + length
    return found


def _add_to_jpeg(data: bytes, xmp: bytes) -> bytes:
    _need(data.startswith(b"\xff\xd8\xff"))
    at = 2
    while data[at : at + 2] in (b"\xff\xe0", b"\xff\xe1"):  # JFIF and EXIF stay first
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    content = JPEG_XMP + xmp
    _need(len(content) + 2 <= 0xFFFF and at < len(data))
    segment = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    return data[:at] + segment + data[at:]


def _in_jpeg(data: bytes) -> list[bytes]:
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xE1 and content.startswith(JPEG_XMP):
            found.append(content[len(JPEG_XMP) :])
        at += 2 + max(length, 2)
    return found


def _add_to_webp(data: bytes, xmp: bytes) -> bytes:
    _need(data[:4] == b"RIFF" and data[8:12] == b"WEBP")
    body = bytearray(data[12 : 8 + int.from_bytes(data[4:8], "little")])
    if body[:4] == b"VP8X":
        body[8] |= XMP_FLAG
    else:
        width, height, has_alpha = _webp_size(body)
        flags = bytes([XMP_FLAG | (0x10 if has_alpha else 0), 0, 0, 0])
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = bytearray(b"VP8X" + (10).to_bytes(4, "little") + flags + canvas) + body
    body += b"XMP " + len(xmp).to_bytes(4, "little") + xmp + b"\0" * (len(xmp) % 2)
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + bytes(body)


def _webp_size(body: bytearray) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, of a webp that is one simple picture."""
    if body[:4] == b"VP8L":
        bits = int.from_bytes(body[9:13], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1, bool(bits >> 28 & 1)
    _need(body[:4] == b"VP8 " and body[11:14] == b"\x9d\x01\x2a")
    width, height = struct.unpack_from("<HH", body, 14)
    return width & 0x3FFF, height & 0x3FFF, False


def _in_webp(data: bytes) -> list[bytes]:
    found, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"XMP ":
            found.append(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return found


def _add_to_gif(data: bytes, xmp: bytes) -> bytes:
    _need(data[:6] == b"GIF89a" and b"\0" not in xmp)
    at = _behind_gif_header(data)
    if data[at : at + 14] == b"\x21\xff\x0bNETSCAPE2.0":
        at += 19  # the loop count stays first: some players look for it only there
    return data[:at] + GIF_XMP + xmp + GIF_TAIL + data[at:]


def _behind_gif_header(data: bytes) -> int:
    flags = data[10]
    return 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)


def _in_gif(data: bytes) -> list[bytes]:
    found, at = [], 0
    while (at := data.find(GIF_XMP, at)) >= 0:
        start = at + len(GIF_XMP)
        end = data.find(GIF_TAIL, start, start + XMP_MAX_BYTES)
        if end > 0:
            found.append(data[start:end])
        at = start
    return found
