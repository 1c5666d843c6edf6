"""Frames of a picture, still or moving, as Pillow reads them."""

from collections import Counter
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worldreel.core.errors import WorldreelError
from worldreel.media.frame import Frame, check_frames, check_pixels, decoder_errors, on_black
from worldreel.media.limits import Limits

STRIP_PIXELS = 2**20
"""Pictures are converted in strips of this many pixels, so that one copy is enough."""
NO_DURATION_MS = 100
"""How long browsers show a frame that asks for no time at all."""
UPRIGHT = {1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True)} | {
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}
"""EXIF's orientations as quarter turns counterclockwise and whether to mirror afterwards."""


class PictureSource:
    """What Pillow reads: stills, and moving gif, webp and png."""

    def __init__(self, image: Image.Image, name: str, limits: Limits, is_deep: bool) -> None:
        self.image = image
        self.is_deep = is_deep
        self.name = name
        self.limits = limits
        width, height = image.size
        check_pixels(name, (height, width), limits.picture_pixels)
        self.num_stored = getattr(image, "n_frames", 1)
        # a phone's jpeg may carry a second, smaller picture of the same moment
        is_jpeg = image.format in ("JPEG", "MPO")
        self.numbers = range(1 if is_jpeg else self.num_stored)
        if image.info.get("default_image") and self.num_stored > 1:
            self.numbers = range(1, self.num_stored)  # shown only by what cannot move
        check_frames(name, len(self.numbers), limits)
        self.is_still = len(self.numbers) == 1
        self.fps = 0.0
        self._seen: Counter[str] = Counter()

    def frames(self, *, with_alpha: bool) -> Generator[Frame]:
        """The frames in order of time, on black unless ``with_alpha``."""
        time_ms = 0.0
        with decoder_errors(self.name, self.limits):
            for number in self.numbers:
                self.image.seek(number)
                width, height = self.image.size
                check_pixels(self.name, (height, width), self.limits.picture_pixels)
                pixels = self._to_pixels(with_alpha)
                turns, is_mirrored = UPRIGHT.get(self.orientation(), (0, False))
                if self.is_still:
                    yield Frame(pixels, None, None, turns, is_mirrored)
                    return
                # a webp tells a frame's duration once it is decoded
                duration_ms = self.image.info.get("duration")
                if duration_ms is None and self.image.format == "TIFF":
                    yield Frame(pixels, None, None, turns, is_mirrored)
                    continue
                self._seen["no duration"] += not duration_ms
                duration_ms = duration_ms or NO_DURATION_MS
                yield Frame(pixels, time_ms / 1000, duration_ms / 1000, turns, is_mirrored)
                time_ms += duration_ms

    def orientation(self) -> int:
        """EXIF's number for how the picture lies; 1 is upright."""
        return self.image.getexif().get(0x0112, 1)

    def _to_pixels(self, with_alpha: bool) -> NDArray[np.uint8]:
        image = self.image
        image.load()
        width, height = image.size
        has_alpha = image.has_transparency_data
        mode = image.mode
        if mode == "F" or (mode == "I" and image.format != "PNG"):
            raise WorldreelError(
                f"{self.name} holds measurements ({mode}), not shades between black and white",
                remedy="Export it as a png of 8 or 16 bits.",
            )
        self._seen["bits"] += mode.startswith("I") or self.is_deep
        if mode == "CMYK" or mode == "YCCK":
            self._seen["CMYK"] += 1
        rows = max(1, STRIP_PIXELS // width)
        result = np.empty((height, width, 4 if has_alpha and with_alpha else 3), np.uint8)
        for top in range(0, height, rows):
            bottom = min(height, top + rows)
            strip = image.crop((0, top, width, bottom))
            if mode.startswith("I"):
                shades = np.asarray(strip).astype(np.uint32)
                pixels = np.repeat(((shades + 128) // 257).clip(0, 255)[..., None], 3, axis=2)
            elif has_alpha:
                pixels = np.asarray(strip.convert("RGBA"))
                self._seen["alpha"] += int(pixels[..., 3].min()) < 255
                pixels = pixels if with_alpha else on_black(pixels)
            else:
                pixels = np.asarray(strip.convert("RGB"))
            result[top:bottom] = pixels
        return result

    def notes(self) -> list[str]:
        """What was done to show the frames, in sentences; whole once they have ended."""
        notes = []
        if self._seen["alpha"]:
            notes.append("its transparent parts are shown on black")
        if self._seen["bits"]:
            notes.append("its 16 bits a channel are reduced to 8")
        if self._seen["CMYK"]:
            notes.append("its colours for print (CMYK) are converted without a colour profile")
        if self._seen["no duration"]:
            notes.append(
                f"{self._seen['no duration']} of its frames ask for no time and are shown for"
                f" {NO_DURATION_MS} ms"
            )
        if len(self.numbers) < self.num_stored:
            others = self.num_stored - len(self.numbers)
            notes.append(f"{others} of the {self.num_stored} pictures in it are not read")
        return notes
