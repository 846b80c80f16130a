"""Choosing a strength inside the train split: folds of whole text groups, judged by mean reciprocal rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..metrics.exact_similarity import integer_similarity, unit_integers
from ..metrics.ranking import full_standings
from ..metrics.retrieval import reciprocal_rank
from ..randomness import permutation, raw_stream
from .inputs import Pairs, Vectors

Setting = TypeVar("Setting")
#: Maps speech and text vectors into one space.
Apply = Callable[[Vectors, Vectors], tuple[Vectors, Vectors]]
FOLDS = 5
_SEED = 42


def choose_setting(
    settings: Sequence[Setting], fit: Callable[[Pairs, Setting], Apply], train: Pairs
) -> tuple[Setting, float]:
    """The setting with the best cross-validated mean reciprocal rank, and that rank; the first of equal ones.

    Args:
        settings: to choose among.
        fit: from pairs and a setting to the fitted map.
        train: the train pairs; each fold is ranked against itself by what the other folds were fitted to.
    """
    fold = group_folds(train.groups, FOLDS)

    splits = [(train[fold != number], train[fold == number]) for number in range(FOLDS)]

    def judged(setting: Setting) -> float:
        ranks = []
        for kept, held in splits:
            apply = fit(kept, setting)
            ranks.append(mean_reciprocal_rank(*apply(held.speech, held.text), held.groups))
        return sum(ranks) / len(ranks)

    scores = [judged(setting) for setting in settings]
    best = int(np.argmax(scores))
    return settings[best], scores[best]


def group_folds(groups: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold of each pair, (n,) from 0: text groups in frozen random order are dealt to the folds in turn."""
    distinct, number = np.unique(groups, return_inverse=True)
    dealt = permutation(raw_stream(_SEED, "cross-validation folds"), len(distinct)) % folds
    return dealt[number]


def mean_reciprocal_rank(speech: Vectors, text: Vectors, groups: NDArray[np.int64]) -> float:
    """Mean of both directions' mean reciprocal rank among all of these pairs, (n, d) each, in (0, 1]."""
    similarity = integer_similarity(unit_integers(speech), unit_integers(text))
    ranks = [reciprocal_rank(full_standings(matrix, groups)) for matrix in (similarity, similarity.T)]
    return float(np.mean(ranks))
