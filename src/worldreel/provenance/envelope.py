"""The bytes around signed credentials that no signature covers, in files that worldreel marked.

C2PA leaves out of its hashes what holds the credentials themselves: the box or chunk that they lie
in, the names and lengths of their parts, the filling of the signature, and an mp4's first box. A
byte that is flipped there changes nothing that is shown, and readers do not notice. Worldreel
always writes these bytes in one way, so that it can tell.
"""

import hashlib
import os
import struct
import zlib
from typing import Any, BinaryIO

from worldreel.provenance.boxes import iterate_boxes

MANIFEST_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
STORE_MAX_BYTES = 64 * 2**20
PARTS = (b"c2pa.assertions", b"c2pa.claim.v2", b"c2pa.signature")
PAD = b"\x63pad"
NAMED, SALTED = 0x03, 0x13
"""The toggles of a box that has a label and may be asked for; and a salt beside it."""
SALT = b"\0\0\0\x18c2sh"


class _Changed(Exception):
    """Something is not as worldreel writes it."""


def head_sha256(file: BinaryIO, mime: str) -> str:
    """The hash of an mp4's first box, which C2PA does not cover; nothing for other types."""
    if mime != "video/mp4":
        return ""
    file.seek(0)
    size = min(int.from_bytes(file.read(4), "big"), 4096)
    file.seek(0)
    return hashlib.sha256(file.read(size)).hexdigest()


def is_untouched(file: BinaryIO, mime: str, making: dict[str, Any]) -> bool:
    """Whether the bytes that no signature covers are as worldreel wrote them.

    Args:
        file: its signatures were found sound before.
        making: what worldreel's own assertion in it says.
    """
    find = {
        "video/mp4": _in_mp4,
        "image/png": _in_png,
        "image/jpeg": _in_jpeg,
        "image/webp": _in_webp,
        "image/gif": _in_gif,
    }.get(mime)
    if find is None or making.get("head_sha256", "") != head_sha256(file, mime):
        return False
    try:
        _check_store(find(file))
    except (_Changed, IndexError, struct.error):
        return False
    return True


def _need(holds: bool) -> None:
    if not holds:
        raise _Changed


def _check_store(data: bytes) -> None:
    """A store of manifests, the last of which is worldreel's: names, lengths and filling."""
    (store,) = _boxes(data, 0, len(data))
    label, inner = _superbox(data, *store)
    _need(label == b"c2pa" and len(inner) > 0)
    parts: list[tuple[int, int]] = []
    for place in inner:
        label, parts = _superbox(data, *place)
        _need(label.startswith((b"urn:c2pa:", b"urn:uuid:")))
    names = []
    for place in parts:
        name, contents = _superbox(data, *place)
        names.append(name)
        if name == b"c2pa.assertions":
            for content in contents:
                _superbox(data, *content)
        if name == b"c2pa.signature":
            _need(len(contents) == 1)
            _check_filling(data[contents[0][0] + 8 : contents[0][1]])
    _need(tuple(names) == PARTS)


def _superbox(data: bytes, start: int, end: int) -> tuple[bytes, list[tuple[int, int]]]:
    """The label of a JUMBF box, and where the boxes inside lie, which must fill it."""
    _need(data[start + 4 : start + 8] == b"jumb")
    head, *inner = _boxes(data, start + 8, end)
    _need(data[head[0] + 4 : head[0] + 8] == b"jumd")
    label, _, rest = data[head[0] + 25 : head[1]].partition(b"\0")
    toggles = data[head[0] + 24]
    _need(toggles == SALTED and rest[:8] == SALT if rest else toggles == NAMED)
    return label, inner


def _boxes(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    found = []
    while start < end:
        size = int.from_bytes(data[start : start + 4], "big")
        _need(8 <= size <= end - start)
        found.append((start, start + size))
        start += size
    _need(len(found) > 0)
    return found


def _check_filling(signature: bytes) -> None:
    """The bytes that keep the signature's place have no meaning and must be zero."""
    at = signature.rfind(PAD) + len(PAD)
    _need(at >= len(PAD))
    kind = signature[at]
    _need(kind in (0x58, 0x59) or 0x40 <= kind <= 0x57)
    width = {0x58: 1, 0x59: 2}.get(kind, 0)
    first = at + 1 + width
    length = int.from_bytes(signature[at + 1 : first], "big") if width else kind - 0x40
    filling = signature[first : first + length]
    _need(len(filling) == length and not any(filling))


def _in_mp4(file: BinaryIO) -> bytes:
    found = []
    size = os.fstat(file.fileno()).st_size
    for box in iterate_boxes(file, 0, size):
        if box.kind == b"uuid" and 16 < box.end - box.content < STORE_MAX_BYTES:
            file.seek(box.content)
            data = file.read(box.end - box.content)
            if data.startswith(MANIFEST_UUID):
                found.append(data[16:])
    (content,) = found or [b""]
    head = bytes(4) + b"manifest\0" + bytes(8)
    _need(content.startswith(head))
    return content[len(head) :]


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _in_png(file: BinaryIO) -> bytes:
    data, at, found = _whole(file), 8, b""
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        if body[:4] == b"caBX":
            found = body[4:]
        _need(zlib.crc32(body) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big"))
        at += 12 + length
    return found


def _in_jpeg(file: BinaryIO) -> bytes:
    data, at, found, number = _whole(file), 2, b"", 0
    while data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xEB:
            number += 1
            head = b"JP\x02\x11" + number.to_bytes(4, "big")
            body = data[at + 4 : at + 2 + length]
            _need(body.startswith(head))
            # each part repeats the length and type of the whole
            _need(number == 1 or body[8:16] == found[:8])
            found += body[8:] if number == 1 else body[16:]
        at += 2 + length
    return found


def _in_webp(file: BinaryIO) -> bytes:
    data, at, found = _whole(file), 12, b""
    _need(int.from_bytes(data[4:8], "little") + 8 == len(data))
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"C2PA":
            found = data[at + 8 : at + 8 + length]
            _need(not any(data[at + 8 + length : at + 8 + length + length % 2]))
        at += 8 + length + length % 2
    return found


def _in_gif(file: BinaryIO) -> bytes:
    data = _whole(file)
    head = b"\x21\xff\x0bC2PA_GIF\x01\x00\x00"
    at = data.find(head) + len(head)
    _need(at >= len(head))
    found = b""
    while length := data[at]:
        found += data[at + 1 : at + 1 + length]
        at += 1 + length
    return found
