"""Ranking in shards: any number of processes, interrupted or not, gives the ranks of one pass."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import igbo_align as ia
import numpy as np
import pyarrow.parquet as pq
import pytest
from igbo_align.cli.app import run
from igbo_align.metrics import full_ranking
from igbo_align.metrics.full_ranking import prepare
from igbo_align.metrics.numpy_sweep import NumpySweep
from igbo_align.metrics.retrieval import expected_rank
from igbo_align.metrics.sharding import Place, Shards


@pytest.fixture(scope="module")
def vectors():
    stream = np.random.default_rng(0)
    speech, text = stream.standard_normal((2, 1000, 8)).astype(np.float32)
    text[400:500] = text[:100]
    return speech, text


@pytest.fixture(scope="module")
def groups():
    return np.random.default_rng(1).integers(0, 600, 1000)


@pytest.fixture
def saved(tmp_path, vectors, groups):
    for name, array in zip(("speech", "text", "groups"), (*vectors, groups), strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    return tmp_path


def assert_same(found, expected):
    for held, ranks in zip(found, (expected.speech_to_text, expected.text_to_speech), strict=True):
        np.testing.assert_array_equal(expected_rank(held), ranks)


@pytest.mark.parametrize("size", [1, 2, 3, 11])
@pytest.mark.parametrize("rows", [128, 333, 1000])
def test_any_number_of_processes_and_shards_gives_the_same_ranks(vectors, groups, tmp_path, size, rows):
    shards = Shards(prepare(*vectors, groups), tmp_path, rows)
    for rank in reversed(range(size)):
        if rows * (size - 1) < 1000:
            assert shards.standings() is None or size == 1
        shards.count(Place(rank, size))
    assert_same(shards.standings(), ia.rank_all(*vectors, groups=groups))


def test_finished_shards_are_kept_and_broken_ones_counted_again(vectors, tmp_path):
    shards = Shards(prepare(*vectors), tmp_path, 250)
    shards.count(Place(1, 2))
    assert shards.standings() is None
    finished = {path: path.stat().st_mtime_ns for _, path in shards.of(Place(1, 2))}
    steps = []
    shards.count(Place(0, 1), progress=steps.append)
    assert sum(steps) == 1000
    assert finished == {path: path.stat().st_mtime_ns for path in finished}
    for path, damage in zip(finished, (b"", b"PK\x03\x04 no archive"), strict=True):
        path.write_bytes(damage)
    assert shards.standings() is None
    shards.count(Place(0, 1))
    assert_same(shards.standings(), ia.rank_all(*vectors))


def test_shards_of_other_vectors_are_not_mixed_in(vectors, groups, tmp_path):
    Shards(prepare(*vectors), tmp_path, 500).count(Place(0, 1))
    other = vectors[0].copy()
    other[7] *= -1
    for corpus in (prepare(other, vectors[1]), prepare(*vectors, groups)):
        assert Shards(corpus, tmp_path, 500).standings() is None


def test_shards_are_named_after_their_vectors_and_rows(vectors, tmp_path):
    Shards(prepare(*vectors), tmp_path, 600).count(Place(0, 1))
    names = sorted(path.name for path in tmp_path.iterdir())
    digest = names[0][:16]
    assert re.fullmatch("[0-9a-f]{16}", digest)
    assert names == [f"{digest}-000000000-000000600.npz", f"{digest}-000000600-000001000.npz"]


def test_a_shard_of_other_rows_is_counted_again(vectors, tmp_path):
    shards = Shards(prepare(*vectors), tmp_path, 600)
    shards.count(Place(0, 1))
    (_, first), (_, second) = shards.of(Place(0, 1))
    second.write_bytes(first.read_bytes())
    assert shards.standings() is None


def test_a_shard_is_never_unpickled(vectors, tmp_path, capsys):
    class Canary:
        def __reduce__(self):
            return print, ("unpickled",)

    shards = Shards(prepare(*vectors), tmp_path)
    ((_, path),) = shards.of(Place(0, 1))
    np.savez(path, speech=np.array([Canary()]), text=np.array([Canary()]))
    assert shards.standings() is None
    assert capsys.readouterr().out == ""
    np.load(path, allow_pickle=True)["speech"]
    assert capsys.readouterr().out == "unpickled\n"


def test_shards_are_counted_on_the_device_and_with_the_threads_that_were_asked_for(vectors, tmp_path, monkeypatch):
    used = []

    class Recorded(NumpySweep):
        def __init__(self, matrix, threads):
            used.append(threads)
            super().__init__(matrix, threads)

    monkeypatch.setattr(full_ranking, "NumpySweep", Recorded)
    shards = Shards(prepare(*vectors), tmp_path)
    shards.count(Place(0, 1), threads=3)
    assert used == [3]
    pytest.importorskip("torch")
    with pytest.raises(NotImplementedError, match="meta"):
        Shards(prepare(*vectors), tmp_path / "other").count(Place(0, 1), device="meta")


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("0", "0"), ("x", "2"), ("0", "")])
def test_places_that_make_no_sense_are_errors(monkeypatch, rank, size):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(ValueError, match=f"RANK < WORLD_SIZE, found RANK={rank}, WORLD_SIZE={size}"):
        Place.from_environment()


def arguments(folder, out):
    return [
        "rank",
        *(f"--{name}={folder / name}.npy" for name in ("speech", "text", "groups")),
        f"--out={folder / out}",
    ]


def ranks_in(path, direction):
    return pq.read_table(path).column(direction).to_numpy()


def test_the_verb_alone(saved, vectors, groups, capsys):
    assert run([*arguments(saved, "ranks.parquet"), "--json", "--threads", "1"]) == 0
    document = json.loads(capsys.readouterr().out)
    ranks = ia.rank_all(*vectors, groups=groups)
    assert document["n"] == 1000
    last = document["pools"]["text_to_speech"][-1]
    assert last["mean_rank"] == pytest.approx(ranks.text_to_speech.mean())
    assert last["median_rank"] == np.median(ranks.text_to_speech)
    for direction in ("speech_to_text", "text_to_speech"):
        np.testing.assert_array_equal(ranks_in(saved / "ranks.parquet", direction), getattr(ranks, direction))
    assert run(arguments(saved, "ranks.parquet")) == 0
    assert "recall@10" in capsys.readouterr().out


def launched(command, saved, out, **environment):
    environment = os.environ | environment
    return subprocess.run(
        [*command, *arguments(saved, out)], env=environment, capture_output=True, text=True, check=False
    )


def test_plain_processes_share_the_work(saved, monkeypatch):
    here = [sys.executable, "-m", "igbo_align"]
    assert launched(here, saved, "alone.parquet").returncode == 0
    expected = (saved / "alone.parquet").read_bytes()
    for rank in ("1", "0"):
        done = launched(here, saved, "shared.parquet", RANK=rank, WORLD_SIZE="2")
        assert done.returncode == 0
    assert "others have not" not in done.stderr
    assert (saved / "shared.parquet").read_bytes() == expected


def test_accelerate_launch(saved):
    pytest.importorskip("accelerate")
    launch = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes=2",
        "--num_machines=1",
    ]
    done = launched([*launch, "--mixed_precision=no", "--dynamo_backend=no", "-m", "igbo_align"], saved, "two.parquet")
    assert done.returncode == 0, done.stderr
    assert launched([sys.executable, "-m", "igbo_align"], saved, "one.parquet").returncode == 0
    assert (saved / "two.parquet").read_bytes() == (saved / "one.parquet").read_bytes()


def test_bad_input_is_explained(saved, capsys, monkeypatch):
    (saved / "speech.npy").write_bytes(b"nothing")
    assert run(arguments(saved, "ranks.parquet")) == 1
    assert "no file that can be read as a .npy array" in capsys.readouterr().err
    np.save(saved / "speech.npy", np.ones((3, 8)))
    assert run(arguments(saved, "ranks.parquet")) == 1
    assert "one shape, found (3, 8) and (1000, 8)" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("WORLD_SIZE", "0")
    assert run(arguments(saved, "ranks.parquet")) == 1
    assert not (saved / "ranks.parquet").exists()
