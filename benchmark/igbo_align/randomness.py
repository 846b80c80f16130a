"""Draws that no NumPy release can change.

NumPy promises stable streams for its bit generators (PCG64, SeedSequence) but not for the methods of `Generator`.
Everything that the protocol draws therefore comes from PCG64's raw 64-bit stream through the three functions here.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def raw_stream(seed: int, purpose: str) -> np.random.PCG64:
    """A PCG64 stream for one purpose: equal seed and purpose give equal bits, other purposes independent ones."""
    return np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))


def integers_below(stream: np.random.PCG64, bound: int, size: int) -> NDArray[np.int64]:
    """(size,) integers in [0, bound), by multiply-and-shift of 32 random bits (bias below bound / 2**32)."""
    high_bits = stream.random_raw(size) >> np.uint64(32)
    return ((high_bits * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def permutation(stream: np.random.PCG64, n: int) -> NDArray[np.int64]:
    """A uniformly random order of 0 .. n-1, (n,): the order that sorts n random 64-bit keys."""
    return np.argsort(stream.random_raw(n), kind="stable").astype(np.int64)
