"""``worldreel evaluate``: how good a model is, in figures."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg, subcommand

from worldreel.app.display import progress_display
from worldreel.app.machine import num_cores
from worldreel.app.options import Flag, OptionalInt, OptionalText, check_at_least, shown
from worldreel.core.errors import UsageError

Model = Annotated[str, arg(metavar="NAME")]
Workers = Annotated[OptionalInt, arg(help_behavior_hint="(default: one per core)")]


@dataclass(frozen=True, kw_only=True)
class EvaluateAutoencoder:
    """What the autoencoder loses on simulated clips that it has not seen."""

    model: Model = "toybox"
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


@dataclass(frozen=True, kw_only=True)
class EvaluateLaws:
    """How far a model's worlds obey physics: every law beside its ceiling and its floor."""

    model: Annotated[OptionalText, arg(metavar="NAME", help_behavior_hint="(default: toybox)")] = (
        None
    )
    """A model's name, or a folder with a model.json."""
    clips: Annotated[OptionalText, arg(metavar="FOLDER")] = None
    """Measure these videos instead: KEY.mp4 for each line of --prompts-to."""
    out: Annotated[str, arg(metavar="FOLDER")] = "laws"
    """Where the clips, laws.json and report.html go; clips that are there are kept."""
    num_clips: int = 64
    """How many clips of each kind and split."""
    split: Annotated[tuple[str, ...], UseAppendAction, arg(metavar="SPLIT")] = ()
    """within, outside or unseen; all three if none is given."""
    law: Annotated[tuple[int, ...], UseAppendAction, arg(metavar="NUMBER")] = ()
    """Only these laws; all if none is given."""
    seed: int = 0
    """The seed of the scenes and of the model's noise."""
    workers: Workers = None
    """How many processes simulate, generate and measure."""
    prompts_to: Annotated[OptionalText, arg(metavar="FILE")] = None
    """Only write the prompts, one JSON object a line, for a model that runs elsewhere."""
    json: Flag = False
    """Print laws.json instead of the table."""

    def run(self) -> int:
        check_at_least("--num-clips", self.num_clips, 2)
        workers = num_cores() if self.workers is None else self.workers
        check_at_least("--workers", workers, 1)
        if self.clips is not None and self.model is not None:
            raise UsageError(
                "--clips and --model are both given.",
                remedy="Measure a model's own videos, or somebody's clips: give one of the two.",
            )
        from worldreel.app.measuring import measure_laws
        from worldreel.evaluate.suite import choose, write_prompts

        suite = choose(
            self.law, self.split, num_clips=self.num_clips, seed=self.seed, num_workers=workers
        )
        if self.prompts_to is not None:
            count = write_prompts(suite, Path(self.prompts_to))
            print(f"{self.prompts_to}: {count} prompts")
            return 0
        source = None if self.clips is None else Path(self.clips)
        if source is not None and not source.is_dir():
            raise UsageError(f"--clips {shown(str(source))} is not a folder.")
        model = None if source is not None else self.model or "toybox"
        with progress_display(as_json=self.json) as progress:
            results = measure_laws(suite, Path(self.out), model, source, progress)
        from worldreel.evaluate.report.plain import table_text

        print(results.to_json() if self.json else table_text(results))
        if not self.json:
            print(f"\n{Path(self.out) / 'report.html'}")
        return 0


@dataclass(frozen=True, kw_only=True)
class EvaluatePrompts:
    """How far a model does what the words say: law 12 on combinations never seen in training."""

    model: Model = "toybox"
    """A model's name, or a folder with a model.json."""
    num_prompts: int = 512
    """How many prompts; as many again come in mirrored pairs, left for right."""
    out: Annotated[str, arg(metavar="FOLDER")] = "prompts"
    """Where the clips, laws.json and report.html go; clips that are there are kept."""
    seed: int = 0
    """The seed of the scenes and of the model's noise."""
    workers: Workers = None
    """How many processes simulate, generate and measure."""
    json: Flag = False
    """Print laws.json instead of the table."""

    def run(self) -> int:
        check_at_least("--num-prompts", self.num_prompts, 2)
        return EvaluateLaws(
            model=self.model,
            out=self.out,
            num_clips=self.num_prompts,
            split=("unseen",),
            law=(12,),
            seed=self.seed,
            workers=self.workers,
            json=self.json,
        ).run()


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measures a model: its autoencoder, the laws of physics, how it follows prompts."""

    command: (
        Annotated[EvaluateAutoencoder, subcommand("autoencoder")]
        | Annotated[EvaluateLaws, subcommand("laws")]
        | Annotated[EvaluatePrompts, subcommand("prompts")]
    )

    def run(self) -> int:
        return self.command.run()
