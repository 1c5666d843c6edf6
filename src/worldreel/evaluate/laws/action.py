"""Law 15: an object answers a push in proportion to it.

The command is a push along x, said as the velocity with which the object sets off; the
response is that velocity, measured from the pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from worldreel.core.randomness import derive_seed, numpy_generator
from worldreel.evaluate.case import Case, draw_cases
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.observe import Observation
from worldreel.world.captions import full_prompt

WINDOW_S = 1.0
"""How long after the push its response is looked at."""

MIN_FRAMES = 4
COMMANDS_MPS = (-1.2, -0.8, -0.4, 0.4, 0.8, 1.2)
WORST_MPS = 2.4
"""The error of an object that answers the strongest push with its opposite."""

NUM_RESAMPLES = 1000


def action_cases(
    num_scenes: int, commands_mps: Sequence[float] = COMMANDS_MPS, seed: int = 0
) -> list[Case]:
    """Scenes of one ball at rest in the middle, each under every command, one after the other.

    The cases of a scene share its prompt, which says nothing of the push, and its noise; the
    command is the velocity along x of the first of the case's things (`command_mps`). A ball
    that is pushed rolls at once.
    """
    cases = []
    for number, case in enumerate(draw_cases("roll", "within", num_scenes, seed)):
        actor = case.things[0]
        _, y, z = actor.position
        noise_seed = derive_seed(seed, "action", number) % 2**31
        for place, command in enumerate(commands_mps):
            pushed = replace(
                actor,
                position=(0.0, y, z),
                velocity=(command, 0.0, 0.0),
                spin=(0.0, command / actor.radius, 0.0),
            )
            scene = replace(case.scene, event="rest", side="", things=(pushed,))
            cases.append(
                replace(
                    case,
                    key=f"action-within-{number:04d}-{place}",
                    prompt=full_prompt(scene),
                    scene=scene,
                    noise_seed=noise_seed,
                )
            )
    return cases


def command_mps(case: Case) -> float:
    """The push that a case asks for, metres per second along x."""
    return case.things[0].velocity[0]


def response(case: Case, observation: Observation) -> float | None:
    """How fast the first object sets off along x, metres per second, to the right positive.

    The median of the slopes between any two frames (Theil and Sen) of the first `WINDOW_S`,
    as long as the object is seen whole. None where it is not there when it is pushed.
    """
    thing = case.things[0]
    track = observation.tracks[thing.color]
    first = int(np.argmax(track.whole)) if track.whole.any() else observation.num_frames
    stop = min(observation.num_frames, round(WINDOW_S * observation.fps) + 1)
    gone = np.flatnonzero(~track.whole[first:stop])
    stop = first + int(gone[0]) if len(gone) else stop
    if stop - first < MIN_FRAMES:
        return None
    x = observation.lens.lift_ball(track, thing.radius)[first:stop, 0]
    slope, *_ = theilslopes(x, observation.time_s[first:stop])
    return float(np.asarray(slope))


@dataclass(frozen=True, kw_only=True)
class ActionFigures:
    """How responses depend on commands.

    Args:
        slope: of the line through them, 1 where the object does as told; its 95% interval.
        r2: share of the responses' variance that the line explains.
        sign_accuracy: share of responses on the side that was commanded.
        same_seed_accuracy: share of the pairs of clips from the same noise in which the
            larger command has the larger response; None without such pairs.
        num_failed: responses that could not be measured; they count as none, and as wrong.
    """

    slope: float
    slope_interval: tuple[float, float]
    r2: float
    sign_accuracy: float
    same_seed_accuracy: float | None
    num_failed: int


def action_figures(
    commands: Sequence[float],
    responses: Sequence[float | None],
    noise_seeds: Sequence[int] | None = None,
    seed: int = 0,
) -> ActionFigures:
    """Compares responses with commands, both in metres per second.

    Args:
        responses: None where one could not be measured.
        noise_seeds: of each clip's noise, for the pairs of the same.
        seed: of the bootstrap over clips.
    """
    assert len(commands) == len(responses) >= 2, (len(commands), len(responses))
    x = np.array(commands, np.float64)
    failed = np.array([value is None for value in responses])
    y = np.array([0.0 if value is None else value for value in responses])
    rng = numpy_generator(seed, "action")
    picks = rng.integers(len(x), size=(NUM_RESAMPLES, len(x)))
    slopes = [_line(x[pick], y[pick])[0] for pick in picks]
    slope, r2 = _line(x, y)
    low, high = np.quantile(slopes, (0.025, 0.975))
    return ActionFigures(
        slope=slope,
        slope_interval=(float(low), float(high)),
        r2=r2,
        sign_accuracy=float(np.mean(~failed & (np.sign(y) == np.sign(x)))),
        same_seed_accuracy=None if noise_seeds is None else _ordered(x, y, noise_seeds),
        num_failed=int(failed.sum()),
    )


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Slope, and share of variance explained, of the line through ``x`` and ``y``."""
    x, y = x - x.mean(), y - y.mean()
    xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
    return (xy / xx if xx else 0.0), (xy * xy / (xx * yy) if xx and yy else 0.0)


def _ordered(
    x: NDArray[np.float64], y: NDArray[np.float64], noise_seeds: Sequence[int]
) -> float | None:
    seeds = np.array(noise_seeds)
    larger = (seeds[:, None] == seeds) & (x[:, None] > x)  # clip i is told more than clip j
    return float(np.mean((y[:, None] > y)[larger])) if larger.any() else None


def _measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
    found = response(case, observation)
    if found is None:
        return None
    command = command_mps(case)
    right = np.sign(found) == np.sign(command)
    return {"push_error_mps": abs(found - command), "push_sign": float(right)}


ACTION = Law(
    number=15,
    name="action",
    question="Does an object that is pushed set off as it was pushed?",
    groups=("roll",),
    metrics=(
        Metric(
            name="push_error_mps",
            label="response against command (m/s)",
            perfect=0.0,
            worst=WORST_MPS,
            floor="shuffled_pairing",
        ),
        Metric(
            name="push_sign",
            label="pushes to the side that was commanded",
            perfect=1.0,
            worst=0.0,
            floor="chance",
            chance=0.5,
        ),
    ),
    measure=_measure,
)
"""Law 15, for models that take actions; `action_cases` are its cases."""
