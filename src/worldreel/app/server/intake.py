"""Pictures and clips that come in: looked at within limits, written anew, and kept so.

What a client sent is decoded once, in a process of its own with limits on time, memory, pixels
and frames (see `worldreel.media.guard`); what the rest of worldreel reads was written here.
"""

import base64
import binascii
import contextlib
import itertools
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from worldreel.app.jobs import outward
from worldreel.app.jobs.folder import Folder
from worldreel.app.jobs.marking import remember_origin
from worldreel.app.server.problems import invalid, not_found
from worldreel.app.server.service import Service
from worldreel.app.server.shapes import ImageReference
from worldreel.core.errors import WorldreelError

PICTURES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
PICTURE_MAX_BYTES = 32 * 2**20
FETCH_S = 10.0
FRAME_TOLERANCE = 1e-3

_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+)?(;[a-z0-9=.+-]+)*;base64,", re.IGNORECASE)


@contextlib.contextmanager
def incoming(folder: Folder) -> Iterator[Path]:
    """An empty folder for one request, removed at the end of the block."""
    place = Path(tempfile.mkdtemp(prefix="incoming-", dir=folder.aside))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def save_upload(source: IO[bytes], target: Path) -> int:
    """Writes an upload's bytes to a file; returns how many."""
    source.seek(0)
    with open(target, "wb") as file:
        shutil.copyfileobj(source, file, 2**20)
    return target.stat().st_size


def fetch_picture(service: Service, owner: str, given: ImageReference, target: Path) -> None:
    """Brings a picture that was only named into a file.

    Raises:
        ApiError: there is no such file, or the URL is none that is fetched.
    """
    param = "input_reference"
    if given.file_id is not None:
        upload = service.uploads.get(owner, given.file_id)
        if upload is None:
            raise not_found("file", given.file_id, f"{param}.file_id")
        try:
            shutil.copyfile(upload.path(service.folder), target)
        except FileNotFoundError:
            raise not_found("file", given.file_id, f"{param}.file_id") from None
        return
    assert given.image_url is not None
    url, param = given.image_url, f"{param}.image_url"
    if url[:5].lower() == "data:":
        head = _DATA_URL.match(url, 0, 200)
        if head is None:
            raise invalid("The data URL is none with base64.", param)
        try:
            data = base64.b64decode(url[head.end() :], validate=True)
        except (binascii.Error, ValueError):
            raise invalid("The data URL holds no valid base64.", param) from None
    else:
        private = service.settings.private_addresses
        try:
            answer = outward.request(
                "GET", url, private=private, timeout_s=FETCH_S, max_bytes=PICTURE_MAX_BYTES
            )
        except WorldreelError as error:
            raise invalid(f"image_url: {error!s}".replace("\n", " "), param) from None
        if answer.status != 200:
            raise invalid(f"image_url: the host answered {answer.status}.", param)
        data = answer.body
    target.write_bytes(data)


def take_picture(source: Path, target: Path, size: tuple[int, int], param: str) -> None:
    """Looks at a picture of a height and width, and writes it anew as png.

    Raises:
        ApiError: neither jpg, png nor webp; of another size; damaged or beyond a limit.
    """
    from worldreel.media.footage import read_footage
    from worldreel.media.limits import UPLOAD
    from worldreel.media.sheet import save_image
    from worldreel.media.sniff import HEAD_BYTES, sniff

    with open(source, "rb") as file:
        head = file.read(HEAD_BYTES)
    try:
        if sniff(head, "the picture").format not in PICTURES:
            raise invalid(f"{param}: it is neither jpg, png nor webp.", param)
        footage = read_footage(source, limits=UPLOAD)
    except WorldreelError as error:
        raise unreadable(error, param, source) from None
    height, width = footage.frames.shape[1:3]
    if (height, width) != size:
        message = f"{param} is {width}x{height}; it must match the size {size[1]}x{size[0]}."
        raise invalid(message, param)
    save_image(target, footage.frames[0])
    remember(source, target, param)


