"""Is one system better than another? The paired bootstrap, Holm's correction, and ranks that tie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import bootstrap_means, percentile_interval


@dataclass(frozen=True)
class PairedDifference:
    """Mean per-query difference of two systems (first minus second), its interval, and bootstrap probabilities.

    Attributes:
        difference: mean difference.
        low: lower end of its interval.
        high: upper end.
        p_two_sided: probability of "no difference", in (0, 1].
        p_first_better: one-sided probability of "the first is not better", in (0, 1].
    """

    difference: float
    low: float
    high: float
    p_two_sided: float
    p_first_better: float


def paired_bootstrap(
    first: NDArray[np.float64], second: NDArray[np.float64], counts: NDArray[np.float64], confidence: float
) -> PairedDifference:
    """Paired bootstrap of the mean difference of two systems on the same queries (doi:10.1145/1148170.1148261).

    Args:
        first: (n,) per-query values of the first system.
        second: (n,) of the second.
        counts: (resamples, n) from `resample_counts`, the same for all systems.
        confidence: of the percentile interval, in (0, 1).
    """
    difference = first - second
    samples = bootstrap_means(difference[:, None], counts)[:, 0]
    low, high = percentile_interval(samples, confidence)
    not_better = (int((samples <= 0).sum()) + 1) / (len(samples) + 1)
    not_worse = (int((samples >= 0).sum()) + 1) / (len(samples) + 1)
    two_sided = min(1.0, 2 * min(not_better, not_worse))
    return PairedDifference(
        math.fsum(difference.tolist()) / len(difference), float(low), float(high), two_sided, not_better
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of m p-values, in their order, each in [p, 1] (Holm 1979, jstor:4615733)."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return adjusted


def tied_ranks(n: int, separated: Callable[[int, int], bool]) -> list[int]:
    """Dense ranks of n systems that are sorted best first.

    Walk down the list: a system shares the rank of the first system of the current group unless
    `separated(first_of_group, system)` says that the two can be told apart.
    """
    ranks: list[int] = []
    leader = 0
    for system in range(n):
        if system == 0:
            ranks.append(1)
        elif separated(leader, system):
            leader = system
            ranks.append(ranks[-1] + 1)
        else:
            ranks.append(ranks[-1])
    return ranks
