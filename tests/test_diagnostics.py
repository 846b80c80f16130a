"""Each diagnostic against a closed form, a naive definition or an independent implementation."""

from __future__ import annotations

import json
import math
from itertools import combinations

import igbo_align as ia
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.diagnostics import geometry as shapes
from igbo_align.diagnostics.correlations import correlations, two_sided_p
from igbo_align.diagnostics.failures import failure_track
from igbo_align.diagnostics.hubness import binomial_mean_deviation, hubness, skewness
from igbo_align.diagnostics.neighbours import nearest
from igbo_align.diagnostics.pool_size import expected_metrics, metrics_by_rank
from igbo_align.diagnostics.slices import Members, mann_whitney_p, mid_ranks, score_slices
from igbo_align.diagnostics.variants import centred_integers, csls_matrices
from igbo_align.metrics.exact_similarity import COMPONENT_SCALE, COSINE_SCALE, integer_similarity, unit_integers
from igbo_align.metrics.ranking import Standings, pool_standings
from igbo_align.metrics.retrieval import expected_rank, recall_at_k, reciprocal_rank
from igbo_align.tracks.similarity import similarity_of
from scipy import stats

DIRECTIONS = ("speech_to_text", "text_to_speech")
CUTOFFS = (1, 5, 10)


def standings(better, equal, n):
    """Standings of queries among n candidates each."""
    return Standings(np.array(better), np.array(equal), np.full(len(better), n))


@pytest.mark.parametrize(("n", "pool"), [(699, 100), (699, 10), (699, 699), (140, 25), (12, 10), (3, 2), (11, 11)])
def test_recall_in_a_random_pool_is_scipys_hypergeometric(n, pool):
    table = metrics_by_rank(n, (pool,), CUTOFFS)[:, 0]
    for i, k in enumerate(CUTOFFS):
        reference = [stats.hypergeom.cdf(k - 1, n - 1, better, pool - 1) for better in range(n)]
        np.testing.assert_allclose(table[:, i], reference, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "pool"), [(699, 100), (40, 7), (11, 11)])
