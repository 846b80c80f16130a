"""The worst queries, and what beat them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Standings
from ..metrics.retrieval import expected_rank

_SHOWN_QUERIES = 10
_SHOWN_RIVALS = 3


@dataclass(frozen=True)
class Failure:
    """A query that was found badly.

    Attributes:
        query: position of the pair.
        rank: expected rank of the correct candidate in its pool.
        similarity: of the query with its correct candidate.
        rivals: position and similarity of the most similar wrong candidates in the pool, best first.
    """

    query: int
    rank: float
    similarity: float
    rivals: list[tuple[int, float]]

    def as_json(self, ids: Sequence[str]) -> dict[str, Any]:
        """The failure as score files hold it, pairs by id."""
        rivals = [{"id": ids[i], "similarity": value} for i, value in self.rivals]
        return {"id": ids[self.query], "rank": self.rank, "similarity": self.similarity, "beaten_by": rivals}


def worst_queries(
    matrix: NDArray[np.int64],
    scale: float,
    standings: Standings,
    queries: NDArray[np.int64],
    pools: NDArray[np.int64],
) -> list[Failure]:
    """The queries of the highest ranks, worst first, ties in release order.

    Args:
        matrix: (n, n) similarities in units of 1/`scale`, rows queries.
        scale: units per similarity.
        standings: of the queries in their pools.
        queries: (q,) positions.
        pools: (q, m) positions of their candidates.
    """
    ranks = expected_rank(standings)
    failures = []
    for place in np.argsort(-ranks, kind="stable")[:_SHOWN_QUERIES]:
        query = queries[place]
        others = pools[place][pools[place] != query]
        best = others[np.argsort(-matrix[query, others], kind="stable")[:_SHOWN_RIVALS]]
        rivals = [(int(i), float(matrix[query, i] / scale)) for i in best if matrix[query, i] >= matrix[query, query]]
        failures.append(Failure(int(query), float(ranks[place]), float(matrix[query, query] / scale), rivals))
    return failures
