"""Cosine similarity without rounding: the integer dot products of docs/protocol.md, Metrics.

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
#: Sums of squares above this are hardly touched by underflow of single squares.
_SMALLEST_SQUARES = 2.0**-900


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
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        squares = np.einsum("nd,nd->n", rows, rows)
        scaled = rows * (COMPONENT_SCALE / np.sqrt(squares))[:, None]
        integers = np.rint(scaled)
        # Quick norms differ from the exact ones in their last bits, at most (d / 2 + 8) * 2**-53 of them, which moves
        # a component by at most (d / 2 + 8) * 2**-28. Only a row with a component that near to the middle between two
        # whole numbers can round differently: about one in a thousand. (Underflowing squares have no such bound.)
        doubt = 0.5 - (rows.shape[1] + 16) * 2.0**-28
        distances = np.abs(np.subtract(scaled, integers, out=scaled), out=scaled).max(axis=1, initial=0.0)
    doubtful = np.flatnonzero(~((distances < doubt) & (squares > _SMALLEST_SQUARES)))
    integers[doubtful] = _unit_integers_by_exact_norms(rows[doubtful])
    return integers


def _unit_integers_by_exact_norms(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The definition."""
    norms = euclidean_norms(rows)
    if not np.isfinite(norms).all() or not norms.all():
        raise ValueError("expected finite vectors of positive length, found NaN, infinity or an all-zero row")
    return np.rint(rows / norms[:, None] * COMPONENT_SCALE)


def integer_similarity(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact dot products of two `unit_integers` arrays, (n, m) whole numbers; divide by `COSINE_SCALE` for cosines."""
    return left @ right.T
