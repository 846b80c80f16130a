"""`rank_all` against brute force in integers: planted ties and near ties, every type, every way to cut the work."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor

import igbo_align as ia
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.metrics import full_ranking, numpy_sweep
from igbo_align.metrics.exact_similarity import integer_similarity, unit_integers
from igbo_align.metrics.exact_sum import row_sums
from igbo_align.metrics.full_ranking import count_rows, prepare, standings
from igbo_align.metrics.numpy_sweep import NumpySweep
from igbo_align.metrics.ranking import full_standings
from igbo_align.metrics.retrieval import expected_rank
from igbo_align.metrics.torch_sweep import TorchSweep
from igbo_align.metrics.unit_rows import product_error_bound

DTYPES = (np.float16, np.float32, np.float64)


def integer_rows(vectors):
    """Rows as Python would scale and round them, int64."""
    rows = []
    for row in np.asarray(vectors, dtype=np.float64).tolist():
        norm = math.sqrt(math.fsum(x * x for x in row))
        rows.append([round(x / norm * 2**25) for x in row])
    return np.array(rows, dtype=np.int64)


def brute_force(speech, text):
    """Ranks of both directions, every pair compared as integers, and the gaps between the pairs and their limits."""
    similarity = integer_rows(speech) @ integer_rows(text).T
    correct = similarity.diagonal()
    gaps = [matrix - correct[:, None] for matrix in (similarity, similarity.T)]
    return [1 + (gap > 0).sum(axis=1) + ((gap == 0).sum(axis=1) - 1) / 2 for gap in gaps], gaps


def assert_equal_ranks(found, expected):
    np.testing.assert_array_equal(found.speech_to_text, expected[0])
    np.testing.assert_array_equal(found.text_to_speech, expected[1])


def planted(stream, n, d, dtype):
    """Vectors where some rows are equal and some differ by one unit in components that hardly count."""
    speech, text = stream.standard_normal((2, n, d)).astype(dtype)
    # Components of about one unit of 2**-25: a step of one unit in the other vector moves the product by one unit.
    speech[:, 0] = np.linalg.norm(speech.astype(np.float64), axis=1) * stream.integers(-2, 3, n) * 2.0**-25
    for copy in range(n // 3):
        source, target = stream.integers(0, n, 2)
        text[target] = text[source]
        if copy % 2:
            text[target, 0] += np.linalg.norm(text[target].astype(np.float64)) * 2.0**-25
        if copy % 5 == 0:
            speech[target] = speech[source]
    return speech, text


@pytest.mark.parametrize("batch", range(20))
def test_ranks_equal_integer_arithmetic_on_1000_matrices_with_ties_and_near_ties(batch, monkeypatch):
    stream = np.random.default_rng(batch)
    ties, smallest_gaps = 0, 0
    for case in range(50):
        n, d = int(stream.integers(1, 60)), int(stream.integers(2, 33))
        monkeypatch.setattr(NumpySweep, "tile_rows", int(stream.integers(1, 70)))
        monkeypatch.setattr(NumpySweep, "tile_columns", int(stream.integers(1, 140)))
        speech, text = planted(stream, n, d, DTYPES[case % 3])
        expected, gaps = brute_force(speech, text)
        ties += sum(int((gap == 0).sum()) - n for gap in gaps)
        smallest_gaps += sum(int((np.abs(gap) == 1).sum()) for gap in gaps)
        assert_equal_ranks(ia.rank_all(speech, text, threads=1 + case % 2), expected)
    assert ties > 50
    assert smallest_gaps > 5


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_components_lose_no_bit(dtype):
    # More than half of a unit vector's length in one component: its integer does not fit float32.
    stream = np.random.default_rng(1)
    speech, text = (stream.standard_normal((2, 300, 6)) * [1, 1, 1, 1, 1, 9]).astype(dtype)
    corpus = prepare(speech, text)
    assert dtype == np.float16 or corpus.matrix.left.remainder is not None
    np.testing.assert_array_equal(corpus.matrix.left.integers(slice(0, 300)), integer_rows(speech))
    text[100:] = text[:200] + np.array([0, 0, 0, 0, 0, 1e-6], dtype=dtype)
    assert_equal_ranks(ia.rank_all(speech, text), brute_force(speech, text)[0])


@pytest.mark.parametrize("shape", [(1024, 8), (1025, 3), (2100, 5), (5000, 4)])
def test_many_tiles(shape):
    stream = np.random.default_rng(2)
    speech, text = stream.standard_normal((2, *shape)).astype(np.float32)
    text[shape[0] // 2 :] = text[: shape[0] - shape[0] // 2]
    similarity = integer_similarity(unit_integers(speech), unit_integers(text))
    own = np.arange(shape[0])
    expected = [expected_rank(full_standings(matrix, own)) for matrix in (similarity, similarity.T)]
    for threads in (1, 3):
        assert_equal_ranks(ia.rank_all(speech, text, threads=threads), expected)


@pytest.mark.parametrize("collapsed", [1.0, 0.5])
def test_collapsed_encoders_are_decided_exactly(collapsed):
    stream = np.random.default_rng(3)
    speech, text = stream.standard_normal((2, 700, 16)).astype(np.float32)
    text[: int(collapsed * 700)] = text[0]
    ranks = ia.rank_all(speech, text)
    assert_equal_ranks(ranks, brute_force(speech, text)[0])
    if collapsed == 1.0:
        assert (ranks.speech_to_text == 350.5).all()


def test_memory_mapped_vectors(tmp_path):
    stream = np.random.default_rng(4)
    vectors = stream.standard_normal((2, 600, 24)).astype(np.float16)
    for name, side in zip(("speech", "text"), vectors, strict=True):
        np.save(tmp_path / f"{name}.npy", side)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("speech", "text")]
    assert_equal_ranks(ia.rank_all(*mapped), brute_force(*vectors)[0])


@pytest.mark.parametrize("n_groups", [1, 2, 40, 300])
def test_text_groups_keep_the_best_member_only(n_groups):
    stream = np.random.default_rng(5)
    speech, text = stream.standard_normal((2, 300, 7)).astype(np.float32)
    groups = stream.integers(0, n_groups, 300)
    text[150:] = text[:150]
    similarity = integer_similarity(unit_integers(speech), unit_integers(text))
    expected = [expected_rank(full_standings(matrix, groups)) for matrix in (similarity, similarity.T)]
    assert_equal_ranks(ia.rank_all(speech, text, groups=groups), expected)


@pytest.mark.parametrize("n_groups", [1, 40, 300])
def test_standings_of_a_pass_are_those_of_the_whole_matrix(n_groups):
    stream = np.random.default_rng(16)
    speech, text = stream.standard_normal((2, 300, 7)).astype(np.float32)
    groups = stream.integers(0, n_groups, 300)
    text[200:] = text[:100]
    similarity = integer_similarity(unit_integers(speech), unit_integers(text))
    corpus = prepare(speech, text, groups)
    counts = count_rows(corpus, slice(0, 300))
    for matrix, found in zip(
        (similarity, similarity.T), standings(corpus, counts.by_speech, counts.by_text), strict=True
    ):
        for name, expected in vars(full_standings(matrix, groups)).items():
            np.testing.assert_array_equal(getattr(found, name), expected)
            assert getattr(found, name).dtype == np.int64


def test_threads_are_as_many_as_asked_for(monkeypatch):
    used = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers):
            used.append(workers)
            super().__init__(workers)

    for module in (full_ranking, numpy_sweep):
        monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    ia.rank_all(np.eye(4), np.eye(4), threads=3)
    assert used == [3, 3]
    monkeypatch.setattr(full_ranking, "available_threads", lambda: 2)
    ia.rank_all(np.eye(4), np.eye(4))
    assert used == [3, 3, 2, 2]


def test_large_groups_are_taken_block_by_block(monkeypatch):
    monkeypatch.setattr(full_ranking, "_GROUP_BLOCK", 16)
    test_text_groups_keep_the_best_member_only(2)


def test_torch_finds_the_same_ranks():
    pytest.importorskip("torch")
    stream = np.random.default_rng(6)
    for n, equal in ((90, 0), (500, 40), (300, 300)):
        speech, text = planted(stream, n, 12, np.float32)
        text[:equal] = text[-1]
        assert_equal_ranks(ia.rank_all(speech, text, device="cpu:0"), brute_force(speech, text)[0])


def test_torch_finds_the_same_ranks_whatever_the_tiles(monkeypatch):
    pytest.importorskip("torch")
    stream = np.random.default_rng(14)
    for case in range(60):
        n, d = int(stream.integers(20, 60)), int(stream.integers(2, 33))
        monkeypatch.setattr(TorchSweep, "tile_rows", int(stream.integers(16, 70)))
        monkeypatch.setattr(TorchSweep, "tile_columns", int(stream.integers(16, 70)))
        speech, text = planted(stream, n, d, DTYPES[case % 3])
        assert_equal_ranks(ia.rank_all(speech, text, device="cpu:0"), brute_force(speech, text)[0])


def test_torch_puts_the_vectors_on_the_device_that_was_asked_for():
    pytest.importorskip("torch")
    with pytest.raises(NotImplementedError, match="meta"):  # a device that computes nothing
        ia.rank_all(np.eye(4), np.eye(4), device="meta")


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_a_tile_is_multiplied_exactly_when_more_than_a_sixteenth_of_it_is_undecided(device):
    """Of n random pairs only the n correct ones are undecided, in rows and in columns: 2 n of 2 n**2 comparisons."""
    if device != "cpu":
        pytest.importorskip("torch")
    for n, settled in ((15, 2 * 15**2), (16, 0), (17, 0)):
        speech, text = np.random.default_rng(n).standard_normal((2, n, 30)).astype(np.float32)
        counts = count_rows(prepare(speech, text), slice(0, n), device=device)
        assert counts.settled_exactly == settled


@pytest.mark.parametrize("device", ["cpu", "cpu:0"])
def test_pairs_in_doubt_are_counted_whether_their_row_or_their_column_is(device):
    """Three equal texts make six row comparisons undecided, three equal recordings six column comparisons."""
    if device != "cpu":
        pytest.importorskip("torch")
    speech, text = np.random.default_rng(15).standard_normal((2, 40, 30)).astype(np.float32)
    text[[5, 9]], speech[[12, 30]] = text[2], speech[20]
    counts = count_rows(prepare(speech, text), slice(0, 40), device=device)
    assert counts.settled_exactly == 12
    np.testing.assert_array_equal(np.flatnonzero(counts.by_speech.equal), [2, 5, 9])
    np.testing.assert_array_equal(np.flatnonzero(counts.by_text.equal), [12, 20, 30])
    assert_equal_ranks(ia.rank_all(speech, text, device=device), brute_force(speech, text)[0])


@pytest.mark.parametrize(
    ("share", "expected"), [(None, 3), ("", 3), ("2", 2), ("1", 1), ("3", 3), ("8", 3), ("0", 3), ("two", 3), ("-1", 3)]
)
def test_threads_are_those_that_the_process_may_use(share, expected, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 2, 5} if process == 0 else set(), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if share is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", share)
    assert full_ranking.available_threads() == expected


@pytest.mark.parametrize(("count", "expected"), [(5, 5), (None, 1)])
def test_threads_where_the_system_knows_no_affinity(count, expected, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert full_ranking.available_threads() == expected


def test_progress_counts_every_row_once():
    vectors = np.random.default_rng(7).standard_normal((2500, 4))
    steps = []
    ia.rank_all(vectors, vectors, progress=steps.append)
    assert sum(steps) == 2500
    assert len(steps) == 3


def test_shapes_that_do_not_fit_are_errors():
    vectors = np.eye(4)
    with pytest.raises(ValueError, match=r"one shape, found \(4, 4\) and \(3, 4\)"):
        ia.rank_all(vectors, vectors[:3])
    with pytest.raises(ValueError, match=r"one text group a row, shape \(4,\), found \(3,\)"):
        ia.rank_all(vectors, vectors, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="all-zero row"):
        ia.rank_all(vectors, vectors * 0)
    assert ia.rank_all(np.empty((0, 3)), np.empty((0, 3))).speech_to_text.shape == (0,)


def test_a_product_of_reduced_precision_is_refused(monkeypatch):
    stream = np.random.default_rng(8)
    speech, text = stream.standard_normal((2, 200, 64)).astype(np.float32)

    def tensor_float(left, right, out):
        out[...] = (left.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) @ right
        return out

    monkeypatch.setattr("igbo_align.metrics.numpy_sweep.np.matmul", tensor_float)
    with pytest.raises(ArithmeticError, match="reduced precision"):
        ia.rank_all(speech, text)


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


def test_the_bound_can_be_taken_at_the_limit():
    # A similarity on one side of a limit never has a product beyond the limit's bound on the other side.
    limit = np.float64(2.0**48)
    similarity = np.linspace(-(2.0**50), 2.0**50, 100_001)
    reach = product_error_bound(similarity, 384)
    bound = product_error_bound(limit, 384)
    assert (similarity + reach)[similarity <= limit].max() <= limit + bound + 1
    assert (similarity - reach)[similarity >= limit].min() >= limit - bound - 1


def test_few_pairs_are_left_to_exact_arithmetic():
    stream = np.random.default_rng(9)
    speech, text = stream.standard_normal((2, 2000, 384)).astype(np.float32)
    counts = count_rows(prepare(speech, text), slice(0, 2000))
    assert 0 < counts.settled_exactly < 2 * 2000**2 / 4000


def test_the_work_is_one_product(monkeypatch):
    products = []
    original = np.matmul

    def counted(left, right, out):
        products.append(left.shape[0] * left.shape[1] * right.shape[1])
        return original(left, right, out=out)

    monkeypatch.setattr("igbo_align.metrics.numpy_sweep.np.matmul", counted)
    vectors = np.random.default_rng(10).standard_normal((3000, 20))
    ia.rank_all(vectors, vectors[::-1].copy())
    assert sum(products) == 3000**2 * 20
    assert max(products) <= NumpySweep.tile_rows * NumpySweep.tile_columns * 20


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


def test_norms_of_numbers_whose_squares_underflow():
    rows = np.random.default_rng(13).standard_normal((200, 5)) * 10.0 ** np.linspace(-161, -130, 200)[:, None]
    np.testing.assert_array_equal(unit_integers(rows), integer_rows(rows))


vectors = st.integers(0, 2**32 - 1).map(lambda seed: planted(np.random.default_rng(seed), 24, 6, np.float32))


@settings(max_examples=60, deadline=None)
@given(vectors, st.randoms(use_true_random=False))
def test_ranks_follow_the_rows(pair, random):
    order = random.sample(range(24), 24)
    before, after = ia.rank_all(*pair), ia.rank_all(pair[0][order], pair[1][order])
    np.testing.assert_array_equal(before.speech_to_text[order], after.speech_to_text)
    np.testing.assert_array_equal(before.text_to_speech[order], after.text_to_speech)


@settings(max_examples=60, deadline=None)
@given(vectors, st.integers(-20, 20), st.randoms(use_true_random=False))
def test_scale_by_powers_of_two_and_order_of_dimensions_change_nothing(pair, power, random):
    order = random.sample(range(6), 6)
    changed = [side[:, order] * np.float32(2.0**power) for side in pair]
    found, expected = ia.rank_all(*changed), ia.rank_all(*pair)
    assert_equal_ranks(found, [expected.speech_to_text, expected.text_to_speech])


@settings(max_examples=60, deadline=None)
@given(vectors)
def test_directions_are_mirror_images(pair):
    forth, back = ia.rank_all(*pair), ia.rank_all(*reversed(pair))
    assert_equal_ranks(forth, [back.text_to_speech, back.speech_to_text])


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
