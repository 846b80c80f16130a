"""Estimates: means with intervals, rounded once, and what score files hold of them."""

from __future__ import annotations

import numpy as np
from igbo_align.statistics.estimates import Estimate, exact_mean, mean_estimates


def test_estimates_by_hand():
    """Two columns, four resamples of two queries; intervals of 50 % are the quartiles of the four means."""
    counts = np.array([[2.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    columns, chance = np.array([[0.0, 8.0], [4.0, 8.0]]), np.array([[0.5, 0.25], [0.25, 0.25]])
    first, second = mean_estimates(columns, counts, 0.5, chance)
    assert first == Estimate(2, 1.5, 2.5, 0.375)
    assert second == Estimate(8, 8, 8, 0.25)
    assert mean_estimates(columns, counts, 0.5) == [Estimate(2, 1.5, 2.5), Estimate(8, 8, 8)]


def test_a_mean_is_rounded_once():
    assert exact_mean(np.array([1e16, 1.0, -1e16, 1.0])) == 0.5
    assert exact_mean(np.array([1, 2])) == 1.5


def test_score_files_hold_what_an_estimate_knows():
    assert Estimate(0.5, 0.25, 0.75).as_json() == {"value": 0.5, "low": 0.25, "high": 0.75}
    whole = Estimate(0.0, 0.0, 0.0, chance=0.0, wilson=(0.0, 0.1)).as_json()
    assert list(whole.items()) == [
        ("value", 0.0),
        ("low", 0.0),
        ("high", 0.0),
        ("chance", 0.0),
        ("wilson", [0.0, 0.1]),
    ]
