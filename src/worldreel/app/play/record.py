"""An endless canvas straight into a file, with prompts at times that were named before."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldreel.app.play.seen import settings_of
from worldreel.core.progress import Progress
from worldreel.generate.endless import Endless
from worldreel.provenance.credentials import Ingredient
from worldreel.provenance.mark import Marker


@dataclass(frozen=True)
class Said:
    """A prompt that is said from a time on."""

    at_s: float
    prompt: str


def record(
    endless: Endless,
    said: Sequence[Said],
    num_frames: int,
    path: Path,
    progress: Progress,
    *,
    marker: Marker,
    sources: Sequence[Ingredient] = (),
) -> dict[str, Any]:
    """Writes the first frames of an endless canvas, whole and marked or not at all, and tells
    about it.

    A prompt is heard by the first step that begins at its time or later.

    Args:
        said: rising in time; the first at 0.

    Raises:
        WorldreelError: the disk is full, or the file could not be marked.
    """
    assert said and said[0].at_s == 0, said
    path.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    prompts: list[str] = []
    settings: dict[str, Any] = {}
    width, height = endless.size
    schedule = _schedule(endless, said, num_frames)
    settings = settings_of(endless, schedule)
    how: dict[str, Any] = {"settings": settings, "sources": sources, "verb": "play"}
    with marker.writer(path, size=(height, width), fps=endless.fps, **how) as file:
        progress(0, num_frames, "make")
        while len(prompts) < num_frames:
            prompt = schedule[len(prompts)]
            frames = endless.step(prompt)[: num_frames - len(prompts)]
            prompts += [prompt] * len(frames)
            file.write(frames)
            progress(len(prompts), num_frames, "make")
    assert prompts == schedule
    taken = time.perf_counter() - began
    return {
        "path": str(path),
        **settings,
        "num_frames": num_frames,
        "seconds_taken": round(taken, 2),
        "speed": round(num_frames / endless.fps / taken, 3),
    }


def _schedule(endless: Endless, said: Sequence[Said], num_frames: int) -> list[str]:
    """The prompt of each frame."""
    prompts: list[str] = []
    length = endless.next_length
    while len(prompts) < num_frames:
        now = len(prompts) / endless.fps + 1e-6
        prompts += [[each.prompt for each in said if each.at_s <= now][-1]] * length
        length = endless.patch
    return prompts[:num_frames]
