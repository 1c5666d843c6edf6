"""The models that clients may name: the operator's aliases, and models by their own names."""

from dataclasses import dataclass
from functools import lru_cache

from worldreel.app.jobs.settings import Settings
from worldreel.core.errors import UsageError
from worldreel.weights.catalogue import describe, packaged_models
from worldreel.weights.description import ModelDescription
from worldreel.weights.hub import find_pulled
from worldreel.weights.open_models import OPEN_MODELS

DATED = {
    "sora-2-2025-10-06": "sora-2",
    "sora-2-2025-12-08": "sora-2",
    "sora-2-pro-2025-10-06": "sora-2-pro",
}
"""Snapshots that old code may name."""


@dataclass(frozen=True)
class Offered:
    """A name that clients may give, and what serves it."""

    name: str
    model: str
    """A name of the catalogue or a folder: the operator's word, never a client's."""
    description: ModelDescription
    is_alias: bool
    """Whether the official sizes and durations are served, whatever the model's own are."""


def offered_models(settings: Settings) -> dict[str, Offered]:
    """All names, those of open models that are here with them; raises WorldreelError where an
    alias names no model."""
    found = dict(_fixed(settings))
    for name, model in OPEN_MODELS.items():
        if name not in found and (pulled := find_pulled(model)) is not None:
            found[name] = _pulled(name, pulled.folder)
    return found


@lru_cache
def _pulled(name: str, folder: str) -> Offered:
    return Offered(name, name, describe(name), is_alias=False)


@lru_cache
def _fixed(settings: Settings) -> dict[str, Offered]:
    """The names that do not change while a server runs."""
    models = dict(settings.aliases)
    models |= {dated: models[name] for dated, name in DATED.items() if name in models}
    found = {
        name: Offered(name, model, describe(model), is_alias=True) for name, model in models.items()
    }
    for name in packaged_models():
        found[name] = Offered(name, name, describe(name), is_alias=False)
    for model in dict(settings.aliases).values():
        description = describe(model)
        own = Offered(description.name, model, description, is_alias=False)
        found.setdefault(description.name, own)
    return found


def default_model(settings: Settings) -> str:
    """The own name of the model behind the first alias: what is made where nobody says."""
    return describe(settings.aliases[0][1]).name


def find_offered(settings: Settings, name: str) -> Offered:
    """The model that a client named; raises UsageError with the names that there are."""
    models = offered_models(settings)
    if name not in models:
        raise UsageError(
            f"There is no model {name[:80]!r} here.",
            remedy=f"Choose one of {', '.join(sorted(models))}.",
        )
    return models[name]
