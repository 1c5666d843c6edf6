"""A reader of content credentials of its own, sharing no code with the library that writes them.

It checks the signature over the claim, and the hashes of the assertions and of the file.
"""

import hashlib
import struct
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


def store_of(path: Path) -> bytes:
    """The store of manifests in a file of one of worldreel's formats."""
    data = path.read_bytes()
    if path.suffix == ".png":
        at = data.index(b"caBX")
        return data[at + 4 : at + 4 + int.from_bytes(data[at - 4 : at], "big")]
    if path.suffix == ".webp":
        at = data.index(b"C2PA", 12)
        return data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")]
    if path.suffix == ".jpg":
        at = data.index(b"\xff\xeb")
        return data[at + 12 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
    if path.suffix == ".gif":
        at, found = data.index(b"C2PA_GIF\x01\0\0") + 11, b""
        while size := data[at]:
            found += data[at + 1 : at + 1 + size]
            at += 1 + size
        return found
    at = data.index(bytes.fromhex("d8fec3d61b0e483c92975828877ec481"))
    size = int.from_bytes(data[at - 8 : at - 4], "big")
    return data[at + 16 + 4 + 9 + 8 : at - 8 + size]


def parts_of(store: bytes) -> dict[str, bytes]:
    """The contents of the last manifest's boxes by their labels, each without its own header."""
    found: dict[str, bytes] = {}

    def walk(start: int, end: int) -> None:
        while start < end:
            size, kind = struct.unpack_from(">I4s", store, start)
            if kind == b"jumb":
                head = int.from_bytes(store[start + 8 : start + 12], "big")
                label = store[start + 33 : start + 8 + head].split(b"\0")[0].decode()
                found[label] = store[start + 8 : start + size]
                walk(start + 8 + head, start + size)
            start += size

    walk(0, len(store))
    return found


def inner(box: bytes) -> bytes:
    """The CBOR inside a box, behind its description."""
    head = int.from_bytes(box[:4], "big")
    assert box[head + 4 : head + 8] == b"cbor"
    return box[head + 8 :]


def cbor(data: bytes, at: int = 0) -> tuple[Any, int]:
    """One value of CBOR, and where the next one begins."""
    major, low = data[at] >> 5, data[at] & 31
    at += 1
    if low < 24:
        number = low
    else:
        width = 1 << (low - 24)
        number = int.from_bytes(data[at : at + width], "big")
        at += width
    match major:
        case 0:
            return number, at
        case 1:
            return -1 - number, at
        case 2:
            return data[at : at + number], at + number
        case 3:
            return data[at : at + number].decode(), at + number
        case 4:
            values = []
            for _ in range(number):
                value, at = cbor(data, at)
                values.append(value)
            return values, at
        case 5:
            table = {}
            for _ in range(number):
                key, at = cbor(data, at)
                table[key], at = cbor(data, at)
            return table, at
        case 6:
            return cbor(data, at)
    return {20: False, 21: True, 22: None}[low], at


def byte_string(data: bytes) -> bytes:
    """CBOR of a byte string."""
    return b"\x59" + len(data).to_bytes(2, "big") + data


def check(path: Path) -> str:
    """The issuer's name; raises where the signature, an assertion or the file is not as signed."""
    parts = parts_of(store_of(path))
    claim = inner(parts["c2pa.claim.v2"])
    (protected, unprotected, _, signature), _ = cbor(inner(parts["c2pa.signature"]))
    headers, _ = cbor(protected)
    chain = headers.get(33) or unprotected.get(33)
    leaf = x509.load_der_x509_certificate(chain[0] if isinstance(chain, list) else chain)
    assert headers[1] == -7, "ES256"
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    signed = b"\x84\x6aSignature1" + _shortest(protected) + b"\x40" + _shortest(claim)
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    for assertion in cbor(claim)[0]["created_assertions"]:
        label = assertion["url"].rsplit("/", 1)[-1]
        assert hashlib.sha256(parts[label]).digest() == assertion["hash"], label
    if path.suffix == ".mp4":
        told, _ = cbor(inner(parts["c2pa.hash.bmff.v3"]))
        assert hash_of_boxes(path.read_bytes(), told["exclusions"]) == told["hash"], "its boxes"
    else:
        told, _ = cbor(inner(parts["c2pa.hash.data"]))
        data = bytearray(path.read_bytes())
        for gap in reversed(told["exclusions"]):
            del data[gap["start"] : gap["start"] + gap["length"]]
        assert hashlib.sha256(data).digest() == told["hash"], "the file's own bytes"
    return leaf.subject.rfc4514_string()


def hash_of_boxes(data: bytes, exclusions: list[dict[str, Any]]) -> bytes:
    """SHA-256 of an mp4: of each box that is not excluded its place as 8 bytes, then itself.

    Exclusions of boxes inside of boxes are not followed: no file of ours has such boxes.
    """
    digest, at = hashlib.sha256(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        box = data[at : at + size]
        if not any(_excludes(one, box) for one in exclusions):
            digest.update(at.to_bytes(8, "big") + box)
        at += size
    return digest.digest()


def _excludes(exclusion: dict[str, Any], box: bytes) -> bool:
    if exclusion["xpath"] != "/" + box[4:8].decode():
        return False
    patterns = exclusion.get("data") or []
    return all(box[one["offset"] :].startswith(one["value"]) for one in patterns)


def _shortest(data: bytes) -> bytes:
    """CBOR of a byte string in its shortest form."""
    size = len(data)
    if size < 24:
        return bytes([0x40 | size]) + data
    if size < 256:
        return b"\x58" + bytes([size]) + data
    return byte_string(data) if size < 65536 else b"\x5a" + size.to_bytes(4, "big") + data
