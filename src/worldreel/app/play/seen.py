"""The last minute of what was seen, and the file that it can be saved to."""

import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.app.output import plan_outputs
from worldreel.core.errors import UsageError
from worldreel.generate.endless import Endless
from worldreel.provenance.credentials import Ingredient
from worldreel.provenance.mark import Marker

KEPT_S = 60
FRAMES_AT_ONCE = 24


class Seen:
    """Keeps the frames of the last 60 seconds; safe to use from several threads.

    Args:
        endless: that makes the frames.
        sources: the files that it began with.
        marker: that marks what is saved; the user's own if None.
    """

    def __init__(
        self, endless: Endless, sources: Sequence[Ingredient] = (), marker: Marker | None = None
    ) -> None:
        self._endless = endless
        self._sources = tuple(sources)
        self._marker = marker
        self._lock = threading.Lock()
        self._frames: deque[tuple[NDArray[np.uint8], str]] = deque(maxlen=KEPT_S * endless.fps)

    def add(self, frame: NDArray[np.uint8], prompt: str) -> None:
        """Remembers a frame, uint8 ``h w 3``, and the prompt that it was made with."""
        with self._lock:
            self._frames.append((frame, prompt))

    def kept(self) -> list[tuple[NDArray[np.uint8], str]]:
        """The frames that are kept, the oldest first, each with the prompt that made it."""
        with self._lock:
            return list(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def save(self, path: Path | None = None) -> Path:
        """Writes what is kept, by default to a new file in ``out``.

        Raises:
            UsageError: nothing was seen yet, or the path cannot be written.
            WorldreelError: the disk is full, or the file could not be marked.
        """
        with self._lock:
            kept = list(self._frames)
        if not kept:
            raise UsageError("Nothing was seen yet.", remedy="Wait for the first frames.")
        prompts = [prompt for _, prompt in kept]
        if path is None:
            seed = self._endless.options.seed
            assert seed is not None
            path = plan_outputs(None, prompts[-1], [seed], overwrite=False)[0]
            path.parent.mkdir(parents=True, exist_ok=True)
        settings = settings_of(self._endless, prompts)
        width, height = self._endless.size
        marker = self._marker or Marker.open()
        how: dict[str, Any] = {"settings": settings, "sources": self._sources, "verb": "play"}
        with marker.writer(path, size=(height, width), fps=self._endless.fps, **how) as file:
            for first in range(0, len(kept), FRAMES_AT_ONCE):
                chunk = kept[first : first + FRAMES_AT_ONCE]
                file.write(np.stack([frame for frame, _ in chunk]))
        return path


def settings_of(endless: Endless, prompts: list[str]) -> dict[str, Any]:
    """What is embedded in a file of frames that were made with ``prompts``, one for each."""
    settings = endless.settings
    starts = [n for n in range(len(prompts)) if n == 0 or prompts[n] != prompts[n - 1]]
    width, height = endless.size
    return {
        "prompt": " ".join(dict.fromkeys(prompts)),
        **settings,
        "seconds": len(prompts) / endless.fps,
        "fps": float(endless.fps),
        "width": width,
        "height": height,
        "played": [{"at_s": round(n / endless.fps, 3), "prompt": prompts[n]} for n in starts],
    }
