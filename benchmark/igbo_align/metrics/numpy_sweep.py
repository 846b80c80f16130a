"""Counting tiles on the processor: each thread of ours multiplies a tile on its own and then compares it.

The BLAS is held to one thread meanwhile. Its own threads would wait for the next product by spinning, and take the
processor from the comparisons in between.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from .tile_comparison import TileComparison
from .tile_counts import MOSTLY_UNDECIDED, Matrix, Tile, TileCounts, on_diagonal


class NumpySweep:
    """Counts tiles with NumPy, one a thread at a time."""

    #: The product of a tile is 16 MB of float32, large enough for the BLAS to be at its best.
    tile_rows, tile_columns = 1024, 4096

    def __init__(self, matrix: Matrix, threads: int) -> None:
        self._matrix, self._threads = matrix, threads
        self._largest = min(self.tile_rows, len(matrix.left)) * min(self.tile_columns, len(matrix.right))
        self._own = threading.local()

    def counts(self, tiles: Iterable[Tile]) -> Iterator[TileCounts]:
        """Counts of each tile, in the order of the tiles."""
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(self._threads) as pool:
            waiting: deque[Future[TileCounts]] = deque()
            for tile in tiles:
                waiting.append(pool.submit(self._count, tile))
                if len(waiting) > 2 * self._threads:
                    yield waiting.popleft().result()
            yield from (future.result() for future in waiting)

    def _count(self, tile: Tile) -> TileCounts:
        product = self._product(tile)
        diagonal = on_diagonal(tile)
        self._matrix.require_bound(product[diagonal - tile.rows.start, diagonal - tile.columns.start], diagonal)
        comparison = TileComparison(product, self._matrix, tile)
        by_row, by_column = comparison.undecided
        if len(by_row) + len(by_column) > MOSTLY_UNDECIDED * 2 * product.size:
            return self._matrix.exact_counts(tile)
        counts = self._matrix.settled(tile, by_row, by_column)
        counts.rows.better[:] += comparison.better_rows
        counts.columns.better[:] += comparison.better_columns
        return counts

    def _product(self, tile: Tile) -> NDArray[np.float32]:
        """The float32 product of a tile, in memory that the thread's next product overwrites."""
        if not hasattr(self._own, "product"):
            self._own.product = np.empty(self._largest, dtype=np.float32)
        rows, columns = tile.shape
        product = self._own.product[: rows * columns].reshape(rows, columns)
        left, right = self._matrix.left.rounded[tile.rows], self._matrix.right.rounded[tile.columns]
        return np.matmul(left, right.T, out=product)
