"""Which models there are: those inside the package, open ones that were pulled, any folder."""

import contextlib
import difflib
from pathlib import Path

from worldreel.core.errors import UsageError
from worldreel.weights.description import FILE_NAME, ModelDescription
from worldreel.weights.hub import Pulled, check_pulled, find_pulled
from worldreel.weights.open_models import OPEN_MODELS, OpenModel
from worldreel.weights.pipeline import INDEX_NAME, describe_pipeline

DEFAULT_MODEL = "toybox"

LARGER_MODELS = ("wan2.2-ti2v-5b", "wan2.1-t2v-1.3b")
"""Open models (Apache-2.0) trained on real footage, for prompts outside a small model's world."""


def packaged_models() -> dict[str, Path]:
    """The folders of the models inside the package, by name."""
    here = Path(__file__).parent
    return {path.parent.name: path.parent for path in sorted(here.glob(f"*/{FILE_NAME}"))}


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a model by its name, or by the path of its folder.

    Raises:
        UsageError: neither a known name nor a model's folder, or a name whose model is not here.
    """
    known = packaged_models()
    text = str(name_or_folder)
    if text in known:
        return known[text]
    if text in OPEN_MODELS:
        return Path(_here(OPEN_MODELS[text]).folder)
    folder = Path(text)
    names = ", ".join((*known, *OPEN_MODELS))
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
    close = difflib.get_close_matches(text.lower(), (*known, *OPEN_MODELS), n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise UsageError(
        f"There is no model {shown}; known: {names}.",
        remedy=f"{hint}Give one of the known names, or the path of a model's folder.",
    )


def describe(name_or_folder: str | Path) -> ModelDescription:
    """What a model says about itself, without loading it.

    Raises:
        UsageError: there is no such model, or it is not here.
        WorldreelError: its description cannot be read.
    """
    folder = find_model(name_or_folder)
    if (folder / FILE_NAME).is_file():
        return ModelDescription.read(folder)
    found = describe_pipeline(folder)
    model = OPEN_MODELS.get(str(name_or_folder))
    return found if model is None else model.customise(found)


def describe_from_afar(name_or_folder: str | Path) -> ModelDescription:
    """What is known about a model, even where it is not here; errors as for `describe`."""
    text = str(name_or_folder)
    if text in OPEN_MODELS and find_pulled(OPEN_MODELS[text]) is None:
        return OPEN_MODELS[text].description
    return describe(name_or_folder)


def check_model(name_or_folder: str | Path) -> None:
    """Checks an open model's files as far as they were written since they were pulled.

    Raises:
        WorldreelError: a file is missing or altered.
    """
    if (model := OPEN_MODELS.get(str(name_or_folder))) is not None:
        check_pulled(_here(model))


def _here(model: OpenModel) -> Pulled:
    pulled = find_pulled(model)
    if pulled is None:
        raise UsageError(
            f"{model.name} is not on this machine (about {model.download_bytes / 1e9:.0f} GB).",
            remedy=f"Run: worldreel pull {model.name}",
        )
    return pulled
