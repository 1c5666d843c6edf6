"""Laws 14, 15 and 17: what goes on from given frames, answers a push, or runs for long."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.tiny_model import DESCRIPTION, tiny_model

from worldreel.core.errors import UsageError
from worldreel.evaluate.case import Case, draw_cases
from worldreel.evaluate.law import Law, Metric
from worldreel.evaluate.laws.action import (
    ACTION,
    action_cases,
    action_figures,
    command_mps,
    response,
)
from worldreel.evaluate.laws.drift import (
    DRIFT,
    ends,
    law_drift,
    looks_by_stretch,
    stretch,
)
from worldreel.evaluate.laws.prediction import (
    LOST_RADII,
    PREDICTION,
    Path,
    best_of,
    constant_position,
    constant_velocity,
    frames_within,
    mean_error,
    path_errors,
    prediction_errors,
    simulated_path,
    simulator_errors,
    tracked_path,
)
from worldreel.evaluate.observe import Observation, observe
from worldreel.evaluate.predict import predict
from worldreel.world.render import render_clip

GRAY = np.full((48, 128, 128, 3), 127, np.uint8)


@cache
def _clip(group: str) -> tuple[Case, Observation, NDArray[np.float32]]:
    (case,) = draw_cases(group, "within", 1)  # pyright: ignore[reportArgumentType]
    clip = render_clip(case.scene)
    return case, observe(clip.frames, clip.fps), clip.truth["positions"]


# prediction


@pytest.mark.parametrize("group", ["throw", "roll"])
def test_the_simulators_own_clip_is_where_the_simulator_says(group: str) -> None:
    case, observation, _ = _clip(group)
    curve = simulator_errors(case, observation, 5)
    assert len(curve) == 43
    assert np.nanmax(curve) < 0.15
    assert frames_within(curve) == 43
    np.testing.assert_array_equal(
        np.nan_to_num(prediction_errors(case, observation, observation, 5)), np.zeros(43)
    )


def test_a_path_without_pictures_is_that_of_the_rendered_clip() -> None:
    case, observation, positions = _clip("throw")
    thing = case.things[0]
    path = simulated_path(case.scene, thing, height=128, width=128)
    lens = observation.lens
    highest = int(positions[:, 0, 2].argmax())
    assert abs(int(path.y.argmin()) - highest) <= 1
    radius = lens.focal_px * thing.radius / path.radius  # its depth in metres
    assert radius.min() > 2.5 and radius.max() < 5


def test_the_floors_of_a_throw_are_far_from_it() -> None:
    case, observation, _ = _clip("throw")
    truth = tracked_path(observation.tracks[case.things[0].color])
    for floor in (constant_position, constant_velocity):
        curve = path_errors(floor(truth, 5), truth)[5:]
        assert mean_error(curve) > 1
        assert frames_within(curve) < 12
    assert mean_error(path_errors(truth, truth)) == 0


def test_constant_velocity_is_right_about_a_ball_that_rolls() -> None:
    case, observation, _ = _clip("roll")
    truth = tracked_path(observation.tracks[case.things[0].color])
    going_on = path_errors(constant_velocity(truth, 5), truth)[5:]
    staying = path_errors(constant_position(truth, 5), truth)[5:]
    assert mean_error(going_on) < 1 < mean_error(staying)


def test_a_slower_clip_errs_by_the_way_it_is_behind() -> None:
    case, observation, _ = _clip("roll")
    truth = tracked_path(observation.tracks[case.things[0].color])
    slow = observe(observation.frames[np.arange(48) // 2], 12)
    curve = prediction_errors(case, slow, observation, 1)
    behind = np.abs(truth.x - truth.x[np.arange(48) // 2]) / truth.radius
    known = ~np.isnan(curve) & (behind[1:] < LOST_RADII)
    np.testing.assert_allclose(curve[known], behind[1:][known], atol=0.1)


def test_a_clip_without_the_object_is_lost() -> None:
    case, _, _ = _clip("throw")
    figures = PREDICTION.measure(case, observe(GRAY, 12))
    assert figures == {"error_radii": LOST_RADII, "frames_within": 0.0}


def test_the_best_of_several_clips_is_the_one_nearest_overall() -> None:
    near, far = np.array([0.1, np.nan, 0.9]), np.array([0.0, np.nan, 2.0])
    assert best_of([far, near]) is near
    assert mean_error(np.full(3, np.nan)) == LOST_RADII
    assert (frames_within(near), frames_within(far)) == (3, 2)


def test_what_is_out_of_the_picture_is_not_compared() -> None:
    ones = np.ones(3)
    truth = Path(x=ones, y=ones, radius=ones, whole=np.array([True, False, True]))
    seen = Path(x=np.array([1.0, 9.0, np.nan]), y=ones, radius=ones, whole=ones > 0)
    np.testing.assert_array_equal(path_errors(seen, truth), [0, np.nan, LOST_RADII])


@pytest.mark.parametrize("num_given", [1, 5])
def test_predicted_clips_begin_with_the_given_frames_whatever_the_seed(num_given: int) -> None:
    model = tiny_model(replace(DESCRIPTION, takes=("text", "first_frame", "clip")))
    frames = np.random.default_rng(0).integers(0, 256, (9, 32, 64, 3), np.uint8)
    one, other = predict(model, frames, "a red ball", num_given, (1, 2))
    assert one.shape == other.shape == frames.shape and one.dtype == np.uint8
    np.testing.assert_array_equal(one[:num_given], frames[:num_given])
    np.testing.assert_array_equal(other[:num_given], frames[:num_given])
    assert (one[num_given:] != other[num_given:]).any()


def test_a_model_that_cannot_be_given_frames_says_so() -> None:
    frames = np.zeros((9, 32, 64, 3), np.uint8)
    with pytest.raises(UsageError, match="cannot be given 5 frames"):
        predict(tiny_model(), frames, "a red ball", 5, (1,))
    with pytest.raises(UsageError, match="from 1 to 8"):
        model = tiny_model(replace(DESCRIPTION, takes=("text", "clip")))
        predict(model, frames, "a red ball", 9, (1,))


# action


@cache
def _pushed() -> tuple[list[Case], list[Observation]]:
    cases = action_cases(1, (-1.0, 0.5, 1.0))
    return cases, [
        observe(render_clip(replace(case.scene, num_frames=14)).frames, 12) for case in cases
    ]


def test_a_pushed_ball_answers_as_it_was_pushed() -> None:
    cases, observations = _pushed()
    commands = [command_mps(case) for case in cases]
    responses = [response(case, seen) for case, seen in zip(cases, observations, strict=True)]
    assert commands == [-1.0, 0.5, 1.0]
    figures = action_figures(commands, responses, [case.noise_seed for case in cases])
    assert abs(figures.slope - 1) < 0.05 and figures.r2 > 0.995
    assert figures.sign_accuracy == figures.same_seed_accuracy == 1
    assert len({(case.prompt, case.noise_seed) for case in cases}) == 1


def test_a_ball_that_stays_or_is_gone_does_not_answer() -> None:
    cases, observations = _pushed()
    frozen = observe(np.repeat(observations[0].frames[:1], 14, axis=0), 12)
    found = ACTION.measure(cases[0], frozen)
    assert found is not None and found["push_error_mps"] == pytest.approx(1.0, abs=0.02)
    assert found["push_sign"] == 0
    assert ACTION.measure(cases[0], observe(GRAY, 12)) is None


def test_shuffled_commands_explain_nothing() -> None:
    rng = np.random.default_rng(0)
    commands = np.tile([-1.0, -0.5, 0.5, 1.0], 32)
    answers = list(0.6 * commands + rng.normal(0, 0.1, len(commands)))
    told = action_figures(list(commands), answers)
    assert told.slope == pytest.approx(0.6, abs=0.03) and told.r2 > 0.95
    assert told.slope_interval[0] < 0.6 < told.slope_interval[1]
    shuffled = action_figures(list(rng.permutation(commands)), answers)
    assert abs(shuffled.slope) < 0.2 and shuffled.r2 < 0.1
    assert 0.35 < shuffled.sign_accuracy < 0.65


def test_responses_that_failed_count_against_the_model() -> None:
    commands = [-1.0, 1.0, -1.0, 1.0]
    figures = action_figures(commands, [-1.0, 1.0, None, None], noise_seeds=[1, 1, 2, 2])
    assert (figures.slope, figures.sign_accuracy, figures.num_failed) == (0.5, 0.5, 2)
    assert figures.same_seed_accuracy == 0.5


# drift


@cache
def _long() -> tuple[Case, NDArray[np.uint8]]:
    (case,) = draw_cases("swing", "within", 1)
    shot = replace(case.scene.shots[0], stop=80)
    return case, render_clip(replace(case.scene, num_frames=80, shots=(shot,))).frames


def _worse(frames: NDArray[np.uint8], kind: str) -> NDArray[np.uint8]:
    """The clip, getting worse from its first to its last frame."""
    share = np.linspace(0, 1, len(frames))[:, None, None, None]
    video = frames.astype(np.float64)
    match kind:
        case "colour":
            video = video + share * np.array([40, 0, -40])
        case "gray":
            video = video + 0.8 * share * (video.mean(axis=3, keepdims=True) - video)
        case "blur":
            soft = sum(np.roll(video, (i, j), (1, 2)) for i in (-2, 0, 2) for j in (-2, 0, 2)) / 9
            video = video + share * (soft - video)
        case "fade":
            video = video + 0.8 * share * (video[:, :4, :4].mean() - video)
    return video.clip(0, 255).round().astype(np.uint8)


def test_a_long_clip_of_the_simulator_does_not_drift() -> None:
    case, frames = _long()
    found = DRIFT.measure(case, observe(frames, 12))
    assert found is not None
    limits = {"color_delta_e": 1, "objects_delta_e": 4, "contrast_pct": 5, "saturation_pct": 5}
    assert found.keys() == limits.keys() == {metric.name for metric in DRIFT.metrics}
    for name, limit in limits.items():
        value = found[name]
        assert value is not None and value < limit, name


@pytest.mark.parametrize(
    ("kind", "metric", "least"),
    [
        ("colour", "color_delta_e", 8),
        ("gray", "saturation_pct", 30),
        ("fade", "contrast_pct", 40),
        ("fade", "objects_delta_e", 12),
    ],
)
def test_a_clip_that_gets_worse_drifts(kind: str, metric: str, least: float) -> None:
    case, frames = _long()
    found = DRIFT.measure(case, observe(_worse(frames, kind), 12))
    assert found is not None
    value = found[metric]
    assert value is not None and value > least


def test_the_looks_of_stretches_tell_when_it_happened() -> None:
    _, frames = _long()
    late = frames.copy()
    late[60:, ..., 0] = np.minimum(late[60:, ..., 0].astype(int) + 50, 255)
    colors = np.array([look.color for look in looks_by_stretch(observe(late, 12), 4)])
    steps = np.linalg.norm(np.diff(colors, axis=0), axis=1)
    assert steps[2] > 8 > 1 > steps[:2].max()


def test_blur_that_grows_takes_the_sharpness_away() -> None:
    _, frames = _long()
    first, *_, last = looks_by_stretch(observe(_worse(frames, "blur"), 12), 6)
    assert last.sharpness < 0.85 * first.sharpness


def test_a_stretch_is_a_clip_of_its_own() -> None:
    _, frames = _long()
    part = stretch(observe(frames, 12), 30, 60)
    alone = observe(frames[30:60], 12)
    assert part.num_frames == 30
    np.testing.assert_array_equal(part.classes, alone.classes)
    for color, track in alone.tracks.items():
        np.testing.assert_array_equal(part.tracks[color].x, track.x)
    np.testing.assert_allclose(part.lens.pitch, alone.lens.pitch)
    first, last = ends(observe(frames, 12))
    assert first.num_frames == last.num_frames == 12


def test_laws_are_put_to_the_first_and_the_last_stretch() -> None:
    case, frames = _long()
    seen: list[int] = []

    def measure(case: Case, observation: Observation) -> dict[str, float | None] | None:
        seen.append(observation.num_frames)
        bright = float(observation.frames.mean())
        return None if bright > 250 else {"brightness": bright}

    metric = Metric(name="brightness", label="", perfect=0.0, worst=200.0, floor="frozen")
    law = Law(number=8, name="", question="", groups=("swing",), metrics=(metric,), measure=measure)
    (same,) = law_drift(case, observe(frames, 12), [law]).values()
    assert seen == [12, 12]
    assert same.ratio == pytest.approx(1, abs=0.02) and abs(same.worse_by) < 0.01
    blank = frames.copy()
    blank[50:] = 255
    found = law_drift(case, observe(blank, 12), [law])["8 brightness"]
    assert found.last == 200 and found.worse_by > 0.1
