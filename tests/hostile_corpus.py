"""Files made to harm whoever opens them, written by code; and the canaries that none may touch."""

import gzip
import io
import os
import random
import socket
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, PngImagePlugin

CANARY = (13, 201, 77)
"""The colour of a clip that lies outside: no frame that is read may show it."""


@dataclass(frozen=True)
class Case:
    """One file, and whether it may be read at all.

    Args:
        kind: what is wrong with it, for counting.
        path: where it lies; a name that means something to FFmpeg counts too.
        must_refuse: whether frames from it would be wrong; damage may leave some.
    """

    kind: str
    path: str
    must_refuse: bool = False


def sample(num_frames: int = 12, height: int = 48, width: int = 64) -> np.ndarray:
    """A square that moves over a slope: uint8 ``t h w 3``."""
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    frames[...] = np.linspace(60, 180, width).astype(np.uint8)[None, None, :, None]
    for number in range(num_frames):
        frames[number, 8:24, number : number + 16] = (220, 40, 30)
    return frames


def encode(
    path: Path, frames: np.ndarray, codec: str, pix_fmt: str = "yuv420p", fps: int = 25
) -> Path:
    """A video by FFmpeg."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def save_moving(path: Path, frames: np.ndarray, **options: Any) -> Path:
    """A moving gif, webp or png by Pillow."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=rest, **{"duration": 40, **options})
    return path


def bases(folder: Path) -> dict[str, bytes]:
    """One whole file of each kind that is read, by its ending."""
    frames = sample()
    videos = {
        "mp4": ("libx264", "yuv420p"),
        "mov": ("prores_ks", "yuv422p10le"),
        "mkv": ("ffv1", "yuv420p"),
        "webm": ("libvpx-vp9", "yuv420p"),
        "avi": ("mpeg4", "yuv420p"),
        "ts": ("libx264", "yuv420p"),
        "flv": ("flv", "yuv420p"),
        "mpg": ("mpeg2video", "yuv420p"),
        "ivf": ("libsvtav1", "yuv420p"),
        "y4m": ("rawvideo", "yuv420p"),
        "h264": ("libx264", "yuv420p"),
    }
    folder.mkdir()
    for ending, (codec, pix_fmt) in videos.items():
        side = sample(12, 64, 64) if ending == "ivf" else frames
        encode(folder / f"a.{ending}", side, codec, pix_fmt)
    for ending in ("gif", "webp", "png"):
        save_moving(folder / f"a.{ending}", frames)
    for ending in ("jpg", "tiff", "bmp"):
        Image.fromarray(frames[0]).save(folder / f"a.{ending}")
    return {path.suffix[1:]: path.read_bytes() for path in sorted(folder.iterdir())}


def hostile_cases(
    folder: Path, outside: Path, port: int, *, with_bombs: bool = True
) -> Iterator[Case]:
    """All cases; each file is written when it is asked for.

    Args:
        folder: an empty folder to write into.
        outside: a folder with ``canary.mp4`` and ``secret.txt``, which cases point to.
        port: of a server on this machine that nobody may ask.
        with_bombs: whether to make those files too that take a while to make.
    """
    whole = bases(folder / "bases")
    contents = _contents(whole, outside, port, with_bombs)
    for number, (kind, ending, data, must_refuse) in enumerate(contents):
        path = folder / f"{number:04}.{ending}"
        path.write_bytes(data)
        yield Case(kind, str(path), must_refuse)
        path.unlink()
    yield from _places(folder, whole, outside, port)


Content = tuple[str, str, bytes, bool]


