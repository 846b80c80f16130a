"""Comparing a strip of products with the limits of its rows and columns, at the speed of the processor's cache.

A comparison yields one byte a pair. Eight of them are handled at a time as one 64-bit word: added up, words count
eight columns at once; two words that differ hold an undecided pair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .tile_counts import Limits, Undecided

#: Rows of a strip: below 256, so that the count of a column fits a byte.
STRIP_ROWS = 240
#: Rows that are compared at a time: with 8,192 columns 0.5 MB of products and as much of comparisons.
_COMPARED_ROWS = 16
#: Bytes of a word, and words of a row that are added up in one lane; 255 at most, 128 with 8,192 columns.
_WORD, _LANES = 8, 8
#: NumPy moves operands that it broadcasts through a buffer of so many elements unless rows are longer than it.
#: A small buffer makes comparisons twice as fast and changes no result.
_BUFFER = 64


class Strip:
    """Counts of pairs that are certainly better, and the undecided pairs, for a block of rows and columns.

    Attributes:
        rows: the rows, at most `STRIP_ROWS`.
        columns: the columns, at most 16,320.
        better_rows: (rows,) columns that are certainly better than the row's limit.
        better_columns: (columns,) rows that are certainly better than the column's limit.
    """

    def __init__(
        self, product: NDArray[np.float32], limits: tuple[Limits, Limits], rows: slice, columns: slice
    ) -> None:
        self.rows, self.columns = rows, columns
        self._row_limits = (limits[0].above[rows, None], limits[0].below[rows, None])
        self._column_limits = (limits[1].above[columns], limits[1].below[columns])
        self._width = -(-product.shape[1] // (_WORD * _LANES)) * _WORD * _LANES
        self.better_rows = np.zeros(len(product), dtype=np.int64)
        bytes_of_columns = np.zeros(self._width, dtype=np.uint8)
        self._open_rows: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        self._open_columns: list[tuple[NDArray[np.int64], NDArray[np.uint64]]] = []
        # Beyond the last column these stay zero: padding is neither better nor undecided.
        comparisons = np.zeros((4, _COMPARED_ROWS, self._width), dtype=np.bool_)
        with np.errstate():
            np.setbufsize(_BUFFER)
            for start in range(0, len(product), _COMPARED_ROWS):
                part = slice(start, min(start + _COMPARED_ROWS, len(product)))
                self._compare(product[part], part, comparisons[:, : part.stop - start], bytes_of_columns)
        self.better_columns = bytes_of_columns[: product.shape[1]].astype(np.int64)

    def _compare(
        self,
        product: NDArray[np.float32],
        part: slice,
        comparisons: NDArray[np.bool_],
        bytes_of_columns: NDArray[np.uint8],
    ) -> None:
        inside = comparisons[:, :, : product.shape[1]]
        np.greater(product, self._row_limits[0][part], out=inside[0])
        np.greater_equal(product, self._row_limits[1][part], out=inside[1])
        np.greater(product, self._column_limits[0], out=inside[2])
        np.greater_equal(product, self._column_limits[1], out=inside[3])
        words = comparisons.view(np.uint64)
        lanes = np.add.reduce(words[0].reshape(len(product), _LANES, -1), axis=2)
        self.better_rows[part] = lanes.view(np.uint8).sum(axis=1, dtype=np.int64)
        bytes_of_columns += np.add.reduce(comparisons[2].view(np.uint8), axis=0, dtype=np.uint8)
        self._open_rows.append(_differing(words[0], words[1], part.start))
        self._open_columns.append(_differing(words[2], words[3], part.start))

    @property
    def undecided(self) -> tuple[Undecided, Undecided]:
        """The pairs too close to the limit of their row, and those too close to the limit of their column."""
        return self._pairs(self._open_rows), self._pairs(self._open_columns)

    def _pairs(self, found: list[tuple[NDArray[np.int64], NDArray[np.uint64]]]) -> Undecided:
        places, words = (np.concatenate(parts) for parts in zip(*found, strict=True))
        flags = np.flatnonzero(words.view(np.bool_))
        row, first_column = np.divmod(places[flags // _WORD] * _WORD, self._width)
        return Undecided(row + self.rows.start, first_column + flags % _WORD + self.columns.start)


def _differing(
    certain: NDArray[np.uint64], possible: NDArray[np.uint64], first_row: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Place in the strip of each word with an undecided pair, and the word with a 1 in the byte of each such pair."""
    places = np.flatnonzero(certain != possible)
    words = certain.ravel()[places] ^ possible.ravel()[places]
    return places + first_row * certain.shape[1], words
