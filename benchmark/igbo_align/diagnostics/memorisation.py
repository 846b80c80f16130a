"""How much better a system finds the pairs that were free to train on than those that were held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..statistics.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ..statistics.estimates import exact_mean

_NOISE = 1e-12


@dataclass(frozen=True)
class MemorisationGap:
    """Mean reciprocal rank of train queries minus that of test queries, with its interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes "nothing remembered"."""
        return self.low > 0 or self.high < 0


def memorisation_gap(
    reciprocal_ranks: NDArray[np.float64], is_test: NDArray[np.bool_], resamples: int, seed: int, confidence: float
) -> MemorisationGap:
    """Gap in the `paper` track (docs/diagnostics.md); train and test queries are resampled independently.

    Args:
        reciprocal_ranks: (n,) mean of both directions.
        is_test: (n,) which pairs are test pairs; both kinds must occur.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        confidence: of the interval.
    """
    sides = [reciprocal_ranks[~is_test], reciprocal_ranks[is_test]]
    means = [bootstrap_means(side[:, None], resample_counts(len(side), resamples, seed))[:, 0] for side in sides]
    low, high = percentile_interval(_without_noise(means[0] - means[1]), confidence)
    value = _without_noise(np.array(exact_mean(sides[0]) - exact_mean(sides[1])))
    return MemorisationGap(float(value), float(low), float(high))


def _without_noise(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sides of different sizes are rounded differently: a collapsed encoder would seem to remember 1e-13 otherwise."""
    return np.where(np.abs(differences) < _NOISE, 0.0, differences)
