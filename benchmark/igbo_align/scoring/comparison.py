"""Two systems, and all systems of a board: which is better, and is the difference real?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics.slices import among, members_of
from ..metrics.retrieval import expected_rank
from ..problems import problem
from ..protocol.spec import DIRECTIONS, TRACKS
from ..statistics.bootstrap import resample_counts
from ..statistics.comparison import PairedDifference, holm, paired_bootstrap, tied_ranks
from .scores import Scores

#: One-sided level at which a row of the board leaves the rank of the row above (docs/protocol.md, Tests).
SEPARATION_LEVEL = 0.05


@dataclass(frozen=True)
class TrackComparison:
    """First system minus second in one track: difference of mean reciprocal rank, and how many queries moved.

    Attributes:
        mrr: paired bootstrap of the per-query difference, both directions averaged.
        p_holm: its two-sided probability, corrected by Holm over the tracks.
        first_better: queries whose mean rank over both directions is better with the first system.
        second_better: queries where the second system is better.
        n: number of queries.
    """

    mrr: PairedDifference
    p_holm: float
    first_better: int
    second_better: int
    n: int

    def as_json(self) -> dict[str, Any]:
        """The comparison as `compare --json` prints it."""
        moved = {"n": self.n, "first_better": self.first_better, "second_better": self.second_better}
        return {"mrr": vars(self.mrr), "p_holm": self.p_holm, **moved}


@dataclass(frozen=True)
class SliceDifference:
    """First system minus second among the queries of one slice.

    Attributes:
        kind: what was looked at, for example `gender`.
        name: the value found.
        n: queries.
        mrr: paired bootstrap of the per-query difference, both directions averaged.
        p_holm: its two-sided probability, corrected by Holm over the slices of the track.
    """

    kind: str
    name: str
    n: int
    mrr: PairedDifference
    p_holm: float


def compare(first: Scores, second: Scores) -> dict[str, TrackComparison]:
    """Compare two systems on every track, track -> comparison.

    Raises:
        ProblemsFound: the scores are of different benchmarks (`scores.mismatch`).
    """
    require_same_benchmark([first, second])
    differences = {track: track_difference(first, second, track) for track in TRACKS}
    corrected = dict[str, float](zip(TRACKS, holm([item.p_two_sided for item in differences.values()]), strict=True))
    comparisons: dict[str, TrackComparison] = {}
    for track, difference in differences.items():
        gained = _mean_ranks(second, track) - _mean_ranks(first, track)
        better, worse = int((gained > 0).sum()), int((gained < 0).sum())
        comparisons[track] = TrackComparison(difference, corrected[track], better, worse, len(gained))
    return comparisons


def track_difference(first: Scores, second: Scores, track: str) -> PairedDifference:
    """Paired bootstrap of two systems' reciprocal ranks in one track."""
    return _difference(first, second, track, np.ones(len(first.release.queries(track)), dtype=bool))


def slice_differences(first: Scores, second: Scores, track: str) -> list[SliceDifference]:
    """First system minus second in every slice of a track's queries: where the difference comes from.

    Raises:
        ProblemsFound: the scores are of different benchmarks (`scores.mismatch`).
    """
    require_same_benchmark([first, second])
    slices = among(members_of(first.release), first.release.queries(track))
    differences = [_difference(first, second, track, item.chosen) for item in slices]
    corrected = holm([item.p_two_sided for item in differences])
    return [
        SliceDifference(item.kind, item.name, int(item.chosen.sum()), difference, p)
        for item, difference, p in zip(slices, differences, corrected, strict=True)
    ]


def _difference(first: Scores, second: Scores, track: str, chosen: NDArray[np.bool_]) -> PairedDifference:
    scoring = first.release.spec.scoring
    left, right = (scores.reciprocal_ranks(track)[chosen] for scores in (first, second))
    counts = resample_counts(len(left), scoring.comparison_resamples, scoring.seed)
    return paired_bootstrap(left, right, counts, scoring.confidence)


def ranked(scores: Sequence[Scores], track: str) -> tuple[list[int], list[int]]:
    """Order of systems by mean MRR (best first, ties in the order given), and the tied dense rank of each place."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i].mean_mrr(track))

    def separated(leader: int, system: int) -> bool:
        difference = track_difference(scores[order[leader]], scores[order[system]], track)
        return difference.p_first_better < SEPARATION_LEVEL

    return order, tied_ranks(len(scores), separated)


def require_same_benchmark(scores: Sequence[Scores]) -> None:
    """Raise `scores.mismatch` unless all scores are of one release."""
    fingerprints = {item.release.fingerprint for item in scores}
    if len(fingerprints) > 1:
        raise problem(
            "scores.mismatch",
            "benchmark/fingerprint",
            found=" and ".join(sorted(fingerprints)),
            expected="scores of one release",
            mend="Score both systems on the same release.",
        )


def _mean_ranks(scores: Scores, track: str) -> NDArray[np.float64]:
    return np.mean([expected_rank(scores.tracks[track][name].standings) for name in DIRECTIONS], axis=0)
