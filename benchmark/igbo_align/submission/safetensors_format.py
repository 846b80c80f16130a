"""Reading `.safetensors` bytes from strangers: a JSON header, and numbers that need no decoding.

The library keeps the last of duplicate keys and accepts unknown tensors, so the header is read here, and nothing else
is left to do. The format has no checksum; the metadata key `sha256` over all bytes after the header adds one.
"""

from __future__ import annotations

import json
from typing import Any

from ..files import sha256_of_bytes
from ..problems import Problem, ProblemsFound, problem, shortened
from .limits import Limits
from .raw_arrays import RawArray, bad_ids, content_size, ids_array

_DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
_TENSORS = ["speech", "text"]
_METADATA = frozenset({"ids", "sha256", "format"})
_FIELDS = {"dtype", "shape", "data_offsets"}


def check_safetensors(data: bytes, limits: Limits, where: str) -> None:
    """Check a file without keeping its content; raises what `decode_safetensors` raises."""
    decode_safetensors(data, limits, where)


def decode_safetensors(data: bytes, limits: Limits, where: str) -> dict[str, RawArray]:
    """Arrays `speech` and `text` (n, d) and `ids` (n,) of a `.safetensors` file.

    Raises:
        ProblemsFound: `file.header`, `file.members`, `array.dtype`, `array.shape`, `ids.dtype`, `file.too_large` or
            `file.corrupt`.
    """
    header, body = _split(data, limits, where)
    metadata = _checked_metadata(header.pop("__metadata__", None), where)
    _check_tensors(header, limits, where)
    arrays = {name: _array(entry, body, where) for name, entry in header.items()}
    _check_covered(header, body, metadata.get("sha256"), where)
    return {"ids": _read_ids(metadata["ids"], f"{where}/__metadata__/ids"), **arrays}


def _split(data: bytes, limits: Limits, where: str) -> tuple[dict[str, Any], memoryview]:
    length = int.from_bytes(data[:8], "little")
    if length > limits.header_bytes or 8 + length > len(data):
        raise _bad_header(where)
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise _bad_header(where) from error
    if not isinstance(header, dict):
        raise _bad_header(where)
    return header, memoryview(data)[8 + length :]


def _unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in items}) != len(items):
        raise ValueError("duplicate key")
    return dict(items)


def _checked_metadata(metadata: Any, where: str) -> dict[str, str]:
    if not isinstance(metadata, dict) or "ids" not in metadata:
        raise bad_ids(f"{where}/__metadata__/ids", "no ids; save with `metadata={'ids': json.dumps(ids)}`")
    unknown = sorted(set(metadata) - _METADATA)
    if unknown or not all(isinstance(value, str) for value in metadata.values()):
        raise problem(
            "file.members",
            f"{where}/__metadata__",
            found=f"the keys {shortened(sorted(metadata))}",
            expected=f"strings under the keys {', '.join(sorted(_METADATA))}; only ids is required",
            mend="Save with `metadata={'ids': json.dumps(ids)}`.",
        )
    return metadata


def _read_ids(text: str, where: str) -> RawArray:
    try:
        ids = json.loads(text)
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise bad_ids(where, "no JSON array of strings")
    return ids_array(ids, where)


def _check_tensors(header: dict[str, Any], limits: Limits, where: str) -> None:
    if sorted(header) != _TENSORS:
        raise problem(
            "file.members",
            where,
            found=f"the tensors {shortened(sorted(header))}",
            expected="exactly speech and text",
            mend="Save `{'speech': ..., 'text': ...}`.",
        )
    problems: list[Problem] = []
    for name, entry in sorted(header.items()):
        problems += _entry_problems(entry, limits, f"{where}/{name}")
    if problems:
        raise ProblemsFound(problems)


def _entry_problems(entry: Any, limits: Limits, where: str) -> list[Problem]:
    if not isinstance(entry, dict) or set(entry) != _FIELDS or not isinstance(entry["dtype"], str):
        return list(_bad_header(where).problems)
    if entry["dtype"] not in _DTYPES:
        found, expected = "another type of number", "float16 or float32 (float64 is cast)"
        return [Problem("array.dtype", where, found, expected, "Convert with `array.astype('float32')`.")]
    shape = entry["shape"]
    if not _are_counts(shape) or len(shape) != 2:
        expected = "two axes: pairs, dimensions"
        return [Problem("array.shape", where, "another shape", expected, "Send one vector for each pair.")]
    if max(*shape, shape[0] * shape[1]) > limits.numbers:
        found, expected = f"an array of shape {tuple(shape)}", "one row for each pair and at most 8192 dimensions"
        return [Problem("file.too_large", where, found, expected, "Send only the vectors of the release's pairs.")]
    return []


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**40 for n in values)


def _array(entry: dict[str, Any], body: memoryview, where: str) -> RawArray:
    offsets, descr, shape = entry["data_offsets"], _DTYPES[entry["dtype"]], tuple(entry["shape"])
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[1] - offsets[0] != content_size(descr, shape):
        raise _corrupt(where)
    return RawArray(descr, shape, fortran=False, content=body[offsets[0] : offsets[1]])


def _check_covered(header: dict[str, Any], body: memoryview, checksum: str | None, where: str) -> None:
    """The tensors lie one after the other, fill the file, and have the checksum, where there is one."""
    first, second = sorted(entry["data_offsets"] for entry in header.values())
    if first[0] != 0 or first[1] != second[0] or second[1] != len(body):
        raise _corrupt(where)
    if checksum is not None and sha256_of_bytes(body) != checksum:
        raise _corrupt(where)


def _bad_header(where: str) -> ProblemsFound:
    return problem(
        "file.header",
        where,
        found="a header that is not one JSON object with unique keys",
        expected="the header that the safetensors library writes",
        mend="Write the file with `safetensors.numpy.save_file`.",
    )


def _corrupt(where: str) -> ProblemsFound:
    return problem(
        "file.corrupt",
        where,
        found="tensors that do not fill the file, or do not have its checksum",
        expected="the bytes that the safetensors library wrote",
        mend="Write the file again, and check that the copy is complete.",
    )
