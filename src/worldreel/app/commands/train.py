"""``worldreel train``: one recipe is one whole run."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from worldreel.app.display import progress_display
from worldreel.app.options import OptionalText
from worldreel.core.progress import Progress, silent

if TYPE_CHECKING:
    from worldreel.models.autoencoder import Autoencoder
    from worldreel.train.run import GateResult


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trains what a recipe describes; a run that was stopped goes on where it was."""

    recipe: Annotated[Positional[str], arg(metavar="RECIPE")]
    """The recipe, a .toml file."""
    set: Annotated[tuple[tuple[str, ...], ...], UseAppendAction, arg(metavar="KEY=VALUE ...")] = ()
    """Changes entries of the recipe, for example --set schedule.total_steps=2000."""
    out_dir: Annotated[
        OptionalText,
        arg(metavar="FOLDER", help_behavior_hint="(default: runs/<the recipe's name>)"),
    ] = None
    """The run's folder: data, checkpoints, log, samples, and at the end the model."""

    def run(self) -> int:
        from worldreel.train.run import train

        overrides = [assignment for group in self.set for assignment in group]
        with progress_display(as_json=False) as progress:
            gate = partial(measure_gate, progress=progress)
            made = train(self.recipe, overrides, self.out_dir, gate=gate, progress=progress)
        print(made)
        return 0


def measure_gate(
    autoencoder: "Autoencoder", num_clips: int, *, progress: Progress = silent
) -> "GateResult":
    """What an autoencoder must do before a transformer is trained, on newly simulated clips."""
    from worldreel.evaluate.autoencoder import evaluate_autoencoder, missed
    from worldreel.train.run import GateResult

    figures = evaluate_autoencoder(autoencoder, num_clips=num_clips, progress=progress)
    return GateResult(figures=figures.to_dict(), missed=missed(figures))
