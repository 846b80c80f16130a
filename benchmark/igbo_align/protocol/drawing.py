"""All that is drawn once, at build time: sample, split, pools and similarity sample (docs/protocol.md, Data).

From then on the results are data in the release, so no later change of a random generator can move a score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..problems import problem
from ..randomness import integers_below, permutation, raw_stream
from .spec import Sample, SimilaritySample, Split

Indices = NDArray[np.int64]


def duration_buckets(durations_s: Sequence[float], sample: Sample) -> Indices:
    """Bucket of each recording, (n,) from 0: cut at percentiles of all durations, a duration on the cut goes up."""
    durations = np.asarray(durations_s, dtype=np.float64)
    return np.digitize(durations, np.percentile(durations, sample.bucket_percentiles))


def draw_sample(buckets: Indices, sample: Sample) -> Indices:
    """Positions of `per_bucket` recordings from each bucket, ascending, (sample,), from the (n,) buckets of all.

    Raises:
        ProblemsFound: a bucket holds too few (`source.too_few`); all such buckets are named.
    """
    stream = raw_stream(sample.seed, "sample")
    members = [np.flatnonzero(buckets == bucket) for bucket in range(len(sample.bucket_names))]
    if min(map(len, members)) < sample.per_bucket:
        sizes = ", ".join(f"{name} {len(held)}" for name, held in zip(sample.bucket_names, members, strict=True))
        raise problem(
            "source.too_few",
            "duration buckets",
            found=f"{sizes} recordings that passed the filters",
            expected=f"at least {sample.per_bucket} in each bucket",
            mend="Add recordings, or choose a smaller --per-bucket.",
        )
    drawn = [held[permutation(stream, len(held))[: sample.per_bucket]] for held in members]
    return np.sort(np.concatenate(drawn))


def text_groups(texts: Sequence[str]) -> Indices:
    """Number of each pair's text group, (n,) from 0 in order of first appearance: equal texts share a group."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)


def draw_test_split(groups: Indices, buckets: Indices, split: Split) -> NDArray[np.bool_]:
    """Which pairs are test pairs, (n,): whole text groups, stratified by bucket, as near to the fraction as possible.

    Groups are taken in random order while they fit into what their buckets still lack. When groups are too large to
    fill the buckets exactly, a second pass looks at the total alone, and a last one allows to exceed it by less than
    what is lacking.
    """
    n = len(groups)
    wanted = round(n * split.test_fraction)
    lacking = _largest_remainders(np.bincount(buckets).astype(np.float64) * (wanted / n), wanted)
    order = permutation(raw_stream(split.seed, "split"), int(groups.max()) + 1)
    members = _members(groups)
    is_test = np.zeros(n, dtype=bool)
    for group in order:
        need = np.bincount(buckets[members[group]], minlength=len(lacking))
        if (need <= lacking).all():
            is_test[members[group]] = True
            lacking -= need
    for allowed_excess in (False, True):
        for group in order:
            size, missing = len(members[group]), wanted - int(is_test.sum())
            fits = abs(missing - size) < missing if allowed_excess else size <= missing
            if fits and not is_test[members[group]].any():
                is_test[members[group]] = True
    return is_test


def draw_random_pools(among: Indices, groups: Indices, size: int, seed: int, purpose: str) -> Indices:
    """Pool of each query: itself and random distractors from other text groups, (len(among), size), ascending.

    Args:
        among: (q,) pairs that are both the queries and the possible candidates.
        groups: (n,) text group of every pair.
        size: candidates in each pool, the correct one with them; fewer where there are not enough.
        seed: of the frozen stream.
        purpose: names the stream, so that tracks and directions draw independently.
    """
    stream = raw_stream(seed, purpose)
    distractors = min(size - 1, _fewest_distractors(groups[among]))
    pools = []
    for query in among:
        others = among[groups[among] != groups[query]]
        drawn = others[permutation(stream, len(others))[:distractors]]
        pools.append(np.sort(np.append(drawn, query)))
    return np.array(pools)


def hard_pools(similarity: NDArray[np.float64], groups: Indices, size: int) -> Indices:
    """Pool of each pair: itself and the pairs of the most similar other texts, (n, size), ascending.

    Args:
        similarity: (n, n) similarity of the texts, equal for pairs of one text group.
        groups: (n,) text group of every pair. Of each other group only the first pair can be a distractor.
        size: candidates in each pool, the correct one with them; fewer where there are not enough texts.
    """
    first_of_group = np.unique(groups, return_index=True)[1]
    distractors = min(size - 1, len(first_of_group) - 1)
    pools = []
    for query in range(len(groups)):
        others = first_of_group[groups[first_of_group] != groups[query]]
        nearest = others[np.argsort(-similarity[query, others], kind="stable")[:distractors]]
        pools.append(np.sort(np.append(nearest, query)))
    return np.array(pools)


def draw_similarity_sample(groups: Indices, sample: SimilaritySample) -> tuple[Indices, Indices]:
    """Frozen pairs for the tests of alignment: (paired,) pairs, and (unpaired, 2) of a speech and a text of two groups.

    All pairs when there are fewer than wanted; unpaired ones are distinct.
    """
    n = len(groups)
    paired = np.sort(permutation(raw_stream(sample.seed, "paired"), n)[: sample.paired])
    stream = raw_stream(sample.seed, "unpaired")
    possible = n * n - int((np.bincount(groups) ** 2).sum())
    chosen: dict[tuple[int, int], None] = {}
    while len(chosen) < min(sample.unpaired, possible):
        speech, text = integers_below(stream, n, 2).tolist()
        if groups[speech] != groups[text]:
            chosen[speech, text] = None
    return paired, np.array(list(chosen), dtype=np.int64).reshape(-1, 2)


def _members(groups: Indices) -> list[Indices]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.cumsum(np.bincount(groups))[:-1])


def _largest_remainders(shares: NDArray[np.float64], total: int) -> Indices:
    rounded = np.floor(shares).astype(np.int64)
    by_remainder = np.argsort(rounded - shares, kind="stable")
    rounded[by_remainder[: total - int(rounded.sum())]] += 1
    return rounded


def _fewest_distractors(groups: Indices) -> int:
    return len(groups) - int(np.unique(groups, return_counts=True)[1].max())
