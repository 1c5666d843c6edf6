"""The laws that need clips of their own.

A study makes what it needs beside the battery's clips, and returns rows of the same table.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from worldreel.evaluate.battery import Measured, cell, compare, tabulate
from worldreel.evaluate.case import Case, draw_cases, has_split
from worldreel.evaluate.columns import (
    constant_velocity_column,
    given_column,
    in_processes,
    read_clip,
    round_trip_column,
    simulate_column,
)
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
from worldreel.evaluate.results import Cell, DistanceRow, LawResult
from worldreel.evaluate.sets import distances, fidelity_rows
from worldreel.evaluate.study import Found, Setting, Study
from worldreel.weights.load import load_model
from worldreel.world.counterfactual import KINDS, Kind
from worldreel.world.scene import FPS

BEST_OF = 4
"""Clips made from one frame, of which the best counts."""


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


def _prediction_fidelity(
    setting: Setting, cases: Sequence[Case], columns: dict[str, str]
) -> list[DistanceRow]:
    if "generated" not in columns:
        return []
    keys = [case.key for case in cases if case.split == setting.battery.splits[0]]
    words = f"predicted from {GIVEN_FRAMES} frames, the frames after them"
    return fidelity_rows(setting, keys, columns["generated"], GIVEN_FRAMES, words)


STUDIES: tuple[Study, ...] = (
    Study(number=12, name="mirrored pairs", run=mirrored_pairs),
    Study(number=14, name="prediction", run=prediction),
    Study(number=15, name="action", run=action),
    Study(number=16, name="surprise", run=surprise),
    Study(number=0, name="distances", run=distances),
)
