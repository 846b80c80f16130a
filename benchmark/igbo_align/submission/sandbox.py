"""Decoding in a child process: one fresh process a file, so that no file meets what another one left behind.

A process costs 30 ms, and 130 ms where it loads pyarrow. `Decoder` starts it ahead, so that this passes while the
release is loaded or the submission before is scored. Forking would be cheaper, and would hand a stranger's file
everything in this process: tokens, other people's submissions, and the locks of threads that do not exist any more.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ..problems import Problem, ProblemsFound, problem
from .formats import FORMATS, numbers_file
from .limits import Limits
from .raw_arrays import RawArray, content_size, item_size
from .worker import READY, too_much_memory

#: Processor seconds and wall seconds that a decoder has; a valid file of the largest kind takes one.
CPU_SECONDS = 10
WALL_SECONDS = 30
#: How long a child may take to die after its last word.
_PATIENCE_S = 1.0
_LAUNCH = (
    "import sys; sys.path[:0] = sys.argv[2:]; sys.modules['numpy'] = None; "
    "from igbo_align.submission.worker import main; main(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)"
)


@dataclass
class Decoder:
    """Decodes files, each in a process of its own; a context manager that ends what it started.

    Attributes:
        wall_seconds: that one file may take.
        launch: arguments of the interpreter, for tests.
    """

    wall_seconds: float = WALL_SECONDS
    launch: Sequence[str] = ("-I", "-S", "-c", _LAUNCH)
    _waiting: tuple[str, subprocess.Popen[bytes]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting is not None:
            _end(self._waiting[1])
            self._waiting = None

    def prepare(self, folder: Path) -> None:
        """Start a process for the file of numbers in a submission folder, and do not wait for it."""
        file = numbers_file(folder)
        if self._waiting is None and file is not None:
            self._waiting = file, self._start(file)

    def decode(self, file: str, data: bytes, limits: Limits) -> dict[str, RawArray]:
        """The arrays of a file whose headers have been checked.

        Args:
            file: its name, a key of `FORMATS`.
            data: its bytes.
            limits: of the release.

        Raises:
            ProblemsFound: what the decoder found, `sandbox.crash`, `sandbox.memory` or `sandbox.timeout`.
            EnvironmentProblem: no process can be started (`environment.sandbox`).
        """
        process = self._taken(file)
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self.wall_seconds, stop)
        timer.start()
        ready, answer = False, None
        try:
            ready, answer = _converse(process, data, limits, FORMATS[file].arrays)
        finally:
            timer.cancel()
            returncode = _end(process, patience_s=_PATIENCE_S if answer is None else 0.0)
        if answer is None:
            raise _death(file, returncode, ready, timed_out.is_set())
        if isinstance(answer, list):
            raise ProblemsFound(answer)
        return answer

    def _taken(self, file: str) -> subprocess.Popen[bytes]:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting[0] == file:
            return waiting[1]
        if waiting is not None:
            _end(waiting[1])
        return self._start(file)

    def _start(self, file: str) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter, and a name from a fixed list
                [sys.executable, *self.launch, file, *_package_folders()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", **kept},
            )
        except OSError as error:
            raise _no_sandbox() from error


def _package_folders() -> list[str]:
    """Where the child finds this package and pyarrow; nothing else is importable there but the standard library."""
    folders = [str(Path(__file__).parents[2])]
    pyarrow = importlib.util.find_spec("pyarrow")
    if pyarrow is not None and pyarrow.origin is not None:
        folders.append(str(Path(pyarrow.origin).parents[1]))
    return folders


def _converse(
    process: subprocess.Popen[bytes], data: bytes, limits: Limits, names: frozenset[str]
) -> tuple[bool, dict[str, RawArray] | list[Problem] | None]:
    """Whether the child came up, and its answer: arrays, problems, or None where it died or talked nonsense."""
    source, sink = process.stdout, process.stdin
    if source is None or sink is None:  # pragma: no cover - both are pipes
        return False, None
    if source.readline(len(READY)) != READY:
        return False, None
    try:
        sink.write(json.dumps({"rows": limits.rows, "seconds": CPU_SECONDS}).encode() + b"\n")
        sink.write(data)
        sink.close()
    except BrokenPipeError:
        return True, None
    return True, _read_answer(source, limits, names)


def _read_answer(
    source: IO[bytes], limits: Limits, names: frozenset[str]
) -> dict[str, RawArray] | list[Problem] | None:
    """The child's answer; it is believed as little as the file, since the file may have taken it over."""
    try:
        head = json.loads(source.readline(limits.header_bytes))
        if "problems" in head:
            return [_problem(item) for item in head["problems"]] or None
        arrays = {item["name"]: _array(item, source, limits) for item in head["arrays"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return arrays if arrays.keys() == names and not source.read(1) else None


def _problem(item: Any) -> Problem:
    return Problem(*(str(item[name])[:2000] for name in ("code", "where", "found", "expected", "mend")))


def _array(item: Any, source: IO[bytes], limits: Limits) -> RawArray:
    descr, shape = str(item["descr"]), tuple(item["shape"])
    counts = all(type(n) is int and 0 <= n <= limits.numbers for n in shape)
    if not counts or item_size(descr) is None or content_size(descr, shape) > limits.file_bytes:
        raise ValueError("no array of this kind")
    size = content_size(descr, shape)
    content = source.read(size)
    if len(content) != size:
        raise ValueError("less than was promised")
    return RawArray(descr, shape, bool(item["fortran"]), content)


def _end(process: subprocess.Popen[bytes], patience_s: float = 0.0) -> int | None:
    """Close the pipes and end a process; its own exit code, or None if it had to be killed."""
    for stream in filter(None, (process.stdout, process.stdin)):
        with suppress(OSError):  # the rest of a write that nobody will read
            stream.close()
    try:
        return process.wait(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _death(file: str, returncode: int | None, ready: bool, timed_out: bool) -> ProblemsFound:
    """What the end of a child that gave no answer means."""
    if timed_out or returncode == -getattr(signal, "SIGXCPU", 0):
        return problem(
            "sandbox.timeout",
            file,
            found="a file that takes longer to decode than any valid one",
            expected="one row for each pair and at most 8192 dimensions",
            mend="Write the file with `igbo-align pack`.",
        )
    if not ready:
        return _no_sandbox()
    if returncode == -getattr(signal, "SIGKILL", 0):
        return too_much_memory(file)
    return problem(
        "sandbox.crash",
        file,
        found="a file on which the decoder crashed",
        expected="a file that can be decoded",
        mend="Write the file with `igbo-align pack`.",
    )


def _no_sandbox() -> ProblemsFound:
    return problem(
        "environment.sandbox",
        "decoder",
        found="a child process that cannot be started",
        expected="a Python interpreter that can be run again, with pyarrow",
        mend="Free memory and processes, or install the package again.",
    )
