"""From standings to metrics with intervals: the columns of every table (docs/protocol.md, Metrics)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Similarities, Standings, full_standings, pool_standings
from ..metrics.retrieval import chance_standings, expected_rank, recall_at_k, reciprocal_rank
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS, Scoring
from ..statistics.bootstrap import bootstrap_means, bootstrap_medians, percentile_interval, resample_counts
from ..statistics.estimates import Estimate, exact_mean
from ..statistics.proportions import wilson_interval

#: track -> direction -> standings of the track's queries.
TrackStandings = Mapping[str, Mapping[str, Standings]]


def standings_by_track(matrices: Mapping[str, Similarities], release: Release) -> TrackStandings:
    """Standings in every track and direction.

    Args:
        matrices: direction -> (n, n) similarities in any unit that compares exactly, rows queries.
        release: whose pools, test pairs and text groups are used.
    """
    return {
        track: {direction: standings_in(matrices[direction], track, direction, release) for direction in DIRECTIONS}
        for track in TRACKS
    }


def standings_in(matrix: Similarities, track: str, direction: str, release: Release) -> Standings:
    """Standings in one track and direction; the matrix, (n, n), as in `standings_by_track`, rows queries."""
    if track == "full":
        return full_standings(matrix, release.groups)
    return pool_standings(matrix, release.queries(track), release.pools[track][direction])


def metric_names(scoring: Scoring) -> list[str]:
    """Names of the metrics in the order of reports: recalls, MRR, mean rank, median rank."""
    return [*(f"recall@{k}" for k in scoring.recall_at), "mrr", "mean_rank", "median_rank"]


def metric_values(standings: Standings, scoring: Scoring) -> dict[str, float]:
    """Every metric without its interval."""
    return dict(zip(metric_names(scoring), _aggregated(per_query_metrics(standings, scoring)), strict=True))


def metric_estimates(standings: Standings, scoring: Scoring) -> dict[str, Estimate]:
    """Every metric with its bootstrap interval, its level under chance, and Wilson's interval for recalls."""
    n = len(standings.better)
    per_query = per_query_metrics(standings, scoring)
    low, high = percentile_interval(_resampled(per_query, scoring), scoring.confidence)
    values = _aggregated(per_query)
    chance = _aggregated(per_query_metrics(chance_standings(standings.candidates), scoring))
    estimates: dict[str, Estimate] = {}
    for i, name in enumerate(metric_names(scoring)):
        is_recall = i < len(scoring.recall_at)
        wilson = wilson_interval(values[i], n, scoring.confidence) if is_recall else None
        estimates[name] = Estimate(values[i], float(low[i]), float(high[i]), chance[i], wilson)
    return estimates


def mean_of_directions(held: Sequence[Standings], scoring: Scoring) -> dict[str, Estimate]:
    """Every metric averaged over directions that share their queries; a resample draws the same queries in each."""
    tables = [per_query_metrics(standings, scoring) for standings in held]
    chances = [per_query_metrics(chance_standings(standings.candidates), scoring) for standings in held]
    samples = np.mean([_resampled(table, scoring) for table in tables], axis=0)
    low, high = percentile_interval(samples, scoring.confidence)
    values, chance = (np.mean([_aggregated(table) for table in part], axis=0).tolist() for part in (tables, chances))
    rows = zip(values, low.tolist(), high.tolist(), chance, strict=True)
    return {name: Estimate(*row) for name, row in zip(metric_names(scoring), rows, strict=True)}


def _resampled(per_query: NDArray[np.float64], scoring: Scoring) -> NDArray[np.float64]:
    """Means of the columns and the median rank in every resample: (resamples, metrics)."""
    counts = resample_counts(len(per_query), scoring.bootstrap_resamples, scoring.seed)
    return np.column_stack([bootstrap_means(per_query, counts), bootstrap_medians(per_query[:, -1], counts)])


def per_query_metrics(standings: Standings, scoring: Scoring) -> NDArray[np.float64]:
    """(n, metrics) recalls, reciprocal rank and expected rank of every query."""
    recalls = [recall_at_k(standings, k) for k in scoring.recall_at]
    return np.column_stack([*recalls, reciprocal_rank(standings), expected_rank(standings)])


def _aggregated(per_query: NDArray[np.float64]) -> list[float]:
    """Means of the columns, summed without rounding, and the median of the last column, the rank."""
    return [*(exact_mean(column) for column in per_query.T), float(np.median(per_query[:, -1]))]
