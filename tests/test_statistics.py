"""Intervals and tests: closed forms, definitions, limits, coverage, and what the paper's own figures say."""

from __future__ import annotations

import itertools
import math
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from igbo_align.statistics.alignment_tests import (
    Moments,
    TTest,
    cohens_d,
    permutation_p_value,
    pooled_variance,
    student_t_test,
    upper_tail_of_t,
    welch_t_test,
)
from igbo_align.statistics.bootstrap import bootstrap_means, bootstrap_medians, percentile_interval, resample_counts
from igbo_align.statistics.comparison import holm, paired_bootstrap, tied_ranks
from igbo_align.statistics.proportions import wilson_interval


def resampled_rows(counts):
    """Indices of each resample, written out."""
    return [np.repeat(np.arange(counts.shape[1]), row.astype(int)) for row in counts]


def test_counts_are_resamples():
    counts = resample_counts(50, 200, 42)
    assert counts.shape == (200, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert (resample_counts(50, 200, 43) != counts).any()
    # Each query is drawn once on average, with the variance of a binomial count.
    assert counts.mean() == 1
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.1)


FROZEN_COUNTS = [[1, 3, 1, 2, 0, 1, 0, 0], [1, 0, 1, 1, 2, 1, 1, 1], [0, 0, 2, 2, 0, 1, 1, 2]]


def test_counts_are_frozen():
    """The first counts of the stream are data of the protocol: no release of NumPy may change them."""
    assert resample_counts(8, 3, 42).astype(int).tolist() == FROZEN_COUNTS


def test_means_and_medians_equal_the_definition():
    values = np.random.default_rng(1).integers(1, 9, (31, 2)) / 2
    counts = resample_counts(31, 100, 7)
    rows = resampled_rows(counts)
    means = bootstrap_means(values, counts)
    np.testing.assert_allclose(means, [values[row].mean(axis=0) for row in rows], rtol=1e-12)
    np.testing.assert_array_equal(bootstrap_medians(values[:, 0], counts), [np.median(values[row, 0]) for row in rows])


def exact_means(column, largest, counts):
    """Means of the resamples in fractions, from values rounded to the finest power of two that the protocol allows."""
    n, power = len(column), -60
    while max(largest, 1) * n * Fraction(2) ** (power + 1) <= 2**52:
        power += 1
    whole = [round(Fraction(value) * Fraction(2) ** power) for value in column.tolist()]
    sums = [sum(int(times) * value for times, value in zip(row, whole, strict=True)) for row in counts]
    return [float(Fraction(total, n) / Fraction(2) ** power) for total in sums]


@pytest.mark.parametrize("n", [3, 140])
def test_means_are_exact_sums_of_values_rounded_as_the_protocol_says(n):
    """Each column has a scale of its own, so that one of large values costs the others nothing."""
    generator = np.random.default_rng(9)
    values = np.column_stack([generator.random(n), 1.7 * generator.standard_normal(n), 1e9 * generator.random(n)])
    counts = resample_counts(n, 40, 42)
    means = bootstrap_means(values, counts)
    for column, found in zip(values.T, means.T, strict=True):
        assert found.tolist() == exact_means(column, Fraction(float(np.abs(column).max())), counts)
    order = generator.permutation(n)
    np.testing.assert_array_equal(bootstrap_means(values[order], counts[:, order]), means)


@pytest.mark.parametrize("n", [*range(1, 11), 16, 17])
def test_medians_of_few_values_equal_the_definition(n):
    """Few values make resamples whose median lies at either end, in the first block and in the last."""
    values = np.random.default_rng(n).permutation(n) / 2.0
    counts = resample_counts(n, 400, 3)
    found = bootstrap_medians(values, counts)
    np.testing.assert_array_equal(found, [np.median(values[row]) for row in resampled_rows(counts)])
    assert n > 6 or {found.min(), found.max()} == {values.min(), values.max()}


def test_percentile_interval_by_hand():
    samples = np.column_stack([np.arange(101.0), np.arange(101.0)[::-1] * 2])
    for confidence, low, high in ((0.95, 2.5, 97.5), (0.9, 5, 95), (0.5, 25, 75)):
        found = percentile_interval(samples, confidence)
        np.testing.assert_allclose(found, [[low, 2 * low], [high, 2 * high]], rtol=1e-12)


@pytest.mark.parametrize("n", [140, 699])
def test_bootstrap_standard_error_agrees_with_the_closed_form(n):
    generator = np.random.default_rng(2)
    recall = (generator.random(n) < 0.3).astype(float)
    reciprocal = 1 / generator.integers(1, 101, n)
    samples = bootstrap_means(np.column_stack([recall, reciprocal]), resample_counts(n, 4000, 42))
    closed_form = np.array([recall.std(), reciprocal.std()]) / math.sqrt(n)
    np.testing.assert_allclose(samples.std(axis=0), closed_form, rtol=0.05)