def test_reciprocal_rank_and_rank_in_a_random_pool_are_sums_over_the_hypergeometric(n, pool):
    table = metrics_by_rank(n, (pool,), CUTOFFS)[:, 0]
    places = np.arange(pool)
    for better in range(0, n, max(1, n // 20)):
        probability = stats.hypergeom.pmf(places, n - 1, better, pool - 1)
        assert table[better, 3] == pytest.approx((probability / (places + 1)).sum(), rel=1e-9)
        assert table[better, 4] == pytest.approx((probability * (places + 1)).sum(), rel=1e-9)


def test_expected_metrics_agree_with_2000_simulated_pools(demo, zero_shot):
    """The expectation over pools is what drawing pools gives, within five standard errors of 2,000 draws."""
    similarity = similarity_of((zero_shot.content.speech, zero_shot.content.text)).values
    n, pool, draws = 699, 100, 2000
    rank = (similarity > similarity.diagonal()[:, None]).sum(axis=1)
    held = standings(rank, np.zeros(n, int), n)
    expected = expected_metrics(held, [pool], CUTOFFS)[:, 0].mean(axis=0)
    generator = np.random.default_rng(0)
    simulated = np.empty((draws, 5))
    for draw in range(draws):
        # the number of better candidates in a pool of 99 others, by ranks of a random subset of the others
        better = generator.hypergeometric(rank, n - 1 - rank, pool - 1)
        drawn = standings(better, np.zeros(n, int), pool)
        metrics = [*(recall_at_k(drawn, k) for k in CUTOFFS), reciprocal_rank(drawn), expected_rank(drawn)]
        simulated[draw] = np.mean(metrics, axis=1)
    errors = simulated.std(axis=0, ddof=1) / math.sqrt(draws)
    assert (np.abs(simulated.mean(axis=0) - expected) < 5 * errors).all()


def test_expected_metrics_agree_with_pools_drawn_from_the_matrix():
    """Without any formula: pools are drawn as candidates, and ranked as the track `paper` ranks them."""
    generator = np.random.default_rng(3)
    n, pool, draws = 30, 8, 2000
    similarity = generator.integers(0, 40, (n, n)).astype(float)  # with ties
    correct = similarity.diagonal()[:, None]
    better, equal = (similarity > correct).sum(axis=1), (similarity == correct).sum(axis=1) - 1
    expected = expected_metrics(standings(better, equal, n), [pool], CUTOFFS)[:, 0].mean(axis=0)
    simulated = np.empty((draws, 5))
    for draw in range(draws):
        keys = generator.random((n, n))
        np.fill_diagonal(keys, -1)
        drawn = pool_standings(similarity, np.arange(n), np.argsort(keys, axis=1)[:, :pool])
        metrics = [*(recall_at_k(drawn, k) for k in CUTOFFS), reciprocal_rank(drawn), expected_rank(drawn)]
        simulated[draw] = np.mean(metrics, axis=1)
    errors = simulated.std(axis=0, ddof=1) / math.sqrt(draws)
    assert (np.abs(simulated.mean(axis=0) - expected) <= 5 * errors + 1e-12).all()


@given(better=st.integers(0, 20), equal=st.integers(0, 20), more=st.integers(0, 20), pool=st.integers(2, 70))
def test_ties_are_averaged_over(better, equal, more, pool):
    n = better + equal + more + 1
    held = expected_metrics(standings([better], [equal], n), [pool], CUTOFFS)
    apart = expected_metrics(standings(range(better, better + equal + 1), [0] * (equal + 1), n), [pool], CUTOFFS)
    np.testing.assert_allclose(held[0], apart.mean(axis=0), rtol=1e-9, atol=1e-12)


def test_the_curve_ends_at_the_full_track_and_starts_at_chance_for_chance(zero_shot_scores):
    for direction in DIRECTIONS:
        curve = zero_shot_scores.diagnostics.pool_size[direction]
        assert [point.pool for point in curve] == [10, 25, 50, 100, 250, 699]
        full = zero_shot_scores.tracks["full"][direction]
        for metric in ("recall@1", "recall@10", "mrr", "mean_rank"):
            assert curve[-1].estimates[metric].value == pytest.approx(full[metric].value)
            assert curve[-1].estimates[metric].chance == pytest.approx(full[metric].chance)
        assert curve[3].estimates["recall@1"].chance == pytest.approx(0.01)
        assert curve[3].estimates["mrr"].chance == pytest.approx(0.0518737751764)


def naive_csls(speech, text, k):
    """CSLS by the definition of Conneau et al., in loops."""
    n = len(speech)
    cosine = [[float(a @ b) for b in text] for a in speech]
    of_speech = [sum(sorted(row)[-k:]) / k for row in cosine]
    of_text = [sum(sorted(cosine[i][j] for i in range(n))[-k:]) / k for j in range(n)]
    return np.array([[2 * cosine[i][j] - of_speech[i] - of_text[j] for j in range(n)] for i in range(n)])


def test_csls_is_its_definition_in_loops():
    generator = np.random.default_rng(1)
    speech, text = (generator.standard_normal((25, 8)) for _ in range(2))
    similarity = similarity_of((speech, text))
    neighbours = {"speech_to_text": nearest(similarity.integers), "text_to_speech": nearest(similarity.integers.T)}
    matrices = csls_matrices(similarity, neighbours)
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (speech, text)]
    reference = naive_csls(*unit, 10)
    np.testing.assert_allclose(matrices["speech_to_text"] / (10 * COSINE_SCALE), reference, atol=1e-6)
    np.testing.assert_array_equal(matrices["text_to_speech"], matrices["speech_to_text"].T)


def test_csls_of_the_largest_similarities_stays_exact():
    """Identical vectors: similarity is 2**50 and all of CSLS is exactly zero."""
    ones = np.ones((20, 1))
    similarity = similarity_of((ones, ones))
    neighbours = {name: nearest(similarity.integers) for name in DIRECTIONS}
    assert similarity.integers.max() == 2**50
    assert not csls_matrices(similarity, neighbours)["speech_to_text"].any()


def test_centring_is_the_cosine_of_centred_vectors():
    generator = np.random.default_rng(2)
    vectors = generator.standard_normal((40, 16)) + 3
    centred = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = centred - centred.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    held = centred_integers(unit_integers(vectors))
    assert (held == np.rint(held)).all()
    np.testing.assert_allclose(held / COMPONENT_SCALE, centred, atol=1e-6)
    products = integer_similarity(held, held)
    exact = [[sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) for y in held[:4]] for x in held[:4]]
    assert products[:4, :4].tolist() == exact


