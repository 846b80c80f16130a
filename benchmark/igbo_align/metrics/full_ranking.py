"""Ranks over the full corpus, in both directions, from one pass over the similarity matrix that is never stored.

No sorting: the rank of the correct candidate is how many candidates are better. A pass visits the matrix tile by
tile; each tile counts for its rows (speech queries) and its columns (text queries). Time grows as n**2 d, memory as
n d. `docs/decisions/0020-exact-ranking.md` derives why the counts are exact.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cores import allowed_cores
from .numpy_sweep import NumpySweep
from .ranking import Ranks, Standings, repeated_groups
from .retrieval import expected_rank
from .tile_counts import Counts, Limits, Matrix, Pairs, Tile, TileCounts, exact_pairs
from .unit_rows import UnitRows, blocks, unit_rows

#: Rows of a block of similarities inside one text group.
_GROUP_BLOCK = 512


class Sweep(Protocol):
    """Counts tiles of the similarity matrix; NumPy and torch each have one."""

    tile_rows: int
    tile_columns: int

    def counts(self, tiles: Iterable[Tile]) -> Iterator[TileCounts]:
        """Counts of each tile, in the order of the tiles."""
        ...


@dataclass(frozen=True, eq=False)
class Corpus:
    """Everything that a pass compares.

    Attributes:
        matrix: speech in rows, text in columns; the limit of a query is its best correct similarity.
        tied_correct: of speech and of text queries, (n,) other correct candidates that reach the limit.
        group_size: (n,) correct candidates of each query.
    """

    matrix: Matrix
    tied_correct: tuple[NDArray[np.int64], NDArray[np.int64]]
    group_size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.group_size)


@dataclass(frozen=True, eq=False)
class PassCounts:
    """What a pass over some rows found.

    Attributes:
        by_speech: counts of those speech queries, complete.
        by_text: counts of all text queries, over those rows only; add up the shards.
        settled_exactly: comparisons that float32 left open.
    """

    by_speech: Counts
    by_text: Counts
    settled_exactly: int


def rank_all(
    speech: ArrayLike,
    text: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    threads: int | None = None,
    device: str = "cpu",
    progress: Callable[[int], object] | None = None,
) -> Ranks:
    """Expected rank of each row's partner among all rows, in both directions, exactly (docs/protocol.md, Metrics).

    Args:
        speech: (n, d) speech vectors of any length; float16, float32 or float64, in memory or memory-mapped.
        text: (n, d) text vectors; row i belongs to row i of `speech`.
        groups: (n,) text group of each pair. Every member of a query's group is correct: the best-ranked one counts
            and the others are no candidates. None: no two pairs share a text.
        threads: all that the process may use by default.
        device: `cpu`, or a device of torch such as `cuda`.
        progress: called with the number of speech rows that were finished since the last call.

    Raises:
        ValueError: the shapes differ, or a row is not finite or all zero.
    """
    corpus = prepare(speech, text, groups, threads)
    counts = count_rows(corpus, slice(0, len(corpus)), threads, device, progress)
    by_speech, by_text = standings(corpus, counts.by_speech, counts.by_text)
    return Ranks(expected_rank(by_speech), expected_rank(by_text))


def prepare(speech: ArrayLike, text: ArrayLike, groups: ArrayLike | None = None, threads: int | None = None) -> Corpus:
    """Scale both sides, (n, d), to integers and find each query's limit; arguments and errors as in `rank_all`."""
    with ThreadPoolExecutor(threads or available_threads()) as pool:
        left, right = unit_rows(speech, pool), unit_rows(text, pool)
        n = len(left)
        if left.rounded.shape != right.rounded.shape:
            shapes = f"{left.rounded.shape} and {right.rounded.shape}"
            raise ValueError(f"expected speech and text of one shape, found {shapes}")
        parts = pool.map(functools.partial(_diagonal, left, right), _parts(n))
        diagonal = np.concatenate([np.empty(0), *parts])
    best = diagonal, diagonal.copy()
    tied = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    group_size = np.ones(n, dtype=np.int64)
    for members in _shared_texts(groups, n):
        group_size[members] = len(members)
        for side, queries, candidates in ((0, left, right), (1, right, left)):
            best[side][members], tied[side][members] = _best_in_group(queries, candidates, members)
    limits = (Limits.of(of_side, left.dimensions) for of_side in best)
    return Corpus(Matrix(left, right, *limits), tied, group_size)


