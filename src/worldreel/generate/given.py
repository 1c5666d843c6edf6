"""What a canvas was given, as content credentials name it."""

import hashlib
from pathlib import Path

from worldreel.generate.canvas import Canvas
from worldreel.provenance.credentials import Ingredient
from worldreel.provenance.examine import ingredient_of


def sources_of(canvas: Canvas) -> tuple[Ingredient, ...]:
    """The clips and pictures on a canvas, each once: files with their own credentials, and
    frames that came from no file by the hash of their pixels.

    Raises:
        WorldreelError: a file that is there and cannot be read.
    """
    found: dict[str, Ingredient] = {}
    for given in (*canvas.placements, *canvas.references):
        if given.source is not None and Path(given.source).is_file():
            if given.source not in found:
                found[given.source] = ingredient_of(given.source, len(found))
            continue
        sha256 = hashlib.sha256(given.frames.tobytes()).hexdigest()
        title = f"{len(given.frames)} frames"
        found.setdefault(sha256, Ingredient(title=title, sha256=sha256, mime="video/raw"))
    return tuple(found.values())
