"""Groups of pairs that may fare differently: each with its intervals, its worst member and a corrected test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol.release import Release
from ..protocol.spec import Scoring
from ..statistics.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ..statistics.comparison import holm
from ..statistics.estimates import Estimate, exact_mean

#: A slice of fewer pairs is marked: its interval is wide and its test weak.
SMALL_SLICE = 30
_CATEGORIES = ("gender", "speaker_id", "locale", "duration_bucket", "source")
_WORD_PERCENTILES = (33, 66)


@dataclass(frozen=True, eq=False)
class Members:
    """Which pairs belong to a slice: `kind` is what was looked at, `name` the value found, `chosen` (n,) the pairs."""

    kind: str
    name: str
    chosen: NDArray[np.bool_]


@dataclass(frozen=True)
class Slice:
    """A slice of the queries of one track, scored there, both directions averaged.

    Attributes:
        kind: what was looked at, for example `gender`.
        name: the value found.
        n: queries.
        small: whether there are fewer than `SMALL_SLICE`.
        mrr: mean reciprocal rank of the slice, with the interval of a bootstrap over all queries.
        mean_rank: the same of the rank.
        p: two-sided Mann-Whitney test that its ranks differ from those of all other queries.
        p_holm: corrected by Holm over all different divisions of the queries.
        worst: position in the release of the member with the highest rank.
        worst_rank: that rank.
    """

    kind: str
    name: str
    n: int
    small: bool
    mrr: Estimate
    mean_rank: Estimate
    p: float
    p_holm: float
    worst: int
    worst_rank: float

    def as_json(self, ids: Sequence[str]) -> dict[str, Any]:
        """The slice as score files hold it, its worst member by id."""
        fields = vars(self) | {"mrr": self.mrr.as_json(), "mean_rank": self.mean_rank.as_json()}
        worst = {"id": ids[self.worst], "rank": self.worst_rank}
        return {name: value for name, value in fields.items() if name != "worst_rank"} | {"worst": worst}


def members_of(release: Release) -> list[Members]:
    """Every slice of a release that holds some but not all of its pairs."""
    found = [
        Members(kind, str(value) or "unknown", column == value)
        for kind in _CATEGORIES
        if kind in release.pairs.column_names  # `source` is there in releases of several sources only
        for column in [np.array([item or "" for item in release.pairs.column(kind).to_pylist()])]
        for value in np.unique(column)
    ]
    digits, capitalised = release.column("n_digits") > 0, release.column("n_capitalised") > 0
    found += _by_words(release.column("n_words"))
    found += [Members("digits", "with", digits), Members("digits", "without", ~digits)]
    found += [Members("capitalised words", "with", capitalised), Members("capitalised words", "without", ~capitalised)]
    marks = (release.column("n_tone_marks") + release.column("n_dotted")) / np.maximum(release.column("n_chars"), 1)
    found += _by_diacritics(marks)
    return _dividing(found)


def among(slices: Sequence[Members], queries: NDArray[np.int64]) -> list[Members]:
    """The slices of some pairs only, (q,) positions; those that hold none or all of them are left out."""
    return _dividing([Members(item.kind, item.name, item.chosen[queries]) for item in slices])


def score_slices(
    slices: Sequence[Members],
    reciprocal: NDArray[np.float64],
    ranks: NDArray[np.float64],
    queries: NDArray[np.int64],
    scoring: Scoring,
) -> list[Slice]:
    """Score slices.

    Args:
        slices: of the queries, from `among`.
        reciprocal: (q,) expected reciprocal rank of each query.
        ranks: (q,) expected rank of each query.
        queries: (q,) positions of the pairs that they are.
        scoring: the bootstrap.
    """
    if not slices:
        return []
    masks = np.column_stack([item.chosen for item in slices]).astype(np.float64)
    counts = resample_counts(len(ranks), scoring.bootstrap_resamples, scoring.seed)
    columns = np.hstack([masks, masks * reciprocal[:, None], masks * ranks[:, None]])
    sizes, *sums = np.split(bootstrap_means(columns, counts), 3, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        intervals = [_interval(part / sizes, scoring.confidence) for part in sums]
    corrected = _corrected([item.chosen for item in slices], ranks)
    scored = []
    for i, item in enumerate(slices):
        held = np.flatnonzero(item.chosen)
        mrr, mean_rank = (
            Estimate(exact_mean(values[held]), float(low[i]), float(high[i]))
            for values, (low, high) in zip((reciprocal, ranks), intervals, strict=True)
        )
        worst = held[np.argmax(ranks[held])]
        (p, p_holm), small = corrected[i], len(held) < SMALL_SLICE
        scored.append(
            Slice(
                item.kind,
                item.name,
                len(held),
                small,
                mrr,
                mean_rank,
                p,
                p_holm,
                int(queries[worst]),
                float(ranks[worst]),
            )
        )
    return scored


def mann_whitney_p(ranks: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """Two-sided p that values of a slice are larger or smaller than the others (doi:10.1214/aoms/1177730491).

    Normal approximation without continuity correction; the variance of the mid-ranks allows for ties.

    Args:
        ranks: (n,) values of all.
        chosen: (n,) which of them are the slice's.
    """
    places = mid_ranks(ranks)
    n, inside = len(places), int(chosen.sum())
    variance = exact_mean((places - (n + 1) / 2) ** 2) * inside * (n - inside) / (n - 1)
    if variance <= 0:
        return 1.0
    z = (math.fsum(places[chosen].tolist()) - inside * (n + 1) / 2) / math.sqrt(variance)
    return math.erfc(abs(z) / math.sqrt(2))


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each of (n,) values from 1, equal values sharing the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _dividing(slices: Sequence[Members]) -> list[Members]:
    """Slices that hold some but not all of the pairs."""
    return [item for item in slices if item.chosen.any() and not item.chosen.all()]


def _corrected(masks: Sequence[NDArray[np.bool_]], ranks: NDArray[np.float64]) -> list[tuple[float, float]]:
    """(p, corrected p) of every slice. Slices of the same pairs, and complements, are one and the same test."""
    divisions = [(mask if mask[0] else ~mask).tobytes() for mask in masks]
    p = {key: mann_whitney_p(ranks, mask) for key, mask in zip(divisions, masks, strict=True)}
    corrected = dict(zip(p, holm(list(p.values())), strict=True))
    return [(p[key], corrected[key]) for key in divisions]


def _interval(samples: NDArray[np.float64], confidence: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of each column; resamples in which the slice did not occur are left out."""
    if np.isfinite(samples).all():
        return percentile_interval(samples, confidence)
    ends = [percentile_interval(column[np.isfinite(column)], confidence) for column in samples.T]
    low, high = np.array(ends).T
    return low, high


def _by_words(n_words: NDArray[np.int64]) -> list[Members]:
    """Thirds by number of words; cuts that coincide make fewer."""
    low, high = (int(cut) for cut in np.percentile(n_words, _WORD_PERCENTILES))
    ranges = [(1, low), (low + 1, high), (high + 1, int(n_words.max()))]
    return [
        Members("words", f"{first} to {last}" if first < last else str(first), (n_words >= first) & (n_words <= last))
        for first, last in ranges
        if first <= last
    ]


def _by_diacritics(density: NDArray[np.float64]) -> list[Members]:
    """Texts without diacritics, and those with few or many: below or above the median of the others."""
    marked = density > 0
    middle = float(np.median(density[marked])) if marked.any() else 0.0
    many = marked & (density > middle)
    return [
        Members("diacritics", "none", ~marked),
        Members("diacritics", "few", marked & ~many),
        Members("diacritics", "many", many),
    ]
