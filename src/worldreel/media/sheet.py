"""Contact sheets: many clips in one picture, to look at; and pictures on their way to disk."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from worldreel.core.errors import UsageError
from worldreel.media import settings as embedded
from worldreel.media.atomic import atomic_target, disk_errors

FONT_SIZE = 11
LINE_HEIGHT = 14
GAP = 6
PAPER = (250, 250, 248)
INK = (30, 30, 30)
IMAGE_ENDINGS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def contact_sheet(
    clips: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    *,
    columns: int = 1,
    num_frames: int = 6,
) -> NDArray[np.uint8]:
    """Each clip as a strip of frames with its caption beneath, strips in rows: uint8 ``h w 3``.

    Args:
        clips: each uint8 ``t h w 3``, RGB; sizes and lengths may differ.
        labels: one caption per clip; a long one is broken into lines.
        columns: strips side by side.
        num_frames: frames per strip, evenly from the first to the last; fewer if a clip
            is shorter.
    """
    assert len(clips) == len(labels) > 0, (len(clips), len(labels))
    assert columns > 0 and num_frames > 0, (columns, num_frames)
    strips = [_strip(clip, label, num_frames) for clip, label in zip(clips, labels, strict=True)]
    rows = [strips[i : i + columns] for i in range(0, len(strips), columns)]
    cell = max(strip.width for strip in strips)
    heights = [max(strip.height for strip in row) for row in rows]
    width = GAP + max(len(row) for row in rows) * (cell + GAP)
    sheet = Image.new("RGB", (width, GAP + sum(height + GAP for height in heights)), PAPER)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        for column, strip in enumerate(row):
            sheet.paste(strip, (GAP + column * (cell + GAP), top))
        top += height + GAP
    return np.asarray(sheet)


def save_image(
    path: str | Path, pixels: NDArray[np.uint8], settings: Mapping[str, Any] | None = None
) -> None:
    """Write a picture, uint8 ``h w 3`` RGB, as .png, .jpg or .webp: whole or not at all.

    Args:
        path: the file to be; an older one of that name is replaced.
        pixels: the picture.
        settings: what made it; embedded as ``VideoWriter`` does, for ``read_settings``.

    Raises:
        UsageError: another ending, or a folder that is missing or may not be written.
        WorldreelError: the disk is full.
    """
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3 and pixels.shape[2] == 3, pixels.shape
    image_format = IMAGE_ENDINGS.get(Path(path).suffix.lower())
    if image_format is None:
        raise UsageError(
            f"{path}: a picture can be {', '.join(IMAGE_ENDINGS)}",
            remedy=f"Choose a name such as {Path(path).stem or 'picture'}.png.",
        )
    options: dict[str, Any] = {"png": {}, "jpeg": {"quality": 92}, "webp": {"quality": 92}}[
        image_format
    ]
    if settings is not None:
        comment = embedded.to_json(settings)
        if image_format == "png":
            options["pnginfo"] = PngImagePlugin.PngInfo()
            options["pnginfo"].add_text("Comment", comment)
        else:
            options["exif"] = embedded.to_exif(comment)
    with atomic_target(path) as part, disk_errors(path):
        Image.fromarray(pixels).save(part, format=image_format, **options)


def _strip(clip: NDArray[np.uint8], label: str, num_frames: int) -> Image.Image:
    assert clip.dtype == np.uint8 and clip.ndim == 4 and clip.shape[0] > 0, clip.shape
    picks = np.linspace(0, clip.shape[0] - 1, min(num_frames, clip.shape[0])).round().astype(int)
    frames = np.concatenate(list(clip[picks]), axis=1)
    height, width = frames.shape[:2]
    font = ImageFont.load_default(FONT_SIZE)
    letters = max(8, int(width / font.getlength("n")))
    lines = textwrap.wrap(label, letters) or [""]
    strip = Image.new("RGB", (width, height + LINE_HEIGHT * len(lines) + 2), PAPER)
    strip.paste(Image.fromarray(frames), (0, 0))
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((1, height + 1 + number * LINE_HEIGHT), line, fill=INK, font=font)
    return strip