def _contents(
    whole: dict[str, bytes], outside: Path, port: int, with_bombs: bool
) -> Iterator[Content]:
    chance = random.Random(0)
    for ending, data in whole.items():
        for part in range(1, 16):
            yield "cut off", ending, data[: len(data) * part // 16], False
    for ending, data in whole.items():
        for number in range(10):
            hurt = bytearray(data)
            for _ in range(1 + 4 * number):
                # half of them in the first kilobyte, where sizes and offsets are declared
                end = min(1024, len(data)) if chance.random() < 0.5 else len(data)
                hurt[chance.randrange(end)] ^= 1 << chance.randrange(8)
            yield "flipped bits", ending, bytes(hurt), False
    for ending, data in whole.items():
        yield "its start and noise", ending, data[:64] + chance.randbytes(20_000), False
        yield "twice in one", ending, data + data, False
        yield "its start alone", ending, data[:24], False
    for ending, data in _lies(whole):
        yield "lying header", ending, data, ending != "mov"  # its frames tell their own size
    for ending, data, must_refuse in _bombs() if with_bombs else ():
        yield "bomb", ending, data, must_refuse
    for ending, data in _pointers(whole, outside, port):
        yield "points outside", ending, data, ending not in ("mp4", "mov", "png", "jpg")
    for ending, data in _others():
        yield "something else", ending, data, True
    for ending, data in _nothing(whole):
        yield "no frames", ending, data, True
    for (ending, data), other in zip(whole.items(), reversed(list(whole)), strict=True):
        if ending != other:
            yield "wrong ending", other, data, False


def _lies(whole: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Headers that declare 65,535 pixels a side, or what a format can say at most."""
    most = 65_535
    yield "png", _png(most, most, zlib.compress(bytes(10_000)))
    yield "png", _png(2**31 - 1, 2**31 - 1, zlib.compress(bytes(10_000)))
    yield "png", _png(65_000, 400, zlib.compress(bytes(10_000)))
    data = whole["gif"]
    yield "gif", data[:6] + struct.pack("<HH", most, most) + data[10:]
    data = bytearray(whole["bmp"])
    data[18:26] = struct.pack("<ii", most, most)
    yield "bmp", bytes(data)
    data[18:26] = struct.pack("<ii", 2**31 - 1, -(2**31))
    yield "bmp", bytes(data)
    data = bytearray(whole["jpg"])
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", most, most)
    yield "jpg", bytes(data)
    tall = struct.pack("<I", 16_383)[:3]
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + tall + tall
    yield "webp", b"RIFF" + struct.pack("<I", 10_000) + b"WEBP" + vp8x + whole["webp"][30:]
    for tag in (256, 257):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "TIFF", tiffinfo={})
        data = bytearray(buffer.getvalue())
        place = data.index(struct.pack("<HH", tag, 4)) if struct.pack("<HH", tag, 4) in data else -1
        if place >= 0:
            data[place + 8 : place + 12] = struct.pack("<I", 2**31 - 1)
            yield "tiff", bytes(data)
    data = bytearray(whole["ivf"])
    data[12:16] = struct.pack("<HH", most, most)
    yield "ivf", bytes(data[:60])
    yield "y4m", b"YUV4MPEG2 W65535 H65535 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(10_000)
    yield "y4m", b"YUV4MPEG2 W16000 H16000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(10_000)
    data = bytearray(whole["mov"])
    start = data.index(b"stsd") + 4 + 8 + 32
    data[start : start + 4] = struct.pack(">HH", most, most)
    yield "mov", bytes(data)
    data = bytearray(whole["mkv"])
    start = data.index(b"\xb0\x81\x40")  # PixelWidth, one byte: 64
    yield "mkv", bytes(data[:start] + b"\xb0\x82\xff\xff" + data[start + 3 :])


def _bombs() -> Iterator[tuple[str, bytes, bool]]:
    """Small files that unpack into much."""
    yield "png", _png(5_001, 5_000, zlib.compress(bytes(5_000 * 15_004), 9)), True
    yield "png", _png(5_000, 5_000, zlib.compress(bytes(5_000 * 15_001), 9)), False
    yield "png", _png(64, 64, zlib.compress(bytes(300 * 2**20), 9)), False
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a" * 2**26, zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=text)
    yield "png", buffer.getvalue(), False
    profile = b"a\0\0" + zlib.compress(bytes(2**28), 9)
    yield "png", _png(8, 8, zlib.compress(bytes(200)), (b"iCCP", profile)), False
    for side, num_frames in ((4, 10_000), (16, 25_000), (3_000, 400)):
        yield "gif", _deep_gif(side, num_frames), num_frames > 20_000
    tiny = b"FRAME\n" + bytes(6)
    yield "y4m", b"YUV4MPEG2 W2 H2 F25:1 Ip A1:1 C420jpeg\n" + tiny * 10_000, False
    yield "y4m", b"YUV4MPEG2 W2 H2 F25:1 Ip A1:1 C420jpeg\n" + tiny * 25_000, True
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "TIFF", compression="group4")
    yield "tiff", buffer.getvalue(), True
    buffer = io.BytesIO()
    Image.new("CMYK", (4_900, 5_000)).save(buffer, "JPEG", progressive=True, subsampling=0)
    yield "jpg", buffer.getvalue(), False
    buffer = io.BytesIO()
    Image.new("RGB", (10_000, 10_000)).save(buffer, "WEBP", method=0)
    yield "webp", buffer.getvalue(), True


def _pointers(whole: dict[str, bytes], outside: Path, port: int) -> Iterator[tuple[str, bytes]]:
    """Files that ask for other files, or for hosts."""
    targets = [
        str(outside / "canary.mp4"),
        f"file:{outside}/canary.mp4",
        f"file://{outside}/secret.txt",
        f"http://127.0.0.1:{port}/canary.mp4",
        f"tcp://127.0.0.1:{port}",
        f"concat:{outside}/canary.mp4|{outside}/canary.mp4",
        "../outside/canary.mp4",
    ]
    for target in targets:
        name = target.encode()
        hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + name + b"\n#EXT-X-ENDLIST\n"
        for ending in ("m3u8", "mp4", "png"):
            yield ending if ending == "m3u8" else f"x.{ending}", hls
        yield "ffconcat", b"ffconcat version 1.0\nfile '" + name + b"'\n"
        yield "txt", b"file '" + name + b"'\n"
        yield "pls", b"[playlist]\nFile1=" + name + b"\n"
        yield (
            "svg",
            b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="'
            + name
            + b'"/></svg>',
        )
        yield (
            "xml",
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "' + name + b'">]><a>&b;</a>',
        )
        yield (
            "mpd",
            b'<?xml version="1.0"?><MPD type="static" profiles="urn:mpeg:dash:profile:isoff-on-dem'
            b'and:2011"><Period><AdaptationSet><Representation id="1"><BaseURL>'
            + name
            + b"</BaseURL></Representation></AdaptationSet></Period></MPD>",
        )
        yield "asx", b'<asx version="3"><entry><ref href="' + name + b'"/></entry></asx>'
        for kind in (b"url ", b"alis"):
            yield "mov", _with_reference(whole["mov"], kind, name)
            yield "mp4", _with_reference(whole["mp4"], kind, name)
    sdp = f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n"
    yield "sdp", sdp.encode()


def _others() -> Iterator[tuple[str, bytes]]:
    """What is no picture at all."""
    yield "srt", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n"
    yield "vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n"
    yield "ass", b"[Script Info]\nTitle: a\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,hello\n"
    yield "html", b"<!DOCTYPE html><html><img src='file:///etc/passwd'></html>"
    yield "json", b'{"a": "b"}'
    yield "txt", b"hello\n" * 100
    yield "mp4", b"hello\n" * 100
    yield "pdf", b"%PDF-1.7\n" + bytes(100)
    yield "gz", gzip.compress(bytes(10_000))
    yield "pkl", b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."
    yield "so", b"\x7fELF" + bytes(200)
    yield "mp3", b"ID3\x04" + bytes(500)
    yield "wav", b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(24)
    yield "heic", b"\0\0\0\x18ftypheic" + bytes(500)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mp4", bytes(10**7))
    yield "zip", buffer.getvalue()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "EPS")
    yield "eps", buffer.getvalue()
    yield "ppm", b"P6 65535 65535 255\n" + bytes(100)


def _nothing(whole: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Whole headers and not one frame."""
    yield "mp4", b""
    yield "mp4", b"\0"
    yield "mp4", whole["mp4"][: whole["mp4"].index(b"mdat") - 4]
    yield "y4m", b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n"
    yield "gif", whole["gif"][:13] + b";"
    yield "png", b"\x89PNG\r\n\x1a\n" + _chunk(b"IEND", b"")
    yield "ivf", whole["ivf"][:32]
    yield "flv", whole["flv"][:13]
    yield "ts", b"".join(b"\x47\x1f\xff\x10" + bytes(184) for _ in range(100))
    yield "mkv", whole["mkv"][: whole["mkv"].index(b"\x1f\x43\xb6\x75")]
    yield "webp", b"RIFF\x04\0\0\0WEBP"


def _places(folder: Path, whole: dict[str, bytes], outside: Path, port: int) -> Iterator[Case]:
    """Names and places that are not files, or that a library would take for more than a name."""
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "to-fifo.mp4").symlink_to(folder / "fifo.mp4")
    (folder / "dangling.mp4").symlink_to(folder / "nowhere")
    (folder / "to-text.mp4").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(folder)  # such a name has 108 bytes at most
        listener.bind("socket.mp4")
        os.chdir(here)
    names = ("folder", "fifo", "loop", "to-fifo", "dangling", "to-text", "socket")
    for name in names:
        yield Case("no file", str(folder / f"{name}.mp4"), True)
    for name in ("/dev/zero", "/dev/null", "/dev/full", "/dev/stdin", "/proc/self/mem"):
        yield Case("no file", name, True)
    for name in ("/proc/self/environ", "/proc/self/status", "/proc/kmsg", "/sys/power/state"):
        yield Case("no file", name, True)
    clip = outside / "canary.mp4"
    for name in (
        f"http://127.0.0.1:{port}/canary.mp4",
        f"tcp://127.0.0.1:{port}",
        f"file:{clip}",
        f"file://{clip}",
        f"concat:{clip}|{clip}",
        f"subfile,,start,0,end,900,,:{clip}",
        f"crypto:{clip}",
        f"cache:{clip}",
        f"async:{clip}",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "fd:0",
        "testsrc=size=64x48",
        "nothing\0.mp4",
        "a" * 5_000 + ".mp4",
        "",
    ):
        yield Case("name with a meaning", name, True)
    for name in ("line\nbreak", "\x1b[31mred", "-rf", "%d%s%n", "caf\udce9", "\u202egpj", "a b'\""):
        path = folder / f"{name}.mp4"
        path.write_bytes(whole["mp4"])
        yield Case("odd name", str(path))
        path.write_bytes(b"nothing")
        yield Case("odd name", str(path), True)
    sparse = folder / "sparse.mp4"
    for start in (whole["mp4"][:32], b"\x1a\x45\xdf\xa3", whole["avi"][:300], b"\x47" + bytes(187)):
        for size in (10 * 2**30, 2**30):
            sparse.write_bytes(start)
            os.truncate(sparse, size)
            yield Case("gigabytes of nothing", str(sparse), True)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, packed: bytes, *more: tuple[bytes, bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), *(_chunk(*part) for part in more), _chunk(b"IDAT", packed)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + _chunk(b"IEND", b"")


def _deep_gif(side: int, num_frames: int) -> bytes:
    """A gif of one-pixel changes on a large screen."""
    buffer = io.BytesIO()
    Image.new("P", (1, 1)).save(buffer, "GIF")
    data = buffer.getvalue()
    start = data.index(b"\x2c")  # the picture, from its separator to before the end
    frame = b"\x21\xf9\x04\x04\x01\0\0\0" + data[start:-1]
    screen = data[:6] + struct.pack("<HH", side, side) + data[10:start]
    return screen + frame * num_frames + b";"


def _with_reference(data: bytes, kind: bytes, target: bytes) -> bytes:
    """An mp4 or mov whose samples lie in another file, says its data reference."""
    if kind == b"url ":
        entry = struct.pack(">I4sI", 12 + len(target) + 1, kind, 0) + target + b"\0"
    else:  # an alias of the Macintosh, with the absolute path as its second part
        path = target + b"\0" * (len(target) % 2)
        body = bytes(4) + bytes(6) + b"\1a" + bytes(26) + bytes(12) + b"\1a" + bytes(62)
        body += bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
        body += struct.pack(">HH", 2, len(target)) + path + struct.pack(">HH", 0xFFFF, 0)
        body = body.ljust(150, b"\0")
        entry = struct.pack(">I4s", 8 + len(body), kind) + body
    dref = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    start = data.index(b"dref") - 4
    (old,) = struct.unpack(">I", data[start : start + 4])
    grown = len(dref) - old
    result = bytearray(data)
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = data.rindex(box, 0, start) - 4
        (size,) = struct.unpack(">I", data[place : place + 4])
        result[place : place + 4] = struct.pack(">I", size + grown)
    result[start : start + old] = dref
    return bytes(result)
