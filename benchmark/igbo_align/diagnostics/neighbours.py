"""The k most similar candidates of each query, with ties shared out, from similarities that compare exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Neighbours in CSLS, in hubness and in the overlap of neighbourhoods (docs/diagnostics.md).
NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class Nearest:
    """The k most similar candidates of each query.

    Attributes:
        k: how many; fewer than `NEIGHBOURS` only where there are fewer candidates.
        totals: (n,) sum of the k largest similarities.
        weights: (n, m) probability that a candidate is among the k when ties are broken at random; rows sum to k.
    """

    k: int
    totals: NDArray[Any]
    weights: NDArray[np.float64]


def nearest(similarity: NDArray[Any], k: int = NEIGHBOURS) -> Nearest:
    """The k most similar candidates of each row.

    Args:
        similarity: (n, m) similarities, rows queries; whole numbers whose sums of k are exact.
        k: how many, at most m.
    """
    k = min(k, similarity.shape[1])
    largest = np.partition(similarity, -k, axis=1)[:, -k:]
    threshold = largest.min(axis=1)[:, None]
    near = similarity >= threshold
    weights = near.astype(np.float64)
    for row in np.flatnonzero(
        np.count_nonzero(near, axis=1) > k
    ):  # more candidates tie for the last places than there are places
        above, tied = similarity[row] > threshold[row], similarity[row] == threshold[row]
        weights[row, tied] = (k - above.sum()) / tied.sum()
    return Nearest(k, largest.sum(axis=1), weights)
