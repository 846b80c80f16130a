"""What any pool size would give, without drawing a pool: expectations of the metrics from ranks among all candidates.

A query whose correct candidate has b better ones among N has in a random pool of m a hypergeometric number of better
ones. All values come from products of ratios, not from logarithms of factorials, and so are the same everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Standings
from ..metrics.retrieval import chance_standings
from ..protocol.spec import Scoring
from ..statistics.bootstrap import resample_counts
from ..statistics.estimates import Estimate, mean_estimates

#: Pool sizes of the curve (docs/diagnostics.md); the number of all candidates is added as the last.
POOL_SIZES = (10, 25, 50, 100, 250)


@dataclass(frozen=True)
class PoolPoint:
    """Expected metrics in a random pool of `pool` candidates, the correct one with them."""

    pool: int
    estimates: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """The point as score files hold it."""
        return {"pool": self.pool} | {name: item.as_json() for name, item in self.estimates.items()}


def pool_size_curve(standings: Standings, scoring: Scoring) -> list[PoolPoint]:
    """Expected metrics at every pool size, from the standings among all candidates.

    Args:
        standings: of the track `full`.
        scoring: cut-offs of recall, and the bootstrap.
    """
    largest = int(standings.candidates.max())
    pools = [*(size for size in POOL_SIZES if size < largest), largest]
    names = [*(f"recall@{k}" for k in scoring.recall_at), "mrr", "mean_rank"]
    columns = expected_metrics(standings, pools, scoring.recall_at)
    chance = expected_metrics(chance_standings(standings.candidates), pools, scoring.recall_at)
    counts = resample_counts(len(columns), scoring.bootstrap_resamples, scoring.seed)
    flat = [values.reshape(len(values), -1) for values in (columns, chance)]
    estimates = iter(mean_estimates(flat[0], counts, scoring.confidence, flat[1]))
    return [PoolPoint(pool, {name: next(estimates) for name in names}) for pool in pools]


def expected_metrics(standings: Standings, pools: Sequence[int], cutoffs: Sequence[int]) -> NDArray[np.float64]:
    """Expected metrics of each query in random pools: (n, pools, cut-offs + 2), recalls, 1/rank and rank.

    A pool larger than a query's candidates is all of them. Ties are averaged over, as everywhere.
    """
    result = np.empty((len(standings.better), len(pools), len(cutoffs) + 2))
    for n in np.unique(standings.candidates):
        queries = np.flatnonzero(standings.candidates == n)
        table = metrics_by_rank(int(n), tuple(min(pool, int(n)) for pool in pools), tuple(cutoffs))
        better, places = standings.better[queries], standings.equal[queries] + 1
        result[queries] = table[better]
        tied = np.flatnonzero(places > 1)
        if len(tied):
            running = np.concatenate([np.zeros((1, *table.shape[1:])), np.cumsum(table, axis=0)])
            first, size = better[tied], places[tied]
            result[queries[tied]] = (running[first + size] - running[first]) / size[:, None, None]
    return result


@functools.lru_cache(maxsize=64)
def metrics_by_rank(n: int, pools: tuple[int, ...], cutoffs: tuple[int, ...]) -> NDArray[np.float64]:
    """Expected metrics for every number of better candidates b = 0 .. n-1 among n: (n, pools, cut-offs + 2).

    Recall@K is the hypergeometric distribution function cdf(K - 1; n - 1, b, m - 1). The expectation of 1/rank is
    n / (m (b + 1)) (1 - C(n - b - 1, m) / C(n, m)), because C(b, j) / (j + 1) = C(b + 1, j + 1) / (b + 1).
    """
    b, m = np.arange(n), np.array(pools, dtype=np.float64)[:, None]
    recalls = _cumulative_probabilities(n, m, cutoffs)
    none_of_first = np.cumprod(np.maximum(n - m - b, 0.0) / (n - b), axis=1)
    inverse_rank = n / (m * (b + 1)) * (1.0 - none_of_first)
    rank = 1.0 + (m - 1) * b / max(n - 1, 1)
    table = np.asarray(np.stack([*recalls, inverse_rank, rank]).transpose(2, 1, 0), dtype=np.float64)
    table.flags.writeable = False
    return table


def _cumulative_probabilities(n: int, m: NDArray[np.float64], cutoffs: Sequence[int]) -> list[NDArray[np.float64]]:
    """P(fewer than K of the b better candidates are in a pool), one (pools, n) array for each K."""
    total = np.zeros((len(m), n))
    by_cutoff = {}
    for j in range(max(cutoffs)):
        total = total + _probabilities(n, m, j) if j < n else total
        by_cutoff[j + 1] = total
    return [np.minimum(by_cutoff[k], 1.0) for k in cutoffs]


def _probabilities(n: int, m: NDArray[np.float64], j: int) -> NDArray[np.float64]:
    """P(exactly j of the b better candidates are in a pool of m), (pools, n) over b = 0 .. n-1.

    Starts at b = j, where all of them are, and goes from b to b + 1 by the ratio of the two probabilities.
    """
    first = np.prod([(m - 1 - i) / (n - 1 - i) for i in range(j)], axis=0) * np.ones_like(m)
    b = np.arange(j, n - 1)
    ratios = (b + 1) / (b + 1 - j) * np.maximum(n - 1 - b - (m - 1 - j), 0.0) / (n - 1 - b)
    probabilities = np.zeros((len(m), n))
    probabilities[:, j:] = np.cumprod(np.concatenate([np.maximum(first, 0.0), ratios], axis=1), axis=1)
    return probabilities
