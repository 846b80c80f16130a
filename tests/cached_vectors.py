"""How far an encoding got, seen from outside."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def finished_vectors(cache: Path) -> int:
    """How many vectors the cache in a folder holds; 0 where it does not exist yet."""
    file = cache / "vectors.sqlite"
    if not file.exists():
        return 0
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        try:
            return connection.execute("SELECT count(*) FROM vectors").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
