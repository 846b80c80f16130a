"""The child process that decodes: what happens when it dies, hangs, lies, or cannot be started."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from bad_inputs.cases import all_cases, make
from bad_inputs.small_release import EMBEDDINGS_NPZ, PARQUET, ROWS, VALID, release
from igbo_align.problems import EnvironmentProblem, ProblemsFound
from igbo_align.submission import parquet_format, sandbox, worker
from igbo_align.submission.intake import take_in
from igbo_align.submission.limits import MAX_FILE_BYTES, Limits
from igbo_align.submission.sandbox import Decoder

LIMITS = Limits(ROWS)
_READY = "import json, os, resource, signal, sys, time; sys.stdout.write('ready\\n'); sys.stdout.flush();"
_TAKEN = _READY + "sys.stdin.buffer.read();"


def codes_of(code, **options):
    with Decoder(launch=("-c", code), **options) as decoder, pytest.raises(ProblemsFound) as caught:
        decoder.decode(EMBEDDINGS_NPZ, VALID[EMBEDDINGS_NPZ], LIMITS)
    assert type(caught.value) is ProblemsFound
    return [item.code for item in caught.value.problems]


def test_a_valid_file_comes_back_byte_for_byte():
    with Decoder() as decoder:
        raw = decoder.decode(EMBEDDINGS_NPZ, VALID[EMBEDDINGS_NPZ], LIMITS)
    assert {name: (array.descr, array.shape) for name, array in raw.items()} == {
        "ids": ("<U8", (6,)),
        "speech": ("<f4", (6, 4)),
        "text": ("<f4", (6, 4)),
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.abort()", "sandbox.crash"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "sandbox.crash"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "sandbox.memory"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", "sandbox.timeout"),
        ("sys.exit(0)", "sandbox.crash"),
        ("sys.exit(7)", "sandbox.crash"),
        ("resource.setrlimit(resource.RLIMIT_CPU, (1, 2)); [0 for _ in iter(int, 1)]", "sandbox.timeout"),
        ("resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28)); bytearray(2**30)", "sandbox.crash"),
    ],
)
def test_a_child_that_dies(code, expected):
    assert codes_of(f"{_TAKEN} {code}") == [expected]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_child_that_hangs_is_ended(when):
    code = f"{_TAKEN if when == 'after' else _READY} time.sleep(60)"
    assert codes_of(code, wall_seconds=1) == ["sandbox.timeout"]


def test_a_child_that_closes_its_ears():
    big = b"x" * 2**20
    code = _READY + "os.close(0); time.sleep(0.3)"
    with Decoder(launch=("-c", code)) as decoder, pytest.raises(ProblemsFound) as caught:
        decoder.decode(EMBEDDINGS_NPZ, big, LIMITS)
    assert caught.value.problems[0].code == "sandbox.crash"


def test_a_child_that_stays_after_its_last_word_is_ended(monkeypatch):
    monkeypatch.setattr(sandbox, "_PATIENCE_S", 0.2)
    assert codes_of(_TAKEN + "print('nonsense'); sys.stdout.close(); os.close(1); time.sleep(60)") == ["sandbox.crash"]


_ARRAY = {"name": "ids", "descr": "<U8", "shape": [6], "fortran": False}


@pytest.mark.parametrize(
    "answer",
    [
        "nonsense",
        "[]",
        "{}",
        "7",
        '{"problems": []}',
        '{"problems": [{"code": "no.such"}]}',
        '{"problems": [{"code": "no.such", "where": "", "found": "", "expected": "", "mend": ""}]}',
        '{"problems": [7]}',
        '{"arrays": 7}',
        '{"arrays": []}',
        "[" * 50_000,
        json.dumps({"arrays": [_ARRAY]}),
        json.dumps({"arrays": [_ARRAY | {"descr": "|O"}]}),
        json.dumps({"arrays": [_ARRAY | {"shape": [2**60]}]}),
        json.dumps({"arrays": [_ARRAY | {"shape": [-6]}]}),
        json.dumps({"arrays": [_ARRAY | {"shape": [2**20, 2**10], "descr": "<f8"}]}),
        json.dumps({"arrays": [_ARRAY | {"shape": ["6"]}]}),
        json.dumps({"arrays": [_ARRAY | {"shape": [0]}]}),
        json.dumps({"arrays": [_ARRAY | {"name": name, "shape": [0]} for name in ("ids", "speech", "text")]})
        + "\nmore",
    ],
)
def test_a_child_that_lies_is_not_believed(answer):
    assert codes_of(f"{_TAKEN} sys.stdout.write({answer!r} + '\\n')") == ["sandbox.crash"]


def test_text_of_a_child_is_escaped_and_cut():
    problem = {"code": "usage", "where": "\x1b[2J", "found": "x" * 5000, "expected": "", "mend": ""}
    code = f"{_TAKEN} print(json.dumps({{'problems': [{problem!r}]}}))"
    with Decoder(launch=("-c", code)) as decoder, pytest.raises(ProblemsFound) as caught:
        decoder.decode(EMBEDDINGS_NPZ, b"x", LIMITS)
    (found,) = caught.value.problems
    assert found.where == "\\x1b[2J"
    assert len(found.found) == 2000


def test_a_child_that_does_not_come_up_is_the_environment(monkeypatch):
    for launch in (("-c", "raise SystemExit(1)"), ("-c", "print('reaxy')")):
        with Decoder(launch=launch) as decoder, pytest.raises(EnvironmentProblem) as caught:
            decoder.decode(EMBEDDINGS_NPZ, b"x", LIMITS)
        assert caught.value.problems[0].code == "environment.sandbox"

    def no_process(*_arguments, **_options):
        raise BlockingIOError(11, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    with Decoder() as decoder, pytest.raises(EnvironmentProblem) as caught:
        decoder.decode(EMBEDDINGS_NPZ, b"x", LIMITS)
    assert "processes" in caught.value.problems[0].mend


def test_a_prepared_child_is_used_once_and_ended_in_any_case(tmp_path):
    folder = make(tmp_path / "folder", {PARQUET: VALID[PARQUET]})
    with Decoder() as decoder:
        decoder.prepare(folder)
        prepared = decoder._waiting[1]
        decoder.prepare(folder)
        assert decoder._waiting[1] is prepared
        decoder.decode(PARQUET, VALID[PARQUET], LIMITS)
        assert prepared.poll() is not None
        decoder.prepare(folder)
        other = decoder._waiting[1]
        decoder.decode(EMBEDDINGS_NPZ, VALID[EMBEDDINGS_NPZ], LIMITS)
        assert other.poll() is not None
        decoder.prepare(tmp_path / "nothing")
        assert decoder._waiting is None
        decoder.prepare(folder)
        left = decoder._waiting[1]
    assert left.poll() is not None


def test_the_child_sees_no_secret_and_can_open_no_file(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    told = (
        _READY
        + "sys.path[:0] = sys.argv[2:]; from igbo_align.submission import worker; worker.limit_process(2**31, 10)\n"
        + "try: open('/etc/hostname'); opened = True\nexcept OSError: opened = False\n"
        + "told = {'code': 'usage', 'where': str(opened), 'found': str(sorted(os.environ)), 'expected': '', 'mend': ''}\n"
        + "print(json.dumps({'problems': [told]}))"
    )
    with Decoder(launch=("-I", "-S", "-c", told)) as decoder, pytest.raises(ProblemsFound) as caught:
        decoder.decode(EMBEDDINGS_NPZ, b"x", LIMITS)
    (found,) = caught.value.problems
    assert found.where == "False"
    assert "HF_TOKEN" not in found.found
    assert "LD_LIBRARY_PATH" in found.found


def test_the_child_needs_neither_numpy_nor_anything_installed_beside_pyarrow():
    code = f"{sandbox._LAUNCH.split('; main(')[0]}; import sys; print(*sorted(sys.modules))"
    command = [sys.executable, "-I", "-S", "-c", code, PARQUET, *sandbox._package_folders()]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "safetensors", "huggingface_hub", "scipy", "typer"} & set(modules)


def test_without_pyarrow_only_this_package_is_importable(monkeypatch):
    monkeypatch.setattr(sandbox.importlib.util, "find_spec", lambda _name: None)
    assert len(sandbox._package_folders()) == 1


# --- the child's own functions, in this process


@pytest.mark.parametrize("name", sorted(VALID))
def test_worker_answers(name, monkeypatch):
    limited = []
    monkeypatch.setattr(worker, "limit_process", lambda *limits: limited.append(limits))
    sink = io.BytesIO()
    order = json.dumps({"rows": ROWS, "seconds": 3}).encode() + b"\n"
    worker.main(name, io.BytesIO(order + VALID[name]), sink)
    ready, head, rest = sink.getvalue().split(b"\n", 2)
    assert ready == b"ready"
    told = json.loads(head)["arrays"]
    sizes = [np.dtype(item["descr"]).itemsize * int(np.prod(item["shape"])) for item in told]
    assert sum(sizes) == len(rest)
    assert limited == [(2**29 + 5 * LIMITS.file_bytes, 3)]


def test_a_worker_that_is_told_nothing_ends():
    sink = io.BytesIO()
    worker.main(EMBEDDINGS_NPZ, io.BytesIO(), sink)
    assert sink.getvalue() == b"ready\n"


def test_worker_tells_problems_and_lack_of_memory(monkeypatch):
    head, content = worker.answer(EMBEDDINGS_NPZ, b"PK", LIMITS)
    assert [item["code"] for item in head["problems"]] == ["file.corrupt"]
    assert content == []

    def greedy(*_arguments):
        raise MemoryError

    monkeypatch.setattr(parquet_format, "decode_parquet", greedy)
    head, _ = worker.answer(PARQUET, VALID[PARQUET], LIMITS)
    assert [item["code"] for item in head["problems"]] == ["sandbox.memory"]


def test_limits_of_the_process(monkeypatch):
    import resource

    told = {}

    def refused_once(name, limit):
        told[name] = limit
        if name == resource.RLIMIT_AS:
            raise ValueError("macOS")

    monkeypatch.setattr(resource, "setrlimit", refused_once)
    worker.limit_process(1000, 5)
    assert told[resource.RLIMIT_CPU] == (5, 6)
    assert told[resource.RLIMIT_FSIZE] == told[resource.RLIMIT_CORE] == (0, 0)
    monkeypatch.setitem(sys.modules, "resource", None)
    worker.limit_process(1, 1)
    assert len(told) == 5


def test_a_parquet_file_that_asks_for_too_much_is_refused_by_the_limits(tmp_path):
    """Metadata says a megabyte, the plain strings are as many as there are rows: only the process limits know."""
    case = next(item for item in all_cases() if item.name == "parquet/ids-megabyte")
    with pytest.raises(ProblemsFound) as caught:
        take_in(make(tmp_path / "folder", case.files), release())
    assert caught.value.problems[0].code in {"ids.dtype", "sandbox.memory"}


def test_limits_follow_the_release_and_stop_somewhere():
    assert Limits(699).file_bytes > 699 * 8192 * 2 * 8
    assert Limits(10**6).file_bytes == MAX_FILE_BYTES
    assert Limits(699).numbers >= 699 * 8192
