"""``worldreel train``: one recipe is one whole run."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from worldreel.app.display import progress_display
from worldreel.app.options import OptionalText


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
            made = train(self.recipe, overrides, self.out_dir, progress=progress)
        print(made)
        return 0
