"""Words that stand in given pictures, read with Tesseract where the policy asks for it.

Tesseract is a program of the system (Debian: ``tesseract-ocr``, and ``tesseract-ocr-chi-sim`` and
the like for other languages). It is given pixels that worldreel's own guarded decoder made, never
the file that somebody sent.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worldreel.app.policy.classifiers import NoAnswer
from worldreel.core.errors import UsageError
from worldreel.media.footage import stream_footage

PROGRAM = "tesseract"
FRAMES_MAX = 16
"""Frames of a clip that are read, spread evenly over it."""
SHORTEST_SIDE = 600
"""Smaller pictures are enlarged to it, by 4 at most: Tesseract wants letters of 20 pixels."""
TEXT_MAX = 20_000


def check_reading(languages: Sequence[str]) -> None:
    """Raises UsageError where pictures cannot be read in these languages on this machine."""
    if not languages:
        return
    if shutil.which(PROGRAM) is None:
        raise UsageError(
            "The policy wants words in pictures to be read, and there is no tesseract here.",
            remedy="Install it (Debian: tesseract-ocr), or set read_pictures = [].",
        )
    told = subprocess.run([PROGRAM, "--list-langs"], capture_output=True, text=True, check=False)
    known = set(told.stdout.split("\n")[1:]) - {"", "osd"}
    if missing := [language for language in languages if language not in known]:
        raise UsageError(
            f"Tesseract cannot read {', '.join(missing)} here; it reads "
            f"{', '.join(sorted(known)) or 'no language'}.",
            remedy="Install them (Debian: tesseract-ocr-LANGUAGE), or take them out of "
            "read_pictures.",
        )


def words_in(path: Path, languages: Sequence[str], timeout_s: float) -> str:
    """What can be read in a picture, or in some frames of a clip; empty where nothing is.

    Args:
        path: somebody's file.
        languages: names of Tesseract's: eng, chi_sim, deu, ...
        timeout_s: how long one frame may take.

    Raises:
        NoAnswer: Tesseract failed or took too long.
        WorldreelError: the file cannot be decoded.
    """
    stream = stream_footage(path)
    wanted = np.linspace(0, stream.num_frames - 1, min(FRAMES_MAX, stream.num_frames))
    picks = set(wanted.round().astype(int).tolist())
    read: dict[str, None] = {}  # in order, each once: a sign stands in many frames
    for number, frame in enumerate(stream.frames):
        if number in picks:
            read.update(dict.fromkeys(_lines(frame, languages, timeout_s)))
    return "\n".join(read)[:TEXT_MAX]


def _lines(frame: NDArray[np.uint8], languages: Sequence[str], timeout_s: float) -> list[str]:
    from PIL import Image

    picture = Image.fromarray(frame).convert("L")
    factor = min(4.0, SHORTEST_SIDE / min(picture.size))
    if factor > 1:
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    file = BytesIO()
    picture.save(file, "png")
    # sparse text: words anywhere, in no order
    words = [PROGRAM, "stdin", "stdout", "-l", "+".join(languages), "--psm", "11"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    try:
        done = subprocess.run(
            words, input=file.getvalue(), capture_output=True, env=environment, timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAnswer(f"tesseract did not read a picture: {type(error).__name__}") from error
    if done.returncode != 0:
        raise NoAnswer(f"tesseract ended with {done.returncode} on a picture")
    text = done.stdout.decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]
