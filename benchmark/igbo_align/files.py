"""Files that are either old or new, never half: crash-safe writing, hashes and canonical JSON."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .problems import problem


def canonical_json(value: Any) -> bytes:
    """The one byte sequence of a JSON value: sorted keys, no spaces, UTF-8, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def readable_json(value: Any) -> str:
    """A JSON value for people and diffs: two spaces of indentation, key order kept, a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sha256_of_bytes(data: bytes) -> str:
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
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise _disk_problem(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with line ends unchanged, crash-safe."""
    write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends without an error; `path` must not exist.

    Raises:
        ProblemsFound: `path` exists already (`folder.exists`).
        EnvironmentProblem: the disk refused (`environment.disk`).
    """
    refuse_existing(path)
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for item in [*temporary.rglob("*"), temporary]:
            _flush(item)
        temporary.rename(path)
        _flush(path.parent)
    except OSError as error:
        raise _disk_problem(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_existing(path: Path) -> None:
    """Raise `folder.exists` if there is anything at `path`."""
    if path.exists() or path.is_symlink():
        raise problem(
            "folder.exists",
            path.name,
            found="a folder or file that exists already",
            expected="a path where nothing is",
            mend="Choose another --out, or remove the old one first.",
        )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_problem(path: Path, error: OSError) -> Exception:
    return problem(
        "environment.disk",
        path.name,
        found=error.strerror or "an input/output error",
        expected="a writable disk with enough space",
        mend="Free space or choose another folder, then run the same command again.",
    )
