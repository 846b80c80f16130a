"""The percentile bootstrap over queries, as one exact matrix product.

A resample is a row of counts: how often each query was drawn. Means over resamples are then counts @ values / n.
Values are first rounded to multiples of a power of two so small that n of them stay below 2**53 of it: the product
then adds whole numbers without rounding, and intervals are the same bytes on any number of threads.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from ..randomness import integers_below, raw_stream

#: Resamples drawn at a time: few enough to stay in the processor's cache. The stream of draws is one all the same.
_DRAWN_TOGETHER = 64


@functools.lru_cache(maxsize=8)
def resample_counts(n: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each of n queries is drawn in each resample: (resamples, n) whole numbers, every row sums to n.

    The same matrix serves every metric and every system, which is what makes comparisons paired.
    """
    stream = raw_stream(seed, f"bootstrap {n}")
    counts = np.empty((resamples, n))
    for start in range(0, resamples, _DRAWN_TOGETHER):
        rows = counts[start : start + _DRAWN_TOGETHER]
        cells = integers_below(stream, n, rows.size).reshape(rows.shape) + np.arange(len(rows))[:, None] * n
        rows[...] = np.bincount(cells.ravel(), minlength=rows.size).reshape(rows.shape)
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
    """Median of the (n,) values in each resample, (resamples,): where the running counts of sorted values pass half.

    The sorted values are cut into about sqrt(n) blocks of about sqrt(n). How often each block was drawn is a matrix
    product of whole numbers, exact like that of the means; only the block that holds the median is counted value by
    value.
    """
    n, size = len(values), _block_size(len(values))
    order = np.argsort(values)
    block_of_place = np.arange(n) // size
    is_in_block = np.zeros((n, block_of_place[-1] + 1))
    is_in_block[order, block_of_place] = 1.0
    drawn_up_to = np.cumsum(counts @ is_in_block, axis=1)
    lower, upper = (_values_at(values[order], order, counts, drawn_up_to, place) for place in ((n - 1) // 2, n // 2))
    return (lower + upper) / 2


def _block_size(n: int) -> int:
    return math.isqrt(n - 1) + 1


def _values_at(
    ordered: NDArray[np.float64],
    order: NDArray[np.int64],
    counts: NDArray[np.float64],
    drawn_up_to: NDArray[np.float64],
    place: int,
) -> NDArray[np.float64]:
    """The value at a place (from 0) of each sorted resample, (resamples,)."""
    n, size = len(order), _block_size(len(order))
    resamples = np.arange(len(counts))
    block = (drawn_up_to <= place).sum(axis=1)
    drawn_before = np.where(block > 0, drawn_up_to[resamples, block - 1], 0.0)
    members = np.minimum(block[:, None] * size + np.arange(size), n - 1)
    running = drawn_before[:, None] + np.cumsum(counts[resamples[:, None], order[members]], axis=1)
    return ordered[block * size + (running <= place).sum(axis=1)]


def percentile_interval(
    samples: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper percentile of (resamples, ...) samples along the first axis, (...) each; linear interpolation."""
    tail = (1.0 - confidence) / 2 * 100
    low, high = np.percentile(samples, [tail, 100 - tail], axis=0)
    return low, high
