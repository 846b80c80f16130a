"""How the two clouds of vectors lie: gap, crowding, dimensions used, and how much structure they share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.exact_similarity import COMPONENT_SCALE, COSINE_SCALE, integer_similarity
from ..protocol.spec import Scoring
from ..statistics.bootstrap import resample_counts
from ..statistics.estimates import Estimate, mean_estimates
from .neighbours import NEIGHBOURS, nearest
from .variants import differences_from_mean

#: Eigenvalues below this share of the largest are rounding noise and count as zero.
_NOISE = 1e-12
#: Numbers that went through LAPACK or long float sums are rounded to so many digits; the rest differs between machines.
_STABLE_DIGITS = 6


@dataclass(frozen=True)
class Geometry:
    """Geometry of the unit vectors of a submission.

    Attributes:
        modality_gap: distance of the two centroids, in [0, 2] (doi:10.48550/arXiv.2203.02053).
        anisotropy_speech: mean cosine of two different recordings, in [-1, 1] (doi:10.18653/v1/D19-1006).
        anisotropy_text: mean cosine of two different texts.
        effective_rank_speech: exponential of the entropy of the normalised singular values of the centred vectors,
            in [1, d] (Roy and Vetterli, EUSIPCO 2007); None where all vectors are equal.
        effective_rank_text: the same of the texts.
        linear_cka: debiased linear centred kernel alignment of the two modalities, 1 for equal structure and around 0
            for none (doi:10.48550/arXiv.1905.00414, unbiased HSIC of Song et al. 2012); None where it is undefined.
        mutual_knn: mean share of the k nearest recordings whose texts are among the k nearest texts, in [0, 1]
            (doi:10.48550/arXiv.2405.07987).
    """

    modality_gap: float
    anisotropy_speech: float
    anisotropy_text: float
    effective_rank_speech: float | None
    effective_rank_text: float | None
    linear_cka: float | None
    mutual_knn: Estimate

    def as_json(self) -> dict[str, Any]:
        """The geometry as score files hold it."""
        return vars(self) | {"mutual_knn": self.mutual_knn.as_json()}


def geometry(speech: NDArray[np.float64], text: NDArray[np.float64], scoring: Scoring) -> Geometry:
    """Geometry of two (n, d) arrays of `unit_integers`, row i of one belonging to row i of the other."""
    within = [integer_similarity(vectors, vectors) for vectors in (speech, text)]
    gap = [int(a) - int(b) for a, b in zip(speech.sum(axis=0), text.sum(axis=0), strict=True)]
    return Geometry(
        modality_gap=math.sqrt(sum(number * number for number in gap)) / len(speech) / COMPONENT_SCALE,
        anisotropy_speech=anisotropy(within[0]),
        anisotropy_text=anisotropy(within[1]),
        effective_rank_speech=effective_rank(speech),
        effective_rank_text=effective_rank(text),
        linear_cka=linear_cka(within[0] / COSINE_SCALE, within[1] / COSINE_SCALE),
        mutual_knn=mutual_knn(within[0], within[1], scoring),
    )


def anisotropy(within: NDArray[np.float64]) -> float:
    """Mean of the off-diagonal cosines, from exact (n, n) integer similarities of one modality with itself."""
    n = len(within)
    total = sum(within.astype(np.int64).sum(axis=1).tolist()) - sum(within.diagonal().astype(np.int64).tolist())
    return total / (n * (n - 1)) / COSINE_SCALE


def effective_rank(vectors: NDArray[np.float64]) -> float | None:
    """Effective rank of (n, d) vectors after centring, to six digits; None where they are all equal.

    The singular values are roots of the eigenvalues of the smaller of the two Gram matrices.
    """
    centred = differences_from_mean(vectors) / COMPONENT_SCALE
    gram = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    eigenvalues = np.linalg.eigvalsh(gram)
    if eigenvalues[-1] <= 0:
        return None
    singular = np.sqrt(eigenvalues[eigenvalues > _NOISE * eigenvalues[-1]])
    shares = singular / singular.sum()
    return significant(math.exp(-float((shares * np.log(shares)).sum())))


def linear_cka(left: NDArray[np.float64], right: NDArray[np.float64]) -> float | None:
    """Debiased CKA from two (n, n) matrices of inner products, to nine decimals; None where it is undefined."""
    if len(left) < 4:
        return None
    kernels = [_zero_diagonal(matrix) for matrix in (left, right)]
    cross, own_left, own_right = (
        _unbiased_hsic(*pair) for pair in (kernels, (kernels[0], kernels[0]), (kernels[1], kernels[1]))
    )
    if min(own_left, own_right) <= _NOISE:
        return None
    return round(cross / math.sqrt(own_left * own_right), 9)


def _zero_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """U-centring's first step: no vector is compared with itself. The mean is taken off for the sake of precision."""
    n = len(matrix)
    kernel = matrix - (matrix.sum() - matrix.trace()) / (n * (n - 1))
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _unbiased_hsic(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Unbiased estimate of HSIC of two kernels with zero diagonals (Song et al. 2012, jmlr:v13/song12a, equation 5)."""
    n = len(left)
    rows = left.sum(axis=1), right.sum(axis=1)
    products = float(np.vdot(left, right))
    sums = float(rows[0].sum()) * float(rows[1].sum()) / ((n - 1) * (n - 2))
    crossed = 2 * float((rows[0] * rows[1]).sum()) / (n - 2)
    return (products + sums - crossed) / (n * (n - 3))


def mutual_knn(speech: NDArray[np.float64], text: NDArray[np.float64], scoring: Scoring) -> Estimate:
    """Overlap of the k nearest neighbours in both modalities, from (n, n) similarities of each with itself.

    Where neighbours tie, the expectation over random choices counts. Its level under chance is k / (n - 1).
    """
    n = len(speech)
    k = min(NEIGHBOURS, n - 1)
    weights = []
    for similarity in (speech, text):
        others = similarity.copy()
        np.fill_diagonal(others, -np.inf)
        weights.append(nearest(others, k).weights)
    overlap = np.einsum("nm,nm->n", *weights) / k
    counts = resample_counts(n, scoring.bootstrap_resamples, scoring.seed)
    return mean_estimates(overlap[:, None], counts, scoring.confidence, np.full((n, 1), k / (n - 1)))[0]


def significant(value: float, digits: int = _STABLE_DIGITS) -> float:
    """A number cut to so many significant digits."""
    return float(f"{value:.{digits}g}")
