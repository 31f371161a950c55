"""Figures against cases small enough to be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import (
    DRAWS,
    average_precision,
    b_cubed,
    b_cubed_draws,
    brier_skill,
    calibration_error,
    detection_cost,
    equal_mass,
    interval,
    mean_draws,
)


def test_b_cubed_of_a_merged_and_a_torn_story() -> None:
    # x holds one a and both b; the other a is alone.
    found, true = ["x", "y", "x", "x"], ["a", "a", "b", "b"]
    result = b_cubed(found, true)
    assert result.precision == pytest.approx((1 / 3 + 1 + 2 / 3 + 2 / 3) / 4)
    assert result.recall == pytest.approx((1 / 2 + 1 / 2 + 1 + 1) / 4)
    p, r = result.precision, result.recall
    assert result.f1 == pytest.approx(2 * p * r / (p + r))


def test_bootstrap_draws_whole_clusters_and_pairs_the_methods() -> None:
    true = ["a", "a", "b", "b", "c"]
    perfect, alone = true, ["1", "2", "3", "4", "5"]
    good, poor = b_cubed_draws([perfect], [true]), b_cubed_draws([alone], [true])
    assert good.shape == (DRAWS,)
    assert np.allclose(good, 1)
    # Precision 1; recall between 1/2 (only pairs drawn) and 1 (only c drawn).
    assert poor.min() == pytest.approx(2 / 3)
    assert poor.max() == pytest.approx(1)
    assert interval(good - poor).low >= 0
    assert np.array_equal(poor, b_cubed_draws([alone], [true]))


def test_bootstrap_averages_f1_over_orders() -> None:
    true = [["a", "a"], ["a", "a"]]
    draws = b_cubed_draws([["x", "x"], ["x", "y"]], true)
    assert np.allclose(draws, (1 + 2 / 3) / 2)


def test_interval_of_equal_values_has_no_width() -> None:
    low, high = interval(mean_draws(np.full(7, 0.25)))
    assert low == pytest.approx(0.25)
    assert high == pytest.approx(0.25)


def test_average_precision_is_the_mean_precision_at_each_right_one() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    truth = np.array([True, False, True, False])
    assert average_precision(scores, truth) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_of_equal_scores_is_the_share_of_right_ones() -> None:
    assert average_precision(np.zeros(4), np.array([True, False, False, False])) == 0.25
    assert np.isnan(average_precision(np.zeros(2), np.array([False, False])))


def test_detection_cost_is_one_for_no_and_counts_false_alarms_by_their_price() -> None:
    truth = np.array([True, True, False, False, False, False])
    assert detection_cost(np.zeros(6, dtype=bool), truth) == pytest.approx(1)
    assert detection_cost(truth, truth) == 0
    # Everything said: every other article a false alarm, .1 × .98 / .02.
    assert detection_cost(np.ones(6, dtype=bool), truth) == pytest.approx(4.9)
    half = np.array([True, False, True, False, False, False])
    assert detection_cost(half, truth) == pytest.approx(0.5 + 0.25 * 4.9)


def test_bins_hold_equally_many_and_their_error_is_weighed() -> None:
    p = np.array([0.1, 0.9, 0.1, 0.9])
    truth = np.array([False, True, True, True])
    low, high = equal_mass(p, truth, bins=2)
    assert (low.said, low.seen, low.size) == (pytest.approx(0.1), 0.5, 2)
    assert (high.said, high.seen, high.size) == (pytest.approx(0.9), 1.0, 2)
    assert calibration_error([low, high]) == pytest.approx((0.4 + 0.1) / 2)


def test_brier_skill_is_one_for_certainty_and_nothing_for_the_base_rate() -> None:
    truth = np.array([True, False, False, False])
    assert brier_skill(truth.astype(float), truth) == 1
    assert brier_skill(np.full(4, 0.25), truth) == pytest.approx(0)
    assert brier_skill(1 - truth.astype(float), truth) < 0
