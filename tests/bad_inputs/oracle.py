"""What a file says, told by the libraries that write it: the second opinion on everything that is accepted."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import safetensors
import safetensors.numpy
from igbo_align.submission.reading import Content


def library_reading(file: str, data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file by NumPy, safetensors or pyarrow."""
    if file.endswith(".npz"):
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return dict(archive)
    if file.endswith(".safetensors"):
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        ids = np.array(json.loads(header["__metadata__"]["ids"]))
        return {"ids": ids, **safetensors.numpy.load(data)}
    table = pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)
    vectors = {name: np.array(table[name].to_pylist(), dtype="<f4") for name in ("speech", "text")}
    return {"ids": np.array(table["id"].to_pylist()), **vectors}


@cache
def _original(file: str, data: bytes) -> dict[str, np.ndarray]:
    return library_reading(file, data)


def same_content(content: Content | None, file: str, original: bytes) -> bool:
    """Whether the accepted arrays are bit for bit those of the original file."""
    expected = _original(file, original)
    return content is not None and _equal(vars(content), expected)


def libraries_agree(content: Content, file: str, data: bytes) -> bool:
    """Whether the library reads the same arrays from these bytes."""
    try:
        return _equal(vars(content), library_reading(file, data))
    except Exception:  # noqa: BLE001 - whatever it raises, it does not agree
        return False


def _equal(found: dict[str, Any], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].shape == expected[name].shape
        and (found[name] == expected[name]).all()
        and (found[name].dtype.kind == "U" or (np.signbit(found[name]) == np.signbit(expected[name])).all())
        for name in expected
    )
