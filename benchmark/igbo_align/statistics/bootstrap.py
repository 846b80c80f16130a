"""The percentile bootstrap over queries, as one exact matrix product.

A resample is a row of counts: how often each query was drawn. Means over resamples are then counts @ values / n.
Values are first rounded to multiples of a power of two so small that n of them stay below 2**53 of it: the product
then adds whole numbers without rounding, and intervals are the same bytes on any number of threads.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from ..randomness import integers_below, raw_stream


@functools.lru_cache(maxsize=8)
def resample_counts(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each of n queries is drawn in each resample: (resamples, n) whole numbers, every row sums to n.

    The same matrix serves every metric and every system, which is what makes comparisons paired.
    """
    drawn = integers_below(raw_stream(seed, f"bootstrap {n}"), n, resamples * n)
    cells = drawn + np.repeat(np.arange(resamples) * n, n)
    counts = np.bincount(cells, minlength=resamples * n).reshape(resamples, n).astype(np.float64)
    counts.flags.writeable = False
    return counts


def bootstrap_means(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each column in each resample.

    Args:
        values: (n, metrics) finite numbers.
        counts: (resamples, n) from `resample_counts`.

    Returns:
        (resamples, metrics).
    """
    n = counts.shape[1]
    largest_sum = np.maximum(np.abs(values).max(axis=0), 1.0) * n
    scale = 2.0 ** np.floor(52 - np.log2(largest_sum))
    return counts @ np.rint(values * scale) / (n * scale)


def bootstrap_medians(values: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the (n,) values in each resample, (resamples,): read off the running counts of the sorted values."""
    n = len(values)
    order = np.argsort(values, kind="stable")
    running = np.cumsum(counts[:, order].astype(np.int32), axis=1, dtype=np.int32)
    lower = (running <= (n - 1) // 2).sum(axis=1)
    upper = (running <= n // 2).sum(axis=1)
    ordered = values[order]
    return (ordered[lower] + ordered[upper]) / 2


def percentile_interval(samples: NDArray[np.float64], confidence: float) -> tuple[NDArray, NDArray]:
    """Lower and upper percentile of bootstrap samples along the first axis (linear interpolation)."""
    tail = (1.0 - confidence) / 2 * 100
    low, high = np.percentile(samples, [tail, 100 - tail], axis=0)
    return low, high
