"""The settings that made a file, carried inside it as JSON: mp4, webp, gif and png.

The JSON is plain ASCII under one key, ``worldreel``, so that a comment that another
program left is never taken for ours. Where it lies: mp4 in the container's ``comment``,
webp in EXIF's ImageDescription, gif in a comment extension, png in a tEXt chunk of the
name ``Comment``. `ffprobe`, `exiftool` and `identify` show all of them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

KEY = "worldreel"
EXIF_IMAGE_DESCRIPTION = 0x010E
EXIF_FLAG = 0x08  # of the VP8X header


def to_json(settings: Mapping[str, Any]) -> str:
    """The settings as one line of ASCII; raises TypeError or ValueError if JSON has no word."""
    return json.dumps({KEY: dict(settings)}, allow_nan=False)


def from_json(comment: object) -> dict[str, Any] | None:
    """The settings in a file's comment, or None where the comment is not one of ours."""
    if not isinstance(comment, str | bytes):
        return None
    try:
        value = json.loads(comment)
    except (ValueError, RecursionError):
        return None
    found = value.get(KEY) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else None


def to_exif(comment: str) -> Image.Exif:
    """An EXIF block that holds the comment and nothing else."""
    exif = Image.Exif()
    exif[EXIF_IMAGE_DESCRIPTION] = comment
    return exif


def add_to_gif(path: Path, comment: str) -> None:
    """Put a comment extension (GIF89a, section 24) before the first frame of a finished gif."""
    data = path.read_bytes()
    assert data[:6] == b"GIF89a", data[:6]
    flags = data[10]
    start = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)  # past the global palette
    if data[start : start + 14] == b"\x21\xff\x0bNETSCAPE2.0":
        start += 19  # the loop count stays first: some players look for it only there
    text = comment.encode("ascii")
    blocks = [text[i : i + 255] for i in range(0, len(text), 255)]
    extension = b"\x21\xfe" + b"".join(bytes([len(b)]) + b for b in blocks) + b"\x00"
    path.write_bytes(data[:start] + extension + data[start:])


def add_to_webp(path: Path, comment: str, size: tuple[int, int]) -> None:
    """Put an EXIF chunk at the end of a finished webp (RIFF container, WebP specification).

    Args:
        size: height and width in pixels, for a simple file that has no VP8X header yet.
    """
    data = path.read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP", data[:12]
    body = bytearray(data[12:])
    if body[:4] == b"VP8X":
        body[8] |= EXIF_FLAG
    else:
        height, width = size
        flags = bytes([EXIF_FLAG, 0, 0, 0])
        canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = bytearray(_chunk(b"VP8X", flags + canvas)) + body
    body += _chunk(b"EXIF", to_exif(comment).tobytes().removeprefix(b"Exif\0\0"))
    path.write_bytes(b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
