"""Cosine similarity without rounding: the integer dot products of PROTOCOL section 4.

Every component of a unit vector becomes the integer rint(x * 2**25). By Cauchy-Schwarz each partial sum of a dot
product of two such vectors stays below 2**53, so a float64 matrix product adds them without rounding, in any order,
on any number of threads, with any BLAS. Ranks are therefore the same bytes everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .exact_sum import row_sums

#: A unit vector's components are multiplied by this before rounding to integers.
COMPONENT_SCALE = 2.0**25
#: Integer dot products are divided by this to give cosines.
COSINE_SCALE = COMPONENT_SCALE**2


def euclidean_norms(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """L2 norm of each row of an (n, d) array: the square root of the correctly rounded sum of squares, shape (n,).

    A correctly rounded sum is independent of the order of the dimensions; a plain sum is not.
    """
    return np.sqrt(row_sums(vectors * vectors))


def unit_integers(vectors: ArrayLike) -> NDArray[np.float64]:
    """Rows scaled to unit length and rounded to multiples of 2**-25, as whole numbers in float64.

    Args:
        vectors: (n, d) finite real numbers, no row all zero.

    Returns:
        (n, d) float64 holding integers in [-2**25, 2**25].

    Raises:
        ValueError: not two axes, a number that is not finite, or a row of length zero.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"expected an array with two axes (n, d), found {rows.ndim}")
    norms = euclidean_norms(rows)
    if not np.isfinite(norms).all() or not norms.all():
        raise ValueError("expected finite vectors of positive length, found NaN, infinity or an all-zero row")
    scaled = rows / norms[:, None]
    scaled *= COMPONENT_SCALE
    return np.rint(scaled, out=scaled)


def integer_similarity(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact dot products of two `unit_integers` arrays, (n, m) whole numbers; divide by `COSINE_SCALE` for cosines."""
    return left @ right.T
