"""The mathematics against closed forms: for Gaussian data the exact velocity is known."""

import math

import pytest
import torch

from worldreel.core.errors import UsageError
from worldreel.diffusion.guidance import guidance_applies, guide
from worldreel.diffusion.levels import KINDS, LevelsConfig, region_levels, training_levels
from worldreel.diffusion.path import (
    interpolate,
    velocity,
    velocity_from_x_0,
    x_0_from_velocity,
)
from worldreel.diffusion.schedule import sample_logit_normal, shift_time, timesteps, wait_at
from worldreel.diffusion.solvers import SOLVERS, integrate

MU, SIGMA = 1.5, 0.4


def spread(t):
    """The standard deviation of x_t for data N(MU, SIGMA^2)."""
    return ((1 - t) ** 2 * SIGMA**2 + t**2) ** 0.5


def gaussian_velocity(x, t):
    """The exact velocity: E[eps - x_0 | x_t] for data N(MU, SIGMA^2)."""
    z = (x - (1 - t) * MU) / spread(t)
    return -MU + (t - (1 - t) * SIGMA**2) / spread(t) * z


def gaussian_flow(x, s, t):
    """Where the exact flow takes ``x`` from time ``s`` to time ``t``."""
    return (1 - t) * MU + spread(t) * (x - (1 - s) * MU) / spread(s)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def only(kind, **kwargs):
    return LevelsConfig(**{name: float(name == kind) for name in KINDS}, **kwargs)


# the path


def test_the_path_ends_in_data_and_in_noise():
    x_0, eps = noise(5), noise(5, seed=1)
    assert torch.equal(interpolate(x_0, eps, 0.0), x_0)
    assert torch.equal(interpolate(x_0, eps, 1.0), eps)


def test_velocity_is_the_derivative_of_the_path():
    x_0, eps, dt = noise(5), noise(5, seed=1), 0.25
    slope = (interpolate(x_0, eps, 0.5 + dt) - interpolate(x_0, eps, 0.5)) / dt
    torch.testing.assert_close(slope, velocity(x_0, eps))


def test_data_and_velocity_are_two_readings_of_one_prediction():
    x_0, eps = noise(2, 3, 4, 1, 1), noise(2, 3, 4, 1, 1, seed=1)
    t = torch.linspace(0.02, 1, 8, dtype=torch.float64).reshape(2, 1, 4, 1, 1)
    x_t, v = interpolate(x_0, eps, t), velocity(x_0, eps)
    torch.testing.assert_close(x_0_from_velocity(x_t, v, t), x_0)
    torch.testing.assert_close(velocity_from_x_0(x_t, x_0, t), v)


def test_the_velocity_of_predicted_data_stays_finite_at_time_zero():
    x_t, x_0 = noise(4), noise(4, seed=1)
    torch.testing.assert_close(velocity_from_x_0(x_t, x_0, 0.0, t_min=0.05), (x_t - x_0) / 0.05)


# the schedule


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0, 12.0])
def test_timesteps_fall_from_one_to_zero(shift):
    times = timesteps(7, shift)
    assert times.shape == (8,)
    assert times[0] == 1 and times[-1] == 0
    assert (times.diff() < 0).all()


def test_shift_moves_the_middle_by_its_factor_in_odds():
    t = torch.tensor(0.5, dtype=torch.float64)
    assert shift_time(t, 3.0).item() == pytest.approx(0.75)
    odds = shift_time(torch.tensor(0.2, dtype=torch.float64), 5.0)
    assert (odds / (1 - odds)).item() == pytest.approx(5 * 0.2 / 0.8)


def test_logit_normal_times_have_the_mean_and_spread_asked_for():
    t = sample_logit_normal((20000,), 0.4, 1.2, 1.0, generator())
    logit = torch.log(t / (1 - t))
    assert logit.mean().item() == pytest.approx(0.4, abs=0.03)
    assert logit.std().item() == pytest.approx(1.2, abs=0.03)
    shifted = sample_logit_normal((20000,), 0.4, 1.2, 3.0, generator())
    assert shifted.quantile(0.5).item() == pytest.approx(
        shift_time(t.quantile(0.5), 3.0).item(), abs=1e-3
    )


