"""Comparing the products of a tile with the limits of its rows and columns, at the speed of the processor's cache.

A comparison yields one byte a pair. Packed to one bit, 64 of them are handled at a time as a word: the bits that are
set count the better candidates, and two words that differ hold an undecided pair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .broadcasting import unbuffered
from .tile_counts import Matrix, Pairs, Tile

#: Rows that are compared at a time: with 4,096 columns 0.5 MB of products and as much of comparisons. Below 256, so
#: that the count of a column fits a byte.
_COMPARED_ROWS = 32
#: Bits of a word.
_WORD = 64


class TileComparison:
    """Counts of pairs that are certainly better, and the undecided pairs, of a tile.

    Attributes:
        tile: rows and columns.
        better_rows: (rows,) columns that are certainly better than the row's limit.
        better_columns: (columns,) rows that are certainly better than the column's limit.
    """

    def __init__(self, product: NDArray[np.float32], matrix: Matrix, tile: Tile) -> None:
        rows, columns = tile.shape
        self.tile = tile
        self.better_rows, self.better_columns = np.zeros(rows, dtype=np.int64), np.zeros(columns, dtype=np.int64)
        self._row_limits = matrix.row_limits.above[tile.rows, None], matrix.row_limits.below[tile.rows, None]
        self._column_limits = matrix.column_limits.above[tile.columns], matrix.column_limits.below[tile.columns]
        self._words_of_row = -(-columns // _WORD)
        self._open_rows: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        self._open_columns: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        # Beyond the last column these stay zero: padding is neither better nor undecided.
        comparisons = np.zeros((4, _COMPARED_ROWS, self._words_of_row * _WORD), dtype=np.bool_)
        with unbuffered():
            for start in range(0, rows, _COMPARED_ROWS):
                part = slice(start, min(start + _COMPARED_ROWS, rows))
                self._compare(product[part], part, comparisons[:, : part.stop - start])

    def _compare(self, product: NDArray[np.float32], part: slice, comparisons: NDArray[np.bool_]) -> None:
        inside = comparisons[:, :, : product.shape[1]]
        np.greater(product, self._row_limits[0][part], out=inside[0])
        np.greater_equal(product, self._row_limits[1][part], out=inside[1])
        np.greater(product, self._column_limits[0], out=inside[2])
        np.greater_equal(product, self._column_limits[1], out=inside[3])
        self.better_columns += np.add.reduce(inside[2].view(np.uint8), axis=0, dtype=np.uint8)
        words = np.packbits(comparisons, axis=2).view(np.uint64)
        self.better_rows[part] = np.bitwise_count(words[0]).sum(axis=1, dtype=np.int64)
        self._open_rows.append(self._differing(words[0], words[1], part.start))
        self._open_columns.append(self._differing(words[2], words[3], part.start))

    def _differing(
        self, certain: NDArray[np.uint64], possible: NDArray[np.uint64], first_row: int
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Place in the tile of each word with an undecided pair, and the word with the bit of each such pair set."""
        differing = (certain ^ possible).ravel()
        places = np.flatnonzero(differing)
        return places + first_row * self._words_of_row, differing[places]

    @property
    def undecided(self) -> tuple[Pairs, Pairs]:
        """The pairs too close to the limit of their row, and those too close to the limit of their column."""
        return self._pairs(self._open_rows), self._pairs(self._open_columns)

    def _pairs(self, found: list[tuple[NDArray[np.int64], NDArray[np.uint64]]]) -> Pairs:
        places, words = (np.concatenate(parts) for parts in zip(*found, strict=True))
        bits = np.flatnonzero(np.unpackbits(words.view(np.uint8)))
        row, word = np.divmod(places[bits // _WORD], self._words_of_row)
        return Pairs(row + self.tile.rows.start, word * _WORD + bits % _WORD + self.tile.columns.start)
