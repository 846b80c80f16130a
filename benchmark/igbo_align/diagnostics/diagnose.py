"""All diagnostics of a submission (docs/diagnostics.md), from the one similarity matrix that scoring made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.retrieval import reciprocal_rank
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from ..tracks.estimation import TrackStandings
from ..tracks.similarity import Similarity
from .failures import FAILURE_TRACKS, Failures, find_failures
from .geometry import Geometry, geometry
from .hubness import Hubness, hubness
from .memorisation import MemorisationGap, memorisation_gap
from .minimal_pairs import MinimalPairs, minimal_rivals, score_minimal_pairs
from .neighbours import nearest
from .pool_size import PoolPoint, pool_size_curve
from .predictors import predictor_values
from .slices import Members, members_of
from .variants import Variant, centred_matrices, csls_matrices, score_variant


@dataclass(frozen=True)
class Diagnostics:
    """Why a system scores as it does.

    Attributes:
        memorisation_gap: reciprocal rank of train minus test queries, in track `paper`.
        pool_size: direction -> expected metrics at every pool size.
        variants: `csls` and `centred` -> the metrics with this correction; `centred` needs vectors.
        hubness: direction -> of the candidates of that direction.
        geometry: of the two clouds; None where only similarities were submitted.
        failures: of the tracks `paper`, as in the paper, and `heldout`, whose pairs nobody trained on.
        minimal_pairs: forced choice between texts that differ in diacritics alone; None where there are none.
    """

    memorisation_gap: MemorisationGap
    pool_size: Mapping[str, list[PoolPoint]]
    variants: Mapping[str, Variant]
    hubness: Mapping[str, Hubness]
    geometry: Geometry | None
    failures: Mapping[str, Failures]
    minimal_pairs: MinimalPairs | None

    def as_json(self, ids: list[str]) -> dict[str, Any]:
        """The diagnostics as score files hold them, pairs by id."""
        return {
            "pool_size": {name: [point.as_json() for point in curve] for name, curve in self.pool_size.items()},
            "variants": {name: variant.as_json() for name, variant in self.variants.items()},
            "hubness": {name: item.as_json(ids) for name, item in self.hubness.items()},
            "geometry": self.geometry.as_json() if self.geometry else None,
            **self.failures["paper"].as_json(ids),
            "heldout": self.failures["heldout"].as_json(ids),
            "minimal_pairs": self.minimal_pairs.as_json() if self.minimal_pairs else None,
        }


def diagnose(similarity: Similarity, standings: TrackStandings, release: Release) -> Diagnostics:
    """Compute all diagnostics.

    Raises:
        ProblemsFound: an additional file of the release is damaged (`release.corrupt`).
    """
    scoring = release.spec.scoring
    matrices: dict[str, NDArray[np.int64]] = dict(
        zip(DIRECTIONS, (similarity.integers, similarity.integers.T), strict=True)
    )
    neighbours = {direction: nearest(matrix) for direction, matrix in matrices.items()}
    corrected = {"csls": csls_matrices(similarity, neighbours), "centred": centred_matrices(similarity)}
    reciprocal = np.mean([reciprocal_rank(standings["paper"][name]) for name in DIRECTIONS], axis=0)
    rivals = minimal_rivals(release)
    slices = [*members_of(release), *_minimal_pair_slice(rivals, len(release.ids))]
    vectors = similarity.speech, similarity.text
    predictors = {predictor.name: values for predictor, values in predictor_values(release).items()}
    return Diagnostics(
        memorisation_gap(reciprocal, release.is_test, scoring.bootstrap_resamples, scoring.seed, scoring.confidence),
        {name: pool_size_curve(standings["full"][name], scoring) for name in DIRECTIONS},
        {name: score_variant(item, standings, release) for name, item in corrected.items() if item is not None},
        {name: hubness(item) for name, item in neighbours.items()},
        None if vectors[0] is None or vectors[1] is None else geometry(vectors[0], vectors[1], scoring),
        {
            track: find_failures(track, similarity, standings[track], slices, predictors, release)
            for track in FAILURE_TRACKS
        },
        score_minimal_pairs(rivals, matrices, scoring),
    )


def _minimal_pair_slice(rivals: NDArray[np.int64], n: int) -> list[Members]:
    chosen = np.zeros(n, dtype=bool)
    chosen[rivals.ravel()] = True
    return [Members("minimal pairs", "differ in diacritics", chosen)] if 0 < chosen.sum() < n else []
