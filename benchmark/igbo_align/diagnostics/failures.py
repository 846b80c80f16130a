"""Which queries of a track fail: what goes with it, in which slices, and the worst ones with what beat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Standings
from ..metrics.retrieval import expected_rank, reciprocal_rank
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from ..tracks.similarity import Similarity
from .correlations import Correlation, correlations
from .slices import Members, Slice, among, score_slices

#: Where failures are looked for: as in the paper, and among the pairs that nobody trained on.
FAILURE_TRACKS = ("paper", "heldout")
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


def failure_track(trained_on_pairs: str) -> str:
    """Where to look for failures, by what a card says: `heldout` for a system that remembers the other pairs."""
    return "paper" if trained_on_pairs == "none" else "heldout"


@dataclass(frozen=True)
class Failures:
    """Which queries of one track fail.

    Attributes:
        correlations: of properties of the pairs with rank and similarity.
        slices: of the queries.
        worst: direction -> the worst queries and what beat them.
    """

    correlations: list[Correlation]
    slices: list[Slice]
    worst: Mapping[str, list[Failure]]

    def as_json(self, ids: list[str]) -> dict[str, Any]:
        """As score files hold it, pairs by id."""
        return {
            "correlations": [item.as_json() for item in self.correlations],
            "slices": [item.as_json(ids) for item in self.slices],
            "worst": {name: [item.as_json(ids) for item in failures] for name, failures in self.worst.items()},
        }


def find_failures(
    track: str,
    similarity: Similarity,
    held: Mapping[str, Standings],
    slices: Sequence[Members],
    predictors: Mapping[str, NDArray[np.float64]],
    release: Release,
) -> Failures:
    """Look for what the failing queries of a track have in common.

    Args:
        track: one with pools.
        similarity: of all recordings with all texts.
        held: direction -> standings of the track's queries.
        slices: of all pairs of the release, from `members_of`.
        predictors: name -> (n,) property of all pairs.
        release: the benchmark.
    """
    scoring, queries = release.spec.scoring, release.queries(track)
    ranks = {f"rank_{name}": expected_rank(held[name]) for name in DIRECTIONS}
    reciprocal = np.mean([reciprocal_rank(held[name]) for name in DIRECTIONS], axis=0)
    outcomes = ranks | {"paired_similarity": similarity.paired[queries]}
    matrices = dict(zip(DIRECTIONS, (similarity.integers, similarity.integers.T), strict=True))
    return Failures(
        correlations({name: values[queries] for name, values in predictors.items()}, outcomes, scoring),
        score_slices(among(slices, queries), reciprocal, np.mean(list(ranks.values()), axis=0), queries, scoring),
        {
            name: worst_queries(matrices[name], similarity.scale, held[name], queries, release.pools[track][name])
            for name in DIRECTIONS
        },
    )


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