def test_centring_equal_vectors_gives_zeros_and_so_chance(demo, submission_of):
    constant = np.full((699, 8), 0.5, dtype=np.float32)
    held = ia.score(submission_of(constant, constant), demo).diagnostics
    for variant in held.variants.values():
        for direction in DIRECTIONS:
            assert variant.tracks["paper"][direction]["recall@5"].value == pytest.approx(0.05)
            assert variant.tracks["paper"][direction]["mean_rank"].value == pytest.approx(50.5)
        assert variant.mrr_gain["full"].value == 0


def test_centring_removes_a_modality_gap(demo, submission_of):
    text = demo.embeddings("text")
    shifted = text + 2 * np.eye(384, dtype=np.float32)[0]
    scores = ia.score(submission_of(shifted, text - 2 * np.eye(384, dtype=np.float32)[0]), demo)
    assert scores.diagnostics.geometry.modality_gap > 1
    centred = scores.diagnostics.variants["centred"]
    assert centred.tracks["paper"]["speech_to_text"]["mrr"].value > 0.99
    assert centred.mrr_gain["full"].value == pytest.approx(
        np.mean(
            [
                centred.tracks["full"][name]["mrr"].value - scores.tracks["full"][name]["mrr"].value
                for name in DIRECTIONS
            ]
        )
    )


@settings(max_examples=50)
@given(data=st.data(), n=st.integers(2, 8), m=st.integers(2, 8), k=st.integers(1, 5))
def test_neighbours_with_ties_are_the_mean_over_all_ways_to_choose(data, n, m, k):
    values = data.draw(st.lists(st.integers(-2, 2), min_size=n * m, max_size=n * m))
    similarity = np.array(values).reshape(n, m)
    held = nearest(similarity, k)
    k = min(k, m)
    for row, weights, total in zip(similarity, held.weights, held.totals, strict=True):
        best = max(sum(row[list(chosen)]) for chosen in combinations(range(m), k))
        ways = [chosen for chosen in combinations(range(m), k) if sum(row[list(chosen)]) == best]
        reference = [sum(j in chosen for chosen in ways) / len(ways) for j in range(m)]
        np.testing.assert_allclose(weights, reference)
        assert total == best


def test_skewness_and_robin_hood_are_scipys_and_the_definition():
    generator = np.random.default_rng(4)
    similarity = generator.standard_normal((80, 80)) + generator.standard_normal(80)  # some columns are hubs
    held = hubness(nearest(similarity))
    occurrence = np.zeros(80)
    for row in similarity:
        occurrence[np.argsort(-row)[:10]] += 1
    assert held.skewness == pytest.approx(stats.skew(occurrence))
    shares = occurrence / occurrence.sum()
    assert held.robin_hood == pytest.approx(np.abs(shares - 1 / 80).sum() / 2)
    assert held.never == (occurrence == 0).mean()
    assert [count for _, count in held.top] == sorted(occurrence, reverse=True)[:10]
    assert all(occurrence[i] == count for i, count in held.top)


def test_chance_of_hubness_is_that_of_the_binomial():
    counts = np.arange(700)
    probability = stats.binom.pmf(counts, 699, 10 / 699)
    assert binomial_mean_deviation(699, 10 / 699) == pytest.approx((probability * np.abs(counts - 10)).sum())
    held = hubness(nearest(np.random.default_rng(0).standard_normal((699, 699))))
    assert held.skewness_chance == pytest.approx(stats.binom.stats(699, 10 / 699, moments="s"))
    assert held.skewness == pytest.approx(held.skewness_chance, abs=0.3)
    assert held.robin_hood == pytest.approx(held.robin_hood_chance, abs=0.01)
    assert skewness(np.full(5, 0.1 + 0.2)) is None


def test_where_every_candidate_is_a_neighbour_chance_has_no_spread():
    """Of five candidates all are among the ten nearest: everybody occurs five times, by chance as well."""
    held = hubness(nearest(np.arange(25).reshape(5, 5)))
    assert [count for _, count in held.top] == [5] * 5
    assert (held.robin_hood, held.robin_hood_chance, held.never) == (0, 0, 0)
    assert held.skewness is None
    assert held.skewness_chance is None


