"""Laws 1 to 5, and the first half of law 13, on simulator clips and on paths that are known."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from worldreel.core.clip import Clip
from worldreel.evaluate.case import Case, draw_cases
from worldreel.evaluate.law import Law
from worldreel.evaluate.laws.collision import (
    CAUSE,
    COLLISION,
    find_hit,
    onset_minus_contact,
)
from worldreel.evaluate.laws.fall import BOUNCE, FREE_FALL, speed_ratio
from worldreel.evaluate.laws.fits import Path, ball_path
from worldreel.evaluate.laws.motion import MOTION, fit_slide, residual_acceleration
from worldreel.evaluate.laws.pendulum import PENDULUM, find_pendulum
from worldreel.evaluate.lens import Lens
from worldreel.evaluate.observe import Observation, observe
from worldreel.world.render import render_clip
from worldreel.world.scene import FPS, NUM_FRAMES
from worldreel.world.textures import SKIES, floor_colors
from worldreel.world.vocabulary import COLORS

TIME_S = np.arange(NUM_FRAMES) / FPS
LAWS = {"fall": FREE_FALL, "roll": MOTION, "slide": MOTION, "swing": PENDULUM, "collide": COLLISION}


@lru_cache
def shown(group: str) -> tuple[Case, Clip]:
    """A case and its simulator clip; of the hits the first, whose balls are of one size."""
    place = 0 if group == "collide" else 1
    case = draw_cases(group, "within", place + 1)[place]  # pyright: ignore[reportArgumentType]
    return case, render_clip(case.scene)


@lru_cache
def seen(group: str) -> tuple[Case, Observation]:
    case, clip = shown(group)
    return case, observe(clip.frames, clip.fps)


def figures(law: Law, group: str) -> dict[str, float]:
    """What a law finds in a simulator clip; every figure of it must have been found."""
    found = law.measure(*seen(group))
    assert found is not None
    return {name: value for name, value in found.items() if value is not None}


def played(group: str, frames: np.ndarray, fps: float = FPS) -> dict[str, float | None] | None:
    """What the group's law finds in other frames."""
    return LAWS[group].measure(seen(group)[0], observe(frames, fps))


def empty_room() -> np.ndarray:
    """A clip of nothing but a floor under a sky."""
    frames = np.empty((NUM_FRAMES, 128, 128, 3), np.uint8)
    frames[:, :50] = np.array(SKIES["day"][1]) * 255
    frames[:, 50:] = floor_colors("wood")[-3] * 255
    return frames


def path(along: np.ndarray, height: np.ndarray | None = None) -> Path:
    return Path(
        time_s=TIME_S,
        along=along,
        height=np.zeros(NUM_FRAMES) if height is None else height,
    )


@pytest.mark.parametrize("group", ["fall", "throw"])
def test_a_ball_in_the_air_of_the_simulator_falls_with_g_within_3_percent(group):
    found = figures(FREE_FALL, group)
    assert found["g_error_pct"] < 3
    assert found["r2"] > 0.99


def test_a_fall_played_at_two_thirds_of_its_speed_has_four_ninths_of_g():
    found = played("fall", shown("fall")[1].frames, fps=FPS * 2 / 3)
    assert found is not None and found["g_error_pct"] == pytest.approx(100 * 5 / 9, abs=2)


def test_a_ball_leaves_the_floor_with_the_restitution_of_its_scene():
    case, observation = seen("fall")
    height = ball_path(observation, case.things[0])
    assert height is not None
    ratio = speed_ratio(height.time_s[height.seen], height.height[height.seen])
    assert ratio == pytest.approx(case.things[0].restitution, abs=0.04)
    assert figures(BOUNCE, "fall") == {"ratio_error": 0.0, "energy_made": 0.0}


def test_a_bounce_played_backwards_makes_energy():
    case, clip = shown("fall")
    found = BOUNCE.measure(case, observe(clip.frames[::-1], FPS))
    assert found is not None and found["energy_made"] == 1
    assert found["ratio_error"] is not None and found["ratio_error"] > 0.2


def test_a_fall_that_ends_without_a_bounce_has_the_ratio_0():
    height = np.maximum(1.5 - 0.5 * 9.81 * TIME_S**2, 0.0)
    assert speed_ratio(TIME_S, height) == 0


