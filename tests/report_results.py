"""Made-up results of the laws: every shape of figure that a report must show."""

import math

import numpy as np

from worldreel.evaluate.report.clips import Frames
from worldreel.evaluate.results import (
    Cell,
    Column,
    DistanceRow,
    LawResult,
    MetricResult,
    Results,
    ScalingRow,
    WorstClip,
)
from worldreel.evaluate.statistics import bootstrap_mean

SPLITS = ("within", "outside", "unseen")

# number, name, question, (name, label, perfect, worst, floor, ceiling value, floor value, score)
LAWS = [
    (
        *(1, "Free fall", "Does what falls gain speed as it does on Earth?"),
        [
            ("g_error_pct", "error of g (%)", 0, 100, "constant_velocity", 2.1, 97, 0.62),
            ("r_squared", "R² of the parabola", 1, 0, "shuffled_frames", 0.997, 0.12, 0.71),
        ],
    ),
    (
        *(2, "Bounce", "Does a ball rise from the floor as fast as its material allows?"),
        [
            ("restitution_error", "error of restitution", 0, 1, "reversed", 0.03, 0.82, 0.05),
            ("gains_share", "bounces that gain speed (share)", 0, 1, "reversed", 0.01, 0.9, 0.41),
        ],
    ),
    (
        *(3, "Collision", "Is momentum kept, and energy never made, when two balls meet?"),
        [("momentum_pct", "change of momentum (%)", 0, 200, "shuffled_pairing", 6.2, 140, 0.33)],
    ),
    (
        *(4, "Inertia and friction", "Does nothing speed up or stop without a cause?"),
        [("residual_m_s2", "residual acceleration (m/s²)", 0, 5, "shuffled_frames", 0.21, 4, 0.8)],
    ),
    (
        *(5, "Pendulum", "Does it swing in the time that its length sets?"),
        [("period_pct", "error of the period (%)", 0, 100, "frozen", 1.4, 100, -0.11)],
    ),
    (
        *(6, "Permanence", "Does what passes behind an occluder come out again, and on time?"),
        [("reappears", "reappears (share)", 1, 0, "frozen", 1.0, 0.0, 0.47)],
    ),
    (
        *(7, "Count", "Does nothing appear or vanish in the open?"),
        [("births_deaths", "births and deaths (per clip)", 0, 6, "shuffled_pairing", 0.01, 4, 0.9)],
    ),
    (
        *(12, "Words", "Does the clip show what the prompt says?"),
        [
            ("all", "all of it (share)", 1, 0, "shuffled_pairing", 0.98, 0.02, 0.21),
            ("color", "colour (share)", 1, 0, "shuffled_pairing", 1.0, 0.19, 0.93),
            ("direction", "direction (share)", 1, 0, "chance", 1.0, 0.5, 0.44),
        ],
    ),
]


SIZES = {"small": 1_200_000, "base": 4_700_000, "large": 18_800_000}


def made_up_results() -> Results:
    """Eight laws in three splits, one that could not be run, distances and nine trainings."""
    generator = np.random.default_rng(0)
    laws = [
        LawResult(
            number=number,
            name=name,
            question=question,
            metrics=tuple(
                _metric(generator, split, place, *metric)
                for metric in metrics
                for place, split in enumerate(SPLITS)
                if not (number == 12 and split == "outside")
            ),
            worst=tuple(_worst(number, place, metrics[0][0]) for place in range(4)),
        )
        for number, name, question, metrics in LAWS
    ]
    label = "position error (radii)"
    laws.append(
        LawResult(
            number=14,
            name="Prediction",
            question="Given the first frames, does the world go on as the simulator's does?",
            metrics=(
                MetricResult.compare(
                    name="error_radii",
                    label=label,
                    perfect=0,
                    worst=10,
                    floor_name="frozen",
                    split="within",
                    columns={
                        "simulator": Cell(mean=0.2, low=0.15, high=0.27, num_clips=64),
                        "floor": Cell(mean=2.5, low=2.1, high=2.9, num_clips=64),
                    },
                ),
            ),
            missing="The model takes words only; this law needs one that takes given frames.",
        )
    )
    return Results(
        title="Is it a world simulator?",
        model="toybox",
        model_version="0.1.0",
        created="2026-03-14",
        seed=0,
        splits=SPLITS,
        laws=tuple(laws),
        versions={"worldreel": "0.1.0", "torch": "2.13.0", "mujoco": "4.0.0", "python": "3.11.2"},
        hardware={"processor": "two cores", "memory_gib": 8},
        num_clips={"fall": 64, "words": 64, "mirror": 32},
        seconds={"simulator": 61.3, "generation": 4812.0, "measuring": 93.7},
        distances=(
            DistanceRow(
                name="Fréchet", value=41.2, low=38.0, high=45.1, note="simulator to itself 2.3"
            ),
            DistanceRow(name="polynomial MMD", value=0.183),
        ),
        notes=("Guidance scale 5, 24 steps.", "Law 2 <b>leaves out</b> rolling balls & slides."),
        scaling=tuple(
            _run(size, parameters, minutes)
            for size, parameters in SIZES.items()
            for minutes in (4.0, 12.0, 36.0)
        ),
    )


