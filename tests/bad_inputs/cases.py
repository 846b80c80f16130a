"""The bad inputs by name: each with the code it must get, and its nearest valid neighbour, which must be accepted.

Everything is generated, from seeds; nothing is stored. `case(...)` adds one; the modules beside this one add families.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .small_release import CARD, EMBEDDINGS_NPZ, VALID, card

#: Bytes of a file, or a function that makes something at a path that is no plain file.
Content = bytes | Callable[[Path], object]
Files = dict[str, Content]


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        name: unique; its family before the first slash.
        code: what it must get.
        files: of the folder.
        neighbour: the nearest folder that is valid.
    """

    name: str
    code: str
    files: Files
    neighbour: Files


CASES: dict[str, Case] = {}


def case(name: str, code: str, bad: Files, good: Files | None = None) -> None:
    """Add a case; `bad` and `good` hold what differs from a valid folder of the same kind."""
    if name in CASES:
        raise ValueError(f"two cases are called {name}")
    file = next((file for file in VALID if file in bad or file in (good or {})), EMBEDDINGS_NPZ)
    base: Files = {CARD: card(), file: VALID[file]}
    CASES[name] = Case(name, code, base | bad, base | (good or {}))


def make(folder: Path, files: Files) -> Path:
    """Write a folder; `b""` stays an empty file, a function makes its own thing."""
    folder.mkdir(parents=True)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content(folder / name)
    return folder


def all_cases() -> list[Case]:
    """Every case, all families."""
    from . import array_cases, card_cases, file_cases, id_cases, npy_cases, parquet_cases, safetensors_cases  # noqa: F401

    return sorted(CASES.values(), key=lambda item: item.name)
