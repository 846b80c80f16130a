"""What a tile of the similarity matrix says: how many candidates are better, and which pairs are too close to call.

A tile is a block of rows (speech) times a block of columns (text). Each row and each column has a limit, the
similarity of its own correct pair. A float32 product decides every pair that is further from the limit than the
product's error bound; `settled` decides the others in exact integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .unit_rows import UnitRows, product_error_bound

#: Pairs whose vectors are gathered at a time: small arrays stay in cache and reuse memory, large ones are slow to get.
_GATHERED = 64
#: Above this share of undecided comparisons an exact product is faster than a dot product for each.
MOSTLY_UNDECIDED = 1 / 16


@dataclass(frozen=True, eq=False)
class Limits:
    """Exact similarities to compare with, and the float32 numbers between which a product does not decide.

    Attributes:
        exact: (n,) whole numbers.
        above: (n,) float32; a product greater than this is certainly better.
        below: (n,) float32; a product less than this is certainly worse.
    """

    exact: NDArray[np.float64]
    above: NDArray[np.float32]
    below: NDArray[np.float32]

    @classmethod
    def of(cls, exact: NDArray[np.float64], dimensions: int) -> Limits:
        """Limits for float32 products of `UnitRows` with so many dimensions."""
        bound = product_error_bound(dimensions)
        # Sums of whole numbers below 2**52, so they are exact; rounding to float32 may only ever widen the gap.
        high, low = exact + bound, exact - bound
        above, below = high.astype(np.float32), low.astype(np.float32)
        above = np.where(above < high, np.nextafter(above, np.float32(np.inf)), above)
        below = np.where(below > low, np.nextafter(below, np.float32(-np.inf)), below)
        return cls(exact, above, below)


@dataclass(frozen=True, eq=False)
class Counts:
    """Candidates better than and equal to each limit, the correct pair itself among the equal ones, (n,) int64 each."""

    better: NDArray[np.int64]
    equal: NDArray[np.int64]

    @classmethod
    def zero(cls, n: int) -> Counts:
        """Nothing counted yet."""
        return cls(np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64))

    def add(self, part: slice, other: Counts) -> None:
        """Add the counts of some of the limits."""
        self.better[part] += other.better
        self.equal[part] += other.equal


@dataclass(frozen=True, eq=False)
class TileCounts:
    """Counts of a tile's rows and columns, and how many comparisons the float32 product left open."""

    rows: Counts
    columns: Counts
    settled_exactly: int


@dataclass(frozen=True, eq=False)
class Undecided:
    """Pairs too close to a limit: positions of row and column in the whole matrix, (k,) each."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def settled(
    left: UnitRows, right: UnitRows, limits: Limits, undecided: Undecided, compared: NDArray[np.int64], part: slice
) -> Counts:
    """Exact counts of the undecided pairs.

    Args:
        left: rows of the matrix.
        right: its columns.
        limits: of the rows or of the columns.
        undecided: the pairs.
        compared: which limit each pair is compared with, `undecided.rows` or `undecided.columns`.
        part: the positions to count for.
    """
    similarities = exact_pairs(left, right, undecided)
    own, length = limits.exact[compared], part.stop - part.start
    place = compared - part.start
    better = np.bincount(place[similarities > own], minlength=length)
    return Counts(better, np.bincount(place[similarities == own], minlength=length))


def exact_pairs(left: UnitRows, right: UnitRows, pairs: Undecided) -> NDArray[np.float64]:
    """Exact integer similarities of pairs, (k,)."""
    similarities = np.empty(len(pairs.rows))
    whole = left.remainder is None and right.remainder is None
    for start in range(0, len(similarities), _GATHERED):
        part = slice(start, start + _GATHERED)
        i, j = pairs.rows[part], pairs.columns[part]
        # Converting to float64 inside the sum saves a pass over the gathered rows.
        first, second = (left.rounded[i], right.rounded[j]) if whole else (left.integers(i), right.integers(j))
        similarities[part] = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    return similarities


def on_diagonal(rows: slice, columns: slice) -> NDArray[np.int64]:
    """Positions of the first few pairs of a tile that lie on the diagonal of the matrix, (k,); perhaps none."""
    start = max(rows.start, columns.start)
    return np.arange(start, min(rows.stop, columns.stop, start + _GATHERED))


def require_bound(found: NDArray[np.float32], left: UnitRows, right: UnitRows, pairs: NDArray[np.int64]) -> None:
    """Check float32 products of the pairs (k, k), (k,), against their error bound.

    Raises:
        ArithmeticError: they are not float32 products but of reduced precision, such as TensorFloat-32.
    """
    error = np.abs(found - exact_pairs(left, right, Undecided(pairs, pairs)))
    bound = product_error_bound(left.dimensions)
    if not (error <= bound).all():
        raise ArithmeticError(
            f"found a matrix product with an error of {error.max():.3g}, expected at most {bound:.3g}: "
            "switch off the reduced precision of matrix products (TensorFloat-32, bfloat16) of this device"
        )


def exact_tile(
    left: UnitRows, right: UnitRows, limits: tuple[Limits, Limits], rows: slice, columns: slice
) -> TileCounts:
    """Counts of a tile by an exact float64 product: for vectors so alike that the float32 one decides too little."""
    similarity = left.integers(rows) @ right.integers(columns).T
    of_rows, of_columns = limits[0].exact[rows, None], limits[1].exact[columns]
    counts = [
        Counts((similarity > own).sum(axis=axis), (similarity == own).sum(axis=axis))
        for axis, own in ((1, of_rows), (0, of_columns))
    ]
    return TileCounts(counts[0], counts[1], 2 * similarity.size)
