"""Ridge regression from sums alone: observations pass by once, and nothing of them is kept but their moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over observations of features x (d,) and targets y (m,), in float64.

    Attributes:
        n: observations.
        x: (d,) sum of x.
        y: (m,) sum of y.
        xx: (d, d) sum of x x'.
        xy: (d, m) sum of x y'.
        yy: (m,) sum of the squares of y.
    """

    n: int
    x: Numbers
    y: Numbers
    xx: Numbers
    xy: Numbers
    yy: Numbers

    @classmethod
    def of(cls, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> Moments:
        """Of features (n, d) and targets (n, m)."""
        x, y = x.astype(np.float64), y.astype(np.float64)
        return cls(len(x), x.sum(axis=0), y.sum(axis=0), x.T @ x, x.T @ y, (y * y).sum(axis=0))

    def __add__(self, other: Moments) -> Moments:
        return Moments(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def __sub__(self, other: Moments) -> Moments:
        return Moments(**{name: value - getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Ridge:
    """Fitted maps y = x weights + intercepts, one for each penalty: weights (p, d, m), intercepts (p, m)."""

    weights: Numbers
    intercepts: Numbers

    @classmethod
    def fit(cls, moments: Moments, penalties: Sequence[float]) -> Ridge:
        """Closed form for all penalties from one eigendecomposition.

        Features are brought to unit variance first. A penalty is by observation: it equals `alpha` / n of
        scikit-learn's `Ridge` on standardised features. Features that do not vary get no weight.

        Args:
            moments: of at least two observations.
            penalties: (p,) positive.
        """
        mean_x, mean_y = moments.x / moments.n, moments.y / moments.n
        covariance = moments.xx / moments.n - np.outer(mean_x, mean_x)
        variance = covariance.diagonal()
        varies = variance > 1e-9 * np.maximum(mean_x**2, np.finfo(float).tiny)
        inverse = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0.0)
        shared = (moments.xy / moments.n - np.outer(mean_x, mean_y)) * inverse[:, None]
        values, vectors = np.linalg.eigh(covariance * np.outer(inverse, inverse))
        turned = vectors.T @ shared
        shrunk = [turned / (np.maximum(values, 0) + penalty)[:, None] for penalty in penalties]
        weights = np.stack([(vectors @ item) * inverse[:, None] for item in shrunk])
        return cls(weights, mean_y - mean_x @ weights)

    def squared_errors(self, moments: Moments) -> Numbers:
        """Sums of squared residuals of other observations, (p, m), from their moments."""
        quadratic = np.einsum("pdm,de,pem->pm", self.weights, moments.xx, self.weights, optimize=True)
        linear = np.einsum("pdm,dm->pm", self.weights, moments.xy)
        means = np.einsum("pdm,d->pm", self.weights, moments.x)
        a = self.intercepts
        return moments.yy - 2 * (linear + a * moments.y) + quadratic + 2 * a * means + moments.n * a**2

    def chosen(self, best: NDArray[np.int64]) -> Ridge:
        """One map: for each target the penalty at position best (m,)."""
        targets = np.arange(len(best))
        return Ridge(self.weights[best, :, targets].T[None], self.intercepts[best, targets][None])

    def predict(self, x: NDArray[np.floating[Any]]) -> Numbers:
        """Targets (n, m) of features (n, d) by the first map."""
        return x.astype(np.float64) @ self.weights[0] + self.intercepts[0]


def cross_validated(folds: Sequence[Moments], penalties: Sequence[float]) -> tuple[Ridge, NDArray[np.int64]]:
    """The map fitted on all folds with, for each target, the penalty of the smallest error on folds left out.

    Args:
        folds: moments of at least two parts of the observations.
        penalties: (p,) to choose from.

    Returns:
        The map, and positions of the penalties (m,).
    """
    total = _sum(folds)
    errors = [Ridge.fit(total - fold, penalties).squared_errors(fold) for fold in folds]
    best = np.sum(errors, axis=0).argmin(axis=0)
    return Ridge.fit(total, penalties).chosen(best), best


def _sum(folds: Sequence[Moments]) -> Moments:
    total = folds[0]
    for fold in folds[1:]:
        total = total + fold
    return total