def test_percentile_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(3)
    counts = resample_counts(200, 500, 42)
    covered = 0
    for _ in range(300):
        low, high = percentile_interval(bootstrap_means(generator.exponential(size=(200, 1)), counts)[:, 0], 0.95)
        covered += low <= 1 <= high
    assert 0.90 <= covered / 300 <= 0.985


def test_wilson_interval_by_hand_and_at_the_ends():
    # 9 of 699 at 95 %: solve |p - 9/699| = z sqrt(p (1 - p) / 699) for p.
    low, high = wilson_interval(9 / 699, 699, 0.95)
    z = 1.959963984540054
    for end in (low, high):
        assert abs(end - 9 / 699) == pytest.approx(z * math.sqrt(end * (1 - end) / 699), rel=1e-9)
    assert wilson_interval(0.0, 140, 0.95)[0] == 0
    assert wilson_interval(0.0, 140, 0.95)[1] == pytest.approx(z**2 / (140 + z**2))
    assert wilson_interval(1.0, 140, 0.95)[1] == pytest.approx(1)


@given(p=st.floats(0, 1), n=st.integers(1, 10_000))
def test_wilson_interval_holds_the_proportion(p, n):
    low, high = wilson_interval(p, n, 0.95)
    assert 0 <= low <= p + 1e-12
    assert p - 1e-12 <= high <= 1


def test_t_tests_agree_with_scipy():
    from scipy import stats

    generator = np.random.default_rng(4)
    paired, unpaired = generator.normal(0.2, 1, 60), generator.normal(0, 2, 90)
    for equal_var, test in ((False, welch_t_test), (True, student_t_test)):
        ours = test(*(Moments.of(np.rint(x * 2.0**40).astype(np.int64), 2.0**40) for x in (paired, unpaired)))
        theirs = stats.ttest_ind(paired, unpaired, equal_var=equal_var, alternative="greater")
        assert (ours.t, ours.p, ours.df) == pytest.approx((theirs.statistic, theirs.pvalue, theirs.df), rel=1e-9)


def test_the_papers_p_value_is_students_not_welchs():
    """The paper calls its test Welch's, but p = 2.81e-54 at t = 15.95 needs Student's 1,998 degrees of freedom.

    t is printed to two decimals; the printed p lies between the p-values of 15.945 and 15.955. Welch's test on 500
    against 1,500 cosines has roughly 850 degrees of freedom and a p-value four powers of ten larger.
    """
    assert upper_tail_of_t(15.955, 1998) < 2.81e-54 < upper_tail_of_t(15.945, 1998)
    assert upper_tail_of_t(15.95, 850) > 1e-51


def test_equal_values_have_no_t_but_no_error_either():
    constant = Moments.of(np.full(500, 3), 7.0)
    assert welch_t_test(constant, constant).p is None
    assert student_t_test(constant, constant).p is None
    assert cohens_d(constant, constant) is None


@pytest.mark.parametrize("scale", [1.0, 7.0, 1e6])
def test_two_values_a_side_are_enough_and_their_scale_changes_nothing_but_the_mean(scale):
    left, right = Moments.of(np.array([2, 6]), scale), Moments.of(np.array([1, 3]), scale)
    assert (left.mean, left.variance, left.n) == pytest.approx((4 / scale, 8 / scale**2, 2))
    # Means 4 and 2, variances 8 and 2: pooled 5; standard errors 8/2 and 2/2; Welch's df 5**2 / (4**2 + 1**2).
    assert pooled_variance(left, right) == pytest.approx(5 / scale**2)
    welch, student = welch_t_test(left, right), student_t_test(left, right)
    assert (welch.t, welch.df) == pytest.approx((2 / math.sqrt(5), 25 / 17))
    assert (student.t, student.df) == pytest.approx((2 / math.sqrt(5), 2))
    assert cohens_d(left, right) == pytest.approx(2 / math.sqrt(5))


def test_one_value_has_no_variance_and_leaves_the_other_side_its_degrees_of_freedom():
    one, two, three = Moments.of(np.array([5])), Moments.of(np.array([2, 6])), Moments.of(np.array([1, 2, 3]))
    assert (one.mean, one.variance, one.n) == (5, 0, 1)
    assert pooled_variance(one, one) == 0
    assert pooled_variance(one, two) == 8
    assert pooled_variance(three, two) == pytest.approx((2 * 1 + 1 * 8) / 3)
    assert welch_t_test(two, one) == welch_t_test(one, two) == TTest(None, None, None)
    assert student_t_test(one, one) == TTest(None, None, None)
    assert student_t_test(one, two).df == 1
    assert cohens_d(one, one) is None


