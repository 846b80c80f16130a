"""Fitting probes on train recordings and scoring them on test recordings, each recording passing by once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..problems import problem
from ..protocol.spec import Scoring
from ..statistics.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ..statistics.estimates import Estimate
from .ridge import Moments, Ridge, cross_validated

#: Penalties that cross-validation chooses from.
PENALTIES = tuple(10.0**exponent for exponent in np.arange(-5, 2.5, 0.5).tolist())
_FOLDS = 5
_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Observed:
    """Observations of one recording.

    Attributes:
        group: number of its text group; equal texts are never on both sides of a cross-validation.
        features: kinds of features, such as hidden states, each (n, d).
        pitch: (n,) what is to be read off them.
        control: (n,) the same numbers in a random order.
    """

    group: int
    features: Sequence[NDArray[np.float32]]
    pitch: NDArray[np.float64]
    control: NDArray[np.float64]

    @property
    def targets(self) -> NDArray[np.float64]:
        """Pitch and control, (n, 2)."""
        return np.column_stack([self.pitch, self.control])


@dataclass(frozen=True, eq=False)
class Fitted:
    """Probes of every kind of features.

    Attributes:
        maps: one for each kind, to pitch and to control.
        penalties: of each kind, of the map to pitch.
        recordings: that they were fitted on.
        observations: in these.
    """

    maps: Sequence[Ridge]
    penalties: Sequence[float]
    recordings: int
    observations: int


@dataclass(frozen=True)
class Scored:
    """R² of pitch and of control for each kind of features, and what they were scored on."""

    pitch: Sequence[Estimate]
    control: Sequence[Estimate]
    recordings: int
    observations: int


def fit(recordings: Iterable[Observed]) -> Fitted:
    """Fit probes, their penalties chosen by five-fold cross-validation over text groups.

    Raises:
        ProblemsFound: fewer than two folds hold any voice (`source.too_few`).
    """
    folds: dict[int, list[Moments]] = {}
    n = 0
    for item in recordings:
        moments = [Moments.of(features, item.targets) for features in item.features]
        held = folds.get(item.group % _FOLDS)
        folds[item.group % _FOLDS] = moments if held is None else [a + b for a, b in zip(held, moments, strict=True)]
        n += 1
    if len(folds) < 2:
        raise _too_little("train", n)
    parts = [folds[number] for number in sorted(folds)]
    fitted = [cross_validated(kind, PENALTIES) for kind in zip(*parts, strict=True)]
    observations = sum(part[0].n for part in parts)
    return Fitted([ridge for ridge, _ in fitted], [PENALTIES[best[0]] for _, best in fitted], n, observations)


def score(fitted: Fitted, recordings: Iterable[Observed], scoring: Scoring) -> Scored:
    """R² = 1 - squared errors / squared deviations from the mean, over all observations of all recordings.

    The interval is that of a bootstrap over recordings.

    Raises:
        ProblemsFound: fewer than two recordings hold voice, or their pitch never varies (`source.too_few`).
    """
    rows = [_sums(item, fitted.maps) for item in recordings]
    if len(rows) < 2:
        raise _too_little("test", len(rows))
    sums = np.array(rows)
    counts = resample_counts(len(sums), scoring.bootstrap_resamples, scoring.seed)
    value = _r2(sums.mean(axis=0))
    if not np.isfinite(value).all():
        raise _too_little("test", 0)
    # A resample of recordings whose pitch does not vary at all says nothing.
    low, high = percentile_interval(np.nan_to_num(_r2(bootstrap_means(sums, counts))), scoring.confidence)
    estimates = [Estimate(*item) for item in zip(*np.round([value, low, high], _DECIMALS).tolist(), strict=True)]
    return Scored(estimates[::2], estimates[1::2], len(sums), int(sums[:, 0].sum()))


def _sums(item: Observed, maps: Sequence[Ridge]) -> NDArray[np.float64]:
    """Observations, sum and sum of squares of pitch, then the squared errors of pitch and control for each kind."""
    errors = [
        ((item.targets - ridge.predict(features)) ** 2).sum(axis=0)
        for ridge, features in zip(maps, item.features, strict=True)
    ]
    return np.concatenate([[len(item.pitch), item.pitch.sum(), (item.pitch**2).sum()], *errors])


def _r2(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """From sums or means over recordings (..., 3 + k) to R² (..., k); NaN where pitch does not vary."""
    n, first, second, errors = sums[..., :1], sums[..., 1:2], sums[..., 2:3], sums[..., 3:]
    deviations = second - first**2 / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(deviations > 1e-9 * second, 1 - errors / deviations, np.nan)


def _too_little(split: str, found: int) -> Exception:
    return problem(
        "source.too_few",
        split,
        found=f"{found} recordings of voice whose pitch varies",
        expected="at least two, better hundreds, of different texts",
        mend="Probe a larger release.",
    )
