"""What exact ranking rests on: sums rounded once, norms, and the proven error of a float32 product."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.metrics.exact_similarity import unit_integers
from igbo_align.metrics.exact_sum import row_sums
from igbo_align.metrics.tile_counts import Limits
from igbo_align.metrics.unit_rows import product_error_bound
from integer_ranks import integer_rows


@pytest.mark.parametrize("d", [1, 2, 8, 64, 384, 1024])
def test_no_order_of_additions_exceeds_the_error_bound(d):
    stream = np.random.default_rng(d)
    worst = 0.0
    for spread in (0.1, 1.0, 3.0):
        left, right = unit_integers(np.exp(spread * stream.standard_normal((2, 40, d))).reshape(80, d)).reshape(
            2, 40, d
        )
        right *= np.sign(stream.standard_normal((40, d)))
        terms = left.astype(np.float32) * right.astype(np.float32)
        exact = np.einsum("nd,nd->n", left, right)
        bound = product_error_bound(exact, d)
        for order in (terms, -np.sort(-terms, axis=1), np.take_along_axis(terms, np.argsort(-np.abs(terms)), axis=1)):
            computed = np.cumsum(order, axis=1, dtype=np.float32)[:, -1]
            worst = max(worst, float((np.abs(computed - exact) / bound).max()))
    assert worst < 1


@pytest.mark.parametrize("d", [1, 2, 384, 100_000])
def test_the_error_bound_is_what_was_derived(d):
    """e <= u m + (d - 1) u ((m + |s|) / 2 + e), solved for e in fractions; m and |s| are at most the squared length."""
    unit, length = Fraction(1, 2**24), Fraction(2**25 + math.sqrt(d) / 2 + 3)
    remainders = 4 * length
    for similarity in (0, 1, -(2**30), 2**49, 2**50, 2**52):
        whole = min(abs(similarity) + remainders, length**2)
        error = (unit * length**2 + (d - 1) * unit * (length**2 + whole) / 2) / (1 - (d - 1) * unit)
        found = product_error_bound(np.float64(similarity), d)
        assert found == pytest.approx(math.ceil(error + remainders) + 1, rel=1e-12)


def test_the_bound_can_be_taken_at_the_limit():
    # A similarity on one side of a limit never has a product beyond the limit's bound on the other side.
    limit = np.float64(2.0**48)
    similarity = np.linspace(-(2.0**50), 2.0**50, 100_001)
    reach = product_error_bound(similarity, 384)
    bound = product_error_bound(limit, 384)
    assert (similarity + reach)[similarity <= limit].max() <= limit + bound + 1
    assert (similarity - reach)[similarity >= limit].min() >= limit - bound - 1


@pytest.mark.parametrize("d", [1, 384, 100_000])
def test_limits_in_float32_hold_the_bound_and_are_the_closest_that_do(d):
    """Rounding may only widen what a float32 product leaves undecided, and by less than one step of float32."""
    stream = np.random.default_rng(d)
    exact = np.concatenate([stream.integers(-(2**50), 2**50, 20_000), 2 ** np.arange(51), [0]]).astype(np.float64)
    bound = product_error_bound(exact, d)
    limits = Limits.of(exact, d)
    assert {limits.above.dtype, limits.below.dtype} == {np.dtype(np.float32)}
    assert (limits.above.astype(np.float64) >= exact + bound).all()
    assert (limits.below.astype(np.float64) <= exact - bound).all()
    inwards = np.nextafter(limits.above, np.float32(-np.inf)), np.nextafter(limits.below, np.float32(np.inf))
    assert (inwards[0].astype(np.float64) < exact + bound).all()
    assert (inwards[1].astype(np.float64) > exact - bound).all()


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30, 2.0**-149])
def test_quick_norms_round_like_exact_ones(scale):
    stream = np.random.default_rng(12)
    rows = (stream.standard_normal((4000, 24)) * 10.0 ** stream.integers(-3, 4, (4000, 24))).astype(np.float32)
    # Rows whose components lie in the middle between two whole numbers, as near as float32 gets there.
    rows[:1000] = np.where(stream.random((1000, 24)) < 0.5, 0.25, 0.0)
    rows[:1000, 0] = 1 + stream.integers(0, 9, 1000) * 2.0**-23
    rows = (rows * np.float32(scale)).astype(np.float64)
    rows = rows[rows.any(axis=1)]
    np.testing.assert_array_equal(unit_integers(rows), integer_rows(rows))


def test_components_in_the_middle_between_two_whole_numbers_are_rounded_by_exact_norms():
    """As near to the middle as float64 gets, quick norms would round some of them to the other side."""
    stream = np.random.default_rng(14)
    rows = stream.standard_normal((2000, 384))
    middles = (stream.integers(2**18, 2**22, 2000) + 0.5) / 2**25
    rows[:, 0] = 0
    rows[:, 0] = middles * np.sqrt((rows * rows).sum(axis=1) / (1 - middles**2))
    quick = np.rint(rows * (2.0**25 / np.sqrt(np.einsum("nd,nd->n", rows, rows)))[:, None])
    assert (quick != integer_rows(rows)).any()
    np.testing.assert_array_equal(unit_integers(rows), integer_rows(rows))


@pytest.mark.filterwarnings("error")
def test_sums_beyond_the_range_of_floats_are_infinite_and_warn_of_nothing():
    largest = np.finfo(np.float64).max
    sums = row_sums(np.array([[largest, largest], [np.inf, 1.0], [largest, 1.0], [np.nan, 1.0]]))
    np.testing.assert_array_equal(sums, [np.inf, np.inf, largest, np.nan])


def test_norms_of_numbers_whose_squares_underflow():
    rows = np.random.default_rng(13).standard_normal((200, 5)) * 10.0 ** np.linspace(-161, -130, 200)[:, None]
    np.testing.assert_array_equal(unit_integers(rows), integer_rows(rows))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1e300), min_size=5, max_size=5), min_size=1, max_size=5))
def test_row_sums_are_those_of_fsum(rows):
    assert row_sums(np.array(rows)).tolist() == [math.fsum(row) for row in rows]


def test_row_sums_in_the_middle_between_two_floats():
    rows = np.array(
        [[1, 2.0**-53, 0, 0], [1, 2.0**-53, 2.0**-106, 0], [1 + 2.0**-52, 2.0**-53, 0, 0], [5e-324, 0, 0, 0]]
    )
    assert row_sums(rows).tolist() == [math.fsum(row) for row in rows.tolist()]
    large = np.random.default_rng(11).standard_normal((500, 384)) ** 2 * 10.0 ** np.arange(-250, 250)[:, None]
    assert row_sums(large).tolist() == [math.fsum(row) for row in large.tolist()]
    assert row_sums(np.full((1, 3), 1.7e308)).tolist() == [math.inf]
