"""Reading `.npy` and `.npz` bytes from strangers, without NumPy's own loader.

`numpy.load` evaluates the header as Python and raises nine kinds of exception on malformed files; the header that
NumPy writes has one fixed form, which a regular expression reads.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem, ProblemsFound, problem, shortened
from .limits import MAX_ID_LENGTH, Limits

_HEADER = re.compile(
    r"\{'descr': '(?P<descr>[<>|=]?[A-Za-z]+[0-9]{0,6})', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>|[0-9]{1,12},|[0-9]{1,12}(?:, [0-9]{1,12})+)\), \}[ ]*\n?"
)
_FLOATS = {"<f2", "<f4", "<f8", ">f2", ">f4", ">f8"}
_MAX_HEADER = 4096
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError, RuntimeError)


def read_npz(data: bytes, members: frozenset[str], limits: Limits, where: str) -> dict[str, NDArray]:
    """Arrays of an `.npz` archive whose members must be exactly `members`, by name.

    Raises:
        ProblemsFound: `file.format`, `file.members`, `file.too_large`, `file.corrupt`, or what `read_npy` raises.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    _check_members(archive, members, limits, where)
    arrays = {}
    for name in sorted(members):
        try:
            content = archive.read(f"{name}.npy")
        except _UNREADABLE as error:
            raise _corrupt(f"{where}/{name}") from error
        arrays[name] = read_npy(content, limits, f"{where}/{name}")
    return arrays


def read_npy(data: bytes, limits: Limits, where: str) -> NDArray:
    """The array of an `.npy` file: floats of 16, 32 or 64 bits, or strings of at most 64 characters.

    Raises:
        ProblemsFound: `file.header`, `array.dtype`, `ids.dtype`, `file.too_large` or `file.corrupt`.
    """
    header, body = _split_header(data, where)
    match = _HEADER.fullmatch(header)
    if match is None:
        raise _bad_header(where)
    descr = match["descr"]
    shape = tuple(int(number) for number in match["shape"].split(",") if number.strip())
    if descr not in _FLOATS and re.fullmatch(r"[<>]U[0-9]+", descr) is None:
        raise problem(
            "array.dtype",
            where,
            found=f"numbers of type {descr}",
            expected="float16 or float32 (float64 is cast)",
            mend="Convert with `array.astype('float32')`.",
        )
    if descr not in _FLOATS and int(descr[2:]) not in range(1, MAX_ID_LENGTH + 1):
        raise problem(
            "ids.dtype",
            where,
            found=f"strings of type {descr}",
            expected=f"strings of 1 to {MAX_ID_LENGTH} characters",
            mend="Use the ids of the release.",
        )
    count = 1
    for length in shape:
        count *= length
        if count > limits.numbers:
            raise _too_large(where, f"an array of shape {shape}")
    dtype = np.dtype(descr)
    if len(body) != count * dtype.itemsize:
        raise _corrupt(where)
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if match["fortran"] == "True" else "C")
    return array.astype(dtype.newbyteorder("="))


def _split_header(data: bytes, where: str) -> tuple[str, bytes]:
    if len(data) < 10 or data[:6] != b"\x93NUMPY" or data[6] not in (1, 2, 3) or data[7] != 0:
        raise _bad_header(where)
    size_bytes = 2 if data[6] == 1 else 4
    start = 8 + size_bytes
    length = int.from_bytes(data[8:start], "little")
    if length > _MAX_HEADER or start + length > len(data):
        raise _bad_header(where)
    return data[start : start + length].decode("latin-1"), data[start + length :]


def _check_members(archive: zipfile.ZipFile, members: frozenset[str], limits: Limits, where: str) -> None:
    entries = archive.infolist()
    expected = sorted(f"{name}.npy" for name in members)
    names = sorted(entry.filename for entry in entries)
    if names != expected:
        raise problem(
            "file.members",
            where,
            found=f"{len(names)} members: {shortened(names)}",
            expected=f"exactly {', '.join(expected)}",
            mend="Write it with `numpy.savez(path, ids=..., speech=..., text=...)`.",
        )
    problems = []
    for entry in entries:
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            mend = "Write it with `numpy.savez` or `numpy.savez_compressed`."
            problems.append(Problem("file.members", where, "encrypted or exotic members", "plain ones", mend))
    if sum(entry.file_size for entry in entries) > limits.file_bytes:
        problems.extend(_too_large(where, "more unpacked bytes than any valid file has").problems)
    if problems:
        raise ProblemsFound(problems)


def _bad_header(where: str) -> ProblemsFound:
    return problem(
        "file.header",
        where,
        found="a header that NumPy would not have written",
        expected="an .npy header of version 1 to 3",
        mend="Write the array with `numpy.save` or `numpy.savez`.",
    )


def _too_large(where: str, found: str) -> ProblemsFound:
    return problem(
        "file.too_large",
        where,
        found=found,
        expected="one row for each pair and at most 8192 dimensions",
        mend="Send only the vectors of the release's pairs.",
    )


def _corrupt(where: str) -> ProblemsFound:
    return problem(
        "file.corrupt",
        where,
        found="a truncated or damaged file",
        expected="the bytes that NumPy wrote",
        mend="Write the file again, and check that the copy is complete.",
    )
