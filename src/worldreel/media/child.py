"""The decoding process: reads the file on its standard input, writes frames to its output."""

import importlib
import json
import os
import sys
import warnings
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from worldreel.media.limits import Limits

LATE = (
    "av.audio.stream",
    "av.sidedata.encparams",
    "av.sidedata.motionvectors",
    "av.sidedata.sidedata",
    "av.subtitles.stream",
    "av.video.stream",
    *(f"PIL.{kind}ImagePlugin" for kind in ("Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP")),
)
"""Modules that PyAV and Pillow import only when a file needs them."""


def main(task_json: str) -> None:
    """Decodes one file for ``guard`` and ends the process."""
    task = json.loads(task_json)
    limits = Limits(**task["limits"])
    # all libraries are loaded before the doors close; nothing can be opened afterwards
    from PIL import Image

    for name in LATE:
        importlib.import_module(name)

    from worldreel.core.errors import UsageError, WorldreelError
    from worldreel.media import decode, info
    from worldreel.media.jail import lock

    Image.init()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # our own limits are checked before anything is decoded
    lock(limits)
    try:
        with (
            open(0, "rb", buffering=0, closefd=False) as file,
            decode.open_source(file, task["name"], limits) as source,
        ):
            if task["only_describe"]:
                _describe(info, source, os.fstat(0).st_size)
            else:
                _decode(source, task["with_alpha"])
    except WorldreelError as error:
        _say(
            kind="error",
            message=error.message,
            remedy=error.remedy,
            is_usage=isinstance(error, UsageError),
        )
    os._exit(0)  # without the clean-up of libraries that a broken file may have confused


def _decode(source: Any, with_alpha: bool) -> None:
    _say(kind="open", fps=source.fps, is_still=source.is_still)
    for frame in source.frames(with_alpha=with_alpha):
        _say(
            kind="frame",
            shape=frame.pixels.shape,
            time_s=frame.time_s,
            duration_s=frame.duration_s,
            turns=frame.turns,
            is_mirrored=frame.is_mirrored,
        )
        _write(memoryview(frame.pixels.reshape(-1)))
    _say(kind="end", notes=source.notes())


def _describe(info: Any, source: Any, size_bytes: int) -> None:
    settings = info.settings_in(source)
    _say(kind="described", info=asdict(info.describe(source, size_bytes)), settings=settings)


def _say(**message: Any) -> None:
    _write(json.dumps(message).encode() + b"\n")


def _write(data: Any) -> None:
    view = memoryview(data)
    with suppress(BrokenPipeError):
        while len(view):
            view = view[os.write(1, view) :]
        return
    os._exit(0)  # nobody listens any more


if __name__ == "__main__":
    main(sys.argv[1])
