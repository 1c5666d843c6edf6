"""Where files go: nothing is overwritten unless that was asked for."""

import contextlib
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from worldreel.app.options import shown
from worldreel.core.errors import UsageError

DEFAULT_FOLDER = "out"
SLUG_MAX = 48


def plan_outputs(
    output_path: str | None,
    prompt: str,
    seeds: Sequence[int],
    *,
    overwrite: bool,
    ending: str = ".mp4",
) -> list[Path]:
    """One path per seed, none of them a file that is not to be overwritten.

    Without ``output_path``: ``out/<words of the prompt>-<seed><ending>``, numbered where that
    exists. With it: the path itself, or with ``-1``, ``-2`` before its ending for several seeds.

    Raises:
        UsageError: a path is none, or exists and ``overwrite`` is not set.
    """
    if output_path is None:
        return [_free_default_path(f"{slug(prompt)}-{seed}", ending) for seed in seeds]
    if len(seeds) == 1:
        return [check_free("--output-path", output_path, overwrite=overwrite)]
    stem, ending = os.path.splitext(output_path)
    numbered = [f"{stem}-{number}{ending}" for number in range(1, len(seeds) + 1)]
    return [check_free("--output-path", path, overwrite=overwrite) for path in numbered]


def slug(prompt: str) -> str:
    """The first words of a prompt as a file name: ``a-red-ball-falls``.

    >>> slug("A red ball, falling!")
    'a-red-ball-falling'
    """
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    name = ""
    for word in re.findall(r"[a-z0-9]+", plain):
        longer = f"{name}-{word}" if name else word[:SLUG_MAX]
        if len(longer) > SLUG_MAX:
            break
        name = longer
    return name or "video"


def check_free(option: str, text: str, *, overwrite: bool) -> Path:
    """The path in ``text``, after making sure that writing it destroys nothing.

    Raises:
        UsageError: not a path, or something is there and ``overwrite`` is not set.
    """
    if not text or not text.isprintable():
        raise UsageError(
            f"{option} {shown(text)} is not a path: it is empty or has control characters.",
            remedy=f"Name a file, for example {option} ball.mp4",
        )
    path = Path(text).expanduser()
    with contextlib.suppress(OSError):  # what cannot be looked at is refused where it is written
        if path.is_dir():
            raise UsageError(
                f"{option} {shown(text)} is a folder.",
                remedy=f"Name a file in it, for example {option} {path / 'video.mp4'}",
            )
        if path.exists() and not path.is_file():
            raise UsageError(
                f"{option} {shown(text)} is a device, not an ordinary file.",
                remedy=f"Name a file, for example {option} ball.mp4",
            )
        if path.is_file() and not overwrite:
            raise UsageError(
                f"{option} {shown(text)} already exists.",
                remedy="Choose another name, or replace it with --overwrite.",
            )
    return path


def _free_default_path(name: str, ending: str) -> Path:
    """``out/<name>.mp4``, or the first of ``-2``, ``-3`` that does not exist."""
    folder = Path(DEFAULT_FOLDER)
    path, number = folder / f"{name}{ending}", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}{ending}"
    return path


def check_all_writable(
    paths: Sequence[Path], *, size: tuple[int, int], fps: float, num_frames: int
) -> None:
    """Raises UsageError unless videos like this can be written to every path.

    The default folder may be missing: it is made when the first video is written.
    """
    from worldreel.media.write import check_writable

    for path in paths:
        missing = path.parent == Path(DEFAULT_FOLDER) and not os.path.lexists(path.parent)
        trial = Path(path.name) if missing else path
        check_writable(trial, size=size, fps=fps, num_frames=num_frames)
