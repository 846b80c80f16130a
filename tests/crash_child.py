"""A process that writes and is made to fail: `crash_child.py OPERATION FOLDER FAULT N`.

Every call of the system that could fail is counted; the Nth one raises "no space left", or the process is killed
before, after or in the middle of it. Prints the calls that were made.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from igbo_align.files import new_folder, write_bytes, write_text

CALLS = ("open", "write", "fsync", "close", "replace", "rename", "mkdir")
OLD, NEW = "old " * 1000, "new " * 2000


def write_file(folder: Path) -> None:
    """Replace one file."""
    write_text(folder / "store.txt", NEW)


def write_folder(folder: Path) -> None:
    """Make a folder of three files, one of them in a folder below."""
    with new_folder(folder / "org__system" / "1") as inside:
        write_text(inside / "submission.json", NEW)
        write_bytes(inside / "embeddings.parquet", NEW.encode())
        write_text(inside / "below" / "more.txt", NEW)


OPERATIONS: dict[str, Callable[[Path], None]] = {"file": write_file, "folder": write_folder}


def is_old_or_new(operation: str, folder: Path) -> bool:
    """Whether the store is whole: what it was before, or all of what was written."""
    if operation == "file":
        return (folder / "store.txt").read_text() in (OLD, NEW)
    made = folder / "org__system" / "1"
    if not made.exists():
        return True
    names = ("submission.json", "embeddings.parquet", "below/more.txt")
    return sorted(p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()) == sorted(names) and all(
        (made / name).read_text() == NEW for name in names
    )


class Faults:
    """Counts the calls and lets the Nth one go wrong."""

    def __init__(self, fault: str, number: int, only: tuple[str, ...] = CALLS) -> None:
        self.fault, self.number = fault, number
        self.only = only
        self.log: list[str] = []
        self.real = {name: getattr(os, name) for name in CALLS}

    def wrapped(self, name: str) -> Callable[..., Any]:
        """The call of this name with faults."""

        def call(*arguments: Any, **options: Any) -> Any:
            if name not in self.only:
                return self.real[name](*arguments, **options)
            self.log.append(name)
            if len(self.log) == self.number:
                self.strike(name, arguments)
            try:
                return self.real[name](*arguments, **options)
            finally:
                if len(self.log) == self.number and self.fault == "kill after":
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    def strike(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Go wrong before the call, or in the middle of a write."""
        if self.fault == "fail":
            raise OSError(errno.ENOSPC, "secret text", "/secret/path")
        if self.fault == "kill half" and name == "write":
            self.real["write"](arguments[0], memoryview(arguments[1])[: len(arguments[1]) // 2])
        if self.fault in ("kill before", "kill half"):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    operation, target, fault, number = sys.argv[1:]
    faults = Faults(fault, int(number))
    for call_name in CALLS:
        setattr(os, call_name, faults.wrapped(call_name))
    OPERATIONS[operation](Path(target))
    faults.number = 0
    sys.stdout.write(" ".join(faults.log))