def count_rows(
    corpus: Corpus,
    rows: slice,
    threads: int | None = None,
    device: str = "cpu",
    progress: Callable[[int], object] | None = None,
) -> PassCounts:
    """One pass over some rows of the similarity matrix and all of its columns; arguments as in `rank_all`."""
    sweep = _sweep(corpus.matrix, threads, device)
    by_speech, by_text = Counts.zero(rows.stop - rows.start), Counts.zero(len(corpus))
    settled_exactly = 0
    for counts in sweep.counts(_tiles(rows, slice(0, len(corpus)), sweep)):
        part, columns = counts.tile.rows, counts.tile.columns
        by_speech.add(slice(part.start - rows.start, part.stop - rows.start), counts.rows)
        by_text.add(columns, counts.columns)
        settled_exactly += counts.settled_exactly
        if progress and columns.stop == len(corpus):
            progress(part.stop - part.start)
    return PassCounts(by_speech, by_text, settled_exactly)


def standings(corpus: Corpus, by_speech: Counts, by_text: Counts) -> tuple[Standings, Standings]:
    """Standings of all speech queries and of all text queries, from counts over the whole matrix."""
    candidates = len(corpus) - corpus.group_size + 1
    by_both = zip((by_speech, by_text), corpus.tied_correct, strict=True)
    first, second = (Standings(counts.better, counts.equal - tied, candidates) for counts, tied in by_both)
    return first, second


def available_threads() -> int:
    """Threads that this process may use: its share of the processor, or OMP_NUM_THREADS where that is less.

    Launchers that start several processes on a machine share its cores out by that variable.
    """
    allowed, share = allowed_cores(), os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(share)) if share.isdecimal() and int(share) else allowed


def _sweep(matrix: Matrix, threads: int | None, device: str) -> Sweep:
    if device == "cpu":
        return NumpySweep(matrix, threads or available_threads())
    from .torch_sweep import TorchSweep

    return TorchSweep(matrix, device)


def _tiles(rows: slice, columns: slice, sweep: Sweep) -> Iterator[Tile]:
    for block_of_rows in blocks(rows, sweep.tile_rows):
        for block_of_columns in blocks(columns, sweep.tile_columns):
            yield Tile(block_of_rows, block_of_columns)


def _shared_texts(groups: ArrayLike | None, n: int) -> Iterator[NDArray[np.int64]]:
    """Positions of the members of each text group with more than one."""
    if groups is None:
        return iter(())
    numbers = np.asarray(groups)
    if numbers.shape != (n,):
        raise ValueError(f"expected one text group a row, shape {(n,)}, found {numbers.shape}")
    return repeated_groups(numbers)


def _parts(n: int) -> Iterator[slice]:
    return blocks(slice(0, n), _GROUP_BLOCK)


def _diagonal(left: UnitRows, right: UnitRows, part: slice) -> NDArray[np.float64]:
    own = np.arange(part.start, part.stop, dtype=np.int64)
    return exact_pairs(left, right, Pairs(own, own))


def _best_in_group(
    queries: UnitRows, candidates: UnitRows, members: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each member its best similarity to a member, and how many but its partner reach it, (members,) each."""
    best, tied = np.empty(len(members)), np.empty(len(members), dtype=np.int64)
    for part in _parts(len(members)):
        best[part], tied[part] = -np.inf, 0
        for others in _parts(len(members)):
            similarity = queries.integers(members[part]) @ candidates.integers(members[others]).T
            found = similarity.max(axis=1)
            reached = (similarity == found[:, None]).sum(axis=1)
            tied[part] = np.where(found > best[part], reached, tied[part] + np.where(found == best[part], reached, 0))
            best[part] = np.maximum(best[part], found)
    partners = exact_pairs(queries, candidates, Pairs(members, members))
    return best, tied - (partners == best)
