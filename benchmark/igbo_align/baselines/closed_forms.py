"""Maps with a closed form: everything centred by the train means, strengths chosen inside the train split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from .cross_validation import choose_setting
from .inputs import Inputs, Pairs, Vectors
from .outcome import Outcome

#: Strengths of ridge regression, in units of the mean eigenvalue of the speech vectors' covariance.
RIDGE_STRENGTHS = tuple(10.0 ** (step / 2) for step in range(-8, 3))
#: Strengths of CCA for speech and for text, in units of the mean eigenvalue of each covariance.
CCA_STRENGTHS = tuple(product((0.01, 0.03, 0.1), (0.3, 1.0, 3.0)))


@dataclass(frozen=True, eq=False)
class LinearMaps:
    """Both modalities minus their train means, each times a matrix: (d_speech, d) and (d_text, d).

    `text_matrix` is None where the text stays as it is.
    """

    speech_mean: Vectors
    text_mean: Vectors
    speech_matrix: Vectors
    text_matrix: Vectors | None = None

    def __call__(self, speech: Vectors, text: Vectors) -> tuple[Vectors, Vectors]:
        """Vectors (n, d) of both modalities in the shared space."""
        centred_text = text - self.text_mean
        mapped_text = centred_text if self.text_matrix is None else centred_text @ self.text_matrix
        return (speech - self.speech_mean) @ self.speech_matrix, mapped_text

    def outcome(self, pairs: Pairs, choices: Mapping[str, Any]) -> Outcome:
        """The maps of all pairs."""
        fitted = {name: array for name, array in vars(self).items() if array is not None}
        return Outcome(*self(pairs.speech, pairs.text), fitted, choices)


def procrustes(pairs: Pairs) -> LinearMaps:
    """The orthogonal W that brings centred speech nearest to centred text (doi:10.1007/BF02289451).

    With the singular value decomposition U S V' of speech' text it is W = U V'. Directions in which speech and text do
    not vary together at all are left out: rounding alone would decide their signs.
    """
    speech, text = _centred(pairs)
    left, shared, right = np.linalg.svd(speech.T @ text, full_matrices=False)
    varies = shared > shared[0] * max(speech.shape[1], text.shape[1]) * np.finfo(np.float64).eps
    return LinearMaps(pairs.speech.mean(axis=0), pairs.text.mean(axis=0), left[:, varies] @ right[varies])


def ridge(pairs: Pairs, strength: float) -> LinearMaps:
    """Ridge regression of centred text on centred speech, W = (S' S + a I)^-1 S' T (doi:10.2307/1267351).

    Args:
        pairs: to fit.
        strength: a in units of the mean eigenvalue of S' S, so that it fits any number and length of vectors.
    """
    speech, text = _centred(pairs)
    weights = np.linalg.solve(_strengthened(speech.T @ speech, strength), speech.T @ text).astype(np.float64)
    return LinearMaps(pairs.speech.mean(axis=0), pairs.text.mean(axis=0), weights)


def cca(pairs: Pairs, strengths: tuple[float, float]) -> LinearMaps:
    """Canonical correlation analysis with a ridge on both covariances (Vinod 1976, doi:10.1016/0304-4076(76)90010-5).

    Whitened vectors x and y are compared along all canonical directions, each weighted by its correlation: with the
    singular value decomposition U S V' of the whitened cross-covariance, as x U S and y V S. Both are then turned by
    V', which changes no similarity and removes the free signs and rotations of U and V.

    Args:
        pairs: to fit.
        strengths: of the ridges on speech and on text, in units of the mean eigenvalue of each covariance.
    """
    speech, text = _centred(pairs)
    whiten_speech = _inverse_square_root(_strengthened(speech.T @ speech, strengths[0]))
    whiten_text = _inverse_square_root(_strengthened(text.T @ text, strengths[1]))
    left, correlations, right = np.linalg.svd(whiten_speech @ (speech.T @ text) @ whiten_text, full_matrices=False)
    speech_matrix = whiten_speech @ (left * correlations) @ right
    text_matrix = whiten_text @ (right.T * correlations) @ right
    return LinearMaps(pairs.speech.mean(axis=0), pairs.text.mean(axis=0), speech_matrix, text_matrix)


def procrustes_baseline(inputs: Inputs, _: int) -> Outcome:
    """Procrustes has no strength to choose."""
    return procrustes(inputs.train).outcome(inputs.pairs, {})


def ridge_baseline(inputs: Inputs, _: int) -> Outcome:
    """Ridge regression on the reference vectors."""
    return _ridge_outcome(inputs.train, inputs.pairs)


def ridge_stats_baseline(inputs: Inputs, _: int) -> Outcome:
    """Ridge regression on the mean and the standard deviation over the frames that hold speech."""
    speech = np.stack(inputs.recordings.speech["masked-mean-std"]).astype(np.float64)
    pairs = Pairs(speech, inputs.recordings.text, inputs.pairs.groups)
    return _ridge_outcome(pairs[~inputs.release.is_test], pairs)


def cca_baseline(inputs: Inputs, _: int) -> Outcome:
    """Regularised canonical correlation analysis of the reference vectors."""
    strengths, rank = choose_setting(CCA_STRENGTHS, cca, inputs.train)
    choices = {"strength on speech": f"{strengths[0]:g}", "on text": f"{strengths[1]:g}"}
    return cca(inputs.train, strengths).outcome(inputs.pairs, choices | _judgement(rank))


def _ridge_outcome(train: Pairs, pairs: Pairs) -> Outcome:
    strength, rank = choose_setting(RIDGE_STRENGTHS, ridge, train)
    return ridge(train, strength).outcome(pairs, {"strength": f"{strength:.3g}"} | _judgement(rank))


def _judgement(rank: float) -> dict[str, str]:
    return {"cross-validated MRR inside train": f"{rank:.3f}"}


def _centred(pairs: Pairs) -> tuple[Vectors, Vectors]:
    return pairs.speech - pairs.speech.mean(axis=0), pairs.text - pairs.text.mean(axis=0)


def _strengthened(gram: Vectors, strength: float) -> Vectors:
    return gram + strength * np.trace(gram) / len(gram) * np.eye(len(gram))


def _inverse_square_root(gram: Vectors) -> Vectors:
    values, vectors = np.linalg.eigh(gram)
    return (vectors / np.sqrt(values)) @ vectors.T
