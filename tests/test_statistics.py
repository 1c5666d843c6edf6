"""Means with intervals, scores, straight lines in logarithms."""

import math

import numpy as np
import pytest

from worldreel.evaluate import statistics
from worldreel.evaluate.statistics import bootstrap_mean, linear_fit_loglog, score


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(0).normal(size=64)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_the_interval_holds_the_true_mean_as_often_as_it_claims():
    generator = np.random.default_rng(0)
    inside = 0
    for trial in range(400):
        _, low, high = bootstrap_mean(generator.exponential(size=64), trial, resamples=400)
        inside += low <= 1 <= high
    # 95% asked for; a percentile interval of a skewed sample of 64 falls a little short
    assert 0.90 <= inside / 400 <= 0.98


def test_the_interval_of_many_normal_values_is_that_of_the_formula():
    values = np.random.default_rng(1).normal(5, 2, size=1000)
    mean, low, high = bootstrap_mean(values, seed=0)
    assert mean == pytest.approx(values.mean(), abs=1e-12)
    expected = 2 * 1.96 * values.std() / math.sqrt(1000)
    assert high - low == pytest.approx(expected, rel=0.06)


def test_a_lower_level_gives_a_narrower_interval():
    values = np.random.default_rng(2).normal(size=64)
    _, low, high = bootstrap_mean(values, seed=0)
    _, half_low, half_high = bootstrap_mean(values, seed=0, level=0.5)
    assert low < half_low < half_high < high


def test_equal_values_have_an_interval_without_width():
    assert bootstrap_mean([0.1] * 63, seed=0) == (0.1, 0.1, 0.1)
    assert bootstrap_mean([7], seed=0) == (7, 7, 7)


def test_the_interval_does_not_depend_on_how_much_is_drawn_at_once(monkeypatch):
    values = np.random.default_rng(3).normal(size=51)
    at_once = bootstrap_mean(values, seed=0, resamples=101)
    monkeypatch.setattr(statistics, "CHUNK", 300)
    assert bootstrap_mean(values, seed=0, resamples=101) == at_once


def test_the_score_is_one_at_the_ceiling_zero_at_the_floor_and_is_not_clipped():
    assert score(floor=100, ceiling=2, m=2) == 1
    assert score(floor=100, ceiling=2, m=100) == 0
    assert score(floor=100, ceiling=2, m=198) == -1
    assert score(floor=0.5, ceiling=1, m=0.75) == 0.5


def test_there_is_no_score_where_floor_and_ceiling_coincide():
    assert score(floor=1, ceiling=1, m=0.5) is None


def test_a_power_law_is_found_to_the_digit():
    x = [1e13, 3e13, 1e14, 4e14]
    fit = linear_fit_loglog(x, [2.5 * flops**-0.07 for flops in x])
    assert fit.exponent == pytest.approx(-0.07, abs=1e-12)
    assert fit.coefficient == pytest.approx(2.5)
    assert fit.r_squared == pytest.approx(1)
    assert fit.exponent_error == pytest.approx(0, abs=1e-9)
    assert fit(1e15) == pytest.approx(2.5 * 1e15**-0.07)


def test_the_error_of_the_exponent_is_that_of_linear_regression():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    x = np.geomspace(1, 1000, 9)
    y = 3 * x**-0.2 * np.exp(generator.normal(0, 0.1, 9))
    fit = linear_fit_loglog(list(x), list(y))
    expected = stats.linregress(np.log(x), np.log(y))
    assert fit.exponent == pytest.approx(expected.slope)
    assert fit.exponent_error == pytest.approx(expected.stderr)
    assert fit.r_squared == pytest.approx(expected.rvalue**2)


def test_two_points_leave_the_error_of_the_exponent_open():
    assert linear_fit_loglog([1, 10], [4, 2]).exponent_error is None
