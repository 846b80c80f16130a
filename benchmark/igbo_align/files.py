"""Files that are either old or new, never half: crash-safe writing, hashes and canonical JSON."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .problems import problem

_UNFINISHED = ".tmp"


def canonical_json(value: Any) -> bytes:
    """The one byte sequence of a JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def readable_json(value: Any) -> str:
    """A JSON value for people and diffs: two spaces of indentation, key order kept, a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256_of_bytes(data: bytes | memoryview) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes in lower-case hexadecimal, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, flush it to the disk, and rename it into place.

    After a crash at any moment `path` holds either its old bytes or all of its new ones.

    Raises:
        EnvironmentProblem: the disk refused (`environment.disk`).
    """
    temporary = _temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise _disk_problem(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write bytes, crash-safe."""
    write_atomically(path, lambda temporary: _write_new(temporary, data))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with line ends unchanged, crash-safe."""
    write_bytes(path, text.encode())


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A temporary folder that becomes `path` when the block ends without an error; `path` must not exist.

    Raises:
        ProblemsFound: `path` exists already, or another process made it meanwhile (`folder.exists`).
        EnvironmentProblem: the disk refused (`environment.disk`).
    """
    refuse_existing(path)
    temporary = _temporary_beside(path)
    try:
        with _disk_problems(path):
            temporary.mkdir(parents=True)
        yield temporary
        with _disk_problems(path):
            for item in [*temporary.rglob("*"), temporary]:
                _flush(item)
            temporary.rename(path)
            _flush(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raise `folder.exists` if there is anything at `path`."""
    if os.path.lexists(path):
        raise _exists(path)


def is_temporary(name: str) -> bool:
    """Whether a name is one of those that unfinished files and folders have; a killed process leaves them behind."""
    return name.startswith(".") and name.endswith(_UNFINISHED)


def _temporary_beside(path: Path) -> Path:
    return path.parent / f".{uuid.uuid4().hex}{_UNFINISHED}"


def _write_new(path: Path, data: bytes | memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    finally:
        os.close(descriptor)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _disk_problems(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _exists(path) from error
        raise _disk_problem(path, error) from error


def _exists(path: Path) -> Exception:
    return problem(
        "folder.exists",
        path.name,
        found="a folder or file that exists already",
        expected="a path where nothing is",
        mend="Choose another --out, or remove the old one first.",
    )


def _disk_problem(path: Path, error: OSError) -> Exception:
    return problem(
        "environment.disk",
        path.name,
        found=os.strerror(error.errno) if error.errno else "an input/output error",
        expected="a writable disk with enough space",
        mend="Free space or choose another folder, then run the same command again.",
    )
