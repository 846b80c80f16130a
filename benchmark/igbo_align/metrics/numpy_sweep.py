"""Counting a tile on the processor: one float32 product, then strips of it that are compared by threads of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .strip import STRIP_ROWS, Strip
from .tile_counts import (
    MOSTLY_UNDECIDED,
    Counts,
    Limits,
    TileCounts,
    exact_tile,
    on_diagonal,
    require_bound,
    settled,
)
from .unit_rows import UnitRows, blocks

#: Rows and columns of a tile: its product is 30 MB of float32.
_TILE_ROWS, _TILE_COLUMNS = 4 * STRIP_ROWS, 8192


class NumpySweep:
    """Counts tiles with NumPy; the product takes the threads of the BLAS, everything else those of `pool`."""

    tile_rows, tile_columns = _TILE_ROWS, _TILE_COLUMNS

    def __init__(self, left: UnitRows, right: UnitRows, limits: tuple[Limits, Limits], pool: Executor) -> None:
        self._left, self._right, self._limits, self._pool = left, right, limits, pool
        self._product = np.empty(min(_TILE_ROWS, len(left)) * min(_TILE_COLUMNS, len(right)), dtype=np.float32)

    def count(self, rows: slice, columns: slice) -> TileCounts:
        """Counts of a tile."""
        left, right = self._left.rounded[rows], self._right.rounded[columns]
        shape = len(left), len(right)
        product = np.matmul(left, right.T, out=self._product[: shape[0] * shape[1]].reshape(shape))
        pairs = on_diagonal(rows, columns)
        require_bound(product[pairs - rows.start, pairs - columns.start], self._left, self._right, pairs)
        strips = list(blocks(rows, STRIP_ROWS))
        return _joined(rows, columns, strips, self._pool.map(partial(self._strip, product, rows, columns), strips))

    def _strip(self, product: NDArray[np.float32], tile_rows: slice, columns: slice, rows: slice) -> TileCounts:
        part = product[rows.start - tile_rows.start : rows.stop - tile_rows.start]
        strip = Strip(part, self._limits, rows, columns)
        open_rows, open_columns = strip.undecided
        number = len(open_rows.rows) + len(open_columns.rows)
        if number > MOSTLY_UNDECIDED * 2 * part.size:
            return exact_tile(self._left, self._right, self._limits, rows, columns)
        by_row = settled(self._left, self._right, self._limits[0], open_rows, open_rows.rows, rows)
        by_column = settled(self._left, self._right, self._limits[1], open_columns, open_columns.columns, columns)
        by_row.better[:] += strip.better_rows
        by_column.better[:] += strip.better_columns
        return TileCounts(by_row, by_column, number)


def _joined(rows: slice, columns: slice, strips: Sequence[slice], parts: Iterable[TileCounts]) -> TileCounts:
    by_row, by_column = Counts.zero(rows.stop - rows.start), Counts.zero(columns.stop - columns.start)
    settled_exactly = 0
    for strip, part in zip(strips, parts, strict=True):
        by_row.add(slice(strip.start - rows.start, strip.stop - rows.start), part.rows)
        by_column.add(slice(None), part.columns)
        settled_exactly += part.settled_exactly
    return TileCounts(by_row, by_column, settled_exactly)
