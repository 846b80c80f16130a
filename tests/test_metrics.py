"""Standings and retrieval metrics: hand-computed cases, closed forms, a naive loop, and properties."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.metrics.exact_similarity import COMPONENT_SCALE, integer_similarity, unit_integers
from igbo_align.metrics.ranking import Standings, full_standings, pool_standings, repeated_groups
from igbo_align.metrics.retrieval import chance_standings, expected_rank, recall_at_k, reciprocal_rank


def standings(better, equal, candidates=100):
    return Standings(np.array(better), np.array(equal), np.full(len(better), candidates))


def test_hand_computed_expectations_over_ties():
    # Alone at rank 1; tied with one other at ranks 1-2; two better and tied with two others at ranks 3-5.
    held = standings([0, 0, 2], [0, 1, 2])
    np.testing.assert_allclose(recall_at_k(held, 1), [1, 1 / 2, 0])
    np.testing.assert_allclose(recall_at_k(held, 4), [1, 1, 2 / 3])
    np.testing.assert_allclose(reciprocal_rank(held), [1, (1 + 1 / 2) / 2, (1 / 3 + 1 / 4 + 1 / 5) / 3])
    np.testing.assert_allclose(expected_rank(held), [1, 1.5, 4])


def test_all_tied_is_exactly_chance_in_a_pool_of_100():
    chance = chance_standings(np.array([100]))
    assert recall_at_k(chance, 1)[0] == 0.01
    assert recall_at_k(chance, 5)[0] == 0.05
    assert recall_at_k(chance, 10)[0] == 0.10
    harmonic = sum(Fraction(1, k) for k in range(1, 101))
    assert reciprocal_rank(chance)[0] == pytest.approx(float(harmonic / 100), abs=1e-15)
    assert round(reciprocal_rank(chance)[0], 5) == 0.05187
    assert expected_rank(chance)[0] == 50.5
    assert (chance.better[0], chance.equal[0], chance.candidates[0]) == (0, 99, 100)


@given(better=st.integers(0, 60), equal=st.integers(0, 60), k=st.integers(1, 200))
def test_expectations_equal_the_mean_over_every_rank_of_the_tie(better, equal, k):
    held = standings([better], [equal])
    ranks = range(better + 1, better + equal + 2)
    places = equal + 1
    assert recall_at_k(held, k)[0] == pytest.approx(sum(rank <= k for rank in ranks) / places, abs=1e-12)
    assert reciprocal_rank(held)[0] == pytest.approx(sum(1 / rank for rank in ranks) / places, abs=1e-12)
    assert expected_rank(held)[0] == pytest.approx(sum(ranks) / places, abs=1e-12)


def naive_standing(similarity, query, candidates):
    """The definition as a loop over one query's candidates."""
    better = sum(similarity[query, c] > similarity[query, query] for c in candidates if c != query)
    equal = sum(similarity[query, c] == similarity[query, query] for c in candidates if c != query)
    return better, equal


@given(data=st.data(), n=st.integers(2, 12))
def test_pool_standings_equal_the_naive_loop(data, n):
    values = data.draw(st.lists(st.integers(-2, 2), min_size=n * n, max_size=n * n))
    similarity = np.array(values, dtype=np.float64).reshape(n, n)
    size = data.draw(st.integers(2, n))
    pools = np.array([[q, *[c for c in range(n) if c != q][: size - 1]] for q in range(n)])
    held = pool_standings(similarity, np.arange(n), pools)
    for query in range(n):
        assert (held.better[query], held.equal[query]) == naive_standing(similarity, query, pools[query])
    assert held.candidates.tolist() == [size] * n


@given(data=st.data(), n=st.integers(2, 12))
def test_full_standings_count_the_best_member_of_the_text_group(data, n):
    values = data.draw(st.lists(st.integers(-2, 2), min_size=n * n, max_size=n * n))
    similarity = np.array(values, dtype=np.float64).reshape(n, n)
    groups = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n)))
    held = full_standings(similarity, groups)
    for query in range(n):
        best = max(similarity[query, c] for c in range(n) if groups[c] == groups[query])
        others = [c for c in range(n) if groups[c] != groups[query]]
        assert held.better[query] == sum(similarity[query, c] > best for c in others)
        assert held.equal[query] == sum(similarity[query, c] == best for c in others)
        assert held.candidates[query] == len(others) + 1
    assert {array.dtype for array in (held.better, held.equal, held.candidates)} == {np.dtype(np.int64)}


def test_groups_of_more_than_one_are_told_by_position():
    found = repeated_groups(np.array([7, 3, 7, 2, 3, 7, 9]))
    assert [sorted(members.tolist()) for members in found] == [[1, 4], [0, 2, 5]]
    assert list(repeated_groups(np.array([2, 1, 0]))) == list(repeated_groups(np.array([], dtype=np.int64))) == []


def test_unit_integers_are_whole_and_unit_and_their_products_exact():
    vectors = np.random.default_rng(0).standard_normal((50, 384)).astype(np.float32)
    integers = unit_integers(vectors)
    assert (integers == np.rint(integers)).all()
    np.testing.assert_allclose(np.linalg.norm(integers, axis=1) / COMPONENT_SCALE, 1, atol=1e-6)
    exact = [[sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) for y in integers[:5]] for x in integers[:5]]
    product = integer_similarity(integers, integers)[:5, :5]
    assert product.tolist() == [[float(value) for value in row] for row in exact]
    assert max(abs(value) for row in exact for value in row) < 2**53


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), power=st.integers(-10, 10))
def test_similarity_ignores_scale_and_the_order_of_dimensions(seed, power):
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((6, 20)).astype(np.float32)
    order = generator.permutation(20)
    similarity = integer_similarity(unit_integers(vectors), unit_integers(vectors[::-1]))
    moved = integer_similarity(unit_integers(vectors[:, order] * 2.0**power), unit_integers(vectors[::-1][:, order]))
    np.testing.assert_array_equal(similarity, moved)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [np.zeros((2, 3)), np.array([[1.0, np.nan]]), np.array([[np.inf, 1.0]])])
def test_vectors_that_cannot_be_normalised_raise_and_warn_of_nothing(bad):
    with pytest.raises(
        ValueError, match=r"^expected finite vectors of positive length, found NaN, infinity or an all-"
    ):
        unit_integers(bad)


def test_vectors_have_two_axes():
    with pytest.raises(ValueError, match=r"^expected an array with two axes \(n, d\), found 1$"):
        unit_integers(np.ones(3))


def test_norm_is_the_root_of_the_correctly_rounded_sum():
    from igbo_align.metrics.exact_similarity import euclidean_norms

    rows = np.random.default_rng(3).standard_normal((20, 100)) * 10.0 ** np.arange(20)[:, None]
    assert euclidean_norms(rows).tolist() == [math.sqrt(math.fsum(x * x for x in row)) for row in rows.tolist()]
