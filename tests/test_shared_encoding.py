"""Two processes of `accelerate launch` share the recordings and give the bytes of one; none of them is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.encoders import shared_work
from igbo_align.encoders.cache import VectorCache
from igbo_align.metrics.sharding import Place
from igbo_align.problems import EnvironmentProblem, problem


@pytest.fixture(scope="module")
def release(corpus_folder, encoders_folder, tmp_path_factory):
    """A release with recordings, and the options that name its encoders."""
    folder = tmp_path_factory.mktemp("shared")
    tiny = encoders_folder / "tiny"
    models = ["--speech-encoder", str(tiny / "whisper"), "--text-encoder", str(tiny / "sentences")]
    build = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "8", "--with-audio"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache-of-the-build"))
        assert run([*build, *models, "--workers", "1", "--out", str(folder / "release")]) == 0
    # Another pooling than the build's, so that there is something left to do.
    encode = ["encode", *models, "--pooling", "masked-mean", "--workers", "1", "--release", str(folder / "release")]
    return folder, encode


@pytest.fixture(scope="module")
def alone(release, tmp_path_factory):
    """The vectors that one process writes."""
    folder, encode = release
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache-of-one"))
        assert run([*encode, "--out", str(folder / "alone")]) == 0
    return (folder / "alone" / "embeddings.parquet").read_bytes()


def test_accelerate_launch(release, alone, tmp_path):
    pytest.importorskip("accelerate")
    _, encode = release
    environment = os.environ | {"IGBO_ALIGN_CACHE": str(tmp_path / "cache")}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    command = [*launch, "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    command += ["--main_process_port", "0", "-m", "igbo_align", *encode, "--out", str(tmp_path / "submission")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "submission" / "embeddings.parquet").read_bytes() == alone
    assert "process 1 of 2" in done.stderr
    assert "process 2 of 2" in done.stderr


def test_the_first_process_does_the_work_of_one_that_died(release, alone, tmp_path, monkeypatch):
    _, encode = release
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(shared_work, "PATIENCE_S", 0.2)
    monkeypatch.setenv("RANK", "0")
    assert run([*encode, "--out", str(tmp_path / "submission")]) == 0
    assert (tmp_path / "submission" / "embeddings.parquet").read_bytes() == alone


def test_the_others_encode_their_share_and_write_nothing(release, tmp_path, monkeypatch):
    _, encode = release
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert run([*encode, "--out", str(tmp_path / "submission")]) == 0
    assert not (tmp_path / "submission").exists()
    cache = VectorCache(tmp_path / "cache" / "vectors.sqlite")
    assert len(cache) == 12 + 1  # half of 24 recordings, and the mark of being done
    cache.close()


def test_a_place_that_makes_no_sense_is_a_problem(release, tmp_path, monkeypatch, capsys):
    _, encode = release
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run([*encode, "--out", str(tmp_path / "submission")]) in (1, 2)
    assert "RANK=2" in capsys.readouterr().err


class AnyJob:
    """Of no recording."""

    def key(self, name):
        return name


@pytest.mark.parametrize(
    ("ranks", "variables", "expected"),
    [(2, {}, 4), (2, {"LOCAL_WORLD_SIZE": "1"}, 8), (3, {}, 2), (16, {}, 1), (16, {"LOCAL_WORLD_SIZE": "4"}, 2)],
)
def test_the_processes_of_a_machine_share_the_cores_that_they_may_use(
    ranks, variables, expected, tmp_path, monkeypatch
):
    """Eight, as a scheduler grants them, of a machine with 64."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    used = []
    monkeypatch.setattr(shared_work, "encode_speech", lambda *arguments: used.append(arguments[-1]))
    share = shared_work.Share(Place(1, ranks), "release")
    share.encode(AnyJob(), list, tmp_path / "vectors.sqlite", lambda _: None, None)
    assert used == [expected]


def refusing(code):
    """An encoding that ends with a problem."""

    def encode(*_arguments):
        raise problem(code, "r1", found="a", expected="b", mend="c")

    return encode


def test_a_recording_that_cannot_be_encoded_is_left_to_the_first_process(tmp_path, monkeypatch):
    """The other process says that it has done what it could; after a full disk it does not."""
    share = shared_work.Share(Place(1, 2), "release")
    marked = []
    monkeypatch.setattr(VectorCache, "put", lambda _cache, key, _array: marked.append(key))
    monkeypatch.setattr(shared_work, "encode_speech", refusing("environment.disk"))
    with pytest.raises(EnvironmentProblem, match=r"environment\.disk"):
        share.encode(AnyJob(), list, tmp_path / "vectors.sqlite", lambda _: None, 1)
    assert marked == []
    monkeypatch.setattr(shared_work, "encode_speech", refusing("encoder.output"))
    share.encode(AnyJob(), list, tmp_path / "vectors.sqlite", lambda _: None, 1)
    assert marked == ["share 1 of 2 of release"]


class Clock:
    """A clock that is a hundred seconds on after each look, and what the other process has stored by then."""

    def __init__(self, file, keys):
        self.cache, self.keys, self.now = VectorCache(file), iter(keys), 0.0

    def monotonic(self):
        return self.now

    def sleep(self, _seconds):
        self.now += 100
        if (key := next(self.keys, None)) is not None:
            self.cache.put(key, np.ones(1, np.float32))


@pytest.mark.parametrize(
    ("stored", "seconds"),
    [
        (["a", "b", "c", "d", "share 1 of 2 of release"], 500),  # as long as there is something new
        (["a", "b", "c", "d"], 600),  # then for 180 seconds, looked at every hundred
        ([], 200),
    ],
)
def test_the_first_process_waits_as_long_as_the_others_go_on(stored, seconds, tmp_path, monkeypatch):
    clock = Clock(tmp_path / "vectors.sqlite", stored)
    monkeypatch.setattr(shared_work, "time", clock)
    monkeypatch.setattr(shared_work, "encode_speech", lambda *_: None)
    share = shared_work.Share(Place(0, 2), "release")
    share.encode(AnyJob(), list, tmp_path / "vectors.sqlite", lambda _: None, 1)
    assert clock.now == seconds
    clock.cache.close()
