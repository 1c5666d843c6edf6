"""Sets of clips against the simulator's: distances of distributions, similarity of pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worldreel.evaluate.battery import cell
from worldreel.evaluate.case import Case
from worldreel.evaluate.columns import in_processes, nonsense, read_clip
from worldreel.evaluate.features.distances import (
    features_of,
    frechet_distance,
    polynomial_mmd,
    with_interval,
)
from worldreel.evaluate.features.motion import motions
from worldreel.evaluate.fidelity import fidelity
from worldreel.evaluate.observe import observe
from worldreel.evaluate.results import DistanceRow
from worldreel.evaluate.study import Found, Setting
from worldreel.world.scene import FPS

COMPARED_EVERY = 6
"""Similarity is taken of every so manieth frame: of all it costs 12 s a clip."""


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
            distance = with_interval(
                measure, first, np.stack([row[which] for row in side]), seed=battery.seed
            )
            found.append(
                DistanceRow(
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


def _round_trip_fidelity(setting: Setting, cases: Sequence[Case]) -> list[DistanceRow]:
    if "round_trip" not in setting.measured.columns:
        return []
    every = max(1, len(cases) // setting.battery.num_clips)
    chosen = [case.key for case in cases[::every]]
    return fidelity_rows(setting, chosen, "round_trip", 0, "after the autoencoder")


def fidelity_rows(
    setting: Setting, keys: Sequence[str], column: str, skip: int, words: str
) -> list[DistanceRow]:
    """PSNR, SSIM and MS-SSIM of a column's clips against the simulator's.

    Args:
        keys: of the clips. skip: frames at the start that are left out.
        words: what the clips are, for the names of the rows.
    """
    calls = [(key, setting.folder / "simulator", setting.folder / column, skip) for key in keys]
    workers = setting.battery.num_workers
    rows: list[Any] = in_processes(_fidelity, calls, workers, setting.progress, "comparing pixels")
    found = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        mean = cell(values, 0, setting.battery.seed)
        assert mean is not None
        found.append(
            DistanceRow(
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
