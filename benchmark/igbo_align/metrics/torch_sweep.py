"""Counting tiles on a device of torch: the product and all comparisons there, the undecided pairs here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .tile_counts import MOSTLY_UNDECIDED, Matrix, Pairs, Tile, TileCounts, on_diagonal

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class TorchSweep:
    """Counts tiles with torch. All vectors are kept on the device, 8 n d bytes, and some 0.3 GB for a tile."""

    tile_rows, tile_columns = 4096, 8192

    def __init__(self, matrix: Matrix, device: str) -> None:
        import torch

        def moved(*arrays: NDArray[np.float32]) -> list[torch.Tensor]:
            return [torch.from_numpy(array).to(device) for array in arrays]

        self._matrix = matrix
        self._left, self._right = moved(matrix.left.rounded, matrix.right.rounded)
        self._above_row, self._below_row = moved(matrix.row_limits.above, matrix.row_limits.below)
        self._above_column, self._below_column = moved(matrix.column_limits.above, matrix.column_limits.below)

    def counts(self, tiles: Iterable[Tile]) -> Iterator[TileCounts]:
        """Counts of each tile, in the order of the tiles."""
        return map(self._count, tiles)

    def _count(self, tile: Tile) -> TileCounts:
        rows, columns = tile.rows, tile.columns
        product = self._left[rows] @ self._right[columns].T
        diagonal = on_diagonal(tile)
        found = product[diagonal - rows.start, diagonal - columns.start]
        self._matrix.require_bound(found.cpu().numpy(), diagonal)
        better_row = product > self._above_row[rows, None]
        better_column = product > self._above_column[columns]
        open_row = (product >= self._below_row[rows, None]) != better_row
        open_column = (product >= self._below_column[columns]) != better_column
        if int(open_row.sum() + open_column.sum()) > MOSTLY_UNDECIDED * 2 * product.numel():
            return self._matrix.exact_counts(tile)
        counts = self._matrix.settled(tile, _pairs(open_row, tile), _pairs(open_column, tile))
        counts.rows.better[:] += better_row.sum(dim=1).cpu().numpy()
        counts.columns.better[:] += better_column.sum(dim=0).cpu().numpy()
        return counts


def _pairs(undecided: torch.Tensor, tile: Tile) -> Pairs:
    row, column = undecided.nonzero().cpu().numpy().T
    return Pairs(row + tile.rows.start, column + tile.columns.start)
