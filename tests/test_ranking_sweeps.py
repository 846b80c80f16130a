"""How a ranking does its work: tiles, threads, devices, progress, and what is left to exact arithmetic."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.metrics import full_ranking, numpy_sweep
from igbo_align.metrics.full_ranking import count_rows, prepare
from igbo_align.metrics.numpy_sweep import NumpySweep
from igbo_align.metrics.torch_sweep import TorchSweep
from integer_ranks import DTYPES, assert_equal_ranks, brute_force, planted


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
        pair = planted(stream, n, d, DTYPES[case % 3])
        for speech, text in (pair, reversed(pair)):  # near ties in rows, then in columns
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


@pytest.mark.parametrize(("sweep", "device"), [(NumpySweep, "cpu"), (TorchSweep, "cpu:0")])
def test_a_pass_over_some_rows_adds_up_its_tiles(sweep, device, monkeypatch):
    """Three equal texts in the first tile and three in the last: six undecided comparisons in each."""
    if device != "cpu":
        pytest.importorskip("torch")
    monkeypatch.setattr(sweep, "tile_rows", 50)
    monkeypatch.setattr(sweep, "tile_columns", 50)
    speech, text = np.random.default_rng(16).standard_normal((2, 150, 30)).astype(np.float32)
    text[[5, 9]], text[[130, 140]] = text[2], text[120]
    corpus = prepare(speech, text)
    whole = count_rows(corpus, slice(0, 150), device=device)
    assert whole.settled_exactly == 12
    part = count_rows(corpus, slice(20, 140), device=device)
    np.testing.assert_array_equal(part.by_speech.better, whole.by_speech.better[20:140])
    np.testing.assert_array_equal(part.by_speech.equal, whole.by_speech.equal[20:140])


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


def test_a_product_of_reduced_precision_is_refused(monkeypatch):
    stream = np.random.default_rng(8)
    speech, text = stream.standard_normal((2, 200, 64)).astype(np.float32)

    def tensor_float(left, right, out):
        out[...] = (left.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32) @ right
        return out

    monkeypatch.setattr("igbo_align.metrics.numpy_sweep.np.matmul", tensor_float)
    expected = (
        r"^found a matrix product with an error of [0-9.e+]+, expected at most [0-9.e+]+: switch off the reduced "
        r"precision of matrix products \(TensorFloat-32, bfloat16\) of this device$"
    )
    with pytest.raises(ArithmeticError, match=expected):
        ia.rank_all(speech, text)


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
