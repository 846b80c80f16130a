"""What a tile of the similarity matrix says: how many candidates are better, and which pairs are too close to call.

Each row (speech query) and each column (text query) of the matrix has a limit, the similarity of its own correct
pair. A float32 product decides every pair that is further from the limit than the product's error bound;
`Matrix.settled` decides the others in exact integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .unit_rows import UnitRows, product_error_bound

#: Pairs whose vectors are gathered at a time: small arrays stay in cache and reuse memory, large ones are slow to get.
_GATHERED = 64
#: Above this share of undecided comparisons an exact product of the tile is faster than a dot product for each.
MOSTLY_UNDECIDED = 1 / 16


@dataclass(frozen=True)
class Tile:
    """A block of rows and columns; both slices have a start and a stop."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of a row and a column by their positions in the whole matrix, (k,) int64 each."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def off_diagonal(self) -> Pairs:
        """Without the pairs of a query and its own partner: these define the limits and are no rivals."""
        rivals = self.rows != self.columns
        return Pairs(self.rows[rivals], self.columns[rivals])


@dataclass(frozen=True, eq=False)
class Counts:
    """Candidates better than and equal to each limit, without the query's own partner, (n,) int64 each."""

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

    tile: Tile
    rows: Counts
    columns: Counts
    settled_exactly: int


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
        """Limits for float32 products of `UnitRows` with so many dimensions, from (n,) exact similarities."""
        bound = product_error_bound(exact, dimensions)
        # Sums of whole numbers below 2**52, so they are exact; rounding to float32 may only ever widen the gap.
        high, low = exact + bound, exact - bound
        above, below = high.astype(np.float32), low.astype(np.float32)
        above = np.where(above < high, np.nextafter(above, np.float32(np.inf)), above)
        below = np.where(below > low, np.nextafter(below, np.float32(-np.inf)), below)
        return cls(exact, above, below)


@dataclass(frozen=True, eq=False)
class Matrix:
    """The similarity matrix, never stored: the vectors of its rows and columns, and the limits of both."""

    left: UnitRows
    right: UnitRows
    row_limits: Limits
    column_limits: Limits

    def settled(self, tile: Tile, by_row: Pairs, by_column: Pairs) -> TileCounts:
        """Exact counts of the pairs too close to the limit of their row, and of those too close to their column's."""
        by_row, by_column = by_row.off_diagonal(), by_column.off_diagonal()
        both = Pairs(np.concatenate([by_row.rows, by_column.rows]), np.concatenate([by_row.columns, by_column.columns]))
        of_rows, of_columns = np.split(exact_pairs(self.left, self.right, both), [len(by_row)])
        rows = _counts(of_rows, self.row_limits, by_row.rows, tile.rows)
        columns = _counts(of_columns, self.column_limits, by_column.columns, tile.columns)
        return TileCounts(tile, rows, columns, len(both))

    def exact_counts(self, tile: Tile) -> TileCounts:
        """Counts by an exact float64 product: for vectors so alike that the float32 one decides too little."""
        similarity = self.left.integers(tile.rows) @ self.right.integers(tile.columns).T
        own = np.arange(
            max(tile.rows.start, tile.columns.start), min(tile.rows.stop, tile.columns.stop), dtype=np.int64
        )
        similarity[own - tile.rows.start, own - tile.columns.start] = -np.inf
        of_rows, of_columns = self.row_limits.exact[tile.rows, None], self.column_limits.exact[tile.columns]
        rows, columns = (
            Counts((similarity > limit).sum(axis=axis), (similarity == limit).sum(axis=axis))
            for axis, limit in ((1, of_rows), (0, of_columns))
        )
        return TileCounts(tile, rows, columns, 2 * similarity.size)

    def require_bound(self, found: NDArray[np.float32], diagonal: NDArray[np.int64]) -> None:
        """Check float32 products of some pairs (k, k), (number,), against their error bound.

        Raises:
            ArithmeticError: they are not float32 products but of reduced precision, such as TensorFloat-32.
        """
        exact = exact_pairs(self.left, self.right, Pairs(diagonal, diagonal))
        error, bound = np.abs(found - exact), product_error_bound(exact, self.left.dimensions)
        if not (error <= bound).all():
            raise ArithmeticError(
                f"found a matrix product with an error of {error.max():.3g}, expected at most {bound.min():.3g}: "
                "switch off the reduced precision of matrix products (TensorFloat-32, bfloat16) of this device"
            )


def on_diagonal(tile: Tile) -> NDArray[np.int64]:
    """Positions of the first few pairs of a tile that lie on the diagonal of the matrix, (k,); perhaps none."""
    start = max(tile.rows.start, tile.columns.start)
    return np.arange(start, min(tile.rows.stop, tile.columns.stop, start + _GATHERED), dtype=np.int64)


def exact_pairs(left: UnitRows, right: UnitRows, pairs: Pairs) -> NDArray[np.float64]:
    """Exact integer similarities of pairs, (k,)."""
    similarities = np.empty(len(pairs))
    whole = left.remainder is None and right.remainder is None
    for start in range(0, len(pairs), _GATHERED):
        part = slice(start, start + _GATHERED)
        i, j = pairs.rows[part], pairs.columns[part]
        # Converting to float64 inside the sum saves a pass over the gathered rows.
        first, second = (left.rounded[i], right.rounded[j]) if whole else (left.integers(i), right.integers(j))
        similarities[part] = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    return similarities


def _counts(similarities: NDArray[np.float64], limits: Limits, compared: NDArray[np.int64], part: slice) -> Counts:
    """How many similarities are above and at the limit each is compared with, for the limits of a part."""
    own, place, length = limits.exact[compared], compared - part.start, part.stop - part.start
    better = np.bincount(place[similarities > own], minlength=length)
    return Counts(better, np.bincount(place[similarities == own], minlength=length))
