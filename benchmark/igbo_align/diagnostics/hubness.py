"""Hubness: whether a few candidates are near everything (Radovanovic et al. 2010, jmlr:v11/radovanovic10a)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..statistics.estimates import exact_mean
from .neighbours import Nearest

_SHOWN_HUBS = 10


@dataclass(frozen=True)
class Hubness:
    """How unequally the k nearest places of all queries fall on the candidates of one direction.

    Attributes:
        k: nearest candidates of a query that are counted.
        skewness: of the k-occurrence N_k, the number of queries that have a candidate among their k nearest;
            None where all candidates occur equally often.
        skewness_chance: of the binomial distribution, where every query picks k candidates at random.
        robin_hood: share of the places that would have to move for all candidates to have equally many, in [0, 1).
        robin_hood_chance: the same where every query picks at random.
        never: share of the candidates that are among the k nearest of no query.
        top: position and k-occurrence of the largest hubs, largest first.
    """

    k: int
    skewness: float | None
    skewness_chance: float | None
    robin_hood: float
    robin_hood_chance: float
    never: float
    top: list[tuple[int, float]]

    def as_json(self, ids: list[str]) -> dict[str, Any]:
        """Hubness as score files hold it, hubs by id."""
        return vars(self) | {"top": [{"id": ids[i], "occurrence": count} for i, count in self.top]}


def hubness(neighbours: Nearest) -> Hubness:
    """Hubness of the candidates, from the nearest ones of every query."""
    occurrence = neighbours.weights.sum(axis=0)
    queries, candidates = neighbours.weights.shape
    probability = neighbours.k / candidates
    mean = queries * probability
    spread = mean * (1 - probability)
    order = np.argsort(-occurrence, kind="stable")[:_SHOWN_HUBS]
    return Hubness(
        k=neighbours.k,
        skewness=skewness(occurrence),
        skewness_chance=(1 - 2 * probability) / math.sqrt(spread) if spread > 0 else None,
        robin_hood=exact_mean(np.abs(occurrence - mean)) / (2 * mean),
        robin_hood_chance=binomial_mean_deviation(queries, probability) / (2 * mean),
        never=float((occurrence == 0).mean()),
        top=[(int(i), float(occurrence[i])) for i in order],
    )


def skewness(values: NDArray[np.float64]) -> float | None:
    """Third standardised moment of (n,) numbers; None where they are equal up to rounding."""
    deviations = values - exact_mean(values)
    variance = exact_mean(deviations**2)
    if variance <= (1e-9 * float(np.abs(values).max(initial=0.0))) ** 2:
        return None
    return exact_mean(deviations**3) / variance**1.5


def binomial_mean_deviation(n: int, probability: float) -> float:
    """Mean absolute deviation of a binomial count from its mean: de Moivre's closed form (Diaconis and Zabell 1991)."""
    if probability >= 1:
        return 0.0
    m = math.floor(n * probability) + 1
    logarithm = math.log(math.comb(n, m)) + m * math.log(probability) + (n - m + 1) * math.log1p(-probability)
    return 2 * m * math.exp(logarithm)