def _run(size: str, parameters: int, minutes: float) -> ScalingRow:
    """A training whose loss has a floor by its size and falls with what it has seen."""
    flops = 1.6e13 * minutes * (parameters / 1e6) ** 0.1
    seen = flops / parameters / 1e7
    names = [name for _, name, *_ in LAWS]
    return ScalingRow(
        size=size,
        parameters=parameters,
        flops=flops,
        minutes=minutes,
        held_out_loss=0.1 + 0.06 * (parameters / 1e6) ** -0.35 + 0.05 * seen**-0.5,
        laws={
            name: 0.05 + 0.25 * math.log10(minutes) + 0.05 * (i % 4) + 0.03 * (i % 3) * seen**-0.2
            for i, name in enumerate(names)
        },
    )


def _metric(
    generator: np.random.Generator,
    split: str,
    place: int,
    name: str,
    label: str,
    perfect: float,
    worst: float,
    floor_name: str,
    ceiling: float,
    floor: float,
    score: float,
) -> MetricResult:
    """A result whose generated clips come out at about ``score``, less so beyond training."""

    def cell(mean: float, spread: float, failed: float = 0.0) -> Cell:
        values = generator.normal(mean, abs(floor - ceiling) * spread, 64)
        low_end, high_end = sorted((perfect, worst))
        mean, low, high = bootstrap_mean(np.clip(values, low_end, high_end), seed=1)
        return Cell(mean=mean, low=low, high=high, num_clips=64, failed_share=failed)

    def at(value: float) -> float:
        return floor + (ceiling - floor) * value

    columns: dict[str, Cell | None] = {
        "simulator": cell(ceiling, 0.02, 0.0),
        "round_trip": cell(at(0.92 - 0.2 * (name == "period_pct")), 0.1, 0.01),
        "generated": cell(at(score - 0.12 * place), 0.4, 0.08 * (1 - score)),
        "floor": cell(floor, 0.1, 0.0),
    }
    if name == "reappears":
        columns["simulator"] = Cell(mean=1, low=1, high=1, num_clips=64)
    return MetricResult.compare(
        name=name,
        label=label,
        perfect=perfect,
        worst=worst,
        floor_name=floor_name,
        split=split,
        columns=columns,
    )


def _worst(number: int, place: int, metric: str) -> WorstClip:
    key = f"fall-within-{number * 10 + place:04d}"
    return WorstClip(
        key=key,
        prompt="A large red ball falls beside a small blue box, the camera stands still",
        metric=metric,
        split="within",
        value=None if place == 0 else 12.3456,
        generated=f"generated/{key}.mp4",
        simulator=f"simulator/{key}.mp4",
    )


def moving_square(key: str, column: Column) -> Frames:
    """A clip of eight small frames in which a square moves; another one for each key and column."""
    shade = 80 + sum(map(ord, key + column)) % 150
    frames = np.full((8, 32, 32, 3), 200, np.uint8)
    for place, frame in enumerate(frames):
        frame[10:18, 2 + 3 * place : 8 + 3 * place] = (shade, 60, 40)
    return frames