def test_modality_gap_and_anisotropy_are_their_definitions(demo):
    vectors = demo.embeddings("speech")[:60].astype(np.float64), demo.embeddings("text")[:60].astype(np.float64)
    held = shapes.geometry(*(unit_integers(item) for item in vectors), demo.spec.scoring)
    unit = [item / np.linalg.norm(item, axis=1, keepdims=True) for item in vectors]
    assert held.modality_gap == pytest.approx(np.linalg.norm(unit[0].mean(axis=0) - unit[1].mean(axis=0)), abs=1e-6)
    for item, value in zip(unit, (held.anisotropy_speech, held.anisotropy_text), strict=True):
        reference = np.mean([a @ b for a, b in combinations(item, 2)])
        assert value == pytest.approx(reference, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(60, 20), (20, 60)])
def test_effective_rank_is_the_exponential_entropy_of_the_singular_values(n, d):
    vectors = unit_integers(np.random.default_rng(5).standard_normal((n, d)) * np.linspace(0.1, 3, d))
    unit = vectors / COMPONENT_SCALE
    singular = np.linalg.svd(unit - unit.mean(axis=0), compute_uv=False)
    singular = singular[singular > 1e-9]
    assert shapes.effective_rank(vectors) == pytest.approx(math.exp(stats.entropy(singular)), rel=1e-5)


def test_effective_rank_of_limits():
    axes = unit_integers(np.vstack([np.eye(7), -np.eye(7)]))
    assert shapes.effective_rank(axes) == pytest.approx(7)
    line = unit_integers(np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]))
    assert shapes.effective_rank(line) == pytest.approx(1)
    assert shapes.effective_rank(unit_integers(np.ones((5, 3)))) is None


def u_centred(kernel):
    """U-centring of Szekely and Rizzo 2014, whose inner product is the unbiased HSIC: entry by entry."""
    n = len(kernel)
    off = kernel - np.diag(np.diag(kernel))
    rows, total = off.sum(axis=1), off.sum()
    centred = off - rows[:, None] / (n - 2) - rows[None, :] / (n - 2) + total / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0)
    return centred


def test_cka_is_the_cosine_of_centred_kernels():
    generator = np.random.default_rng(6)
    left = generator.standard_normal((50, 12))
    right = left @ generator.standard_normal((12, 9)) + generator.standard_normal((50, 9))
    kernels = [vectors @ vectors.T for vectors in (left, right)]
    centred = [u_centred(kernel) for kernel in kernels]
    reference = (centred[0] * centred[1]).sum() / np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    assert shapes.linear_cka(*kernels) == pytest.approx(reference, abs=1e-8)


def test_cka_is_one_for_rotations_and_near_zero_for_noise():
    generator = np.random.default_rng(7)
    left, noise = generator.standard_normal((2, 200, 10))
    rotation = np.linalg.qr(generator.standard_normal((10, 10)))[0]
    rotated = 3 * left @ rotation + 5  # a rotation, a scale and a shift
    assert shapes.linear_cka(left @ left.T, rotated @ rotated.T) == pytest.approx(1)
    values = []
    for seed in range(40):
        noise = np.random.default_rng(seed).standard_normal((60, 80))
        values.append(shapes.linear_cka(left[:60] @ left[:60].T, noise @ noise.T))
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error  # unbiased: the ordinary CKA would be far above 0 here
    assert shapes.linear_cka(np.ones((5, 5)), np.ones((5, 5))) is None
    assert shapes.linear_cka(np.eye(3), np.eye(3)) is None  # its denominators hold n - 3


def test_mutual_neighbours_are_counted_by_sets(demo):
    generator = np.random.default_rng(8)
    speech = generator.standard_normal((60, 12))
    text = speech + generator.standard_normal((60, 12))
    similarity = [integer_similarity(unit, unit) for unit in (unit_integers(speech), unit_integers(text))]
    held = shapes.mutual_knn(*similarity, demo.spec.scoring)
    overlaps = []
    for i in range(60):
        sets = [
            set(sorted((j for j in range(60) if j != i), key=lambda j: -matrix[i, j])[:10]) for matrix in similarity
        ]
        overlaps.append(len(sets[0] & sets[1]) / 10)
    assert held.value == pytest.approx(np.mean(overlaps))
    assert held.low < held.value < held.high
    assert held.chance == pytest.approx(10 / 59)


