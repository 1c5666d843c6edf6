"""The laws that need clips of their own, and the distances between sets of clips.

A study makes what it needs beside the battery's clips, and returns rows of the same table.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.core.progress import Progress
from worldreel.evaluate.battery import Battery, Measured, cell, compare, tabulate
from worldreel.evaluate.case import Case, draw_cases, has_split
from worldreel.evaluate.columns import (
    constant_velocity_column,
    given_column,
    in_processes,
    nonsense,
    read_clip,
    round_trip_column,
    simulate_column,
)
from worldreel.evaluate.features.distances import features_of, frechet_distance, polynomial_mmd
from worldreel.evaluate.features.distances import with_interval as distance_with_interval
from worldreel.evaluate.features.motion import motions
from worldreel.evaluate.fidelity import fidelity
from worldreel.evaluate.law import Metric
from worldreel.evaluate.laws.action import ACTION, action_cases, action_figures, command_mps
from worldreel.evaluate.laws.action import response as action_response
from worldreel.evaluate.laws.prediction import (
    GIVEN_FRAMES,
    PREDICTION,
    PREDICTION_FROM_ONE,
)
from worldreel.evaluate.laws.surprise import (
    DenoisingLoss,
    SurpriseConfig,
    Verdict,
    draw_pairs,
    foresight,
    law_result,
)
from worldreel.evaluate.laws.words import WORDS, pair_direction
from worldreel.evaluate.observe import observe
from worldreel.evaluate.readings import Reading, read_all
from worldreel.evaluate.results import Cell, Distance, LawResult
from worldreel.weights.load import load_model
from worldreel.world.counterfactual import KINDS, Kind
from worldreel.world.scene import FPS

COMPARED_EVERY = 6
"""Similarity is taken of every so manieth frame: of all it costs 12 s a clip."""

BEST_OF = 4
"""Clips made from one frame, of which the best counts."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every study is told.

    Args:
        measured: the battery's cases and readings. folder: its clips, in columns.
        model: the name of the model; None where somebody's clips are measured.
        battery: seed, splits, number of clips and of workers.
        progress: of whatever takes long.
    """

    measured: Measured
    folder: Path
    model: str | None
    battery: Battery
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a study found: rows of the table, distances, sentences."""

    laws: tuple[LawResult, ...] = ()
    distances: tuple[Distance, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """A law that makes clips of its own; 0 is the number of what is no law."""

    number: int
    name: str
    run: Callable[[Setting], Found]

    def timed(self, setting: Setting) -> tuple[Found, float]:
        """What it found, and the seconds that it took."""
        began = time.perf_counter()
        return self.run(setting), round(time.perf_counter() - began, 1)


def prediction(setting: Setting) -> Found:
    """Law 14: clips from the first five frames, and the best of several from the first alone."""
    battery, folder, workers = setting.battery, setting.folder, setting.battery.num_workers
    share = -(-battery.num_clips // len(PREDICTION.groups))  # at least num_clips in all
    cases = [
        case
        for split in battery.splits
        for group in PREDICTION.groups
        if has_split(group, split)
        for case in draw_cases(group, split, share, battery.seed)
    ]
    simulator = folder / "simulator"
    simulate_column(cases, simulator, workers, setting.progress)
    constant_velocity_column(cases, folder / "constant_velocity", workers, setting.progress)
    columns = {"simulator": "simulator"}
    tries: list[str] = []
    if setting.model is not None:
        model, progress = setting.model, setting.progress
        round_trip_column(model, cases, simulator, folder / "round_trip", workers, progress)
        columns["round_trip"] = "round_trip"
        name = f"given_{GIVEN_FRAMES}"
        given_column(model, cases, simulator, folder / name, GIVEN_FRAMES, 0, workers, progress)
        columns["generated"] = name
        for number in range(BEST_OF):
            tries.append(f"given_1_{number}")
            given_column(model, cases, simulator, folder / tries[-1], 1, number, workers, progress)

    def read(law: Any, named: dict[str, str]) -> list[Reading]:
        return read_all(
            cases,
            [law],
            folder,
            named,
            seed=battery.seed,
            num_workers=workers,
            progress=setting.progress,
        )

    from_five = read(PREDICTION, columns)
    from_one = read(
        PREDICTION_FROM_ONE,
        {name: name for name in columns if name != "generated"} | {name: name for name in tries},
    )
    rows = []
    for law, readings, words in (
        (PREDICTION, from_five, f"from {GIVEN_FRAMES} frames"),
        (PREDICTION_FROM_ONE, _best(from_one, tries), f"best of {BEST_OF} from 1 frame"),
    ):
        measured = Measured(cases=cases, readings=readings, columns=tuple(columns))
        (result,) = tabulate(replace(battery, laws=(law,)), measured)
        rows.append(
            replace(
                result,
                metrics=tuple(
                    replace(
                        metric,
                        name=f"{metric.name}_{law.name.split()[-2]}",
                        label=f"{words}: {metric.label}",
                    )
                    for metric in result.metrics
                ),
                worst=tuple(
                    replace(clip, generated=f"{columns.get('generated')}/{clip.key}.mp4")
                    for clip in result.worst
                ),
            )
        )
    first, second = rows
    missing = "" if setting.model else "A folder of clips cannot be asked to go on from frames."
    merged = replace(
        first, name="prediction", metrics=first.metrics + second.metrics, missing=missing
    )
    return Found(laws=(merged,), distances=tuple(_prediction_fidelity(setting, cases, columns)))


def _best(readings: Sequence[Reading], tries: Sequence[str]) -> list[Reading]:
    """The readings with, as ``generated``, those of the try nearest to the simulator."""
    best: dict[str, Reading] = {}
    kept = []
    for reading in readings:
        if reading.column not in tries:
            kept.append(reading)
            continue
        now = best.get(reading.key)
        if now is None or _error(reading) < _error(now):
            best[reading.key] = reading
    return kept + [replace(reading, column="generated") for reading in best.values()]


def _error(reading: Reading) -> float:
    value = None if reading.figures is None else reading.figures["error_radii"]
    return float("inf") if value is None else value


PAIRS = Metric(
    name="direction_pairs",
    label="direction in both of a mirrored pair (share)",
    perfect=1.0,
    worst=0.0,
    floor="shuffled_pairing",
)


def mirrored_pairs(setting: Setting) -> Found:
    """Law 12 on pairs whose prompts say left for right, from the same noise: both must be right."""
    measured, battery = setting.measured, setting.battery
    metrics = []
    for split in battery.splits:
        keys = [c.key for c in measured.cases if c.group == "mirror" and c.split == split]
        cells: dict[str, Cell | None] = {}
        for column in (*measured.columns, PAIRS.floor):
            figures = {r.key: r.figures for r in measured.by_place.get((WORDS.number, column), [])}
            both = [
                pair_direction(figures.get(one), figures.get(other))
                for one, other in zip(keys[::2], keys[1::2], strict=False)
            ]
            cells["floor" if column == PAIRS.floor else column] = cell(both, 0, battery.seed)
        if keys[1:]:
            metrics.append(compare(PAIRS, split, cells))
    if not metrics:
        return Found()
    row = LawResult(
        number=WORDS.number, name=WORDS.name, question=WORDS.question, metrics=tuple(metrics)
    )
    return Found(laws=(row,))


def action(setting: Setting) -> Found:
    """Law 15 on the simulator: no model here takes actions yet."""
    battery, folder, workers = setting.battery, setting.folder, setting.battery.num_workers
    num_scenes = -(-battery.num_clips // 6)
    cases = action_cases(num_scenes, seed=battery.seed)
    simulate_column(cases, folder / "simulator", workers, setting.progress)
    readings = read_all(
        cases,
        [ACTION],
        folder,
        {"simulator": "simulator"},
        seed=battery.seed,
        num_workers=workers,
        progress=setting.progress,
    )
    measured = Measured(cases=cases, readings=readings, columns=("simulator",))
    (result,) = tabulate(replace(battery, laws=(ACTION,), splits=("within",)), measured)
    responses = [
        action_response(case, observe(read_clip(folder / "simulator", case.key), FPS))
        for case in cases
    ]
    figures = action_figures(
        [command_mps(case) for case in cases],
        responses,
        [case.noise_seed for case in cases],
        battery.seed,
    )
    low, high = figures.slope_interval
    note = (
        f"Law 15 on simulator clips of {len(cases)} pushes: slope {figures.slope:.3f} "
        f"({low:.3f} to {high:.3f}), R² {figures.r2:.3f}, right side "
        f"{100 * figures.sign_accuracy:.1f}%."
    )
    missing = "The model takes no actions, so only the measurement itself is shown."
    return Found(laws=(replace(result, missing=missing),), notes=(note,))


def surprise(setting: Setting) -> Found:
    """Law 16: the model's denoising loss on minimal pairs, beside a tracker that knows physics."""
    battery = setting.battery
    num_matches = max(2, -(-battery.num_clips // (2 * len(KINDS))))
    calls = [(setting.model, kind, num_matches, battery.seed) for kind in KINDS]
    found: list[Any] = in_processes(
        _surprise, calls, battery.num_workers, setting.progress, "measuring surprise"
    )
    model = [verdict for verdicts, _ in found for verdict in verdicts]
    ceiling = [verdict for _, verdicts in found for verdict in verdicts]
    result = law_result(model or None, ceiling, seed=battery.seed)
    missing = "" if setting.model else "A folder of clips has no loss."
    return Found(laws=(replace(result, missing=missing),))


def _surprise(
    name: str | None, kind: Kind, num_matches: int, seed: int
) -> tuple[list[Verdict], list[Verdict]]:
    loss = None if name is None else DenoisingLoss(load_model(name), SurpriseConfig(seed=seed))
    model, ceiling = [], []
    for pair in draw_pairs(kind, num_matches, seed=seed):
        costs = {"ceiling": foresight(pair)} | ({} if loss is None else {"model": loss(pair)})
        for column, (possible, impossible) in costs.items():
            verdict = Verdict(
                key=pair.key,
                match=pair.match,
                kind=pair.kind,
                possible=possible,
                impossible=impossible,
            )
            (model if column == "model" else ceiling).append(verdict)
    return model, ceiling


def distances(setting: Setting) -> Found:
    """Distances of sets of clips to the simulator's, in learned features and in motion.

    Every other case gives the simulator's side, the rest the other, so that no two clips of
    one case meet, and all sets have the same size.
    """
    folder, battery = setting.folder, setting.battery
    cases = [case for case in setting.measured.cases if case.split == battery.splits[0]]
    ours, theirs = cases[::2], cases[1::2]
    count = min(len(ours), len(theirs))
    if count < 4:
        return Found(notes=("Distances need at least 8 clips; there were fewer.",))
    sides = {
        "the simulator's own other clips (ceiling)": ("simulator", None),
        "the same after the autoencoder": ("round_trip", None),
        "generated clips": ("generated", None),
        "reversed clips": ("simulator", "reversed"),
        "frozen clips": ("simulator", "frozen"),
        "shuffled frames": ("simulator", "shuffled_frames"),
    }
    have = {*setting.measured.columns}
    sides = {name: side for name, side in sides.items() if side[0] in have}
    calls = [(case.key, folder / "simulator", None, 0) for case in ours[:count]]
    for column, kind in sides.values():
        calls += [(case.key, folder / column, kind, case.noise_seed) for case in theirs[:count]]
    rows: list[Any] = in_processes(
        _features, calls, battery.num_workers, setting.progress, "looking for features"
    )
    sets = [rows[i : i + count] for i in range(0, len(rows), count)]
    truth = sets[0]
    found = []
    for place, (title, measure) in enumerate(
        (
            ("Fréchet distance of features", frechet_distance),
            ("polynomial MMD of features", polynomial_mmd),
            ("Fréchet distance of motion", frechet_distance),
        )
    ):
        which = 1 if place == 2 else 0
        first = np.stack([row[which] for row in truth])
        for name, side in zip(sides, sets[1:], strict=True):
            distance = distance_with_interval(
                measure, first, np.stack([row[which] for row in side]), seed=battery.seed
            )
            found.append(
                Distance(
                    name=f"{title}: {name}",
                    value=distance.value,
                    low=distance.low,
                    high=distance.high,
                    note=f"{count} clips against {count} of the simulator",
                )
            )
    return Found(distances=tuple(found + _round_trip_fidelity(setting, cases)))


def _features(
    key: str, folder: Path, kind: Any, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    frames = read_clip(folder, key)
    if kind is not None:
        frames = nonsense(frames, kind, seed)
    return features_of([frames])[0], motions(observe(frames, FPS))


def _round_trip_fidelity(setting: Setting, cases: Sequence[Case]) -> list[Distance]:
    if "round_trip" not in setting.measured.columns:
        return []
    every = max(1, len(cases) // setting.battery.num_clips)
    chosen = [case.key for case in cases[::every]]
    return _fidelity_rows(setting, chosen, "round_trip", 0, "after the autoencoder")


def _prediction_fidelity(
    setting: Setting, cases: Sequence[Case], columns: dict[str, str]
) -> list[Distance]:
    if "generated" not in columns:
        return []
    keys = [case.key for case in cases if case.split == setting.battery.splits[0]]
    words = f"predicted from {GIVEN_FRAMES} frames, the frames after them"
    return _fidelity_rows(setting, keys, columns["generated"], GIVEN_FRAMES, words)


def _fidelity_rows(
    setting: Setting, keys: Sequence[str], column: str, skip: int, words: str
) -> list[Distance]:
    calls = [(key, setting.folder / "simulator", setting.folder / column, skip) for key in keys]
    workers = setting.battery.num_workers
    rows: list[Any] = in_processes(_fidelity, calls, workers, setting.progress, "comparing pixels")
    found = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        mean = cell(values, 0, setting.battery.seed)
        assert mean is not None
        found.append(
            Distance(
                name=f"{name}: {words}",
                value=mean.mean,
                low=mean.low,
                high=mean.high,
                note=f"every {COMPARED_EVERY}th frame of {len(values)} clips, against their truth",
            )
        )
    return found


def _fidelity(key: str, truth: Path, folder: Path, skip: int) -> dict[str, float]:
    shown = slice(skip, None, COMPARED_EVERY)
    found = fidelity(read_clip(folder, key)[shown], read_clip(truth, key)[shown])
    return {
        "PSNR (dB)": found.psnr_db,
        "SSIM": found.ssim,
        f"MS-SSIM ({found.num_scales} scales)": found.ms_ssim,
    }


STUDIES: tuple[Study, ...] = (
    Study(number=12, name="mirrored pairs", run=mirrored_pairs),
    Study(number=14, name="prediction", run=prediction),
    Study(number=15, name="action", run=action),
    Study(number=16, name="surprise", run=surprise),
    Study(number=0, name="distances", run=distances),
)
