"""Encoding that is killed at any moment goes on where it stopped and ends with the same bytes; nothing is left behind."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time

import igbo_align as ia
import numpy as np
import pytest
from cached_vectors import finished_vectors
from igbo_align.cli.app import run
from igbo_align.encoders.cache import VectorCache
from igbo_align.encoders.worker_processes import results_in_order


def build_command(corpus, encoders, out):
    models = [
        f"--{kind}-encoder={encoders}/tiny/{name}" for kind, name in (("speech", "whisper"), ("text", "sentences"))
    ]
    arguments = ["build", "--source", str(corpus), "--config", "ibo", "--per-bucket", "8", *models]
    return [sys.executable, "-m", "igbo_align", *arguments, "--out", str(out)]


def alive(group):
    """Processes of a process group that still run."""
    listed = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    return [line for line in listed.stdout.splitlines() if not line.split()[1].startswith("Z")]


@pytest.fixture(scope="module")
def uninterrupted(corpus_folder, encoders_folder, tmp_path_factory):
    """Bytes of every file of a build that was left alone."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache"))
        _, _, _, *arguments = build_command(corpus_folder, encoders_folder, folder / "release")
        assert run([*arguments, "--workers", "1"]) == 0
    return {p.relative_to(folder): p.read_bytes() for p in (folder / "release").rglob("*") if p.is_file()}


def test_killed_twice_the_same_command_ends_with_the_same_bytes(
    uninterrupted, corpus_folder, encoders_folder, tmp_path
):
    cache = tmp_path / "cache"
    environment = os.environ | {"IGBO_ALIGN_CACHE": str(cache)}
    command = build_command(corpus_folder, encoders_folder, tmp_path / "release")
    for at in (1, 30):  # of 48: recordings, then texts
        running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
        while finished_vectors(cache) < at and running.poll() is None:
            time.sleep(0.005)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        assert finished_vectors(cache) >= at
        assert not (tmp_path / "release").exists()
        deadline = time.monotonic() + 20
        while alive(running.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not alive(running.pid), "workers outlive the command"
    subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    again = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "release").rglob("*") if p.is_file()}
    assert again == uninterrupted


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vectors SET numbers = zeroblob(length(numbers))",
        "UPDATE vectors SET shape = '4,4'",
        "UPDATE vectors SET numbers = substr(numbers, 1, 8)",
        "UPDATE vectors SET checksum = ''",
    ],
)
def test_a_damaged_entry_is_not_used(damage, tmp_path):
    file = tmp_path / "vectors.sqlite"
    cache = VectorCache(file)
    cache.put("key", np.arange(16, dtype=np.float32))
    assert cache.get("key").tolist() == list(range(16))
    assert cache.get("other") is None
    cache.close()
    with sqlite3.connect(file) as connection:
        connection.execute(damage)
    cache = VectorCache(file)
    assert cache.get("key") is None
    cache.put("key", np.ones((2, 3), dtype=np.float32))
    assert cache.get("key").shape == (2, 3)
    cache.close()


def test_a_cache_that_cannot_be_used_is_a_problem_of_the_environment(tmp_path):
    (tmp_path / "vectors.sqlite").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(ia.EnvironmentProblem, match=r"environment\.cache"):
        VectorCache(tmp_path / "vectors.sqlite")
    with pytest.raises(ia.EnvironmentProblem, match=r"environment\.cache"):
        VectorCache(tmp_path / "vectors.sqlite" / "below" / "vectors.sqlite")


FILL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from igbo_align.encoders.cache import VectorCache
from igbo_align.problems import EnvironmentProblem

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
cache = VectorCache(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    for number in range(10_000):
        cache.put(str(number), np.full(384, number, np.float32))
except EnvironmentProblem as error:
    print(number, error)
"""


def test_on_a_full_disk_the_error_is_clear_and_what_was_finished_is_kept(tmp_path):
    """No file may grow beyond a limit in the child, as on a disk without space."""
    file = tmp_path / "vectors.sqlite"
    done = subprocess.run([sys.executable, "-c", FILL, str(file)], capture_output=True, text=True, check=True)
    number, _, message = done.stdout.strip().partition(" ")
    assert 20 < int(number) < 10_000
    assert message.startswith("vectors.sqlite: [environment.cache] Found a cache that cannot be read or written")
    assert "Free space" in message
    cache = VectorCache(file)
    assert len(cache) == int(number)
    assert all(cache.get(str(i)).tolist() == [float(i)] * 384 for i in range(int(number)))
    cache.put(number, np.ones(384, np.float32))
    cache.close()


SHARE = """
import sys
import numpy as np
from pathlib import Path
from igbo_align.encoders.cache import VectorCache

cache, own = VectorCache(Path(sys.argv[1])), sys.argv[2]
for number in range(150):
    cache.put(f"{own} {number}", np.full(8, number, np.float32))
    cache.put(f"both {number}", np.full(8, number, np.float32))
"""


def test_two_processes_write_to_one_cache_and_nothing_is_lost(tmp_path):
    file = tmp_path / "vectors.sqlite"
    running = [subprocess.Popen([sys.executable, "-c", SHARE, str(file), name]) for name in ("first", "second")]
    assert [process.wait() for process in running] == [0, 0]
    cache = VectorCache(file)
    assert len(cache) == 450
    for name in ("first", "second", "both"):
        assert all(cache.get(f"{name} {i}").tolist() == [float(i)] * 8 for i in range(150))
    cache.close()


def test_a_worker_that_is_ended_from_outside_is_a_problem_of_the_environment():
    with pytest.raises(ia.EnvironmentProblem) as caught:
        list(results_in_order(os._exit, [("r1", 9)], workers=2))
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("environment.memory", "encoding")
    assert problem.found == "a worker process that was ended from outside, most likely for lack of memory"
    assert problem.expected == "workers that live"
    assert problem.mend == "Run the same command again, with fewer --workers; finished vectors are kept."


def test_one_undecodable_recording_is_named_and_the_others_are_done(
    corpus_folder, encoders_folder, tmp_path, monkeypatch, capsys
):
    """The recording passes the build and is damaged afterwards, inside the release that holds it."""
    import pyarrow.parquet as pq

    monkeypatch.chdir(encoders_folder)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    release, models = tmp_path / "release", ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
    command = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "15", "--with-audio"]
    assert run([*command, *models, "--workers", "1", "--out", str(release)]) == 0
    rows = pq.read_table(release / "audio" / "test.parquet").to_pylist()
    rows[0]["audio"]["bytes"] = b"broken"
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist(rows), release / "audio" / "test.parquet")
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "other-cache"))
    capsys.readouterr()
    assert run(["encode", *models, "--release", str(release), "--out", str(tmp_path / "submission")]) == 1
    err = capsys.readouterr().err
    assert "encoder.output" in err
    assert rows[0]["id"] in err
    assert finished_vectors(tmp_path / "other-cache") == 44
    assert not (tmp_path / "submission").exists()
