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
from threadpoolctl import threadpool_limits

from .tile_comparison import TileComparison, Workspace
from .tile_counts import MOSTLY_UNDECIDED, Matrix, Tile, TileCounts, on_diagonal


class NumpySweep:
    """Counts tiles with NumPy, one a thread at a time."""

    #: The product of a tile is 16 MB of float32, large enough for the BLAS to be at its best.
    tile_rows, tile_columns = 1024, 4096

    def __init__(self, matrix: Matrix, threads: int) -> None:
        self._matrix, self._threads = matrix, threads
        self._largest = min(self.tile_rows, len(matrix.left)), min(self.tile_columns, len(matrix.right))
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
        workspace = self._workspace()
        left, right = self._matrix.left.rounded[tile.rows], self._matrix.right.rounded[tile.columns]
        product = np.matmul(left, right.T, out=workspace.product(tile.shape))
        diagonal = on_diagonal(tile)
        self._matrix.require_bound(product[diagonal - tile.rows.start, diagonal - tile.columns.start], diagonal)
        found = TileComparison(product, self._matrix, tile, workspace)
        if len(found.open_rows) + len(found.open_columns) > MOSTLY_UNDECIDED * 2 * product.size:
            return self._matrix.exact_counts(tile)
        counts = self._matrix.settled(tile, found.open_rows, found.open_columns)
        counts.rows.better[:] += found.better_rows
        counts.columns.better[:] += found.better_columns
        return counts

    def _workspace(self) -> Workspace:
        if not hasattr(self._own, "workspace"):
            self._own.workspace = Workspace(self._largest)
        return self._own.workspace
