"""Reading `.safetensors` bytes from strangers.

The library keeps the last of duplicate keys and accepts unknown tensors, so the header is first read here.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problems import ProblemsFound, problem, shortened
from .limits import MAX_ID_LENGTH, Limits

_DTYPES = {"F16", "F32"}
_TENSORS = ["speech", "text"]


def read_safetensors(data: bytes, limits: Limits, where: str) -> dict[str, NDArray]:
    """Arrays `speech` and `text` (n, d) and `ids` (n,) of a `.safetensors` file.

    Raises:
        ProblemsFound: `file.header`, `file.members`, `array.dtype`, `array.shape`, `ids.dtype` or `file.corrupt`.
    """
    header = _read_header(data, limits, where)
    ids = _read_ids(header.pop("__metadata__", None), where)
    _check_tensors(header, where)
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(data)
    except (SafetensorError, ValueError) as error:
        raise problem(
            "file.corrupt",
            where,
            found="tensors that do not fill the file",
            expected="the bytes that the safetensors library wrote",
            mend="Write the file again, and check that the copy is complete.",
        ) from error
    return {"ids": ids, **arrays}


def _read_header(data: bytes, limits: Limits, where: str) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    bad = problem(
        "file.header",
        where,
        found="a header that is not one JSON object with unique keys",
        expected="the header that the safetensors library writes",
        mend="Write the file with `safetensors.numpy.save_file`.",
    )
    if len(data) < 10 or length > limits.header_bytes or 8 + length > len(data):
        raise bad
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise bad from error
    if not isinstance(header, dict):
        raise bad
    return header


def _unique_keys(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in items}) != len(items):
        raise ValueError("duplicate key")
    return dict(items)


def _read_ids(metadata: Any, where: str) -> NDArray[np.str_]:
    text = metadata.get("ids") if isinstance(metadata, dict) else None
    try:
        ids = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not ids or not all(isinstance(i, str) and len(i) <= MAX_ID_LENGTH for i in ids):
        raise problem(
            "ids.dtype",
            f"{where}/__metadata__/ids",
            found="no JSON array of short strings",
            expected=f"a JSON array of ids, strings of at most {MAX_ID_LENGTH} characters",
            mend="Save with `metadata={'ids': json.dumps(ids)}`.",
        )
    return np.array(ids, dtype=np.str_)


def _check_tensors(header: dict[str, Any], where: str) -> None:
    if sorted(header) != _TENSORS:
        raise problem(
            "file.members",
            where,
            found=f"the tensors {shortened(sorted(header))}",
            expected="exactly speech and text",
            mend="Save `{'speech': ..., 'text': ...}`.",
        )
    for name, value in header.items():
        entry = value if isinstance(value, dict) else {}
        if entry.get("dtype") not in _DTYPES:
            raise problem(
                "array.dtype",
                f"{where}/{name}",
                found="another type of number",
                expected="float16 or float32",
                mend="Convert with `array.astype('float32')`.",
            )
        shape = entry.get("shape")
        if not isinstance(shape, list) or len(shape) != 2 or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
            raise _bad_shape(f"{where}/{name}")


def _bad_shape(where: str) -> ProblemsFound:
    return problem(
        "array.shape",
        where,
        found="a tensor of another shape",
        expected="two axes: pairs, dimensions",
        mend="Send one vector for each pair.",
    )