def test_correlations_are_scipys_with_bootstrap_intervals(demo):
    generator = np.random.default_rng(9)
    x = generator.standard_normal(120)
    y = -0.3 * x + generator.standard_normal(120) * 5 + 100
    holes = np.where(generator.random(120) < 0.2, np.nan, x)
    predictors = {
        "x": x * 1000 + 7,
        "holes": holes,
        "constant": np.full(120, 0.1),
        "unknown": np.full(120, np.nan),
    }
    held = {item.predictor: item for item in correlations(predictors, {"y": y}, demo.spec.scoring)}
    for name, known in (("x", np.ones(120, bool)), ("holes", np.isfinite(holes))):
        reference = stats.pearsonr(x[known], y[known])
        assert held[name].r == pytest.approx(reference.statistic)
        assert held[name].p == pytest.approx(reference.pvalue)
        assert held[name].n == known.sum()
        naive = []
        for _ in range(2000):
            drawn = generator.integers(0, 120, 120)
            drawn = drawn[known[drawn]]
            naive.append(np.corrcoef(x[drawn], y[drawn])[0, 1])
        assert [held[name].low, held[name].high] == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=0.03)
    assert held["constant"].r is None
    assert (held["unknown"].n, held["unknown"].r, held["unknown"].p_holm) == (0, None, None)
    assert min([held["x"].p_holm, held["holes"].p_holm]) == pytest.approx(2 * min(held["x"].p, held["holes"].p))


def test_p_of_perfect_and_undefined_correlations():
    assert two_sided_p(1.0, 10) == 0
    assert two_sided_p(float("nan"), 10) is None
    assert two_sided_p(0.0, 10) == pytest.approx(1)


@given(values=st.lists(st.integers(0, 5), min_size=4, max_size=40), data=st.data())
def test_slice_test_is_scipys_mann_whitney(values, data):
    ranks = np.array(values, dtype=float)
    inside = data.draw(st.integers(1, len(values) - 1))
    chosen = np.arange(len(values)) < inside
    np.testing.assert_allclose(mid_ranks(ranks), stats.rankdata(ranks))
    if len(set(values)) == 1:
        assert mann_whitney_p(ranks, chosen) == 1
        return
    reference = stats.mannwhitneyu(ranks[chosen], ranks[~chosen], use_continuity=False, method="asymptotic")
    assert mann_whitney_p(ranks, chosen) == pytest.approx(reference.pvalue)


def test_slices_have_intervals_a_worst_member_and_corrected_p(demo):
    generator = np.random.default_rng(10)
    ranks = generator.integers(1, 101, 200).astype(float)
    ranks[:40] += 60
    a, b = np.arange(200) < 40, generator.random(200) < 0.5
    tiny = np.arange(200) == 150
    slices = [
        Members("kind", "a", a),
        Members("kind", "not a", ~a),
        Members("kind", "b", b),
        Members("kind", "tiny", tiny),
    ]
    queries = 300 + np.arange(200)
    held = score_slices(slices, 1 / ranks, ranks, queries, demo.spec.scoring)
    naive = []
    for _ in range(2000):
        drawn = generator.integers(0, 200, 200)
        naive.append((1 / ranks)[drawn[a[drawn]]].mean())
    assert held[0].mrr.value == pytest.approx((1 / ranks)[:40].mean())
    assert [held[0].mrr.low, held[0].mrr.high] == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=0.005)
    assert held[0].worst_rank == ranks[:40].max() == ranks[held[0].worst - 300]
    assert [item.small for item in held] == [False, False, False, True]
    assert held[0].p == held[1].p  # a slice and its complement are one test
    assert held[0].p_holm == pytest.approx(3 * held[0].p)
    assert all(item.p <= item.p_holm <= 1 for item in held)
    assert held[3].mrr.low == held[3].mrr.high  # one member: resamples without it are left out


def test_without_slices_there_is_nothing_to_test(demo):
    assert score_slices([], np.ones(3), np.ones(3), np.arange(3), demo.spec.scoring) == []


def test_demo_diagnostics_hold_what_the_protocol_lists(zero_shot_scores, demo):
    document = zero_shot_scores.as_json()["diagnostics"]
    assert set(document) == {
        "memorisation_gap", "pool_size", "variants", "hubness", "geometry", "correlations", "slices", "heldout",
        "worst", "minimal_pairs",
    }  # fmt: skip
    assert set(document["variants"]) == {"csls", "centred"}
    assert set(document["variants"]["csls"]["tracks"]["hard"]["text_to_speech"]) == {
        "recall@1", "recall@5", "recall@10", "mrr", "mean_rank"
    }  # fmt: skip
    kinds = {item["kind"] for item in document["slices"]}
    assert {"gender", "speaker_id", "duration_bucket", "words", "digits", "capitalised words", "diacritics"} <= kinds
    ids = set(demo.ids)
    assert all(item["worst"]["id"] in ids for item in document["slices"])
    for direction in DIRECTIONS:
        ranks = zero_shot_scores.tracks["paper"][direction].standings.better + 1
        worst = document["worst"][direction]
        assert [item["rank"] for item in worst] == sorted(ranks.tolist(), reverse=True)[:10]
        for item in worst:
            similarities = [rival["similarity"] for rival in item["beaten_by"]]
            assert similarities == sorted(similarities, reverse=True)
            assert min(similarities) >= item["similarity"]
    named = {(item["predictor"], item["outcome"]) for item in document["correlations"]}
    assert {("duration_s", "rank_speech_to_text"), ("n_words", "paired_similarity")} <= named


