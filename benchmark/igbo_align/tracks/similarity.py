"""The one similarity matrix of a submission, in numbers that compare and add up exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics.exact_similarity import COSINE_SCALE, integer_similarity, unit_integers


@dataclass(frozen=True, eq=False)
class Similarity:
    """Similarities of every recording with every text, (n, n), rows speech.

    Attributes:
        values: to compare, in any unit.
        integers: the same in units of 1/`scale`, whole numbers of at most 51 bits, to add up exactly.
        scale: integers per unit of similarity.
        speech: (n, d) `unit_integers` of the recordings; None where only similarities were submitted.
        text: (n, d) of the texts; None where only similarities were submitted.
    """

    values: NDArray[np.float64]
    integers: NDArray[np.int64]
    scale: float
    speech: NDArray[np.float64] | None = None
    text: NDArray[np.float64] | None = None

    @property
    def paired(self) -> NDArray[np.float64]:
        """Similarity of every recording with its own text, (n,)."""
        return self.integers.diagonal() / self.scale


def similarity_of(numbers: tuple[NDArray[np.float32], NDArray[np.float32]] | NDArray[np.float32]) -> Similarity:
    """Similarities of (speech, text) vectors, or of a submitted matrix, all in release order."""
    return _of_vectors(*numbers) if isinstance(numbers, tuple) else _of_matrix(numbers)


def _of_vectors(speech: NDArray[np.float32], text: NDArray[np.float32]) -> Similarity:
    left, right = unit_integers(speech), unit_integers(text)
    values = integer_similarity(left, right)
    return Similarity(values, values.astype(np.int64), COSINE_SCALE, left, right)


def _of_matrix(matrix: NDArray[np.float32]) -> Similarity:
    values = matrix.astype(np.float64)
    scale = 2.0 ** (49 - math.ceil(math.log2(max(float(np.abs(values).max()), 2.0**-100))))
    return Similarity(values, np.rint(values * scale).astype(np.int64), scale)
