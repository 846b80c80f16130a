"""The cache of vectors: one SQLite file that survives being killed, shared by processes, every entry checked.

SQLite commits atomically and locks the file; a checksum beside each vector finds bits that flipped since. An entry's
key holds everything that could change the vector, so a stale one is simply never asked for.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import canonical_json, sha256_of_bytes
from ..problems import problem

_SCHEMA = "CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, shape TEXT, numbers BLOB, checksum TEXT)"
_WAIT_FOR_OTHERS_S = 60.0


def default_cache_file() -> Path:
    """`$IGBO_ALIGN_CACHE/vectors.sqlite`, by default below `~/.cache/igbo-align`."""
    folder = os.environ.get("IGBO_ALIGN_CACHE") or str(Path.home() / ".cache" / "igbo-align")
    return Path(folder) / "vectors.sqlite"


def cache_key(parts: dict[str, Any]) -> str:
    """SHA-256 of everything that could change a vector."""
    return sha256_of_bytes(canonical_json(parts))


class VectorCache:
    """A key-value store of float32 arrays."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._problems():
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file, timeout=_WAIT_FOR_OTHERS_S)
            self._connection.execute(_SCHEMA)
            self._connection.commit()

    def get(self, key: str) -> NDArray[np.float32] | None:
        """The array of a key, (d,) or (t, d); None if there is none, or if its bytes have lost their checksum."""
        with self._problems():
            row = self._connection.execute(
                "SELECT shape, numbers, checksum FROM vectors WHERE key = ?", (key,)
            ).fetchone()
        if row is None or _checksum(key, row[0], row[1]) != row[2]:
            return None
        return np.frombuffer(row[1], dtype="<f4").reshape([int(n) for n in row[0].split(",")])

    def put(self, key: str, array: NDArray[np.float32]) -> None:
        """Store an array, (d,) or (t, d); after this returns it survives a crash."""
        shape, numbers = ",".join(map(str, array.shape)), np.ascontiguousarray(array, dtype="<f4").tobytes()
        with self._problems(), self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                (key, shape, numbers, _checksum(key, shape, numbers)),
            )

    def __len__(self) -> int:
        """How many entries there are, of whatever job."""
        with self._problems():
            return self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _problems(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise problem(
                "environment.cache",
                self._file.name,
                found="a cache that cannot be read or written (locked, damaged, read-only or no space)",
                expected="a writable SQLite file",
                mend="Free space, wait for the other process, or set IGBO_ALIGN_CACHE to another folder.",
            ) from error


def _checksum(key: str, shape: str, numbers: bytes) -> str:
    return sha256_of_bytes(f"{key} {shape} ".encode() + numbers)
