"""A leaderboard read back from its JSON document: what was found, who is separable from whom, and where others belong.

Nothing is scored again here. The document is the maintainers' own; the names and notes in it are strangers' text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.ranking import Standings
from ..metrics.retrieval import expected_rank, reciprocal_rank
from ..problems import problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..statistics.bootstrap import resample_counts
from ..statistics.comparison import PairedDifference, holm, paired_bootstrap
from .comparison import SEPARATION_LEVEL
from .scores import Scores

_VERSION = 1
_NEEDED = {"submission", "rank", "card", "mean_mrr", "tracks", "both_directions", "per_query", "status", "flags"}


@dataclass(frozen=True)
class Separation:
    """Two systems of a board: first minus second in mean reciprocal rank, and p corrected over all pairs shown."""

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_two_sided: float
    p_holm: float


@dataclass(frozen=True)
class Place:
    """Where scores would stand: the tied dense rank, the systems that share it, and how many rows are ahead."""

    rank: int
    tied_with: list[str]
    ahead: int
    of: int


@dataclass(frozen=True, eq=False)
class Board:
    """`leaderboard.json` of one release.

    Attributes:
        document: the whole JSON document.
        release: the benchmark whose fingerprint it states.
    """

    document: Mapping[str, Any]
    release: Release

    @cached_property
    def rows(self) -> dict[str, Mapping[str, Any]]:
        """Row of each submission, by its folder `<org>__<system>/<revision>`."""
        return {row["submission"]: row for row in self.document["rows"]}

    @cached_property
    def _tests(self) -> dict[str, dict[tuple[str, str], Mapping[str, Any]]]:
        held = self.document["comparisons"]
        return {track: {(item["first"], item["second"]): item for item in held[track]} for track in TRACKS}

    def ordered(self, track: str) -> list[str]:
        """Submissions of a track, best first by mean MRR."""
        return sorted(self.rows, key=lambda name: (-self.rows[name]["mean_mrr"][track]["value"], name))

    def standings(self, name: str, track: str, direction: str) -> Standings:
        """What every query of a track got."""
        held = self.rows[name]["per_query"][track][direction]
        better, equal = (np.array(held[part], dtype=np.int64) for part in ("better", "equal"))
        return Standings(better, equal, np.full(len(better), self.rows[name]["tracks"][track][direction]["pool"]))

    def ranks(self, name: str, track: str, direction: str | None = None) -> NDArray[np.float64]:
        """Expected rank of every query, (n,); the mean of both directions where none is named."""
        wanted = DIRECTIONS if direction is None else (direction,)
        return np.mean([expected_rank(self.standings(name, track, one)) for one in wanted], axis=0)

    def reciprocal_ranks(self, name: str, track: str, direction: str | None = None) -> NDArray[np.float64]:
        """Expected reciprocal rank of every query, (n,); the mean of both directions where none is named."""
        wanted = DIRECTIONS if direction is None else (direction,)
        return np.mean([reciprocal_rank(self.standings(name, track, one)) for one in wanted], axis=0)

    def difference(
        self,
        first: str,
        second: str,
        track: str,
        direction: str | None = None,
        chosen: NDArray[np.bool_] | None = None,
    ) -> PairedDifference:
        """Paired bootstrap of two systems' reciprocal ranks: of all queries of a track, or of those chosen, (n,).

        A slice is drawn less often: every size needs resamples of its own, and only its interval is shown.
        """
        left, right = (self.reciprocal_ranks(name, track, direction) for name in (first, second))
        if chosen is None:
            return self._paired(left, right)
        scoring = self.release.spec.scoring
        counts = resample_counts(int(chosen.sum()), scoring.bootstrap_resamples, scoring.seed)
        return paired_bootstrap(left[chosen], right[chosen], counts, scoring.confidence)

    def separations(self, names: Sequence[str], track: str) -> list[Separation]:
        """Tests of all pairs of these systems, corrected by Holm over exactly these (docs/protocol.md, Tests)."""
        pairs = [(first, second) for i, first in enumerate(names) for second in names[i + 1 :]]
        tests = [self._tested(first, second, track) for first, second in pairs]
        corrected = holm([test.p_two_sided for test in tests])
        return [
            Separation(*pair, test.difference, test.low, test.high, test.p_two_sided, p)
            for pair, test, p in zip(pairs, tests, corrected, strict=True)
        ]

    def not_separable_from_first(self, track: str) -> set[str]:
        """Systems that share the first rank with another one: nobody can say which of them is the best."""
        first = {name for name, row in self.rows.items() if row["rank"][track] == 1}
        return first if len(first) > 1 else set()

    def place(self, scores: Scores, track: str) -> Place:
        """Where scores that are not on the board would stand, by the rule that ranks the board."""
        order, mrr = self.ordered(track), scores.mean_mrr(track)
        ahead = [name for name in order if self.rows[name]["mean_mrr"][track]["value"] >= mrr]
        if not ahead:
            return Place(1, self._tied_below(scores, track, order), 0, len(order))
        rank = self.rows[ahead[-1]]["rank"][track]
        group = [name for name in order if self.rows[name]["rank"][track] == rank]
        leader = self._paired(self.reciprocal_ranks(group[0], track), scores.reciprocal_ranks(track))
        if leader.p_first_better < SEPARATION_LEVEL:
            return Place(rank + 1, self._tied_below(scores, track, order[len(ahead) :]), len(ahead), len(order))
        return Place(rank, group, len(ahead), len(order))

    def _tied_below(self, scores: Scores, track: str, below: Sequence[str]) -> list[str]:
        """Those right below who could not be told apart from scores that lead a rank."""
        tied: list[str] = []
        for name in below:
            test = self._paired(scores.reciprocal_ranks(track), self.reciprocal_ranks(name, track))
            if test.p_first_better < SEPARATION_LEVEL:
                break
            tied.append(name)
        return tied

    def _tested(self, first: str, second: str, track: str) -> PairedDifference:
        held = self._tests[track]
        if (first, second) in held:
            item = held[first, second]
            return PairedDifference(*(item[name] for name in PairedDifference.__dataclass_fields__))
        if (second, first) in held:
            item = held[second, first]
            p = item["p_two_sided"]
            return PairedDifference(-item["difference"], -item["high"], -item["low"], p, 1 - item["p_first_better"])
        return self.difference(first, second, track)

    def _paired(self, left: NDArray[np.float64], right: NDArray[np.float64]) -> PairedDifference:
        scoring = self.release.spec.scoring
        counts = resample_counts(len(left), scoring.comparison_resamples, scoring.seed)
        return paired_bootstrap(left, right, counts, scoring.confidence)


def read_board(data: bytes, release: Release) -> Board:
    """Parse `leaderboard.json`.

    Raises:
        ProblemsFound: it is no board that this version reads (`board.unreadable`), or one of another release
            (`scores.mismatch`).
    """
    try:
        document = json.loads(data)
        whole = document["schema_version"] == _VERSION and all(row.keys() >= _NEEDED for row in document["rows"])
        fingerprint = str(document["benchmark"]["fingerprint"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        document, whole, fingerprint = {}, False, ""
    if not whole:
        raise problem(
            "board.unreadable",
            "leaderboard.json",
            found="no board, or one of another version",
            expected=f"a board of schema version {_VERSION}, with what every query got",
            mend="Write it again with `igbo-align leaderboard SUBMISSIONS --out leaderboard.json`.",
        )
    if fingerprint != release.fingerprint:
        raise problem(
            "scores.mismatch",
            "leaderboard.json",
            found=f"a board of the release {fingerprint}",
            expected=f"one of {release.fingerprint}",
            mend="Show a board and the release that it was scored on.",
        )
    return Board(document, release)
