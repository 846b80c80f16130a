"""Ranking a corpus in shards of its rows: by many processes, on many machines, and again after an interruption.

A shard counts for a block of speech queries, and for all text queries over that block only. Both are whole numbers:
adding up the shards in any order gives exactly the counts of one pass. Processes share nothing but a folder.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import write_atomically
from .full_ranking import Corpus, count_rows, standings
from .ranking import Standings
from .tile_counts import Counts
from .unit_rows import blocks

#: Speech queries of a shard: minutes of work at a million rows, and 16 bytes a text query on the disk.
SHARD_ROWS = 16_384


@dataclass(frozen=True)
class Place:
    """Which of the processes that share the work this one is: `rank` counts from 0 to `size` - 1."""

    rank: int
    size: int

    @classmethod
    def from_environment(cls) -> Place:
        """From RANK and WORLD_SIZE, as `accelerate launch` and `torchrun` set them; without them the only process.

        Raises:
            ValueError: they are no whole numbers with 0 <= RANK < WORLD_SIZE.
        """
        given = {name: os.environ.get(name, default) for name, default in (("RANK", "0"), ("WORLD_SIZE", "1"))}
        place = cls(*(int(value) if value.isdecimal() else -1 for value in given.values()))
        if not 0 <= place.rank < place.size:
            found = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(f"expected whole numbers with 0 <= RANK < WORLD_SIZE, found {found}")
        return place


class Shards:
    """The shards of one corpus in a folder.

    Their names hold a digest of the corpus and their rows, so a shard of other vectors is never taken for one of these.
    """

    def __init__(self, corpus: Corpus, folder: Path, rows: int = SHARD_ROWS) -> None:
        self._corpus, self._digest = corpus, _digest(corpus)
        self._paths = {
            (part.start, part.stop): self._path(folder, part) for part in blocks(slice(0, len(corpus)), rows)
        }

    def _path(self, folder: Path, part: slice) -> Path:
        return folder / f"{self._digest[:16]}-{part.start:09d}-{part.stop:09d}.npz"

    def count(
        self,
        place: Place,
        threads: int | None = None,
        device: str = "cpu",
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Count every shard of this process that is not finished yet; arguments as in `rank_all`."""
        for part, path in self.of(place):
            if _read(path, part) is not None:
                if progress:
                    progress(part.stop - part.start)
                continue
            counts = count_rows(self._corpus, part, threads, device, progress)
            write_atomically(path, lambda temporary, counts=counts: _write(temporary, counts.by_speech, counts.by_text))

    def of(self, place: Place) -> Iterator[tuple[slice, Path]]:
        """Rows and file of each shard of a process."""
        for number, (bounds, path) in enumerate(self._paths.items()):
            if number % place.size == place.rank:
                yield slice(*bounds), path

    def standings(self) -> tuple[Standings, Standings] | None:
        """Standings of all speech and of all text queries; None while shards are missing."""
        n = len(self._corpus)
        by_speech, by_text = Counts.zero(n), Counts.zero(n)
        for bounds, path in self._paths.items():
            part = slice(*bounds)
            found = _read(path, part)
            if found is None:
                return None
            by_speech.add(part, found[0])
            by_text.add(slice(None), found[1])
        return standings(self._corpus, by_speech, by_text)


def _digest(corpus: Corpus) -> str:
    """SHA-256 of everything that the counts depend on."""
    digest = hashlib.sha256()
    matrix = corpus.matrix
    sides = [part for side in (matrix.left, matrix.right) for part in (side.rounded, side.remainder)]
    for array in [*sides, matrix.row_limits.exact, matrix.column_limits.exact]:
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _write(path: Path, by_speech: Counts, by_text: Counts) -> None:
    with path.open("wb") as stream:
        np.savez(stream, speech=_stacked(by_speech), text=_stacked(by_text))


def _stacked(counts: Counts) -> NDArray[np.int64]:
    return np.stack([counts.better, counts.equal])


def _read(path: Path, part: slice) -> tuple[Counts, Counts] | None:
    """Counts of a finished shard; None where there is none, or one that is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            by_speech, by_text = (Counts(*held[name]) for name in ("speech", "text"))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    return (by_speech, by_text) if len(by_speech.better) == part.stop - part.start else None
