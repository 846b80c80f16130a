"""The child process that decodes one stranger's file: bytes in by a pipe, plain arrays out, then it ends.

It holds no secret, opens no file, starts nothing, and has limits on memory and time; whatever the file does to a
decoder ends here. It writes `ready`, one line of JSON, then the bytes of the arrays one after the other.
"""

from __future__ import annotations

import codecs
import importlib
import json
from contextlib import suppress
from typing import Any, BinaryIO

from ..problems import ProblemsFound, problem
from .formats import FORMATS
from .limits import Limits
from .raw_arrays import RawArray

READY = b"ready\n"
#: Address space of the interpreter and the decoders; the file and what it becomes come on top of it.
_BASE_BYTES = 2**29
_COPIES = 5
#: Of ids, and of the names in zip archives; files that Python opens on first use.
_CODECS = ("utf-32-le", "cp437")


def main(file: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Decode one file.

    Args:
        file: its name, which says its format.
        source: a line of JSON `{"rows", "seconds"}`, then the file's bytes.
        sink: for the answer.
    """
    if file.endswith(".parquet"):
        importlib.import_module(".parquet_format", __package__)  # before limits forbid opening files
    for codec in _CODECS:
        codecs.lookup(codec)
    sink.write(READY)
    sink.flush()
    order = source.readline()
    if not order:
        return
    wanted = json.loads(order)
    limits = Limits(wanted["rows"])
    limit_process(_BASE_BYTES + _COPIES * limits.file_bytes, wanted["seconds"])
    head, arrays = answer(file, source.read(), limits)
    sink.write(json.dumps(head).encode() + b"\n")
    sink.writelines(array.content for array in arrays)
    sink.flush()


def answer(file: str, data: bytes, limits: Limits) -> tuple[dict[str, Any], list[RawArray]]:
    """What is told about a file: its arrays or its problems, and the arrays in the order that is told."""
    try:
        arrays = FORMATS[file].decode(data, limits, file)
    except ProblemsFound as error:
        return {"problems": [item.as_json() for item in error.problems]}, []
    except MemoryError:
        return {"problems": [item.as_json() for item in too_much_memory(file).problems]}, []
    told = [
        {"name": name, "descr": array.descr, "shape": array.shape, "fortran": array.fortran}
        for name, array in arrays.items()
    ]
    return {"arrays": told}, list(arrays.values())


def too_much_memory(file: str) -> ProblemsFound:
    """The problem `sandbox.memory`."""
    return problem(
        "sandbox.memory",
        file,
        found="a file that asks for more memory than any valid one needs",
        expected="one row for each pair and at most 8192 dimensions",
        mend="Write the file with `igbo-align pack`.",
    )


def limit_process(memory_bytes: int, seconds: int) -> None:
    """Limit this process for good: memory, processor time, no core file, no file written, no file opened."""
    try:
        import resource
    except ImportError:  # not on Windows; there the size checks and the parent's clock remain
        return
    for name, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, seconds, seconds + 1),  # at the hard limit the signal would be that of lacking memory
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 3, 3),
    ):
        with suppress(ValueError, OSError):  # macOS knows some of them by name only
            resource.setrlimit(name, (soft, hard))
