"""Which models there are: those that ship inside the package, and any folder."""

import contextlib
import difflib
from pathlib import Path

from worldreel.core.errors import UsageError
from worldreel.weights.description import FILE_NAME, ModelDescription
from worldreel.weights.pipeline import INDEX_NAME, describe_pipeline

DEFAULT_MODEL = "toybox"

LARGER_MODELS = ("Wan2.2-TI2V-5B", "Wan2.1-T2V-1.3B")
"""Open models (Apache-2.0) trained on real footage, for prompts outside a small model's world."""


def packaged_models() -> dict[str, Path]:
    """The folders of the models inside the package, by name."""
    here = Path(__file__).parent
    return {path.parent.name: path.parent for path in sorted(here.glob(f"*/{FILE_NAME}"))}


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a packaged model's name, or of the path of a folder.

    Raises:
        UsageError: neither a known name nor a folder with a ``model.json``.
    """
    known = packaged_models()
    text = str(name_or_folder)
    if text in known:
        return known[text]
    folder = Path(text)
    names = ", ".join(known) or "none"
    with contextlib.suppress(OSError, ValueError):  # text that can be no path at all
        if text and ((folder / FILE_NAME).is_file() or (folder / INDEX_NAME).is_file()):
            return folder
        if text and folder.is_dir():
            raise UsageError(
                f"The folder {text} holds no {FILE_NAME} and no {INDEX_NAME}, so it is not a "
                "model.",
                remedy=f"Give a model's folder, or a name: {names}.",
            )
    shown = repr(text if len(text) <= 80 else text[:79] + "…")
    close = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise UsageError(
        f"There is no model {shown}; known: {names}.",
        remedy=f"{hint}Give one of the known names, or the path of a model's folder.",
    )


def describe(name_or_folder: str | Path) -> ModelDescription:
    """What a model says about itself, without loading it.

    Raises:
        UsageError: there is no such model.
        WorldreelError: its description cannot be read.
    """
    folder = find_model(name_or_folder)
    if (folder / FILE_NAME).is_file():
        return ModelDescription.read(folder)
    return describe_pipeline(folder)