def test_correlations_of_the_demo_are_those_of_its_ranks(zero_shot_scores, demo):
    ranks = expected_rank(zero_shot_scores.tracks["paper"]["speech_to_text"].standings)
    held = {
        (item.predictor, item.outcome): item for item in zero_shot_scores.diagnostics.failures["paper"].correlations
    }
    duration = held["duration_s", "rank_speech_to_text"]
    assert duration.r == pytest.approx(stats.pearsonr(demo.column("duration_s"), ranks).statistic)
    assert duration.low < duration.r < duration.high


def test_a_similarity_matrix_has_all_diagnostics_but_those_of_vectors(demo, make_card, zero_shot):
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (zero_shot.content.speech, zero_shot.content.text)]
    ids = np.array(demo.ids)
    content = ia.SimilarityMatrix(ids, ids, (unit[0] @ unit[1].T).astype(np.float32))
    held = ia.score(ia.Submission(make_card(), content), demo)
    assert held.diagnostics.geometry is None
    assert set(held.diagnostics.variants) == {"csls"}
    assert held.as_json()["diagnostics"]["geometry"] is None
    assert len(held.diagnostics.failures["paper"].correlations) > 0


@pytest.mark.parametrize("kind", ["constant", "perfect", "one dimension", "two values"])
def test_degenerate_submissions_have_diagnostics(kind, demo, submission_of):
    text = demo.embeddings("text")
    vectors = {
        "constant": np.full((699, 4), 0.5, np.float32),
        "perfect": text,
        "one dimension": np.ones((699, 1), np.float32)
        * np.where(np.arange(699) % 2, 1, -1).astype(np.float32)[:, None],
        "two values": np.eye(2, dtype=np.float32)[np.arange(699) % 2],
    }[kind]
    document = ia.score(submission_of(vectors, vectors), demo).as_json()
    assert document["diagnostics"]["geometry"]["modality_gap"] == 0
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    gap = document["diagnostics"]["memorisation_gap"]
    assert [gap["value"], gap["low"], gap["high"]] == [0, 0, 0] or kind in {"one dimension", "two values"}


def test_failures_of_what_was_trained_are_looked_for_among_held_out_pairs(demo, submission_of):
    """Train pairs are all found at once: only the test pairs can say what makes a pair hard."""
    text = demo.embeddings("text")
    speech = np.where(demo.is_test[:, None], demo.embeddings("speech"), text)
    trained = {"alignment": {"method": "memory", "trained_on_pairs": "train"}}
    scores = ia.score(submission_of(speech, text, **trained), demo)
    held = scores.diagnostics.failures["heldout"]
    queries = demo.queries("heldout")
    ranks = expected_rank(scores.tracks["heldout"]["speech_to_text"].standings)
    found = {(item.predictor, item.outcome): item for item in held.correlations}
    expected = stats.pearsonr(demo.column("duration_s")[queries], ranks)
    assert found["duration_s", "rank_speech_to_text"].n == len(queries) == 140
    assert found["duration_s", "rank_speech_to_text"].r == pytest.approx(expected.statistic)
    assert all(demo.is_test[item.worst] for item in held.slices)
    assert {item.query for item in held.worst["speech_to_text"]} <= set(queries.tolist())
    assert max(item.n for item in held.slices) < 140
    document = scores.as_json()["diagnostics"]
    shown = [(item["kind"], item["name"], item["n"], item["worst"]["id"]) for item in document["heldout"]["slices"]]
    assert shown == [(item.kind, item.name, item.n, demo.ids[item.worst]) for item in held.slices]
    assert document["slices"] != document["heldout"]["slices"]
    assert [failure_track(claim) for claim in ("none", "train", "all")] == ["paper", "heldout", "heldout"]
