"""Metrics of each query, as expectations over ties, and their levels under chance (docs/protocol.md, Metrics)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ranking import Standings


def recall_at_k(standings: Standings, k: int) -> NDArray[np.float64]:
    """Probability that the correct candidate is among the first k, (n,) in [0, 1].

    With one correct candidate per query this is success@k, which the literature on retrieval across modalities
    calls Recall@K. Mean of [rank <= k] over rank = g+1, ..., g+1+e.
    """
    places = standings.equal + 1
    return np.clip(k - standings.better, 0, places) / places


def reciprocal_rank(standings: Standings) -> NDArray[np.float64]:
    """Expectation of 1/rank, (n,) in (0, 1]: (H(g+1+e) - H(g)) / (e+1) with H the harmonic numbers."""
    expected = 1.0 / (standings.better + 1)
    tied = np.flatnonzero(standings.equal)
    if len(tied):
        first, places = standings.better[tied], standings.equal[tied] + 1
        last = int((first + places).max())
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, last + 1))])
        expected[tied] = (harmonic[first + places] - harmonic[first]) / places
    return expected


def expected_rank(standings: Standings) -> NDArray[np.float64]:
    """Expectation of the rank, (n,) in [1, candidates]: g + 1 + e/2."""
    return standings.better + 1 + standings.equal / 2


def chance_standings(candidates: NDArray[np.int64]) -> Standings:
    """The standings of a system that tells no candidate from another: all tied, so every metric is at chance.

    Args:
        candidates: (n,) how many each query has.
    """
    return Standings(np.zeros_like(candidates), candidates - 1, candidates)
