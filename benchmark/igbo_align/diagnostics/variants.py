"""Would a correction of the geometry help? CSLS and mean-centring, scored like the submission itself.

Both look at the vectors of all pairs but at no pairing, so they may be applied to any system after the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.exact_similarity import COMPONENT_SCALE, integer_similarity
from ..metrics.ranking import Similarities
from ..metrics.retrieval import reciprocal_rank
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..statistics.bootstrap import resample_counts
from ..statistics.estimates import Estimate, mean_estimates
from ..tracks.estimation import TrackStandings, metric_names, per_query_metrics, standings_by_track
from ..tracks.similarity import Similarity
from .neighbours import Nearest


@dataclass(frozen=True)
class Variant:
    """A corrected similarity, scored.

    Attributes:
        tracks: track -> direction -> metric -> estimate; all metrics but the median rank. Levels under chance are
            those of the track.
        mrr_gain: track -> mean reciprocal rank minus that of the submission as it is, both directions averaged, paired.
    """

    tracks: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    mrr_gain: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """The variant as score files hold it."""
        tracks = {
            track: {
                name: {metric: item.as_json() for metric, item in held.items()} for name, held in directions.items()
            }
            for track, directions in self.tracks.items()
        }
        return {"tracks": tracks, "mrr_gain": {track: item.as_json() for track, item in self.mrr_gain.items()}}


def csls_matrices(similarity: Similarity, by_direction: Mapping[str, Nearest]) -> dict[str, NDArray[np.int64]]:
    """CSLS, (n, n), in units of 1/(k scale): 2 k s_ij - sum of i's k nearest - sum of j's k nearest.

    Conneau et al. 2018 (doi:10.48550/arXiv.1710.04087); neighbours are sought among all pairs of the release.
    With similarities of at most 51 bits and k = 10 all numbers stay below 2**56: the whole numbers are exact.
    The definition is symmetric, so one matrix serves both directions.
    """
    speech, text = (by_direction[direction] for direction in DIRECTIONS)
    matrix = 2 * speech.k * similarity.integers - speech.totals[:, None] - text.totals[None, :]
    return dict(zip(DIRECTIONS, (matrix, matrix.T), strict=True))


def centred_integers(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors minus their mean, at unit length again, as whole numbers like those of `unit_integers`.

    Differences from the mean are rounded to multiples of 2**-25 before their lengths are taken: by Cauchy-Schwarz all
    squares of one row then add up to less than 2**53, exactly and in any order. A vector that equals the mean stays 0.

    Args:
        unit: (n, d) `unit_integers`; their sums are exact.
    """
    centred = differences_from_mean(unit)
    squares = np.einsum("nd,nd->n", centred, centred)
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    return np.rint(centred / lengths[:, None] * COMPONENT_SCALE)


def differences_from_mean(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, d) whole numbers minus the mean of each column, rounded to whole numbers."""
    return np.rint(unit - unit.sum(axis=0) / len(unit))


def centred_matrices(similarity: Similarity) -> dict[str, NDArray[np.float64]] | None:
    """Cosines (n, n) of the centred vectors, each modality minus its own mean; None where there are no vectors."""
    if similarity.speech is None or similarity.text is None:
        return None
    matrix = integer_similarity(centred_integers(similarity.speech), centred_integers(similarity.text))
    return dict(zip(DIRECTIONS, (matrix, matrix.T), strict=True))


def score_variant(matrices: Mapping[str, Similarities], plain: TrackStandings, release: Release) -> Variant:
    """Score corrected similarities on every track.

    Args:
        matrices: direction -> (n, n) similarities, rows queries.
        plain: standings of the submission as it is.
        release: whose tracks are scored.
    """
    standings = standings_by_track(matrices, release)
    tracks, gains = {}, {}
    for track in TRACKS:
        *held, gains[track] = _estimates(standings[track], plain[track], release)
        per_direction = len(held) // len(DIRECTIONS)
        names = metric_names(release.spec.scoring)
        tracks[track] = {
            direction: dict(zip(names, held[i * per_direction : (i + 1) * per_direction], strict=False))
            for i, direction in enumerate(DIRECTIONS)
        }
    return Variant(tracks, gains)


def _estimates(variant: Mapping[str, Any], plain: Mapping[str, Any], release: Release) -> list[Estimate]:
    """The metrics of both directions, then the gain in reciprocal rank, from one matrix product."""
    scoring = release.spec.scoring
    columns = [per_query_metrics(variant[direction], scoring) for direction in DIRECTIONS]
    gain = np.mean([reciprocal_rank(variant[name]) - reciprocal_rank(plain[name]) for name in DIRECTIONS], axis=0)
    counts = resample_counts(len(gain), scoring.bootstrap_resamples, scoring.seed)
    metrics = mean_estimates(np.hstack(columns), counts, scoring.confidence)
    return [*metrics, *mean_estimates(gain[:, None], counts, scoring.confidence)]
