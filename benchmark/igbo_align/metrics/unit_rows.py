"""Unit vectors as float32, for fast products with a proven error, that still hold the exact integers.

Why the float32 product of the rows here can be trusted up to `product_error_bound` (docs/protocol.md, Metrics):

* The integers rint(x * 2**25) of a unit vector need at most 25 bits. float32 holds 24, so it holds every integer up
  to 2**24 exactly; only components above 1/2 - at most four in a row - may lose their last bit, a `remainder` of
  -1, 0 or 1. The multiplied rows are thus not an approximation of the integers: they are the integers.
* What remains is the rounding of the sum, in whatever order and blocks the BLAS adds, with or without fused
  multiply-add. Each addition is wrong by at most u = 2**-24 of the partial sum that it rounds. A partial sum takes
  some of the d products, so it lies between the sum of all negative and the sum of all positive ones: its size is
  at most (m + |s|) / 2, with s = f.g the whole sum and m = sum |f_k g_k| <= |f| |g| (Cauchy-Schwarz).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .broadcasting import unbuffered
from .exact_similarity import COMPONENT_SCALE, unit_integers

#: Rows that are normalised at a time: few enough to stay in the processor's cache.
_BLOCK = 128
_FLOAT32_ROUNDOFF = 2.0**-24
#: float32 holds every integer up to this.
_LARGEST_EXACT = 2.0**24


@dataclass(frozen=True, eq=False)
class UnitRows:
    """Rows of `unit_integers`, in half the memory.

    Attributes:
        rounded: (n, d) float32, the integers rounded to 24 significant bits.
        remainder: (n, d) int8, integers minus `rounded`, or None where that is all zero.
    """

    rounded: NDArray[np.float32]
    remainder: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.rounded)

    @property
    def dimensions(self) -> int:
        """Number of components of a vector, d."""
        return self.rounded.shape[1]

    def integers(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float64]:
        """The exact integers of some rows, as `unit_integers` gives them, (rows, d)."""
        values = self.rounded[rows].astype(np.float64)
        return values if self.remainder is None else values + self.remainder[rows]


def unit_rows(vectors: ArrayLike, pool: Executor) -> UnitRows:
    """Scale rows to unit length and round them to integers; memory-mapped arrays are read block by block.

    Args:
        vectors: (n, d) real numbers.
        pool: does the blocks.

    Raises:
        ValueError: not two axes, a number that is not finite, or a row of length zero.
    """
    rows: NDArray[Any] = np.asanyarray(vectors)
    if rows.ndim != 2:
        raise ValueError(f"expected an array with two axes (n, d), found {rows.ndim}")
    rounded = np.empty(rows.shape, dtype=np.float32)

    def fill(block: slice) -> NDArray[np.int8] | None:
        with unbuffered():
            integers = unit_integers(rows[block])
        own = rounded[block]
        own[...] = integers
        if max(own.max(initial=0), -own.min(initial=0)) <= _LARGEST_EXACT:
            return None
        return (integers - own).astype(np.int8)

    parts = list(blocks(slice(0, len(rows)), _BLOCK))
    found = list(zip(parts, pool.map(fill, parts), strict=True))
    if all(lost is None for _, lost in found):
        return UnitRows(rounded, None)
    remainder = np.zeros(rows.shape, dtype=np.int8)
    for block, lost in found:
        if lost is not None:
            remainder[block] = lost
    return UnitRows(rounded, remainder)


def product_error_bound(similarity: NDArray[np.float64], dimensions: int) -> NDArray[np.float64]:
    """How far a float32 product of two `UnitRows` may be from the integer similarity, whole numbers.

    With e the error: e <= u m (rounding the products) + (d - 1) u ((m + |s|) / 2 + e) (the additions; a partial sum
    holds the error of what it added up), solved for e. The remainders of a row have at most four components of at
    most 1 each, so they are at most 2 long and shift the dot product by at most 2 * length, once for each side.

    The bound grows by far less than |s| does. So it may be taken at a limit to decide on which side of it a product
    is: what the bound adds to a smaller similarity never carries it past the limit plus the limit's bound.

    Args:
        similarity: (n,) exact similarities, or limits of them; whole numbers.
        dimensions: of the vectors, d.
    """
    # Rounding d components by at most 1/2 each, their remainders, and the rounding of norms leave no row longer.
    length = COMPONENT_SCALE + math.sqrt(dimensions) / 2 + 3
    shift = 2 * 2 * length
    products, additions = _FLOAT32_ROUNDOFF, (dimensions - 1) * _FLOAT32_ROUNDOFF
    whole_sum = np.minimum(np.abs(similarity) + shift, length**2)
    error = (products * length**2 + additions * (length**2 + whole_sum) / 2) / (1 - additions)
    return np.ceil(error + shift) + 1


def blocks(whole: slice, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that make up a slice."""
    return (slice(start, min(start + size, whole.stop)) for start in range(whole.start, whole.stop, size))
