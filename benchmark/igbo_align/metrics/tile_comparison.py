"""Comparing the products of a tile with the limits of its rows and columns, at the speed of the processor's cache.

A comparison yields one byte a pair. Packed to one bit, 64 of them are handled at a time as a word: the bits that are
set count the better candidates, and two words that differ hold an undecided pair.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .broadcasting import unbuffered
from .tile_counts import Matrix, Pairs, Tile

#: Rows that are compared at a time: with 4,096 columns 0.5 MB of products and as much of comparisons. Below 256, so
#: that the count of a column fits a byte.
_COMPARED_ROWS = 32
#: Bits of a word and of a byte.
_WORD, _BYTE = 64, 8


class Workspace:
    """Memory that a thread uses for one tile after the other: fresh memory for each would cost a tenth of the time."""

    def __init__(self, largest: tuple[int, int]) -> None:
        rows, columns = largest
        self._product = np.empty(rows * columns, dtype=np.float32)
        self._packed = np.empty(4 * rows * (_padded(columns) // _BYTE), dtype=np.uint8)
        self._comparisons = np.zeros((4, _COMPARED_ROWS, 0), dtype=np.bool_)

    def product(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """For the products of a tile, (rows, columns)."""
        return self._product[: math.prod(shape)].reshape(shape)

    def comparisons(self, columns: int) -> NDArray[np.bool_]:
        """For four comparisons of some rows, (4, rows, padded columns); beyond the last column 0: worse and decided."""
        if self._comparisons.shape[2] != _padded(columns):
            self._comparisons = np.zeros((4, _COMPARED_ROWS, _padded(columns)), dtype=np.bool_)
        self._comparisons[:, :, columns:] = False
        return self._comparisons

    def packed(self, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """For the bits of four comparisons of a tile, (4, rows, padded columns / 8)."""
        packed = 4, shape[0], _padded(shape[1]) // _BYTE
        return self._packed[: math.prod(packed)].reshape(packed)


class TileComparison:
    """Counts of pairs that are certainly better, and the undecided pairs, of a tile.

    Attributes:
        better_rows: (rows,) columns that are certainly better than the row's limit.
        better_columns: (columns,) rows that are certainly better than the column's limit.
        open_rows: the pairs too close to the limit of their row.
        open_columns: the pairs too close to the limit of their column.
    """

    def __init__(self, product: NDArray[np.float32], matrix: Matrix, tile: Tile, workspace: Workspace) -> None:
        rows, columns = tile.shape
        comparisons, packed = workspace.comparisons(columns), workspace.packed(tile.shape)
        counts = np.zeros(columns, dtype=np.uint16)
        with unbuffered():
            for start in range(0, rows, _COMPARED_ROWS):
                part = slice(start, min(start + _COMPARED_ROWS, rows))
                held = comparisons[:, : part.stop - start]
                own = Tile(_shifted(part, tile.rows.start), tile.columns)
                _compare(product[part], matrix, own, held[:, :, :columns])
                packed[:, part] = np.packbits(held, axis=2)
                counts += np.add.reduce(held[2].view(np.uint8), axis=0, dtype=np.uint8)[:columns]
        words = packed.view(np.uint64)
        self.better_rows = np.bitwise_count(words[0]).sum(axis=1, dtype=np.int64)
        self.better_columns = counts.astype(np.int64)
        self.open_rows = _differing(words[0], words[1], tile)
        self.open_columns = _differing(words[2], words[3], tile)


def _padded(columns: int) -> int:
    return -(-columns // _WORD) * _WORD


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _compare(product: NDArray[np.float32], matrix: Matrix, tile: Tile, results: NDArray[np.bool_]) -> None:
    """Certainly and possibly better than the row's limit, then the same for the column's: (4, rows, columns)."""
    of_rows, of_columns = matrix.row_limits, matrix.column_limits
    np.greater(product, of_rows.above[tile.rows, None], out=results[0])
    np.greater_equal(product, of_rows.below[tile.rows, None], out=results[1])
    np.greater(product, of_columns.above[tile.columns], out=results[2])
    np.greater_equal(product, of_columns.below[tile.columns], out=results[3])


def _differing(certain: NDArray[np.uint64], possible: NDArray[np.uint64], tile: Tile) -> Pairs:
    """The pairs whose bits differ, from words of 64 columns each."""
    words = (certain ^ possible).ravel()
    places = np.flatnonzero(words)
    bits = np.flatnonzero(np.unpackbits(words[places].view(np.uint8)))
    row, word = np.divmod(places[bits // _WORD], certain.shape[1])
    return Pairs(row + tile.rows.start, word * _WORD + bits % _WORD + tile.columns.start)
