"""Every law read from every clip: the raw figures that the table is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worldreel.core.progress import Progress
from worldreel.evaluate.case import Case
from worldreel.evaluate.columns import in_processes, nonsense, read_clip, shuffled_pairs
from worldreel.evaluate.law import Floor, Law, Metric
from worldreel.evaluate.observe import observe
from worldreel.world.scene import FPS

Figures = dict[str, float | None]

FROM_THE_CLIP: tuple[Floor, ...] = ("frozen", "shuffled_frames", "reversed")
"""The kinds of nonsense that are the simulator's clip with its frames in another order."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one law reads from one clip.

    Args:
        key: of the case. law: its number.
        column: ``simulator``, ``round_trip``, ``generated`` or the name of a floor.
        figures: as from `worldreel.evaluate.law.Law.measure`; None where the tracks failed.
    """

    key: str
    law: int
    column: str
    figures: Figures | None


def read_all(
    cases: Sequence[Case],
    laws: Sequence[Law],
    folder: Path,
    columns: Mapping[str, str],
    *,
    seed: int,
    num_workers: int,
    progress: Progress,
) -> list[Reading]:
    """The readings of ``laws`` from columns of clips, and from their floors.

    Args:
        columns: the folders inside ``folder`` by the name of their column; the clips of
            ``simulator`` are there in any case, and those of ``constant_velocity`` where a law
            has that floor.
    """
    partners = shuffled_pairs(cases, seed)
    calls = []
    for case in cases:
        laws_here = tuple(law for law in laws if case.group in law.groups)
        if laws_here:
            calls.append((case, laws_here, folder, dict(columns), partners[case.key], seed))
    found = in_processes(_read_case, calls, num_workers, progress, "measuring")
    return [reading for readings in found for reading in readings]  # type: ignore[union-attr]


def floors_of(law: Law, case: Case) -> set[Floor]:
    """The kinds of nonsense that a law needs clips of in a case."""
    floors: set[Floor] = {metric.floor for metric in law.metrics if applies(metric, case)}
    floors.discard("chance")
    return floors


def applies(metric: Metric, case: Case) -> bool:
    """Whether a figure is asked of a case of this group."""
    return metric.groups is None or case.group in metric.groups


def _read_case(
    case: Case,
    laws: tuple[Law, ...],
    folder: Path,
    columns: dict[str, str],
    partner: str,
    seed: int,
) -> list[Reading]:
    wanted: dict[str, list[Law]] = {column: list(laws) for column in columns}
    for law in laws:
        for floor in sorted(floors_of(law, case)):
            wanted.setdefault(floor, []).append(law)
    truth = read_clip(folder / "simulator", case.key)
    readings = []
    for column, asked in wanted.items():
        if column in FROM_THE_CLIP:
            frames = nonsense(truth, column, seed + case.noise_seed)
        elif column == "shuffled_pairing":
            frames = read_clip(folder / "simulator", partner)
        else:
            frames = read_clip(folder / columns.get(column, column), case.key)
        seen = observe(frames, FPS)
        for law in asked:
            figures = law.measure(case, seen)
            readings.append(Reading(key=case.key, law=law.number, column=column, figures=figures))
    return readings
