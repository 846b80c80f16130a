"""Sums of rows, rounded once: what `math.fsum` gives, for all rows at a time.

Every number is cut in two. The high parts are multiples of a unit so coarse that adding them never rounds; the low
parts are so small that the rounding of their sum can move the result only where it lies next to the middle between
two floats. That is checked, and there - about once in 10**10 rows - `math.fsum` decides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def row_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correctly rounded sum of each row, (n,): bit for bit `math.fsum`, whatever the order of the columns.

    Where `math.fsum` raises OverflowError the sum is infinite.

    Args:
        values: (n, d) float64, no number negative, d <= 2**20.
    """
    d = values.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):
        # 2**exponent > sum >= each value. Adding and taking away 2**exponent leaves multiples of
        # 2**(exponent - 52), and d of them stay below 2**53 such units.
        exponent = np.frexp(values.sum(axis=1))[1]
        coarse = np.ldexp(1.0, exponent)[:, None]
        high = (values + coarse) - coarse
        low = values - high
        # d low parts of at most 2**(exponent - 53) each, added with d roundings of at most 2**-53 of their sum,
        # are wrong by at most d * d * 2**(exponent - 106). Twice that covers the roundings of the next line.
        unknown = np.ldexp(2.0 * d * d, exponent - 106)
        total, rest = high.sum(axis=1), low.sum(axis=1)
        lowest, highest = total + (rest - unknown), total + (rest + unknown)
    # Written so that NaN counts as uncertain too.
    uncertain = np.flatnonzero(~(lowest == highest))
    lowest[uncertain] = [math.fsum(row) for row in values[uncertain].tolist()]
    return lowest
