"""Unit vectors as float32, for fast products with a proven error, that still hold the exact integers.

Why the float32 product of the rows here can be trusted up to `product_error_bound` (PROTOCOL section 4):

* The integers rint(x * 2**25) of a unit vector need at most 25 bits. float32 holds 24, so it holds every integer up
  to 2**24 exactly; only components above 1/2 - at most four in a row - may lose their last bit, a `remainder` of
  -1, 0 or 1. The multiplied rows are thus not an approximation of the integers: they are the integers.
* What remains is the rounding of the sum. For any order of additions, any blocking and with or without fused
  multiply-add, |computed - f.g| <= gamma * sum |f_k g_k| with gamma = d u / (1 - d u), u = 2**-24 (Higham, Accuracy
  and Stability of Numerical Algorithms, 2002, eq. 3.5); by Cauchy-Schwarz the sum is at most |f| |g|.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .exact_similarity import COMPONENT_SCALE, unit_integers

#: Rows that are normalised at a time: few enough to stay in the processor's cache.
_BLOCK = 128
_FLOAT32_ROUNDOFF = 2.0**-24


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
        """The exact integers of some rows, as `unit_integers` gives them, (len(rows), d)."""
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
    rows = vectors if isinstance(vectors, np.ndarray) else np.asarray(vectors)
    if rows.ndim != 2:
        raise ValueError(f"expected an array with two axes (n, d), found {rows.ndim}")
    rounded = np.empty(rows.shape, dtype=np.float32)

    def fill(block: slice) -> NDArray[np.int8] | None:
        integers = unit_integers(rows[block])
        rounded[block] = integers
        lost = integers - rounded[block]
        return lost.astype(np.int8) if lost.any() else None

    parts = list(blocks(slice(0, len(rows)), _BLOCK))
    found = list(zip(parts, pool.map(fill, parts), strict=True))
    if all(lost is None for _, lost in found):
        return UnitRows(rounded, None)
    remainder = np.zeros(rows.shape, dtype=np.int8)
    for block, lost in found:
        if lost is not None:
            remainder[block] = lost
    return UnitRows(rounded, remainder)


def product_error_bound(dimensions: int) -> float:
    """How far a float32 product of two `UnitRows` may be from the integer similarity, a whole number.

    A row's remainder has at most four components, of at most 1 each: it is at most 2 long. Rounding d components by
    at most 1/2 each, and the remainder, leave a row at most `length` long (1 more for the rounding of norms). The
    remainders shift the dot product by at most 2 * length, once for each side.
    """
    length = COMPONENT_SCALE + math.sqrt(dimensions) / 2 + 3
    gamma = dimensions * _FLOAT32_ROUNDOFF / (1 - dimensions * _FLOAT32_ROUNDOFF)
    return float(math.ceil(gamma * length**2 + 2 * 2 * length) + 1)


def blocks(whole: slice, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that make up a slice."""
    return (slice(start, min(start + size, whole.stop)) for start in range(whole.start, whole.stop, size))
