"""Reading `.npy` and `.npz` bytes from strangers, without NumPy's own loader.

`numpy.load` evaluates the header as Python and raises nine kinds of exception on malformed files; the header that
NumPy writes has one fixed form, which a regular expression reads.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ..problems import Problem, ProblemsFound, problem, shortened
from .limits import Limits
from .raw_arrays import FLOATS, ID_ARRAYS, RawArray, bad_ids, content_size, item_size

_HEADER = re.compile(
    r"\{'descr': '(?P<descr>[<>|=]?[A-Za-z]+[0-9]{0,9})', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>|[0-9]{1,12},|[0-9]{1,12}(?:, [0-9]{1,12})+)\), \}[ ]*\n?"
)
_MAX_HEADER = 4096
_MAX_AXES = 8
_END_RECORD = 22
_MAX_DIRECTORY = 2**16
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)


@dataclass(frozen=True)
class _Header:
    descr: str
    shape: tuple[int, ...]
    fortran: bool
    start: int

    @property
    def file_size(self) -> int:
        return self.start + content_size(self.descr, self.shape)


def check_npz(data: bytes, members: frozenset[str], limits: Limits, where: str) -> None:
    """Check directory and headers of an `.npz` archive; of every member only the first bytes are unpacked.

    Raises:
        ProblemsFound: `file.corrupt`, `file.members`, `file.too_large`, or what `read_npy` raises, of every member.
    """
    archive = _open(data, where)
    _check_members(archive, members, limits, where)
    problems = _of_each(members, lambda name: _check_member(archive, name, limits, where))
    if problems:
        raise ProblemsFound(problems)


def decode_npz(data: bytes, members: frozenset[str], limits: Limits, where: str) -> dict[str, RawArray]:
    """Arrays of an `.npz` archive whose members must be exactly `members`, by name.

    Raises:
        ProblemsFound: what `check_npz` raises, or `file.corrupt`.
    """
    check_npz(data, members, limits, where)
    archive = _open(data, where)
    arrays = {}
    for name in sorted(members):
        try:
            content = archive.read(f"{name}.npy")
        except _UNREADABLE as error:
            raise _corrupt(f"{where}/{name}") from error
        arrays[name] = read_npy(content, name, limits, f"{where}/{name}")
    return arrays


def read_npy(data: bytes, name: str, limits: Limits, where: str) -> RawArray:
    """The array of an `.npy` file: floats of 16, 32 or 64 bits, or ids of at most 64 characters.

    Args:
        data: of the file.
        name: of the array; one of `ID_ARRAYS` holds strings, every other one numbers.
        limits: of the release.
        where: for problems.

    Raises:
        ProblemsFound: `file.header`, `array.dtype`, `ids.dtype`, `file.too_large` or `file.corrupt`.
    """
    header = _parse_header(data, name, limits, where)
    if len(data) != header.file_size:
        raise _corrupt(where)
    return RawArray(header.descr, header.shape, header.fortran, memoryview(data)[header.start :])


def _parse_header(data: bytes, name: str, limits: Limits, where: str) -> _Header:
    text, start = _split_header(data, where)
    match = _HEADER.fullmatch(text)
    if match is None:
        raise _bad_header(where)
    descr = match["descr"]
    shape = tuple(int(number) for number in match["shape"].split(",") if number.strip())
    if name in ID_ARRAYS and (descr in FLOATS or item_size(descr) is None):
        raise bad_ids(where, f"values of type {descr}")
    if name not in ID_ARRAYS and descr not in FLOATS:
        raise problem(
            "array.dtype",
            where,
            found=f"values of type {descr}",
            expected="float16 or float32 (float64 is cast)",
            mend="Convert with `array.astype('float32')`.",
        )
    if len(shape) > _MAX_AXES:
        raise _bad_header(where)
    count = 1
    for length in shape:
        count *= length
        if count > limits.numbers or length > limits.numbers:
            raise _too_large(where, f"an array of shape {shape}")
    return _Header(descr, shape, match["fortran"] == "True", start)


def _split_header(data: bytes, where: str) -> tuple[str, int]:
    if len(data) < 10 or data[:6] != b"\x93NUMPY" or data[6] not in (1, 2, 3) or data[7] != 0:
        raise _bad_header(where)
    begin = 10 if data[6] == 1 else 12
    length = int.from_bytes(data[8:begin], "little")
    if length > _MAX_HEADER or begin + length > len(data):
        raise _bad_header(where)
    return data[begin : begin + length].decode("latin-1"), begin + length


def _open(data: bytes, where: str) -> zipfile.ZipFile:
    """The archive, after its end record: `zipfile` would read a directory of millions of members, and zip64's.

    An archive without a comment ends with its end record, so there is one place to look, and nothing may follow.
    """
    end = data[-_END_RECORD:]
    if len(end) < _END_RECORD or end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        raise _corrupt(where)
    count, size = struct.unpack("<HI", end[10:16])
    if size > _MAX_DIRECTORY or data[-_END_RECORD - 20 : -_END_RECORD - 16] == b"PK\x06\x07":
        raise _wrong_members(where, f"a directory of {count} members in {size} bytes")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _UNREADABLE as error:
        raise _corrupt(where) from error


def _check_members(archive: zipfile.ZipFile, members: frozenset[str], limits: Limits, where: str) -> None:
    entries = archive.infolist()
    names = sorted(entry.filename for entry in entries)
    if names != sorted(f"{name}.npy" for name in members):
        raise _wrong_members(where, f"{len(names)} members: {shortened(names)}", members)
    if any(e.flag_bits & 1 or e.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for e in entries):
        raise _wrong_members(where, "encrypted members, or an exotic compression", members)
    if sum(entry.file_size for entry in entries) > limits.file_bytes:
        raise _too_large(where, "more unpacked bytes than any valid file has")


def _check_member(archive: zipfile.ZipFile, name: str, limits: Limits, where: str) -> None:
    where = f"{where}/{name}"
    try:
        with archive.open(f"{name}.npy") as stream:
            start = stream.read(_MAX_HEADER + 12)
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    if _parse_header(start, name, limits, where).file_size != archive.getinfo(f"{name}.npy").file_size:
        raise _corrupt(where)


def _of_each(members: frozenset[str], check: Callable[[str], None]) -> list[Problem]:
    problems: list[Problem] = []
    for name in sorted(members):
        try:
            check(name)
        except ProblemsFound as error:
            problems.extend(error.problems)
    return problems


def _wrong_members(where: str, found: str, members: frozenset[str] = frozenset()) -> ProblemsFound:
    names = ", ".join(sorted(f"{name}.npy" for name in members)) or "a few arrays"
    return problem(
        "file.members",
        where,
        found=found,
        expected=f"exactly {names}, stored or deflated",
        mend="Write it with `numpy.savez(path, ids=..., speech=..., text=...)`.",
    )


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
