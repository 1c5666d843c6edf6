"""The boxes of an mp4: labels written into a finished file, and read from any.

Written are the key ``AIGC`` in ``moov.udta.meta`` (handler ``mdta``, beside what was there) and
an XMP packet in a ``uuid`` box at the end. ``moov`` grows by that, so the places of the samples
behind it, which ``stco`` and ``co64`` name, move on.
"""

import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worldreel.core.errors import WorldreelError
from worldreel.provenance.labels import XMP_MAX_BYTES, Labels

XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
MOOV_MAX_BYTES = 256 * 2**20
COMMENT, TOOL = b"\xa9cmt", b"\xa9too"
NAMES = {COMMENT: b"comment", TOOL: b"encoder"}
"""iTunes' names of what FFmpeg writes, and the same in the words of ``mdta``."""
UTF8 = 1
HOLDERS = (b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True)
class Box:
    """One box: its type, where it begins, where its content begins, and where it ends."""

    kind: bytes
    start: int
    content: int
    end: int


def label_mp4(source: Path, target: Path, labels: Labels) -> None:
    """Copies a finished mp4 with labels; memory holds its ``moov`` alone.

    Raises:
        WorldreelError: it is no mp4 with one ``moov``, or too large for its own table of places.
        OSError: the disk is full.
    """
    with open(source, "rb") as file, open(target, "wb") as out:
        size = os.fstat(file.fileno()).st_size
        tops = list(iterate_boxes(file, 0, size))
        moovs = [box for box in tops if box.kind == b"moov"]
        if len(moovs) != 1 or moovs[0].end - moovs[0].start > MOOV_MAX_BYTES:
            raise WorldreelError(f"{source} is no mp4 that labels can be written into.")
        moov = moovs[0]
        file.seek(moov.content)
        content = bytearray(file.read(moov.end - moov.content))
        kept, values = _without_metadata(bytes(content))
        values[b"AIGC"] = labels.to_aigc().encode()
        new = bytearray(kept + _box(b"udta", _metadata(values)))
        by = len(new) + 8 - (moov.end - moov.start)
        _move_samples(new, moov.end, by, source)
        file.seek(0)
        _copy(file, out, moov.start)
        out.write(_box(b"moov", bytes(new)))
        file.seek(moov.end)
        shutil.copyfileobj(file, out, 2**20)
        out.write(_box(b"uuid", XMP_UUID + labels.to_xmp()))


def read_mp4_labels(file: BinaryIO) -> tuple[list[bytes], list[str]]:
    """XMP packets and values of the key ``AIGC`` in an mp4; broken boxes end the search."""
    size = os.fstat(file.fileno()).st_size
    packets: list[bytes] = []
    values: list[str] = []
    for box in iterate_boxes(file, 0, size):
        length = box.end - box.content
        if box.kind == b"uuid" and 16 <= length <= XMP_MAX_BYTES:
            file.seek(box.content)
            data = file.read(length)
            if data.startswith(XMP_UUID):
                packets.append(data[16:])
        elif box.kind == b"moov":
            for inner in iterate_boxes(file, box.content, box.end):
                if inner.kind == b"udta" and inner.end - inner.content <= XMP_MAX_BYTES:
                    file.seek(inner.content)
                    found = _metadata_of(file.read(inner.end - inner.content))
                    if b"AIGC" in found:
                        values.append(found[b"AIGC"].decode("utf-8", "replace"))
    return packets, values


def iterate_boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes that lie between two places of a file; the first that cannot be ends it."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        content = start + 8
        if size == 1 and len(head) == 16:
            size, content = struct.unpack_from(">Q", head, 8)[0], start + 16
        elif size == 0:
            size = end - start
        if size < content - start or start + size > end:
            return
        yield Box(kind, start, content, start + size)
        start += size


def _inside(data: bytes, start: int = 0, end: int | None = None) -> list[Box]:
    """The boxes in bytes."""
    end = len(data) if end is None else end
    found: list[Box] = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > end:
            break
        found.append(Box(kind, start, start + 8, start + size))
        start += size
    return found


def _without_metadata(moov: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The content of ``moov`` without its ``udta``, and the values that lay in there."""
    kept, values = b"", {}
    for box in _inside(moov):
        if box.kind == b"udta":
            values |= _metadata_of(moov[box.content : box.end])
        else:
            kept += moov[box.start : box.end]
    return kept, values


def _metadata_of(udta: bytes) -> dict[bytes, bytes]:
    """The texts in ``udta.meta``, whether its keys are iTunes' or ``mdta``'s."""
    values: dict[bytes, bytes] = {}
    for meta in (box for box in _inside(udta) if box.kind == b"meta"):
        keys: list[bytes] = []
        for box in _inside(udta, meta.content + 4, meta.end):
            if box.kind == b"keys":
                keys = [
                    udta[key.content : key.end] for key in _inside(udta, box.content + 8, box.end)
                ]
            elif box.kind == b"ilst":
                for item in _inside(udta, box.content, box.end):
                    number = int.from_bytes(item.kind, "big")
                    name = NAMES.get(item.kind)
                    if name is None and 1 <= number <= len(keys):
                        name = keys[number - 1]
                    for data in _inside(udta, item.content, item.end):
                        if name is not None and data.kind == b"data":
                            values[name] = udta[data.content + 8 : data.end]
    return values


def _metadata(values: dict[bytes, bytes]) -> bytes:
    """A ``meta`` box whose keys are plain words (QuickTime's handler ``mdta``)."""
    handler = _box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    keys = b"".join(_box(b"mdta", name) for name in values)
    items = b"".join(
        _box(number.to_bytes(4, "big"), _box(b"data", struct.pack(">II", UTF8, 0) + value))
        for number, value in enumerate(values.values(), start=1)
    )
    keys = _box(b"keys", struct.pack(">II", 0, len(values)) + keys)
    return _box(b"meta", bytes(4) + handler + keys + _box(b"ilst", items))


def _move_samples(moov: bytearray, behind: int, by: int, source: Path) -> None:
    """Adds ``by`` to every place in a file that lies behind another."""

    def walk(start: int, end: int) -> None:
        for box in _inside(bytes(moov), start, end):
            if box.kind in HOLDERS:
                walk(box.content, box.end)
            elif box.kind in (b"stco", b"co64"):
                form = ">I" if box.kind == b"stco" else ">Q"
                step = struct.calcsize(form)
                (count,) = struct.unpack_from(">I", moov, box.content + 4)
                first = box.content + 8
                if first + count * step > box.end:
                    raise WorldreelError(f"{source} is no mp4 that labels can be written into.")
                for place in range(first, first + count * step, step):
                    (at,) = struct.unpack_from(form, moov, place)
                    if at >= behind:
                        if step == 4 and at + by >= 2**32:
                            raise WorldreelError(f"{source} is too large for labels: over 4 GiB.")
                        struct.pack_into(form, moov, place, at + by)

    walk(0, len(moov))


def _copy(file: BinaryIO, out: BinaryIO, length: int) -> None:
    while length:
        chunk = file.read(min(length, 2**20))
        assert chunk, "the file ends too early"
        out.write(chunk)
        length -= len(chunk)


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content
