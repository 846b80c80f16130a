"""Minimal pairs: texts that differ in nothing but tone marks or dots. Does a system hear the difference?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, Scoring
from ..statistics.estimates import Estimate
from ..statistics.proportions import wilson_interval
from .predictors import TEXT_STATISTICS_FILE, additional_table

_CHANCE = 0.5


@dataclass(frozen=True)
class MinimalPairs:
    """Forced choice between the correct candidate and one that differs from it in diacritics alone.

    Attributes:
        n_pairs: pairs of the release that have such a rival.
        n_choices: choices, each of a pair against one of its rivals.
        correct: direction -> share of choices that are right, a tie counting half; the interval is Wilson's.
    """

    n_pairs: int
    n_choices: int
    correct: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """The result as score files hold it."""
        correct = {direction: item.as_json() for direction, item in self.correct.items()}
        return {"n_pairs": self.n_pairs, "n_choices": self.n_choices, "correct": correct}


def minimal_rivals(release: Release) -> NDArray[np.int64]:
    """Every pair with every rival that differs from it in diacritics alone: (choices, 2) positions, pair first.

    The groups are made at build time, while the texts are at hand; a release without them has none.

    Raises:
        ProblemsFound: the file of text statistics is damaged (`release.corrupt`).
    """
    table = additional_table(release, TEXT_STATISTICS_FILE)
    if table is None or "skeleton_group" not in table.column_names:
        return np.empty((0, 2), dtype=np.int64)
    by_skeleton: dict[str, list[int]] = {}
    for position, skeleton in enumerate(table.column("skeleton_group").to_pylist()):
        by_skeleton.setdefault(skeleton, []).append(position)
    found = [
        choice
        for members in by_skeleton.values()
        for choice in permutations(members, 2)
        if release.groups[choice[0]] != release.groups[choice[1]]
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def score_minimal_pairs(
    rivals: NDArray[np.int64], matrices: Mapping[str, NDArray[np.int64]], scoring: Scoring
) -> MinimalPairs | None:
    """Score the forced choices; None where the release has no minimal pairs.

    Args:
        rivals: from `minimal_rivals`.
        matrices: direction -> (n, n) similarities that compare exactly, rows queries.
        scoring: level of confidence.
    """
    if not len(rivals):
        return None
    query, rival = rivals.T
    correct = {}
    for direction in DIRECTIONS:
        gap = matrices[direction][query, query] - matrices[direction][query, rival]
        share = float(((gap > 0) + (gap == 0) / 2).sum() / len(gap))
        correct[direction] = Estimate(share, *wilson_interval(share, len(gap), scoring.confidence), _CHANCE)
    return MinimalPairs(len(np.unique(query)), len(rivals), correct)
