"""Where the correct candidate stands: how many candidates are strictly better, and how many exactly equal.

The two counts g (better) and e (equal) are all that the metrics need (docs/protocol.md, Metrics): the rank of the
correct candidate is uniform on {g + 1, ..., g + 1 + e}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Cosines, or whole numbers in any unit that compares exactly.
Similarities = NDArray[np.float64] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Standings:
    """For each query the number of candidates `better` than and `equal` to the correct one (itself not counted).

    Attributes:
        better: (n,) int64, g in the protocol.
        equal: (n,) int64, e in the protocol.
        candidates: (n,) int64, size of the query's candidate list with the correct one in it.
    """

    better: NDArray[np.int64]
    equal: NDArray[np.int64]
    candidates: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranks:
    """Expected ranks (from 1, half ranks where candidates tie) over the full corpus, in both directions, (n,) each."""

    speech_to_text: NDArray[np.float64]
    text_to_speech: NDArray[np.float64]


def pool_standings(similarity: Similarities, queries: NDArray[np.int64], pools: NDArray[np.int64]) -> Standings:
    """Standings in frozen pools.

    Args:
        similarity: (n, n), row = query, column = candidate; the diagonal holds the correct pairs.
        queries: (q,) row of each query.
        pools: (q, m) columns of each query's candidates, the query's own column exactly once among them.
    """
    scores = similarity[queries[:, None], pools]
    correct = similarity[queries, queries][:, None]
    better = (scores > correct).sum(axis=1)
    equal = (scores == correct).sum(axis=1) - 1
    return Standings(better, equal, np.full(len(queries), pools.shape[1]))


def full_standings(similarity: Similarities, groups: NDArray[np.int64]) -> Standings:
    """Standings among all n candidates.

    Args:
        similarity: (n, n), row = query, column = candidate; the diagonal holds the correct pairs.
        groups: (n,) text group of each pair. Every member of the query's group is correct: the best-ranked one counts
            and the others are removed from the candidates.
    """
    n = len(similarity)
    best = similarity.diagonal().copy()
    tied_correct = np.ones(n, dtype=np.int64)
    group_size = np.ones(n, dtype=np.int64)
    for members in repeated_groups(groups):
        own = similarity[np.ix_(members, members)]
        best[members] = own.max(axis=1)
        tied_correct[members] = (own == best[members, None]).sum(axis=1)
        group_size[members] = len(members)
    better = (similarity > best[:, None]).sum(axis=1)
    equal = (similarity == best[:, None]).sum(axis=1) - tied_correct
    return Standings(better, equal, n - group_size + 1)


def repeated_groups(groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Positions of the members of each group with more than one, (members,) each, from (n,) groups."""
    order = np.argsort(groups)
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return (members for members in np.split(order, starts) if len(members) > 1)
