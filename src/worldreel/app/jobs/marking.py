"""The marks of a job's files: frames while they are decoded, and a stage before publication.

What a video was made from is named in its credentials: each file that is given, or, where a
client's file was written anew, what ``remember_origin`` kept of it.
"""

import base64
import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldreel.app.jobs.folder import published_names
from worldreel.app.jobs.layout import BOARD_FILE, MASK_ENDING
from worldreel.app.jobs.video import Wish

if TYPE_CHECKING:
    from worldreel.media.limits import Limits
    from worldreel.provenance.credentials import Ingredient
    from worldreel.provenance.mark import FrameMarker, Marker

KEYS = "provenance"
"""The folder of keys inside the data folder; whoever shares the data marks with the same."""
ORIGIN = ".origin"
MASKS = ("mask",)


class Marking:
    """Marks what workers publish, with the keys of the data folder.

    Args:
        data: the data folder.
        config: the operator's file; ``provenance.toml`` beside the keys, if it is there, for None.
    """

    def __init__(self, data: Path, config: Path | None = None) -> None:
        self._folder = data / KEYS
        self._config = config
        self._lock = threading.Lock()
        self._marker: Marker | None = None

    def open(self) -> "Marker":
        """The marker; errors as of ``Marker.open``."""
        from worldreel.provenance.mark import Marker

        with self._lock:
            if self._marker is None:
                self._marker = Marker.open(self._folder, self._config)
            return self._marker

    def frames(self, video: str, size: tuple[int, int], fps: float) -> "FrameMarker":
        """What marks the frames of a video, height and width as given, as they are written."""
        return self.open().frames(size, fps, video)

    def mark(
        self, video: str, wish: Wish, inputs: Path, settings: dict[str, Any], made: Path, to: Path
    ) -> None:
        """Marks the files of one folder into another, all of them or none is published.

        Args:
            settings: what the video was made with.
            made: the files as they were decoded. to: made if missing.

        Raises:
            WorldreelError: a file could not be marked.
        """
        marker = self.open()
        sources = sources_of(wish, inputs)
        verb = getattr(wish, "verb", "") or wish.kind
        claim = marker.claim(settings, sources=sources, verb=verb, content_id=video)
        to.mkdir(parents=True, exist_ok=True)
        for name in published_names(made):
            marker.mark(made / name, to / name, claim)


def remember_origin(source: Path, target: Path, title: str, limits: "Limits") -> None:
    """Keeps, beside a file that was written anew, the credentials of what it was written from.

    Raises:
        WorldreelError: the source brought the reader of credentials down.
    """
    from worldreel.provenance.examine import ingredient_of

    found = ingredient_of(source, 0, title, limits)
    archive = None if found.archive is None else base64.b64encode(found.archive).decode()
    text = json.dumps({**asdict(found), "archive": archive})
    target.with_name(target.name + ORIGIN).write_text(text)


def sources_of(wish: Wish, inputs: Path) -> "tuple[Ingredient, ...]":
    """What a wish is made from, as its credentials name it; masks are no content."""
    names = [given.file for given in wish.given if given.role not in MASKS]
    if wish.canvas is not None and inputs.is_dir():
        names += sorted(p.name for p in inputs.iterdir() if _is_content(p.name))
    return tuple(
        _ingredient(inputs / name, number) for number, name in enumerate(dict.fromkeys(names))
    )


def _is_content(name: str) -> bool:
    return BOARD_FILE.fullmatch(name) is not None and not name.endswith(MASK_ENDING)


def _ingredient(path: Path, number: int) -> "Ingredient":
    from worldreel.provenance.credentials import Ingredient
    from worldreel.provenance.examine import ingredient_of

    origin = path.with_name(path.name + ORIGIN)
    if origin.is_file():
        kept = json.loads(origin.read_text())
        # packed as the first source, which is the only one that may be the parent
        archive = base64.b64decode(kept["archive"]) if kept["archive"] and number == 0 else None
        return Ingredient(**{**kept, "archive": archive})
    return ingredient_of(path, number, path.stem)
