"""Are paired similarities larger than unpaired ones? docs/protocol.md, Tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..randomness import raw_stream


@dataclass(frozen=True)
class TTest:
    """A one-sided t-test: statistic `t`, degrees of freedom `df`, probability `p`; None where it is undefined."""

    t: float | None
    df: float | None
    p: float | None


@dataclass(frozen=True)
class Moments:
    """Mean, sample variance (n - 1 in the denominator) and number of values."""

    mean: float
    variance: float
    n: int

    @classmethod
    def of(cls, values: NDArray[np.int64], scale: float = 1.0) -> Moments:
        """Moments of (n,) whole numbers divided by `scale`.

        Sums are added as Python integers: no order of the values changes a bit, and equal values have variance 0.
        """
        numbers = values.tolist()
        n, total = len(numbers), sum(numbers)
        scatter = n * sum(number * number for number in numbers) - total * total
        variance = scatter / (n * (n - 1)) / scale**2 if n > 1 else 0.0
        return cls(total / n / scale, variance, n)


def welch_t_test(larger: Moments, smaller: Moments) -> TTest:
    """Welch's test that the first mean exceeds the second, variances free (doi:10.1093/biomet/34.1-2.28)."""
    errors = larger.variance / larger.n, smaller.variance / smaller.n
    spread = sum(errors)
    if spread <= 0 or min(larger.n, smaller.n) < 2:
        return TTest(None, None, None)
    df = spread**2 / (errors[0] ** 2 / (larger.n - 1) + errors[1] ** 2 / (smaller.n - 1))
    return _t_test((larger.mean - smaller.mean) / math.sqrt(spread), df)


def student_t_test(larger: Moments, smaller: Moments) -> TTest:
    """Student's test that the first mean exceeds the second, with the variances pooled; it matches the paper's p."""
    pooled = pooled_variance(larger, smaller)
    if pooled <= 0:
        return TTest(None, None, None)
    error = math.sqrt(pooled * (1 / larger.n + 1 / smaller.n))
    return _t_test((larger.mean - smaller.mean) / error, larger.n + smaller.n - 2)


def cohens_d(larger: Moments, smaller: Moments) -> float | None:
    """Difference of the means in pooled standard deviations; None where there is no spread."""
    pooled = pooled_variance(larger, smaller)
    return (larger.mean - smaller.mean) / math.sqrt(pooled) if pooled > 0 else None


def pooled_variance(left: Moments, right: Moments) -> float:
    """Variance of two groups about their own means; 0 where there are no degrees of freedom."""
    df = left.n + right.n - 2
    return ((left.n - 1) * left.variance + (right.n - 1) * right.variance) / df if df > 0 else 0.0


def upper_tail_of_t(t: float, df: float) -> float:
    """Probability that Student's t with `df` degrees of freedom exceeds `t`; exact far into the tail, then 0."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


def permutation_p_value(similarity: NDArray[np.int64], permutations: int, seed: int) -> float:
    """Probability, under random pairings, of a mean paired similarity as high as the observed one.

    Args:
        similarity: (n, n) integer similarities with the true pairs on the diagonal; sums of n of them fit 63 bits.
        permutations: how many random pairings; the observed one counts as one more (doi:10.2202/1544-6115.1585).
        seed: of the frozen stream of pairings.

    Returns:
        A probability in [1 / (permutations + 1), 1].
    """
    n = len(similarity)
    observed = int(similarity.diagonal().sum())
    stream = raw_stream(seed, "permutation test")
    flat, row_starts = similarity.ravel(), np.arange(n) * n
    as_high = 0
    for start in range(0, permutations, 500):
        keys = stream.random_raw(min(500, permutations - start) * n).reshape(-1, n)
        pairing = np.argsort(keys, axis=1)
        as_high += int((flat.take(pairing + row_starts).sum(axis=1) >= observed).sum())
    return (as_high + 1) / (permutations + 1)


def _t_test(t: float, df: float) -> TTest:
    return TTest(t, df, upper_tail_of_t(t, df))
