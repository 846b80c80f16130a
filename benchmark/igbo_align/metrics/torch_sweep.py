"""Counting a tile on a device of torch: the product and all comparisons there, the undecided pairs here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tile_counts import (
    MOSTLY_UNDECIDED,
    Counts,
    Limits,
    TileCounts,
    Undecided,
    exact_tile,
    on_diagonal,
    require_bound,
    settled,
)
from .unit_rows import UnitRows

if TYPE_CHECKING:
    import torch


class TorchSweep:
    """Counts tiles with torch. All vectors are kept on the device, 8 n d bytes, and some 0.3 GB for a tile."""

    tile_rows, tile_columns = 4096, 8192

    def __init__(self, left: UnitRows, right: UnitRows, limits: tuple[Limits, Limits], device: str) -> None:
        import torch

        self._left, self._right, self._limits = left, right, limits
        self._rows, self._columns = (torch.from_numpy(side.rounded).to(device) for side in (left, right))
        self._bounds = [[torch.from_numpy(part).to(device) for part in (side.above, side.below)] for side in limits]

    def count(self, rows: slice, columns: slice) -> TileCounts:
        """Counts of a tile."""
        product = self._rows[rows] @ self._columns[columns].T
        pairs = on_diagonal(rows, columns)
        found = product[pairs - rows.start, pairs - columns.start].cpu().numpy()
        require_bound(found, self._left, self._right, pairs)
        (above_row, below_row), (above_column, below_column) = self._bounds
        better_rows = product > above_row[rows, None]
        better_columns = product > above_column[columns]
        open_rows = (product >= below_row[rows, None]) != better_rows
        open_columns = (product >= below_column[columns]) != better_columns
        number = int(open_rows.sum() + open_columns.sum())
        if number > MOSTLY_UNDECIDED * 2 * product.numel():
            return exact_tile(self._left, self._right, self._limits, rows, columns)
        by_row, by_column = _pairs(open_rows, rows, columns), _pairs(open_columns, rows, columns)
        counts = (
            settled(self._left, self._right, self._limits[0], by_row, by_row.rows, rows),
            settled(self._left, self._right, self._limits[1], by_column, by_column.columns, columns),
        )
        counts[0].add(slice(None), Counts(better_rows.sum(dim=1).cpu().numpy(), 0 * counts[0].equal))
        counts[1].add(slice(None), Counts(better_columns.sum(dim=0).cpu().numpy(), 0 * counts[1].equal))
        return TileCounts(*counts, number)


def _pairs(undecided: torch.Tensor, rows: slice, columns: slice) -> Undecided:
    row, column = undecided.nonzero().cpu().numpy().T
    return Undecided(row + rows.start, column + columns.start)
