"""Writing fails or is killed at every single call of the system: the store is always either old or new."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from bad_inputs.small_release import IDS, card, release, vectors
from crash_child import CALLS, NEW, OLD, OPERATIONS, Faults, is_old_or_new
from igbo_align import files
from igbo_align.problems import EnvironmentProblem, ProblemsFound
from igbo_align.scoring.leaderboard import submission_folders
from igbo_align.submission.card import parse_card

CHILD = Path(__file__).parent / "crash_child.py"


def prepared(operation, folder):
    folder.mkdir()
    if operation == "file":
        (folder / "store.txt").write_text(OLD)
    return folder


def problems_of(operation, folder):
    try:
        operation(folder)
    except EnvironmentProblem as error:
        return error.problems
    return ()


def leftovers(folder):
    known = {"store.txt", "org__system", "1", "submission.json", "embeddings.parquet", "below", "more.txt"}
    return [path.name for path in folder.rglob("*") if path.name not in known]


@pytest.mark.parametrize("calls", [("write",), ("fsync",), ("replace", "rename"), ("open",), ("mkdir",), CALLS])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_nth_call_fails_until_a_run_completes(operation, calls, tmp_path, monkeypatch):
    for number in count(1):
        folder = prepared(operation, tmp_path / str(number))
        faults = Faults("fail", number, calls)
        with monkeypatch.context() as patched:
            for name in CALLS:
                patched.setattr(os, name, faults.wrapped(name))
            problems = problems_of(OPERATIONS[operation], folder)
            faults.number = 0
        completed = not problems
        for problem in problems:
            assert problem.code == "environment.disk"
            assert problem.found == "No space left on device"
        assert is_old_or_new(operation, folder)
        assert leftovers(folder) == []
        if completed and len(faults.log) < number:
            break
        if not completed and not (folder / "org__system" / "1").exists():
            OPERATIONS[operation](folder)
            assert is_old_or_new(operation, folder)
    assert number > 1 or operation == "file"


@pytest.mark.parametrize("fault", ["kill before", "kill after", "kill half"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_killed_at_the_nth_call_until_a_run_completes(operation, fault, tmp_path):
    for number in count(1):
        folder = prepared(operation, tmp_path / str(number))
        command = [sys.executable, str(CHILD), operation, str(folder), fault, str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert is_old_or_new(operation, folder)
        assert all(files.is_temporary(name) for name in leftovers(folder) if name.startswith("."))
        for found in submission_folders(folder):
            assert not found.name.startswith(".")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        if not (folder / "org__system" / "1").exists():
            OPERATIONS[operation](folder)
    assert number > 5


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    """Without the first flush a crash after the rename leaves an empty file; without the last, none at all."""
    faults = Faults("fail", 0)
    with monkeypatch.context() as patched:
        for name in CALLS:
            patched.setattr(os, name, faults.wrapped(name))
        files.write_text(tmp_path / "x", NEW)
    log = [name for name in faults.log if name in ("write", "fsync", "replace")]
    assert log == ["write", "fsync", "replace", "fsync"]


def test_a_short_write_is_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, memoryview(data)[:7]))
    files.write_bytes(tmp_path / "x", NEW.encode())
    monkeypatch.undo()
    assert (tmp_path / "x").read_text() == NEW


def test_a_submission_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    content = ia.Embeddings(np.array(IDS), vectors(seed=1), vectors(seed=2))
    for number in count(1):
        faults = Faults("fail", number, ("write", "fsync", "rename", "replace"))
        target = tmp_path / "tests__ridge" / "1"
        with monkeypatch.context() as patched:
            for name in CALLS:
                patched.setattr(os, name, faults.wrapped(name))
            try:
                ia.write_submission(target, parse_card(card()), content, release())
            except EnvironmentProblem:
                faults.number = 0
                if not target.exists():
                    continue
            faults.number = 0
        break
    assert number > 5
    assert ia.validate(ia.load_submission(target), release()) == []
    with pytest.raises(ProblemsFound, match=r"folder\.exists"):
        ia.write_submission(target, parse_card(card()), content, release())


def test_what_another_process_made_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "1"
    with pytest.raises(ProblemsFound) as caught, files.new_folder(path) as inside:  # noqa: PT012 - the end of it raises
        files.write_text(inside / "a", "mine")
        path.mkdir()
        (path / "a").write_text("theirs")
    assert caught.value.problems[0].code == "folder.exists"
    assert (path / "a").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ProblemsFound, match=r"folder\.exists"), files.new_folder(tmp_path / "link"):
        pass


def test_errors_of_the_caller_are_not_blamed_on_the_disk(tmp_path):
    with pytest.raises(FileNotFoundError), files.new_folder(tmp_path / "1"):
        (tmp_path / "nothing").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_number(tmp_path):
    def write(_path):
        raise OSError("no number")

    with pytest.raises(EnvironmentProblem, match="an input/output error"):
        files.write_atomically(tmp_path / "x", write)


_WRITING = {"write_text", "write_bytes", "savez", "savez_compressed", "save_file", "write_table", "touch", "open"}
#: Where a file is opened to be written, and why that is no half-written result.
_ALLOWED = {
    ("files.py", "write"): "the crash-safe writing itself",
    ("cli/app.py", "fdopen"): "the report of a bug, a new file that nothing reads",
    ("report/writing.py", "write_bytes"): "the crash-safe writing itself",
    ("submission/parquet_format.py", "write_table"): "into memory",
    ("corpus/audio_table.py", "write_table"): "given to `write_atomically`",
    ("cli/ranking.py", "write_table"): "given to `write_atomically`",
    ("metrics/sharding.py", "open"): "given to `write_atomically`",
    ("metrics/sharding.py", "savez"): "given to `write_atomically`",
}


def test_nothing_else_in_the_package_writes_files():
    """Whatever writes goes through `files`; the others name the crash-safe functions only."""
    package = Path(ia.__file__).parent
    found = set()
    for path in package.rglob("*.py"):
        where = path.relative_to(package).as_posix()
        if where == "files.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            name, modes = node.func.attr, {a.value for a in node.args if isinstance(a, ast.Constant)}
            opens = name in ("open", "fdopen") and modes & {"w", "wb", "a", "ab", "x", "xb", "w+b"}
            if opens or (name in _WRITING - {"open"}):
                found.add((where, name))
    assert found <= set(_ALLOWED), found - set(_ALLOWED)