def take_clip(
    source: Path,
    target: Path,
    *,
    fps: float,
    size: tuple[int, int] | None,
    longest_s: float,
    param: str,
    span: tuple[float | None, float | None] = (None, None),
    stamped_fps: float | None = None,
    least: int = 2,
    lossless_pixels: int = 0,
) -> tuple[int, tuple[int, int]]:
    """Looks at a clip and writes it anew at a rate, and at a size if one is given.

    Args:
        span: seconds from which and before which frames are taken.
        stamped_fps: the rate that the file says instead, with the same frames.
        least: how many frames it must have.
        lossless_pixels: a clip with no more of them, all frames together, is kept bit for bit.

    Returns:
        its frames, and its height and width.

    Raises:
        ApiError: no clip, damaged, too long, or beyond a limit.
    """
    from worldreel.media.footage import stream_footage
    from worldreel.media.limits import UPLOAD

    try:
        footage = stream_footage(source, fps=fps, size=size, how="cover", limits=UPLOAD)
    except WorldreelError as error:
        raise unreadable(error, param, source) from None
    first, stop = frames_in(span, footage.num_frames, fps, param)
    height, width = footage.size
    count = stop - first
    if count < least:
        raise invalid(f"{param} is a single picture; it must be a clip.", param)
    if count / fps > longest_s:
        message = f"{param} lasts {count / fps:.1f} s; at most {longest_s:g} s are taken."
        raise invalid(message, param)
    even = (height - height % 2, width - width % 2)  # what an mp4 can hold
    frames = itertools.islice(footage.frames, first, stop)
    shown = (frame[: even[0], : even[1]] for frame in frames)
    is_lossless = count * even[0] * even[1] <= lossless_pixels
    try:
        write_clip(target, shown, even, stamped_fps or fps, is_lossless=is_lossless)
    except WorldreelError as error:
        raise unreadable(error, param, source) from None
    remember(source, target, param)
    return count, even


def write_clip(
    target: Path,
    frames: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    fps: float,
    *,
    is_lossless: bool,
) -> None:
    """Writes frames, uint8 ``h w 3`` of an even height and width, one by one as an mp4.

    Raises:
        WorldreelError: the disk is full, or what gives the frames failed.
    """
    from worldreel.media.lossless import write_lossless
    from worldreel.media.write import VideoWriter

    if is_lossless:
        write_lossless(target, frames, size, fps)
        return
    with VideoWriter(target, size=size, fps=fps, settings={}) as writer:
        for frame in frames:
            writer.write(frame[None])


def frames_in(
    span: tuple[float | None, float | None], num_frames: int, fps: float, param: str
) -> tuple[int, int]:
    """The first frame of a span and the one after its last; raises ApiError where there is none."""
    found = []
    for name, seconds, otherwise in (("from_s", span[0], 0), ("to_s", span[1], num_frames)):
        frames = otherwise if seconds is None else seconds * fps
        if abs(frames - round(frames)) > FRAME_TOLERANCE:
            near = f"{int(frames) / fps:.6g} s or {(int(frames) + 1) / fps:.6g} s"
            message = f"{param}.{name} is {seconds:g} s, between two frames. The nearest: {near}."
            raise invalid(message, f"{param}.{name}")
        found.append(round(frames))
    first, stop = found
    if not 0 <= first < stop <= num_frames:
        part = f"{first / fps:g} s to {stop / fps:g} s"
        message = f"{param} lasts {num_frames / fps:g} s; from {part} is no part of it."
        raise invalid(message, f"{param}.to_s" if stop > num_frames else f"{param}.from_s")
    return first, stop


def remember(source: Path, target: Path, param: str) -> None:
    """Keeps what a file says of where it comes from, beside what is written anew of it.

    Raises:
        ApiError: its credentials brought their reader down.
    """
    from worldreel.media.limits import UPLOAD

    try:
        remember_origin(source, target, f"a file that was given as {param}", UPLOAD)
    except WorldreelError as error:
        raise unreadable(error, param, source) from None


def unreadable(error: WorldreelError, param: str, source: Path) -> Exception:
    """What is answered to a file that cannot be read, without the place where it lies."""
    message = str(error).replace("\n", " ").replace(str(source), "the file")
    if "disk is full" in message:
        return error
    return invalid(f"{param}: {message.replace(source.name, 'the file')}", param, "invalid_media")