def test_a_given_frame_waits_at_its_level():
    times = wait_at(timesteps(4), torch.tensor([1.0, 0.6, 0.0]))
    assert times.T.tolist() == [
        [1.0, 0.75, 0.5, 0.25, 0.0],
        [pytest.approx(0.6), pytest.approx(0.6), 0.5, 0.25, 0.0],
        [0.0] * 5,
    ]


# the solvers


def error(solver, num_steps, shift=1.0):
    x = noise(64)
    end = integrate(gaussian_velocity, x, timesteps(num_steps, shift), solver)
    return (end - gaussian_flow(x, 1.0, 0.0)).abs().max().item()


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("unipc", 2)])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_solver_converges_at_its_order(solver, order, shift):
    coarse, fine = error(solver, 256, shift), error(solver, 1024, shift)
    measured = math.log(coarse / fine, 4)
    assert measured == pytest.approx(order, abs=0.25), (coarse, fine)


def test_unipc_in_ten_steps_is_nearer_than_euler_in_forty():
    assert error("unipc", 10) < error("euler", 40)


@pytest.mark.parametrize("solver", SOLVERS)
def test_noise_becomes_data_of_the_right_mean_and_spread(solver):
    x = noise(20000)
    x = (x - x.mean()) / x.std()
    x_0 = integrate(gaussian_velocity, x, timesteps(200), solver)
    assert x_0.mean().item() == pytest.approx(MU, abs=0.01)
    assert x_0.std().item() == pytest.approx(SIGMA, rel=0.02)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_constant_prediction_of_data_is_reached_exactly(solver):
    target = noise(6)
    x = integrate(lambda x, t: (x - target) / t, noise(6, seed=1), timesteps(5, 3.0), solver)
    torch.testing.assert_close(x, target, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("num_steps", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_unipc_agrees_with_diffusers_at_every_step(num_steps, shift):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.UniPCMultistepScheduler(
        use_flow_sigmas=True,
        prediction_type="flow_prediction",
        solver_order=2,
        solver_type="bh2",
        flow_shift=shift,
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(num_steps)
    sigmas = scheduler.sigmas
    x = theirs = noise(4, 16).float()
    expected = []
    for sigma, timestep in zip(sigmas, scheduler.timesteps, strict=False):
        v = gaussian_velocity(theirs, sigma)
        theirs = scheduler.step(v, timestep, theirs).prev_sample
        expected.append(theirs)
    ours = []
    integrate(gaussian_velocity, x, sigmas, "unipc", lambda done, x, x_0: ours.append(x))
    assert len(ours) == len(expected) == num_steps
    for mine, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_held_elements_stay_bit_identical_even_where_the_model_says_nonsense(solver):
    x = noise(1, 2, 6, 3, 3).float()
    level = torch.tensor([0.0, 1.0, 0.3, 1.0, 1.0, 0.0]).reshape(1, 1, 6, 1, 1)
    held = level.expand_as(x) == 0
    waiting = (level == 0.3).expand_as(x)
    times = wait_at(timesteps(10), level)

    def v(x, t):
        return torch.where(held, torch.nan, torch.where(t == 0.3, torch.inf, x.cos()))

    seen = []
    end = integrate(v, x, times, solver, lambda done, x, x_0: seen.append(x))
    assert torch.equal(end[held], x[held])
    for time, now in zip(times[1:], seen, strict=True):
        if time.min() == 0 and (time[:, :, 2] == times[0][:, :, 2]).all():
            assert torch.equal(now[waiting], x[waiting])
    assert not torch.equal(end[:, :, 1], x[:, :, 1])


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("unipc", 2)])
def test_an_element_given_at_a_level_of_its_own_follows_the_flow_from_there(solver, order):
    x = noise(64, 3)
    level = torch.tensor([1.0, 0.62, 0.25], dtype=torch.float64)
    exact = gaussian_flow(x, level, 0.0)

    def worst(num_steps):
        times = wait_at(timesteps(num_steps), level)
        return (integrate(gaussian_velocity, x, times, solver) - exact).abs().amax(0)

    measured = torch.log2(worst(64) / worst(256)) / 2
    torch.testing.assert_close(
        measured, torch.full_like(measured, order), rtol=0, atol=0.35, msg=str(measured)
    )


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_asks_the_model_once_per_step_and_tells_where_it_is(solver):
    asked, told = [], []

    def v(x, t):
        asked.append(t.item())
        return gaussian_velocity(x, t)

    times = timesteps(4)
    x = integrate(v, noise(3), times, solver, lambda done, x, x_0: told.append((done, x, x_0)))
    assert asked == times[:-1].tolist()
    assert [done for done, _, _ in told] == [1, 2, 3, 4]
    assert torch.equal(told[-1][1], x)


@pytest.mark.parametrize("solver", SOLVERS)
def test_solver_stops_when_told_to(solver):
    def stop(done, x, x_0):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        integrate(gaussian_velocity, noise(3), timesteps(4), solver, stop)


# guidance


def test_guidance_of_one_is_the_condition_and_of_zero_its_absence():
    cond, uncond = noise(5), noise(5, seed=1)
    torch.testing.assert_close(guide(cond, uncond, 1.0), cond)
    torch.testing.assert_close(guide(cond, uncond, 0.0), uncond)
    torch.testing.assert_close(guide(cond, uncond, 3.0) - cond, 2 * (cond - uncond))
    torch.testing.assert_close(guide(cond, cond, 7.0), cond)


def test_guidance_applies_in_its_closed_interval_and_where_it_changes_something():
    assert guidance_applies(0.2, 5.0, (0.2, 0.8))
    assert guidance_applies(0.8, 5.0, (0.2, 0.8))
    assert not guidance_applies(0.81, 5.0, (0.2, 0.8))
    assert not guidance_applies(0.19, 5.0, (0.2, 0.8))
    assert not guidance_applies(0.5, 1.0, (0.0, 1.0))


# the levels of training


def test_levels_are_the_same_for_the_same_generator():
    config = LevelsConfig()
    one = training_levels(32, 12, generator(3), config=config)
    assert one.shape == (32, 12) and one.dtype == torch.float32
    assert torch.equal(one, training_levels(32, 12, generator(3), config=config))
    assert not torch.equal(one, training_levels(32, 12, generator(4), config=config))
    assert (one >= 0).all() and (one < 1).all()


def test_shared_levels_are_one_per_clip():
    levels = training_levels(4000, 6, generator(), config=only("shared", mean=-0.5, std=0.8))
    assert (levels == levels[:, :1]).all()
    logit = torch.logit(levels[:, 0])
    assert logit.mean().item() == pytest.approx(-0.5, abs=0.05)
    assert logit.std().item() == pytest.approx(0.8, abs=0.05)


def test_independent_levels_change_at_every_group_or_every_frame():
    groups = training_levels(500, 10, generator(), config=only("independent_groups", group=4))
    change = groups.diff(dim=1) != 0
    assert change[:, [3, 7]].all() and change.sum() == 2 * len(groups)
    frames = training_levels(500, 10, generator(), config=only("independent_frames"))
    assert (frames.diff(dim=1) != 0).all()
    corr = torch.corrcoef(frames.T) - torch.eye(10)
    assert corr.abs().max() < 0.2


def given_lengths(levels):
    """How many frames are given at the start and at the end, for clean ones."""
    given = levels == 0
    first = given.long().cumprod(dim=1).sum(1)
    last = given.flip(1).long().cumprod(dim=1).sum(1)
    assert (given.sum(1) == first + last).all()
    return first, last


def test_prefixes_have_every_length_from_one_and_leave_a_frame_free():
    config = only("prefix", noisy_given=0.0, single_frame=0.5)
    first, last = given_lengths(training_levels(6000, 7, generator(), config=config))
    assert (last == 0).all()
    share = torch.bincount(first, minlength=8) / 6000
    assert share[0] == 0 and share[7] == 0
    assert share[1].item() == pytest.approx(0.5 + 0.5 / 6, abs=0.03)
    torch.testing.assert_close(share[2:7], torch.full((5,), 0.5 / 6), rtol=0, atol=0.02)


def test_suffixes_mirror_prefixes():
    config = only("suffix", noisy_given=0.0)
    first, last = given_lengths(training_levels(1000, 7, generator(), config=config))
    assert (first == 0).all()
    assert set(last.tolist()) == {1, 2, 3, 4, 5, 6}


def test_both_ends_are_given_with_a_free_frame_between_and_neither_is_favoured():
    config = only("both_ends", noisy_given=0.0)
    first, last = given_lengths(training_levels(6000, 7, generator(), config=config))
    assert (first >= 1).all() and (last >= 1).all() and (first + last <= 6).all()
    assert set(first.tolist()) == set(last.tolist()) == {1, 2, 3, 4, 5}
    assert first.double().mean().item() == pytest.approx(last.double().mean().item(), abs=0.08)


def test_given_frames_sometimes_carry_a_little_noise():
    config = only("prefix", noisy_given=0.3, noisy_given_max=0.2)
    levels = training_levels(4000, 6, generator(), config=config)
    given, free = levels[:, 0], levels[:, -1]
    assert (given > 0).double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert given.max() <= 0.2 and (given <= free).all()
    assert (free > 0).all()


def test_kinds_appear_as_often_as_their_weights_say():
    config = LevelsConfig(
        shared=2, independent_groups=0, independent_frames=1, prefix=1, suffix=0, both_ends=0
    )
    levels = training_levels(8000, 5, generator(), config=config)
    is_shared = (levels == levels[:, :1]).all(1)
    assert is_shared.double().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_clips_too_short_for_their_kind_still_have_a_free_frame(kind, num_frames):
    config = only(kind, noisy_given=0.0)
    levels = training_levels(200, num_frames, generator(), config=config)
    assert (levels.amax(1) > 0).all()


@pytest.mark.parametrize(
    "bad",
    [
        {"std": 0.0},
        {"shift": -1.0},
        {"mean": math.nan},
        {"group": 0},
        {"prefix": -0.1},
        {"noisy_given": 1.5},
        dict.fromkeys(KINDS, 0.0),
    ],
)
def test_levels_refuse_what_cannot_be(bad):
    with pytest.raises(UsageError) as refused:
        LevelsConfig(**bad)
    assert refused.value.remedy


def test_a_batch_of_regions_is_free_in_boxes_and_given_elsewhere_at_one_low_level() -> None:
    config = LevelsConfig(region=1.0, noisy_given=0.5, noisy_given_max=0.2)
    levels = region_levels(400, (8, 6, 6), generator(), config=config)
    assert levels.shape == (400, 8, 6, 6)
    for level in levels:
        values = level.unique()
        assert 1 <= len(values) <= 2, values
        assert 0 < values[-1] < 1
        assert len(values) == 1 or values[0] <= 0.2
    given = (levels < levels.amax(dim=(1, 2, 3), keepdim=True)).float().mean(dim=(1, 2, 3))
    assert 0.3 < given.mean() < 0.7  # clips but for a box, and boxes but for the rest
    moves = (levels != levels[:, :1]).any(dim=3).any(dim=2).any(dim=1).float().mean()
    assert 0.3 < moves < 0.7
    assert torch.equal(levels, region_levels(400, (8, 6, 6), generator(), config=config))
