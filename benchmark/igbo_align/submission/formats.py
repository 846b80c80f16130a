"""The files that may hold a submission's numbers: for each its name, its first bytes, its check and its decoder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .limits import Limits
from .npy_format import check_npz, decode_npz
from .raw_arrays import RawArray
from .safetensors_format import check_safetensors, decode_safetensors

_EMBEDDINGS = frozenset({"ids", "speech", "text"})
_SIMILARITY = frozenset({"speech_ids", "text_ids", "similarity"})


@dataclass(frozen=True)
class FileFormat:
    """One kind of file.

    Attributes:
        file: its name in a submission folder.
        arrays: names of what it holds.
        recognises: whether bytes begin as this format does.
        check: raises what is wrong with the headers; reads no more of the file than those.
        decode: the arrays; for the child process only.
    """

    file: str
    arrays: frozenset[str]
    recognises: Callable[[bytes], bool]
    check: Callable[[bytes, Limits, str], None]
    decode: Callable[[bytes, Limits, str], dict[str, RawArray]]


def _check_parquet(data: bytes, limits: Limits, where: str) -> None:
    from .parquet_format import check_parquet

    check_parquet(data, limits, where)


def _decode_parquet(data: bytes, limits: Limits, where: str) -> dict[str, RawArray]:
    from .parquet_format import decode_parquet

    return decode_parquet(data, limits, where)


def _npz(file: str, arrays: frozenset[str]) -> FileFormat:
    return FileFormat(
        file,
        arrays,
        lambda data: data[:4] == b"PK\x03\x04",
        lambda data, limits, where: check_npz(data, arrays, limits, where),
        lambda data, limits, where: decode_npz(data, arrays, limits, where),
    )


#: By file name; a submission holds exactly one of them.
FORMATS: dict[str, FileFormat] = {
    item.file: item
    for item in (
        FileFormat(
            "embeddings.parquet", _EMBEDDINGS, lambda data: data[:4] == b"PAR1", _check_parquet, _decode_parquet
        ),
        _npz("embeddings.npz", _EMBEDDINGS),
        FileFormat(
            "embeddings.safetensors",
            _EMBEDDINGS,
            lambda data: data[8:9] == b"{",
            check_safetensors,
            decode_safetensors,
        ),
        _npz("similarity.npz", _SIMILARITY),
    )
}


def numbers_file(folder: Path) -> str | None:
    """Name of the file of numbers in a folder, if there is exactly one."""
    present = [name for name in FORMATS if os.path.lexists(folder / name)]
    return present[0] if len(present) == 1 else None
