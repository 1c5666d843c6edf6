"""``worldreel evaluate``: how good a model's networks are, in figures."""

from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from worldreel.app.options import Flag, check_at_least


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measures a model: what its autoencoder loses on simulated clips that it has not seen."""

    what: Annotated[Positional[Literal["autoencoder"]], arg(metavar="autoencoder")]
    """What to measure."""
    model: Annotated[str, arg(metavar="NAME")] = "toybox"
    """A model's name, or a folder with a model.json."""
    num_clips: int = 32
    """How many clips to measure on."""
    seed: int = 0
    """The seed of the clips."""
    json: Flag = False
    """Print one JSON object instead of lines."""

    def run(self) -> int:
        check_at_least("--num-clips", self.num_clips, 1)
        raise NotImplementedError
