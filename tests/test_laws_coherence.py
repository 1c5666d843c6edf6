"""The laws of coherence: permanence, count, appearance, solidity and shadow."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from worldreel.core.clip import Clip
from worldreel.evaluate.case import Case, Group, draw_cases
from worldreel.evaluate.law import Law
from worldreel.evaluate.laws.appearance import APPEARANCE
from worldreel.evaluate.laws.count import COUNT
from worldreel.evaluate.laws.permanence import PERMANENCE
from worldreel.evaluate.laws.shadow import (
    LIGHT_SLOPE,
    SHADOW,
    find_light,
    ground_of,
)
from worldreel.evaluate.laws.solidity import SOLIDITY
from worldreel.evaluate.observe import observe
from worldreel.evaluate.regions import courses, lift_ball, regions, wall
from worldreel.world.counterfactual import constant_velocity
from worldreel.world.render import PROP_ID, render_clip
from worldreel.world.scene import FPS

Frames = NDArray[np.uint8]
LAWS = (PERMANENCE, COUNT, APPEARANCE, SOLIDITY, SHADOW)


@lru_cache
def _case(group: Group, number: int = 0) -> Case:
    return draw_cases(group, "within", number + 1)[number]


@lru_cache
def _clip(group: Group, number: int = 0) -> Clip:
    return render_clip(_case(group, number).scene)


def _measure(law: Law, group: Group, frames: Frames, number: int = 0) -> dict[str, float | None]:
    figures = law.measure(_case(group, number), observe(frames, FPS))
    assert figures is not None
    return figures


def _plain(value: float | None) -> float:
    assert value is not None
    return value


def _empty(clip: Clip) -> Frames:
    """The clip without its actor: each pixel from a frame in which something else is there."""
    hidden = clip.truth["masks"] == 1
    free = (~hidden).argmax(axis=0)
    rows, columns = np.indices(free.shape)
    plate = clip.frames[free, rows, columns]
    return np.where(hidden[..., None], plate, clip.frames)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_every_metric_of_a_simulator_clip_is_measured_and_near_perfect(law: Law) -> None:
    shown: tuple[Group, ...] = ("fall", "collide", "occlude")
    for group in shown:
        if group not in law.groups:
            continue
        figures = _measure(law, group, _clip(group).frames)
        for metric in law.metrics:
            if group not in (metric.groups or law.groups):
                continue
            share = abs(_plain(figures[metric.name]) - metric.perfect)
            assert share <= 0.15 * abs(metric.worst - metric.perfect), (group, metric.name)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_a_clip_without_the_object_fails(law: Law) -> None:
    group: Group = "occlude" if law is PERMANENCE else "fall"
    figures = law.measure(_case(group), observe(_empty(_clip(group)), FPS))
    assert figures is None or figures["reappears"] == 0


def test_the_wall_is_found_where_the_simulator_put_it() -> None:
    clip = _clip("occlude")
    found = wall(observe(clip.frames, FPS))
    assert found is not None
    truth = (clip.truth["masks"] == PROP_ID).mean(axis=0) > 0.5
    assert (found & truth).sum() > 0.9 * (found | truth).sum()


def test_a_ball_that_comes_out_late_is_late_by_as_many_frames() -> None:
    clip = _clip("occlude")
    area = (clip.truth["masks"] == 1).sum(axis=(1, 2))
    hidden = int(area[: np.argmax(area[10:] == 0) + 20].argmin())
    stops = np.sort(np.append(np.arange(clip.num_frames), [hidden] * 5))[: clip.num_frames]
    on_time = _plain(_measure(PERMANENCE, "occlude", clip.frames)["exit_error_frames"])
    late = _plain(_measure(PERMANENCE, "occlude", clip.frames[stops])["exit_error_frames"])
    assert on_time < 0.4
    assert abs(late - 5) < 0.6


def test_a_ball_that_never_comes_out_is_not_permanent() -> None:
    clip = _clip("occlude")
    gone = int(((clip.truth["masks"] == 1).sum(axis=(1, 2))[5:] < 30).argmax()) + 5
    frames = np.concatenate([clip.frames[:gone], _empty(clip)[gone:]])
    assert _measure(PERMANENCE, "occlude", frames)["reappears"] == 0


def test_a_ball_that_turns_green_behind_the_wall_is_not_the_same() -> None:
    clip = _clip("occlude")
    frames = clip.frames.copy()
    after = clip.truth["masks"] == 1
    after[: int((after.sum(axis=(1, 2))[5:] < 30).argmax()) + 5] = False
    frames[after] = frames[after] // 2 + np.array([0, 90, 0], np.uint8)
    assert _measure(PERMANENCE, "occlude", frames)["identity_kept"] == 0


@pytest.mark.parametrize("group", ["fall", "collide", "occlude", "swing"])
def test_nothing_is_born_or_dies_in_a_simulator_clip(group: Group) -> None:
    assert _measure(COUNT, group, _clip(group).frames)["births_and_deaths"] == 0


def test_a_disc_that_appears_and_vanishes_in_the_open_is_a_birth_and_a_death() -> None:
    frames = _clip("fall").frames.copy()
    taken = {thing.color for thing in _case("fall").things}
    color = (230, 210, 20) if "yellow" not in taken else (210, 20, 20)
    y, x = np.mgrid[:128, :128]
    for start, stop in ((10, 20), (26, 27)):  # the second is flicker
        frames[start:stop, (x - 20) ** 2 + (y - 112) ** 2 < 64] = color
    figures = _measure(COUNT, "fall", frames)
    assert (figures["births"], figures["deaths"]) == (1, 1)


def test_frames_in_a_random_order_are_full_of_births_and_deaths() -> None:
    order = np.random.default_rng(0).permutation(48)
    shown: tuple[Group, ...] = ("fall", "collide", "occlude", "swing")
    events = [_measure(COUNT, g, _clip(g).frames[order])["births_and_deaths"] for g in shown]
    assert sum(_plain(number) for number in events) >= len(shown)


def test_a_course_follows_its_object_through_the_simulator_clip() -> None:
    clip = _clip("collide")
    observation = observe(clip.frames, FPS)
    for number, thing in enumerate(_case("collide").scene.actors):
        (course,) = (c for c in courses(observation) if c.color == thing.color)
        for region in course.regions[::6]:
            rows, columns = np.nonzero(clip.truth["masks"][region.frame] == number + 1)
            assert np.hypot(columns.mean() + 0.5 - region.x, rows.mean() + 0.5 - region.y) < 1.5


def test_parts_on_both_sides_of_a_string_are_one_object() -> None:
    clip = _clip("swing")
    frames = clip.frames.copy()
    frames[:, :, 60:62] = (64, 64, 68)
    color = _case("swing").things[0].color
    assert all(len(here) <= 1 for here in regions(observe(frames, FPS))[color])


def test_a_ball_whose_picture_grows_by_a_tenth_at_times_changes_its_size() -> None:
    clip = _clip("roll")
    steady = _plain(_measure(APPEARANCE, "roll", clip.frames)["size_cv_pct"])
    frames = clip.frames.copy()
    for t in range(0, clip.num_frames, 2):
        mask = clip.truth["masks"][t] == 1
        for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            rim = np.roll(mask, (down, right), (0, 1)) & ~mask
            frames[t][rim] = np.median(clip.frames[t][mask], axis=0)
    assert steady < 1
    assert _plain(_measure(APPEARANCE, "roll", frames)["size_cv_pct"]) > 1


def test_a_ball_that_darkens_changes_its_colour_by_as_much() -> None:
    clip = _clip("roll")
    mask = clip.truth["masks"] == 1
    frames = clip.frames.copy()
    frames[24:][mask[24:]] = (0.75 * frames[24:][mask[24:]]).astype(np.uint8)
    plain = _plain(_measure(APPEARANCE, "roll", clip.frames)["color_delta_e"])
    dark = _plain(_measure(APPEARANCE, "roll", frames)["color_delta_e"])
    assert dark > plain + 2


def test_a_ball_that_is_cut_in_half_in_every_other_frame_flips_its_shape() -> None:
    clip = _clip("roll")  # of three objects, the others stay as they are
    assert _plain(_measure(APPEARANCE, "roll", clip.frames)["shape_flips_pct"]) < 3
    frames = clip.frames.copy()
    plate = _empty(clip)
    for t in range(0, clip.num_frames, 2):
        rows = np.nonzero((clip.truth["masks"][t] == 1).any(axis=1))[0]
        if len(rows):
            frames[t, : int(rows.mean())] = plate[t, : int(rows.mean())]
    assert _plain(_measure(APPEARANCE, "roll", frames)["shape_flips_pct"]) > 25


def test_a_ball_frozen_in_the_air_floats() -> None:
    frames = np.repeat(_clip("fall").frames[3:4], 48, axis=0)
    assert _plain(_measure(SOLIDITY, "fall", frames)["floating_pct"]) > 95


def test_balls_that_go_through_each_other_overlap() -> None:
    frames = constant_velocity(_case("collide").scene).frames
    assert _plain(_measure(SOLIDITY, "collide", frames)["overlap_pct"]) > 50


def test_the_light_is_found_where_the_simulator_put_it() -> None:
    case, clip = _case("throw"), _clip("throw")
    observation = observe(clip.frames, FPS)
    radius = case.things[0].radius
    centres = lift_ball(observation, case.things[0].color, radius)
    frames = np.flatnonzero(np.isfinite(centres).all(axis=1))
    eye_m = observation.lens.eye_height_m("throw")
    light, _ = find_light(observation, ground_of(observation), centres, frames, radius, eye_m)
    turned = case.scene.shots[0].camera.azimuth - 90
    azimuth = np.radians(case.scene.light_azimuth + 180 - turned)
    cosine = light @ [np.cos(azimuth), np.sin(azimuth)] / LIGHT_SLOPE
    assert np.degrees(np.arccos(min(cosine, 1))) < 15


def test_shadows_painted_away_are_missing() -> None:
    clip = _clip("throw")
    observation = observe(clip.frames, FPS)
    dark = ground_of(observation).dark
    frames = clip.frames.copy()
    frames[dark] = np.minimum(2.05 * frames[dark].astype(float), 255).astype(np.uint8)
    figures = SHADOW.measure(_case("throw"), observe(frames, FPS))
    assert figures is None or _plain(figures["shadow_missing_pct"]) > 80


def test_a_shadow_that_lags_behind_its_ball_is_out_of_place() -> None:
    clip = _clip("throw")
    late = np.concatenate([clip.frames[:1].repeat(6, axis=0), clip.frames[:-6]])
    keep = clip.truth["masks"] == 1
    keep |= np.roll(keep, 1, 1) | np.roll(keep, -1, 1) | np.roll(keep, 1, 2) | np.roll(keep, -1, 2)
    shown = np.concatenate([clip.truth["masks"][:1].repeat(6, axis=0), clip.truth["masks"][:-6]])
    plate = _empty(clip)
    frames = np.where((shown == 1)[..., None], plate, late)
    frames = np.where(keep[..., None], clip.frames, frames)
    on_time = _plain(_measure(SHADOW, "throw", clip.frames)["shadow_px"])
    figures = SHADOW.measure(_case("throw"), observe(frames, FPS))
    assert figures is None or figures["shadow_px"] is None or figures["shadow_px"] > on_time + 1.5
