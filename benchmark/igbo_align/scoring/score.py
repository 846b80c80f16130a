"""Scoring: exact similarities, standings in every track, metrics with intervals, and tests (PROTOCOL sections 4-6)."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..diagnostics.memorisation import memorisation_gap
from ..metrics.exact_similarity import COSINE_SCALE, integer_similarity, unit_integers
from ..metrics.ranking import Standings, full_standings, pool_standings
from ..metrics.retrieval import chance_standings, expected_rank, recall_at_k, reciprocal_rank
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS, Scoring
from ..statistics.alignment_tests import Moments, cohens_d, permutation_p_value, student_t_test, welch_t_test
from ..statistics.bootstrap import bootstrap_means, bootstrap_medians, percentile_interval, resample_counts
from ..statistics.proportions import wilson_interval
from ..submission.reading import Submission
from ..submission.validation import require_valid
from ..submission.writing import aligned, content_sha256
from .scores import DirectionScores, Estimate, Scores, SimilarityScores


def score(submission: Submission, release: Release) -> Scores:
    """Score a submission on every track, in both directions.

    Raises:
        ProblemsFound: every problem of the submission; nothing is scored then.
    """
    require_valid(submission, release)
    numbers = aligned(submission, release)
    similarity = _exact_similarity(*numbers) if isinstance(numbers, tuple) else _given_similarity(numbers)
    scoring = release.spec.scoring
    tracks = {track: _score_track(track, similarity, release) for track in TRACKS}
    both = np.mean([reciprocal_rank(tracks["paper"][name].standings) for name in DIRECTIONS], axis=0)
    gap = memorisation_gap(both, release.is_test, scoring.bootstrap_resamples, scoring.seed, scoring.confidence)
    provenance = {
        "embeddings_sha256": content_sha256(submission, release),
        "package_version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "created": submission.card.created,
    }
    card = submission.card.as_json()
    return Scores(release, card, tracks, _similarity_scores(similarity, release), gap, provenance)


@dataclass(frozen=True, eq=False)
class _Similarity:
    """(n, n) similarities: `values` to compare, and the same as `integers` in units of 1/`scale` to add up exactly."""

    values: NDArray[np.float64]
    integers: NDArray[np.int64]
    scale: float


def _exact_similarity(speech: NDArray[np.float32], text: NDArray[np.float32]) -> _Similarity:
    values = integer_similarity(unit_integers(speech), unit_integers(text))
    return _Similarity(values, values.astype(np.int64), COSINE_SCALE)


def _given_similarity(matrix: NDArray[np.float32]) -> _Similarity:
    values = matrix.astype(np.float64)
    scale = 2.0 ** (49 - math.ceil(math.log2(max(float(np.abs(values).max()), 2.0**-100))))
    return _Similarity(values, np.rint(values * scale).astype(np.int64), scale)


def _score_track(track: str, similarity: _Similarity, release: Release) -> Mapping[str, DirectionScores]:
    queries = release.queries(track)
    by_direction = dict(zip(DIRECTIONS, (similarity.values, similarity.values.T), strict=True))
    scores = {}
    for direction, matrix in by_direction.items():
        if track == "full":
            standings = full_standings(matrix, release.groups)
            pool = len(matrix)
        else:
            pools = release.pools[track][direction]
            standings = pool_standings(matrix, queries, pools)
            pool = pools.shape[1]
        estimates = _estimates(standings, release.spec.scoring)
        scores[direction] = DirectionScores(len(queries), pool, estimates, queries, standings)
    return scores


def metric_names(scoring: Scoring) -> list[str]:
    """Names of the metrics in the order of reports: recalls, MRR, mean rank, median rank."""
    return [*(f"recall@{k}" for k in scoring.recall_at), "mrr", "mean_rank", "median_rank"]


def _estimates(standings: Standings, scoring: Scoring) -> dict[str, Estimate]:
    n = len(standings.better)
    counts = resample_counts(n, scoring.bootstrap_resamples, scoring.seed)
    per_query = _per_query_metrics(standings, scoring)
    samples = np.column_stack([bootstrap_means(per_query, counts), bootstrap_medians(per_query[:, -1], counts)])
    low, high = percentile_interval(samples, scoring.confidence)
    values = _aggregated(per_query)
    chance = _aggregated(_per_query_metrics(chance_standings(standings.candidates), scoring))
    estimates = {}
    for i, name in enumerate(metric_names(scoring)):
        is_recall = i < len(scoring.recall_at)
        wilson = wilson_interval(values[i], n, scoring.confidence) if is_recall else None
        estimates[name] = Estimate(values[i], float(low[i]), float(high[i]), chance[i], wilson)
    return estimates


def _per_query_metrics(standings: Standings, scoring: Scoring) -> NDArray[np.float64]:
    recalls = [recall_at_k(standings, k) for k in scoring.recall_at]
    return np.column_stack([*recalls, reciprocal_rank(standings), expected_rank(standings)])


def _aggregated(per_query: NDArray[np.float64]) -> list[float]:
    """Means of the columns, summed without rounding, and the median of the last column, the rank."""
    means = [math.fsum(column) / len(column) for column in per_query.T.tolist()]
    return [*means, float(np.median(per_query[:, -1]))]


def _similarity_scores(similarity: _Similarity, release: Release) -> SimilarityScores:
    scoring, sample = release.spec.scoring, release.similarity_sample
    diagonal = similarity.integers.diagonal() / similarity.scale
    counts = resample_counts(len(diagonal), scoring.bootstrap_resamples, scoring.seed)
    low, high = percentile_interval(bootstrap_means(diagonal[:, None], counts)[:, 0], scoring.confidence)
    paired_cosine = Estimate(math.fsum(diagonal.tolist()) / len(diagonal), float(low), float(high))
    sampled = similarity.integers[sample.speech, sample.text]
    paired, unpaired = (Moments.of(sampled[chosen], similarity.scale) for chosen in (sample.paired, ~sample.paired))
    return SimilarityScores(
        paired_cosine,
        paired.mean,
        unpaired.mean,
        welch_t_test(paired, unpaired),
        student_t_test(paired, unpaired),
        permutation_p_value(similarity.integers, scoring.permutations, scoring.seed),
        cohens_d(paired, unpaired),
    )
