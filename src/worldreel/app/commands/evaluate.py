"""``worldreel evaluate``: how good a model's networks are, in figures."""

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from worldreel.app.display import progress_display
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
        from worldreel.weights.catalogue import describe

        describe(self.model)
        from worldreel.evaluate.autoencoder import GATE, evaluate_autoencoder, missed
        from worldreel.weights.load import load_model

        model = load_model(self.model)
        with progress_display(as_json=self.json) as progress:
            figures = evaluate_autoencoder(
                model.autoencoder, num_clips=self.num_clips, seed=self.seed, progress=progress
            )
        values, misses = figures.to_dict(), missed(figures)
        if self.json:
            print(json.dumps({"model": self.model, **values, "gate": GATE, "missed": misses}))
            return 0
        for name, value in values.items():
            print(f"{name:16} {value:g}")
        print("; ".join(misses) if misses else "The gate is passed.")
        return 0