def test_cohens_d_by_hand():
    left, right = Moments.of(np.array([2, 4, 6])), Moments.of(np.array([1, 3, 5]))
    assert (left.mean, left.variance, left.n) == (4, 4, 3)
    assert cohens_d(left, right) == pytest.approx(1 / 2)


def test_permutation_p_value_finds_a_diagonal_and_nothing_where_nothing_is():
    generator = np.random.default_rng(5)
    noise = generator.integers(-1000, 1000, (60, 60))
    assert permutation_p_value(noise + 2000 * np.eye(60, dtype=np.int64), 999, 42) == 1 / 1000
    p_values = [permutation_p_value(generator.integers(-1000, 1000, (20, 20)), 199, 42) for _ in range(200)]
    assert 0.40 < np.mean(p_values) < 0.60
    assert permutation_p_value(np.ones((5, 5), dtype=np.int64), 99, 42) == 1


@pytest.mark.parametrize("permutations", [7, 499, 500, 501, 1200])
def test_permutation_p_value_equals_a_loop_over_the_frozen_stream(permutations):
    similarity = np.random.default_rng(10).integers(0, 9, (5, 5))
    stream = np.random.PCG64(np.random.SeedSequence([42, zlib.crc32(b"permutation test")]))
    as_high = 0
    for _ in range(permutations):
        keys = stream.random_raw(5).tolist()
        pairing = sorted(range(5), key=keys.__getitem__)
        as_high += sum(similarity[i, pairing[i]] for i in range(5)) >= similarity.trace()
    assert permutation_p_value(similarity, permutations, 42) == (as_high + 1) / (permutations + 1)


def test_permutation_p_value_agrees_with_enumeration():
    from itertools import permutations

    similarity = np.random.default_rng(6).integers(0, 50, (5, 5))
    sums = [similarity[range(5), order].sum() for order in permutations(range(5))]
    exact = np.mean(np.array(sums) >= similarity.diagonal().sum())
    assert permutation_p_value(similarity, 20_000, 42) == pytest.approx(exact, abs=0.015)


def test_paired_bootstrap_of_equal_systems_is_p_1_and_of_unequal_ones_small():
    values = np.random.default_rng(7).random(140)
    counts = resample_counts(140, 1000, 42)
    same = paired_bootstrap(values, values, counts, 0.95)
    assert (same.difference, same.low, same.high, same.p_two_sided) == (0, 0, 0, 1)
    better = paired_bootstrap(values + 0.1, values, counts, 0.95)
    assert better.difference == pytest.approx(0.1)
    assert better.p_first_better == 1 / 1001
    assert better.p_two_sided == 2 / 1001
    mirrored = paired_bootstrap(values, values + 0.1, counts, 0.95)
    assert (mirrored.low, mirrored.high) == pytest.approx((-better.high, -better.low))
    assert mirrored.p_first_better == 1
    assert mirrored.p_two_sided == 2 / 1001


def test_paired_bootstrap_by_hand():
    """Four resamples of two queries that differ by -3 and 1: means -3, -1, -1, 1."""
    counts = np.array([[2.0, 0.0], [1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    found = paired_bootstrap(np.array([1.0, 5.0]), np.array([4.0, 4.0]), counts, 0.5)
    assert (found.difference, found.low, found.high) == (-1, -1.5, -0.5)
    assert (found.p_first_better, found.p_two_sided) == (4 / 5, 4 / 5)
    even = paired_bootstrap(np.array([1.0, 5.0]), np.array([2.0, 4.0]), counts, 0.5)  # means -1, 0, 0, 1
    assert (even.difference, even.p_first_better, even.p_two_sided) == (0, 4 / 5, 1)


def test_paired_bootstrap_rejects_a_true_null_as_often_as_it_says():
    generator = np.random.default_rng(8)
    counts = resample_counts(100, 999, 42)
    rejected = sum(
        paired_bootstrap(generator.normal(size=100), generator.normal(size=100), counts, 0.95).p_two_sided < 0.05
        for _ in range(400)
    )
    assert 0.02 <= rejected / 400 <= 0.09


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_is_monotone_and_never_below_p(p_values):
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert all(adjusted[a] <= adjusted[b] for a, b in itertools.pairwise(order))


def test_tied_ranks_are_dense_and_compare_with_the_first_of_the_group():
    scores = [0.9, 0.85, 0.80, 0.5, 0.45]
    ranks = tied_ranks(5, lambda leader, system: scores[leader] - scores[system] > 0.08)
    assert ranks == [1, 1, 2, 3, 3]
    assert tied_ranks(0, lambda *_: True) == []
