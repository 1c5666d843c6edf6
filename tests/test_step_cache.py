"""Foretold steps: exact where nothing changes, refused where it matters, never by halves."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from tests.tiny_model import DESCRIPTION, tiny_model, tiny_networks

from worldreel.app.commands.estimate import Estimate
from worldreel.app.commands.show import remake_command
from worldreel.core.errors import UsageError
from worldreel.generate.canvas import Canvas
from worldreel.generate.engine import generate, make_stretch
from worldreel.generate.options import Options
from worldreel.generate.plan import make_plan, plan_request
from worldreel.generate.request import Request
from worldreel.generate.shelf import fingerprint
from worldreel.generate.step_cache import MOST_FORETOLD, StepCache
from worldreel.generate.velocity import GuidedVelocity
from worldreel.generate.video import settings_of
from worldreel.models.experts import Experts

STEPS = 15


@pytest.fixture
def computed(monkeypatch):
    """The clock and the rows of every evaluation that is computed."""
    seen: list[tuple[float, tuple[int, ...]]] = []
    compute = GuidedVelocity._computed

    def watch(self, x, t, rows):
        seen.append((float(t.max()), rows))
        return compute(self, x, t, rows)

    monkeypatch.setattr(GuidedVelocity, "_computed", watch)
    return seen


def canvas(seconds: float = 0.75) -> Canvas:
    return Canvas(width=64, height=32, seconds=seconds, fps=12).say("a red ball")


def latents(canvas: Canvas, model=None, **options) -> torch.Tensor:
    model = model or tiny_model()
    options = Options(seed=3, num_inference_steps=STEPS, **options)
    plan = make_plan(canvas, options, model.description)
    made: dict[int, torch.Tensor] = {}
    for number, stretch in enumerate(plan.stretches):
        found = make_stretch(model, plan, number, made)
        made.update(zip(stretch.made, found.unbind(1), strict=True))
    return torch.stack([made[frame] for frame in sorted(made)])


def line(clock: float) -> torch.Tensor:
    return torch.tensor([[2.0, -1.0]]) + clock * torch.tensor([[0.1, 0.2]])


def fed(threshold: float, start: float, clocks: tuple[float, ...]) -> StepCache:
    cache = StepCache(threshold, start)
    for clock in clocks:
        cache.keep(clock, {0: line(clock)}, torch.ones(1, 1, dtype=torch.bool))
    return cache


def test_a_velocity_that_goes_straight_is_foretold_to_the_digit():
    cache = fed(0.5, 1.0, (0.9, 0.8))
    for clock in (0.7, 0.45, 0.1):
        torch.testing.assert_close(cache.foretell(clock, (0,))[0], line(clock))


def test_nothing_is_foretold_without_two_points_before_its_time_or_too_often_in_a_row():
    assert fed(1.0, 1.0, ()).is_due(0.9, (0,))
    assert fed(1.0, 1.0, (0.9,)).is_due(0.8, (0,))
    cache = fed(1.0, 0.5, (0.9, 0.8))
    assert cache.is_due(0.6, (0,)) and not cache.is_due(0.5, (0,))
    assert cache.is_due(0.5, (0, 1))  # nothing is known of the other branch
    for _ in range(MOST_FORETOLD):
        assert not cache.is_due(0.4, (0,))
        cache.foretell(0.4, (0,))
    assert cache.is_due(0.4, (0,))
    cache.forget()
    assert cache.is_due(0.4, (0,))


def test_the_change_that_is_let_pass_adds_up_over_steps_and_only_what_moves_counts():
    change = float((line(0.9) - line(0.8)).norm() / line(0.8).norm())
    cache = fed(2.5 * change, 1.0, (0.9, 0.8))
    for _ in range(2):
        assert not cache.is_due(0.7, (0,))
        cache.foretell(0.7, (0,))
    assert cache.is_due(0.6, (0,))
    one, two = line(0.9), line(0.8)
    two[0, 1] += 100
    cache = StepCache(2.5 * change, 1.0)
    for clock, v in ((0.9, one), (0.8, two)):
        cache.keep(clock, {0: v}, torch.tensor([[True, False]]))
    assert not cache.is_due(0.7, (0,))


def test_a_change_that_is_no_number_is_never_let_pass():
    cache = StepCache(1.0, 1.0)
    for clock in (0.9, 0.8):
        cache.keep(clock, {0: torch.zeros(1, 2)}, torch.ones(1, 2, dtype=torch.bool))
    assert cache.is_due(0.7, (0,))


def test_a_threshold_of_nothing_gives_the_same_bits_as_no_cache(computed):
    off = latents(canvas())
    assert len(computed) == STEPS
    assert torch.equal(latents(canvas(), step_cache=0.0), off)
    assert len(computed) == 2 * STEPS


def test_foretold_steps_are_never_the_first_ones_and_leave_the_result_near(computed):
    off = latents(canvas())
    rows_off = [rows for _, rows in computed]
    computed.clear()
    found = latents(canvas(), step_cache=0.4)
    assert 4 < len(computed) < STEPS
    assert [rows for _, rows in computed[:3]] == rows_off[:3]
    error = (found - off).square().mean().sqrt() / off.std()
    assert 0 < error < 0.1


def test_both_branches_of_guidance_are_computed_or_none(computed):
    latents(canvas(), step_cache=0.4)  # guided below 0.9 only
    assert {rows for clock, rows in computed if clock > 0.9} == {(0,)}
    assert {rows for clock, rows in computed if clock <= 0.9} == {(0, 1)}


def test_when_a_waiting_latent_begins_to_move_the_cache_begins_anew(computed):
    clip = np.random.default_rng(0).integers(0, 255, (4, 32, 64, 3), np.uint8)
    loose = canvas().place(clip, noise=0.5)
    description = dataclasses.replace(
        DESCRIPTION, takes=("text", "first_frame", "last_frame", "clip", "mask")
    )
    latents(loose, tiny_model(description), step_cache=1.0)
    clocks = [clock for clock, _ in computed]
    turn = next(n for n, clock in enumerate(clocks) if clock <= 0.5)
    assert len(clocks) < STEPS and clocks[turn - 1] > 0.5
    computed.clear()
    latents(loose, tiny_model(description))
    every = [clock for clock, _ in computed]
    first = next(n for n, clock in enumerate(every) if clock <= 0.5)
    assert clocks[turn : turn + 2] == every[first : first + 2]


def test_the_second_expert_begins_with_an_empty_cache(computed):
    sampling = dataclasses.replace(DESCRIPTION.sampling, boundary=0.5)
    description = dataclasses.replace(DESCRIPTION, sampling=sampling)
    networks = [tiny_networks()[0] for _ in range(2)]
    model = tiny_model(description)
    model = dataclasses.replace(model, transformer=Experts(*networks, boundary=0.5))
    latents(canvas(), model)
    every = [clock for clock, _ in computed]
    computed.clear()
    latents(canvas(), model, step_cache=1.0)
    clocks = [clock for clock, _ in computed]
    low = [clock for clock in every if clock < 0.5][:2]
    assert len(clocks) < STEPS and [clock for clock in clocks if clock < 0.5][:2] == low


def test_what_is_given_stays_and_loops_and_long_videos_are_made_with_a_cache():
    clip = np.random.default_rng(0).integers(0, 255, (1, 32, 64, 3), np.uint8)
    given = canvas(1.5).place(clip)
    options = Options(seed=3, num_inference_steps=STEPS, step_cache=0.5)
    frames = next(generate(tiny_model(), make_plan(given, options, DESCRIPTION)))
    assert np.array_equal(frames[0], clip[0])
    for one in (given, canvas(0.75).loop()):
        found = latents(one, step_cache=1.0)
        assert found.isfinite().all() and not torch.equal(found, latents(one))


def test_a_threshold_outside_its_range_is_refused():
    for value in (-0.1, 1.5, math.nan):
        with pytest.raises(UsageError, match="step cache") as caught:
            Options(step_cache=value).validate(DESCRIPTION)
        assert caught.value.remedy


def test_a_plan_says_that_its_cost_is_the_most_and_a_file_how_it_was_made():
    request = Request(prompt="a red ball", step_cache=0.1, seed=1)
    plan = plan_request(request, DESCRIPTION)
    plain = plan_request(dataclasses.replace(request, step_cache=None), DESCRIPTION)
    assert plan.num_evaluations == plain.num_evaluations
    assert "the most that it can be" in plan.notes[-1] and len(plain.notes) < len(plan.notes)
    settings = settings_of(tiny_model(), plan)
    assert "--step-cache=0.1" in (remake_command(settings) or "")
    assert "step_cache" not in settings_of(tiny_model(), plain)
    assert fingerprint(plan, "0") != fingerprint(plain, "0")


def test_an_estimate_says_at_most(capsys):
    words = {"seconds": 0.25, "size": "96x96", "num_inference_steps": 2}
    assert Estimate(**words, step_cache=0.1).run() == 0
    assert "at most" in capsys.readouterr().out.splitlines()[1]
    assert Estimate(**words).run() == 0
    assert "at most" not in capsys.readouterr().out.splitlines()[1]
