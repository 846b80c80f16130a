"""The scores of a submission as small records, and their JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics.diagnose import Diagnostics
from ..diagnostics.memorisation import MemorisationGap
from ..metrics.ranking import Standings
from ..metrics.retrieval import reciprocal_rank
from ..problems import Problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from ..statistics.alignment_tests import TTest
from ..statistics.estimates import Estimate


@dataclass(frozen=True, eq=False)
class DirectionScores:
    """One direction of one track: `scores["mrr"]` is an `Estimate`; `standings` keeps what every query got.

    Attributes:
        n: number of queries.
        pool: number of candidates.
        estimates: metric name -> estimate.
        queries: (n,) positions of the query pairs in the release.
        standings: of the queries, in that order.
    """

    n: int
    pool: int
    estimates: Mapping[str, Estimate]
    queries: NDArray[np.int64]
    standings: Standings

    def __getitem__(self, metric: str) -> Estimate:
        return self.estimates[metric]

    def as_json(self) -> dict[str, Any]:
        """The direction as score files hold it."""
        return {"n": self.n, "pool": self.pool} | {name: item.as_json() for name, item in self.estimates.items()}


@dataclass(frozen=True)
class SimilarityScores:
    """Are paired similarities higher than unpaired ones? See docs/protocol.md, Tests."""

    paired_cosine: Estimate
    paired_mean: float
    unpaired_mean: float
    welch: TTest
    student: TTest
    permutation_p: float
    cohens_d: float | None

    def as_json(self) -> dict[str, Any]:
        """The tests as score files hold them."""
        return {
            "paired_cosine": self.paired_cosine.as_json(),
            "paired_mean": self.paired_mean,
            "unpaired_mean": self.unpaired_mean,
            "welch": vars(self.welch),
            "student": vars(self.student),
            "permutation": {"p": self.permutation_p},
            "cohens_d": self.cohens_d,
        }


@dataclass(frozen=True, eq=False)
class Scores:
    """Everything that is known about a submission: `scores.tracks["heldout"]["speech_to_text"]["mrr"].value`."""

    release: Release
    card: Mapping[str, Any]
    tracks: Mapping[str, Mapping[str, DirectionScores]]
    similarity: SimilarityScores
    diagnostics: Diagnostics
    provenance: Mapping[str, Any]
    flags: tuple[Problem, ...] = ()

    @property
    def memorisation_gap(self) -> MemorisationGap:
        """Reciprocal rank of train queries minus that of test queries, the diagnostic that the board shows."""
        return self.diagnostics.memorisation_gap

    def reciprocal_ranks(self, track: str) -> NDArray[np.float64]:
        """Per query of a track, the mean over both directions of the expected reciprocal rank, (n,) in (0, 1]."""
        return np.mean([reciprocal_rank(self.tracks[track][name].standings) for name in DIRECTIONS], axis=0)

    def mean_mrr(self, track: str) -> float:
        """Mean over both directions of the mean reciprocal rank."""
        return sum(self.tracks[track][name]["mrr"].value for name in DIRECTIONS) / len(DIRECTIONS)

    def as_json(self) -> dict[str, Any]:
        """The score document, `scores.json`; numbers carry 12 significant digits, the same everywhere."""
        document = {
            "schema_version": 1,
            "benchmark": self.release.benchmark(),
            "system": self.card["system"],
            "tracks": {
                track: {name: scores.as_json() for name, scores in directions.items()}
                for track, directions in self.tracks.items()
            },
            "similarity": self.similarity.as_json(),
            "diagnostics": {
                "memorisation_gap": vars(self.memorisation_gap)
                | {"flagged": self.memorisation_gap.excludes_zero and self.trained_on_pairs == "none"}
            }
            | self.diagnostics.as_json(self.release.ids),
            "flags": [flag.as_json() for flag in self.flags],
            "per_query": self._per_query(),
            "provenance": dict(self.provenance),
        }
        return rounded(document)

    @property
    def trained_on_pairs(self) -> str:
        """What the card says about training on the pairs: none, train or all."""
        return self.card["alignment"]["trained_on_pairs"]

    def _per_query(self) -> dict[str, Any]:
        per_track = {
            track: {
                name: {"better": scores.standings.better.tolist(), "equal": scores.standings.equal.tolist()}
                for name, scores in directions.items()
            }
            for track, directions in self.tracks.items()
        }
        return {
            "ids": self.release.ids,
            "heldout_ids": [self.release.ids[i] for i in self.release.queries("heldout")],
        } | per_track


def rounded(value: Any, digits: int = 12) -> Any:
    """The same JSON value with every float cut to `digits` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return value
