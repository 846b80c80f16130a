"""A number with its uncertainty, and many of them from one matrix of resamples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import bootstrap_means, percentile_interval


@dataclass(frozen=True)
class Estimate:
    """A metric: its value, the bootstrap interval, its level under chance, and Wilson's interval for recalls."""

    value: float
    low: float
    high: float
    chance: float | None = None
    wilson: tuple[float, float] | None = None

    def as_json(self) -> dict[str, Any]:
        """The estimate as score files hold it."""
        wilson = None if self.wilson is None else list(self.wilson)
        fields = {"value": self.value, "low": self.low, "high": self.high, "chance": self.chance, "wilson": wilson}
        return {name: value for name, value in fields.items() if value is not None}


def exact_mean(values: NDArray[Any]) -> float:
    """Mean of (n,) numbers, summed without rounding: the order of the numbers changes nothing."""
    return math.fsum(values.tolist()) / len(values)


def mean_estimates(
    columns: NDArray[np.float64],
    counts: NDArray[np.float64],
    confidence: float,
    chance: NDArray[np.float64] | None = None,
) -> list[Estimate]:
    """Means of the columns of (n, c) per-query values with their percentile bootstrap intervals, c estimates.

    Args:
        columns: (n, c) per-query values.
        counts: (resamples, n) from `resample_counts`.
        confidence: of the intervals, in (0, 1).
        chance: (n, c) the same values under chance; their means become `Estimate.chance`.
    """
    low, high = percentile_interval(bootstrap_means(columns, counts), confidence)
    values = [exact_mean(column) for column in columns.T]
    levels = [None] * len(values) if chance is None else [exact_mean(column) for column in chance.T]
    return [Estimate(*item) for item in zip(values, low.tolist(), high.tolist(), levels, strict=True)]
