"""Which properties of a pair go with its rank or similarity: Pearson's r with intervals, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol.spec import Scoring
from ..statistics.alignment_tests import upper_tail_of_t
from ..statistics.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ..statistics.comparison import holm
from ..statistics.estimates import exact_mean


@dataclass(frozen=True)
class Correlation:
    """Pearson's r of a predictor with an outcome.

    Attributes:
        predictor: name of the property of the pair.
        outcome: what it may explain: the rank in a direction, or the paired similarity.
        n: pairs for which both are known.
        r: in [-1, 1]; None where one of the two does not vary.
        low: of the bootstrap interval over pairs.
        high: of the interval.
        p: two-sided, of Student's t with n - 2 degrees of freedom.
        p_holm: corrected by Holm over all correlations of the submission.
    """

    predictor: str
    outcome: str
    n: int
    r: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None

    def as_json(self) -> dict[str, Any]:
        """The correlation as score files hold it."""
        return dict(vars(self))


def correlations(
    predictors: Mapping[str, NDArray[np.float64]], outcomes: Mapping[str, NDArray[np.float64]], scoring: Scoring
) -> list[Correlation]:
    """Every predictor with every outcome, all from one matrix of resamples.

    Args:
        predictors: name -> (n,) numbers, NaN where unknown.
        outcomes: name -> (n,) finite numbers.
        scoring: the bootstrap.
    """
    names = [(predictor, outcome) for predictor in predictors for outcome in outcomes]
    moments = [_moment_columns(predictors[left], outcomes[right]) for left, right in names]
    r = [_r_of_moments(np.array([[exact_mean(column) for column in columns.T]]))[0] for columns in moments]
    n = len(moments[0])
    counts = resample_counts(n, scoring.bootstrap_resamples, scoring.seed)
    samples = bootstrap_means(np.hstack(moments), counts).reshape(len(counts), len(names), -1)
    low, high = percentile_interval(np.nan_to_num(_r_of_moments(samples)), scoring.confidence)
    known = [int(columns[:, 0].sum()) for columns in moments]
    p = [two_sided_p(value, count) for value, count in zip(r, known, strict=True)]
    corrected = iter(holm([value for value in p if value is not None]))
    return [
        Correlation(left, right, known[i], None, None, None, None, None)
        if p[i] is None
        else Correlation(left, right, known[i], float(r[i]), float(low[i]), float(high[i]), p[i], next(corrected))
        for i, (left, right) in enumerate(names)
    ]


def two_sided_p(r: float, n: int) -> float | None:
    """Probability of an r as far from 0 without correlation; None where r is undefined."""
    if n < 3 or math.isnan(r):
        return None
    if abs(r) >= 1:
        return 0.0
    return 2 * upper_tail_of_t(abs(r) * math.sqrt((n - 2) / ((1 - r) * (1 + r))), n - 2)


def _moment_columns(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whether both are known, then x, y, x x, y y, x y in standard units, zero where unknown: (n, 6)."""
    known = np.isfinite(x)
    standard = [_standardised(values, known) for values in (x, y)]
    left, right = standard
    return np.column_stack([known, left, right, left * left, right * right, left * right])


def _standardised(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    result = np.zeros(len(values))
    if known.any():
        held = values[known]
        deviations = held - exact_mean(held)
        spread = math.sqrt(exact_mean(deviations**2))
        is_constant = spread <= 1e-9 * float(np.abs(held).max())
        result[known] = 0.0 if is_constant else deviations / spread
    return result


def _r_of_moments(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r from means of the moment columns, (..., 6) to (...); NaN where one of the two does not vary."""
    known, x, y, xx, yy, xy = np.moveaxis(means, -1, 0)
    products = (known * xx - x * x) * (known * yy - y * y)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (known * xy - x * y) / np.sqrt(products)
    return np.where(products > 1e-18, np.clip(r, -1.0, 1.0), np.nan)
