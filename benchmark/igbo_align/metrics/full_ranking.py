"""Ranks over the full corpus, in both directions, from one pass over the similarity matrix that is never stored.

No sorting: the rank of the correct candidate is how many candidates are better. A pass visits the matrix tile by
tile; each tile counts for its rows (speech queries) and its columns (text queries). Time grows as n**2 d, memory as
n d. `docs/decisions/0020-exact-ranking.md` derives why the counts are exact.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .numpy_sweep import NumpySweep
from .ranking import Ranks, Standings, repeated_groups
from .retrieval import expected_rank
from .tile_counts import Counts, Limits, TileCounts, Undecided, exact_pairs
from .unit_rows import UnitRows, blocks, unit_rows

#: Rows of a block of similarities inside one text group.
_GROUP_BLOCK = 512


class Sweep(Protocol):
    """Counts tiles of the similarity matrix; NumPy and torch each have one."""

    tile_rows: int
    tile_columns: int

    def count(self, rows: slice, columns: slice) -> TileCounts:
        """Counts of a tile, rows and columns being slices with a start and a stop."""
        ...


@dataclass(frozen=True, eq=False)
class Corpus:
    """Everything that a pass compares: unit vectors, and the limit of each query.

    Attributes:
        speech: the rows of the matrix.
        text: its columns.
        limits: of the speech queries and of the text queries; each query's best correct similarity.
        tied_correct: for both, (n,) correct candidates that reach the limit.
        group_size: (n,) correct candidates of each query.
    """

    speech: UnitRows
    text: UnitRows
    limits: tuple[Limits, Limits]
    tied_correct: tuple[NDArray[np.int64], NDArray[np.int64]]
    group_size: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.speech)


@dataclass(frozen=True, eq=False)
class PassCounts:
    """What a pass over some rows found.

    Attributes:
        rows: the rows, all of them or a shard.
        by_speech: counts of those speech queries, complete.
        by_text: counts of all text queries, over those rows only; add up the shards.
        settled_exactly: comparisons that float32 left open.
    """

    rows: slice
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
    """Expected rank of each row's partner among all rows, in both directions, exactly (PROTOCOL section 4).

    Args:
        speech: (n, d) speech vectors of any length; float16, float32 or float64, in memory or memory-mapped.
        text: (n, d) text vectors; row i belongs to row i of `speech`.
        groups: (n,) text group of each pair. Every member of a query's group is correct: the best-ranked one counts
            and the others are no candidates. None: no two pairs share a text.
        threads: that compare; all that the process may use by default. The BLAS has its own.
        device: `cpu`, or a device of torch such as `cuda`.
        progress: called with the number of speech rows that were finished since the last call.

    Raises:
        ValueError: the shapes differ, or a row is not finite or all zero.
    """
    with thread_pool(threads) as pool:
        corpus = prepare(speech, text, pool, groups)
        counts = count_rows(corpus, slice(0, len(corpus)), pool, device, progress)
    by_speech, by_text = standings(corpus, counts.by_speech, counts.by_text)
    return Ranks(expected_rank(by_speech), expected_rank(by_text))


def prepare(speech: ArrayLike, text: ArrayLike, pool: Executor, groups: ArrayLike | None = None) -> Corpus:
    """Scale both sides to integers and find each query's limit; errors as in `rank_all`."""
    left, right = unit_rows(speech, pool), unit_rows(text, pool)
    if left.rounded.shape != right.rounded.shape:
        shapes = f"{left.rounded.shape} and {right.rounded.shape}"
        raise ValueError(f"expected speech and text of one shape, found {shapes}")
    n = len(left)
    diagonal = np.concatenate([np.empty(0), *pool.map(lambda part: _diagonal(left, right, part), _parts(n))])
    best = diagonal.copy(), diagonal.copy()
    tied = np.ones(n, dtype=np.int64), np.ones(n, dtype=np.int64)
    group_size = np.ones(n, dtype=np.int64)
    if groups is not None:
        numbers = np.asarray(groups)
        if numbers.shape != (n,):
            raise ValueError(f"expected one text group a row, shape {(n,)}, found {numbers.shape}")
        for members in repeated_groups(numbers):
            group_size[members] = len(members)
            for queries, candidates, side in ((left, right, 0), (right, left, 1)):
                best[side][members], tied[side][members] = _best_in_group(queries, candidates, members)
    limits = Limits.of(best[0], left.dimensions), Limits.of(best[1], left.dimensions)
    return Corpus(left, right, limits, tied, group_size)


def count_rows(
    corpus: Corpus,
    rows: slice,
    pool: Executor,
    device: str = "cpu",
    progress: Callable[[int], object] | None = None,
) -> PassCounts:
    """One pass over some rows of the similarity matrix and all of its columns."""
    sweep = _sweep(corpus, pool, device)
    by_speech, by_text = Counts.zero(rows.stop - rows.start), Counts.zero(len(corpus))
    settled_exactly = 0
    for part in blocks(rows, sweep.tile_rows):
        for columns in blocks(slice(0, len(corpus)), sweep.tile_columns):
            tile = sweep.count(part, columns)
            by_speech.add(slice(part.start - rows.start, part.stop - rows.start), tile.rows)
            by_text.add(columns, tile.columns)
            settled_exactly += tile.settled_exactly
        if progress:
            progress(part.stop - part.start)
    return PassCounts(rows, by_speech, by_text, settled_exactly)


def standings(corpus: Corpus, by_speech: Counts, by_text: Counts) -> tuple[Standings, Standings]:
    """Standings of all speech queries and of all text queries, from counts over the whole matrix."""
    candidates = len(corpus) - corpus.group_size + 1
    by_both = zip((by_speech, by_text), corpus.tied_correct, strict=True)
    first, second = (Standings(counts.better, counts.equal - tied, candidates) for counts, tied in by_both)
    return first, second


@contextmanager
def thread_pool(threads: int | None = None) -> Iterator[Executor]:
    """Threads for the work between products: as many as asked for, or as the process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Launchers that start several processes on a machine share its cores out by this variable; a BLAS obeys it too.
    shared_out = os.environ.get("OMP_NUM_THREADS", "")
    most = min(allowed, int(shared_out)) if shared_out.isdecimal() and int(shared_out) else allowed
    with ThreadPoolExecutor(threads or most) as pool:
        yield pool


def _sweep(corpus: Corpus, pool: Executor, device: str) -> Sweep:
    if device == "cpu":
        return NumpySweep(corpus.speech, corpus.text, corpus.limits, pool)
    from .torch_sweep import TorchSweep

    return TorchSweep(corpus.speech, corpus.text, corpus.limits, device)


def _parts(n: int) -> Iterator[slice]:
    return blocks(slice(0, n), _GROUP_BLOCK)


def _diagonal(left: UnitRows, right: UnitRows, part: slice) -> NDArray[np.float64]:
    own = np.arange(part.start, part.stop)
    return exact_pairs(left, right, Undecided(own, own))


def _best_in_group(
    queries: UnitRows, candidates: UnitRows, members: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each member its best similarity to a member, and how many members reach it, (members,) each."""
    best, tied = np.empty(len(members)), np.empty(len(members), dtype=np.int64)
    for part in _parts(len(members)):
        best[part], tied[part] = -np.inf, 0
        for others in _parts(len(members)):
            similarity = queries.integers(members[part]) @ candidates.integers(members[others]).T
            found = similarity.max(axis=1)
            reached = (similarity == found[:, None]).sum(axis=1)
            tied[part] = np.where(found > best[part], reached, tied[part] + np.where(found == best[part], reached, 0))
            best[part] = np.maximum(best[part], found)
    return best, tied
