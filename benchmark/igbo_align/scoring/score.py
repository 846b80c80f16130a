"""Scoring: exact similarities, standings in every track, metrics with intervals, and tests (docs/protocol.md)."""

from __future__ import annotations

import platform

import numpy as np
import pyarrow as pa
import scipy

from .. import __version__
from ..diagnostics.diagnose import diagnose
from ..diagnostics.integrity import integrity_flags
from ..metrics.ranking import Standings
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from ..statistics.alignment_tests import Moments, cohens_d, permutation_p_value, student_t_test, welch_t_test
from ..statistics.bootstrap import resample_counts
from ..statistics.estimates import mean_estimates
from ..submission.reading import Submission
from ..submission.validation import require_valid
from ..submission.writing import aligned, content_sha256
from ..tracks.estimation import metric_estimates, standings_by_track
from ..tracks.similarity import Similarity, similarity_of
from .scores import DirectionScores, Scores, SimilarityScores


def score(submission: Submission, release: Release) -> Scores:
    """Score a submission on every track, in both directions.

    Raises:
        ProblemsFound: every problem of the submission; nothing is scored then.
    """
    require_valid(submission, release)
    similarity = similarity_of(aligned(submission, release))
    standings = standings_by_track(
        dict(zip(DIRECTIONS, (similarity.values, similarity.values.T), strict=True)), release
    )
    tracks = {
        track: {name: _direction_scores(track, name, held, release) for name, held in directions.items()}
        for track, directions in standings.items()
    }
    provenance = {
        "embeddings_sha256": content_sha256(submission, release),
        "package_version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "pyarrow": pa.__version__,
        "created": submission.card.created,
    }
    card = submission.card.as_json()
    claims_no_training = submission.card.alignment.trained_on_pairs == "none"
    tests = _similarity_scores(similarity, release)
    diagnostics = diagnose(similarity, standings, release)
    vectors = None if similarity.speech is None or similarity.text is None else (similarity.speech, similarity.text)
    flags = integrity_flags(
        vectors,
        similarity.values,
        {name: held["recall@1"].value for name, held in tracks["full"].items()},
        claims_no_training,
        diagnostics.memorisation_gap,
        release,
    )
    return Scores(release, card, tracks, tests, diagnostics, provenance, flags)


def _direction_scores(track: str, direction: str, standings: Standings, release: Release) -> DirectionScores:
    queries = release.queries(track)
    pool = len(release.ids) if track == "full" else release.pools[track][direction].shape[1]
    return DirectionScores(len(queries), pool, metric_estimates(standings, release.spec.scoring), queries, standings)


def _similarity_scores(similarity: Similarity, release: Release) -> SimilarityScores:
    scoring, sample = release.spec.scoring, release.similarity_sample
    paired_similarity = similarity.paired[:, None]
    counts = resample_counts(len(paired_similarity), scoring.bootstrap_resamples, scoring.seed)
    paired_cosine = mean_estimates(paired_similarity, counts, scoring.confidence)[0]
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
