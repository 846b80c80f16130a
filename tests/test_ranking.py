"""`rank_all` against brute force in integers: planted ties and near ties, every type, every way to cut the work."""

from __future__ import annotations

import igbo_align as ia
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.metrics import full_ranking
from igbo_align.metrics.exact_similarity import integer_similarity, unit_integers
from igbo_align.metrics.full_ranking import count_rows, prepare, standings
from igbo_align.metrics.numpy_sweep import NumpySweep
from igbo_align.metrics.ranking import full_standings
from igbo_align.metrics.retrieval import expected_rank
from integer_ranks import DTYPES, assert_equal_ranks, brute_force, integer_rows, planted


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


def test_blocks_that_lose_a_bit_lie_beside_blocks_that_lose_none():
    vectors = np.ones((300, 24), dtype=np.float32)
    assert prepare(vectors, vectors).matrix.left.remainder is None
    vectors[150, 3] = 11  # an odd integer above 2**24, in the second of three blocks of 128 rows
    corpus = prepare(vectors, vectors)
    assert np.flatnonzero(corpus.matrix.left.remainder.any(axis=1)).tolist() == [150]
    np.testing.assert_array_equal(corpus.matrix.left.integers(slice(0, 300)), integer_rows(vectors))


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


def test_large_groups_are_taken_block_by_block(monkeypatch):
    monkeypatch.setattr(full_ranking, "_GROUP_BLOCK", 16)
    test_text_groups_keep_the_best_member_only(2)


def test_shapes_that_do_not_fit_are_errors():
    vectors = np.eye(4)
    with pytest.raises(ValueError, match=r"one shape, found \(4, 4\) and \(3, 4\)"):
        ia.rank_all(vectors, vectors[:3])
    with pytest.raises(ValueError, match=r"one text group a row, shape \(4,\), found \(3,\)"):
        ia.rank_all(vectors, vectors, groups=[1, 2, 3])
    with pytest.raises(ValueError, match=r"two axes \(n, d\), found 1"):
        ia.rank_all(vectors[0], vectors)
    with pytest.raises(ValueError, match="all-zero row"):
        ia.rank_all(vectors, vectors * 0)
    assert ia.rank_all(np.empty((0, 3)), np.empty((0, 3))).speech_to_text.shape == (0,)


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