def test_a_hit_conserves_momentum_and_happens_when_the_simulator_says():
    case, observation = seen("collide")
    paths = [ball_path(observation, thing) for thing in case.things[:2]]
    assert paths[0] is not None and paths[1] is not None
    hit = find_hit(case, paths[0], paths[1])
    touched = shown("collide")[1].truth["contacts"][:, 0, 1]
    assert hit is not None
    assert -1.2 < hit.frame - int(np.argmax(touched)) < 0.5
    assert hit.before[0] == pytest.approx(case.things[0].velocity[0], rel=0.05)
    found = figures(COLLISION, "collide")
    assert found["momentum_change_pct"] < 25
    assert found["energy_made"] == 0
    assert found["given_error_pct"] < 20


def test_a_hit_played_backwards_makes_energy():
    found = played("collide", shown("collide")[1].frames[::-1])
    assert found is None or (found["energy_made"] or 0) > 0.3


def test_the_speeds_of_an_exact_hit_are_found_exactly():
    case, _ = seen("collide")
    reach = case.things[0].radius + case.things[1].radius
    contact = 20.4 / FPS
    early, late = np.minimum(TIME_S - contact, 0), np.maximum(TIME_S - contact, 0)
    actor, partner = path(-reach + 1.5 * early + 0.2 * late), path(0.9 * late)
    hit = find_hit(case, actor, partner)
    assert hit is not None
    assert hit.frame == pytest.approx(20.4, abs=0.05)
    assert hit.before == pytest.approx((1.5, 0.0), abs=0.03)
    assert hit.after == pytest.approx((0.2, 0.9), abs=0.03)


def test_balls_that_pass_through_each_other_do_not_collide():
    case, _ = seen("collide")
    assert find_hit(case, path(1.2 * (TIME_S - 2)), path(np.zeros(NUM_FRAMES))) is None


def test_balls_that_never_meet_do_not_collide():
    case, _ = seen("collide")
    assert find_hit(case, path(0.2 * TIME_S - 2), path(0.2 * TIME_S)) is None


def discs(case: Case, along: np.ndarray) -> Observation:
    """Actor and partner drawn as discs that stand ``along`` (``2 t``, metres) 3.5 m away."""
    frames = empty_room()
    lens = observe(frames, FPS).lens
    assert isinstance(lens, Lens)
    rows, columns = np.mgrid[:128, :128] + 0.5
    for thing, x in zip(case.things[:2], along, strict=True):
        points = np.stack([x, np.full(NUM_FRAMES, 3.5), np.full(NUM_FRAMES, -1.2)], axis=1)
        radius = lens.focal_px * thing.radius / np.hypot(3.5, 1.2)
        for frame, (u, v) in zip(frames, lens.project(points), strict=True):
            frame[np.hypot(columns - u, rows - v) < radius] = np.array(COLORS[thing.color]) * 255
    return observe(frames, FPS)


@pytest.mark.parametrize("early_frames", [0, 4])
def test_a_partner_that_moves_before_it_is_touched_is_found_out(early_frames):
    case, _ = seen("collide")
    actor, partner = case.things[:2]
    case = replace(
        case,
        scene=replace(
            case.scene, things=(replace(actor, color="red"), replace(partner, color="cyan"))
        ),
    )
    reach, contact = actor.radius + partner.radius, 16 / FPS
    stop = np.minimum(TIME_S, contact)
    moved = 0.6 * np.maximum(TIME_S - contact + early_frames / FPS, 0)
    observation = discs(case, np.stack([0.2 - reach + 1.0 * (stop - contact), 0.2 + moved]))
    delay = onset_minus_contact(case, observation)
    assert delay == pytest.approx(-early_frames, abs=0.6)
    found = CAUSE.measure(case, observation)
    assert found is not None and found["early"] == (early_frames > 0)


def test_a_partner_of_the_simulator_moves_when_it_is_touched():
    assert figures(CAUSE, "collide")["onset_frames"] < 1
    assert figures(CAUSE, "collide")["early"] == 0


def test_a_rolling_ball_of_the_simulator_keeps_its_speed():
    assert figures(MOTION, "roll")["residual_acceleration"] < 0.05


def test_a_ball_that_speeds_up_as_it_rolls_is_found_out():
    speeding = path(0.3 * TIME_S + 0.5 * 0.7 * TIME_S**2)
    assert residual_acceleration(speeding) == pytest.approx(0.7, rel=1e-6)
    assert residual_acceleration(path(0.01 * np.sin(TIME_S))) is None


