"""The whole question to a model or to somebody's clips: cases, clips, laws, studies, results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import worldreel
from worldreel.core.errors import UsageError
from worldreel.core.progress import Progress
from worldreel.data.files import hash_json, write_atomically, write_json
from worldreel.evaluate.battery import Battery, measure, tabulate
from worldreel.evaluate.case import SPLITS, Split
from worldreel.evaluate.columns import SIDE, check_clips
from worldreel.evaluate.law import Law
from worldreel.evaluate.laws import LAWS
from worldreel.evaluate.results import DistanceRow, LawResult, Results
from worldreel.evaluate.studies import STUDIES
from worldreel.evaluate.study import Setting, Study
from worldreel.weights.catalogue import describe
from worldreel.world.scene import FPS, NUM_FRAMES

TITLE = "Is it a world simulator?"

MADE_BY = ("files", "sampling", "text")
"""What of a model's description makes its clips; the rest are limits and words about it."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What is asked: laws of single clips, and studies that make clips of their own."""

    battery: Battery
    studies: tuple[Study, ...]


def choose(numbers: Sequence[int], splits: Sequence[str], **settings: Any) -> Suite:
    """The laws and studies of these numbers, all if none is named, on these splits.

    Raises:
        UsageError: a number or a split that does not exist.
    """
    known = {law.number for law in LAWS} | {study.number for study in STUDIES if study.number}
    for number in numbers:
        if number not in known:
            raise UsageError(
                f"there is no law {number}.",
                remedy=f"The laws are {', '.join(map(str, sorted(known)))}.",
            )
    chosen: list[Split] = [name for name in SPLITS if name in splits or not splits]
    for name in splits:
        if name not in SPLITS:
            raise UsageError(f"--split is {name!r}; it is one of {', '.join(SPLITS)}.")

    def wanted(law: Law | Study) -> bool:
        return not numbers or law.number in numbers

    battery = Battery(
        laws=tuple(law for law in LAWS if wanted(law)), splits=tuple(chosen), **settings
    )
    return Suite(battery=battery, studies=tuple(study for study in STUDIES if wanted(study)))


def write_prompts(suite: Suite, path: Path) -> int:
    """The prompts of all cases, one JSON object a line, for a model that runs elsewhere.

    Each has ``key`` (the clip is to be called ``<key>.mp4``), ``prompt``, ``seed``, ``size``,
    ``fps`` and ``seconds``. Returns how many there are.
    """
    cases = suite.battery.cases()
    lines = [
        json.dumps(
            {
                "key": case.key,
                "prompt": case.prompt,
                "seed": case.noise_seed,
                "size": f"{SIDE}x{SIDE}",
                "fps": FPS,
                "seconds": NUM_FRAMES / FPS,
            },
            ensure_ascii=False,
        )
        for case in cases
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())
    return len(lines)


def evaluate_laws(
    suite: Suite,
    folder: Path,
    *,
    model: str | None,
    clips: Path | None,
    created: str,
    versions: dict[str, str],
    hardware: dict[str, Any],
    progress: Progress,
) -> Results:
    """Measures everything and returns it; the clips stay in ``folder``.

    The same seed gives the same table to the digit, whatever the number of workers.

    Args:
        model: its name or folder; None where somebody's ``clips`` are measured.
        created: the date, ISO 8601. versions, hardware: what the report says of this run.

    Raises:
        UsageError: ``folder`` holds the clips of another model, seed or version of the world.
        WorldreelError: the world cannot be drawn here, the disk is full, a process died.
    """
    battery = suite.battery
    if clips is not None:
        check_clips(battery.cases(), clips)  # refused before anything is written
    _claim(folder, model, clips, battery.seed)
    measured = measure(battery, folder, model=model, clips=clips, progress=progress)
    results = tabulate(battery, measured)
    seconds = dict(measured.seconds)
    notes: list[str] = []
    distances: list[DistanceRow] = []
    for study in suite.studies:
        found, taken = study.timed(
            Setting(
                measured=measured,
                folder=folder,
                model=model,
                battery=battery,
                progress=progress,
            )
        )
        results += found.laws
        distances += found.distances
        notes += found.notes
        seconds[study.name] = taken
    merged: dict[int, LawResult] = {}
    for law in results:  # a study may add figures to a law
        before = merged.get(law.number)
        if before is not None:
            law = replace(before, metrics=before.metrics + law.metrics)
        merged[law.number] = law
    return Results(
        title=TITLE,
        model=model if model is not None else f"clips {clips.name if clips else ''}",
        model_version=describe(model).version if model is not None else "",
        created=created,
        seed=battery.seed,
        splits=battery.splits,
        laws=tuple(merged[number] for number in sorted(merged)),
        versions=versions,
        hardware=hardware,
        num_clips={group: battery.num_clips for group in battery.groups},
        seconds=seconds,
        distances=tuple(distances),
        notes=tuple(notes),
    )


def _claim(folder: Path, model: str | None, clips: Path | None, seed: int) -> None:
    """Notes whose clips are in the folder; refuses one that holds others."""
    described = {} if model is None else json.loads(describe(model).to_json())
    source = {
        "clips": None if clips is None else str(clips.resolve()),
        "model": {name: described.get(name) for name in MADE_BY},
    }
    mine = {"seed": seed, "source": hash_json(source), "worldreel": worldreel.__version__}
    note = folder / "made.json"
    if note.exists():
        theirs = json.loads(note.read_text(encoding="utf-8"))
        if theirs != mine:
            what = ", ".join(key for key in mine if mine[key] != theirs.get(key))
            raise UsageError(
                f"{folder} holds clips that were made with another {what}.",
                remedy="Name another --out, or delete that folder.",
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(note, mine)