def test_friction_of_a_sliding_cylinder_is_that_of_its_scene():
    case, _ = seen("slide")
    found = figures(MOTION, "slide")
    assert found == pytest.approx(
        {"friction_error": 0, "uneven_pct": 0.2, "reversal_pct": 0}, abs=1
    )
    friction = case.things[0].friction
    way = 0.5 * 2.0**2 / (9.81 * friction)
    stop = 2.0 / (9.81 * friction)
    slide = fit_slide(path(way * (1 - np.maximum(1 - TIME_S / stop, 0) ** 2)))
    assert slide is not None
    assert slide.deceleration == pytest.approx(9.81 * friction, rel=0.05)


def test_what_slides_without_friction_or_comes_back_is_found_out():
    even = fit_slide(path(0.5 * TIME_S))
    assert even is not None and even.deceleration < 0.2
    back = fit_slide(path(np.minimum(TIME_S, 2) - 0.3 * np.maximum(TIME_S - 2, 0)))
    assert back is not None and back.reversal_m == pytest.approx(0.54, abs=0.1)


def test_a_slide_played_backwards_has_no_friction():
    found = played("slide", shown("slide")[1].frames[::-1])
    assert found is not None and (found["friction_error"] or 0) > 1


def test_a_pendulum_swings_in_the_period_of_its_string():
    case, observation = seen("swing")
    bob = ball_path(observation, case.things[0])
    assert bob is not None
    pendulum = find_pendulum(bob)
    assert pendulum is not None
    assert pendulum.length_m == pytest.approx(case.things[0].string_m, rel=0.04)
    assert pendulum.amplitude == pytest.approx(abs(case.things[0].string_angle), abs=0.02)
    found = figures(PENDULUM, "swing")
    assert found["period_error_pct"] < 3
    assert found["amplitude_change_pct"] < 2


def test_a_pendulum_played_at_two_thirds_of_its_speed_is_half_a_period_late():
    found = played("swing", shown("swing")[1].frames, fps=FPS * 2 / 3)
    assert found is not None and found["period_error_pct"] == pytest.approx(50, abs=4)


def test_a_pendulum_that_is_pushed_in_every_swing_grows():
    angle = 0.4 * np.exp(0.1 * TIME_S) * np.cos(3.0 * TIME_S)
    pendulum = find_pendulum(path(1.1 * np.sin(angle), -1.1 * np.cos(angle)))
    assert pendulum is not None
    assert pendulum.growth == pytest.approx(np.exp(0.1 * 2 * np.pi / 3.0), rel=0.02)
    assert pendulum.length_m == pytest.approx(1.1, rel=1e-6)


@pytest.mark.parametrize("group", LAWS)
def test_a_frozen_clip_follows_no_law_of_motion(group):
    frames = shown(group)[1].frames
    assert played(group, np.repeat(frames[:1], NUM_FRAMES, axis=0)) is None


@pytest.mark.parametrize("group", LAWS)
def test_an_empty_room_follows_no_law_of_motion(group):
    assert played(group, empty_room()) is None


@pytest.mark.parametrize("group", LAWS)
def test_shuffled_frames_are_far_from_every_law_of_motion(group):
    law, frames = LAWS[group], shown(group)[1].frames
    found = played(group, frames[np.random.default_rng(0).permutation(NUM_FRAMES)])
    right = figures(law, group)
    metric = next(m for m in law.metrics if m.name in right)
    wrong = metric.worst if found is None or found[metric.name] is None else found[metric.name]
    assert wrong is not None
    assert abs(wrong - metric.perfect) > 10 * abs(right[metric.name] - metric.perfect) or (
        abs(wrong - metric.perfect) > 0.5 * abs(metric.worst - metric.perfect)
    )


def test_a_ball_that_is_there_twice_is_no_ball():
    case, clip = shown("roll")
    thing, frames = case.things[0], clip.frames.copy()
    mask = clip.truth["masks"] == 1
    for frame, where in zip(frames, mask, strict=True):
        frame[np.roll(where, -45, axis=0)] = np.array(COLORS[thing.color]) * 255
    assert ball_path(observe(clip.frames, FPS), thing) is not None
    assert ball_path(observe(frames, FPS), thing) is None
