"""The tables of a release, from selected records and drawn pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..protocol.drawing import (
    draw_random_pools,
    draw_sample,
    draw_similarity_sample,
    draw_test_split,
    duration_buckets,
    hard_pools,
    text_groups,
)
from ..protocol.release import SPLITS
from ..protocol.spec import DIRECTIONS, BenchmarkSpec
from .selection import Kept

PoolTables = dict[str, dict[str, pa.Table]]


def sample_pairs(kept: Sequence[Kept], spec: BenchmarkSpec) -> tuple[list[Kept], pa.Table]:
    """Draw the pairs: the records in release order (train first, then test, each by id) and the `pairs` table."""
    buckets = duration_buckets([item.duration_s for item in kept], spec.sample)
    chosen = draw_sample(buckets, spec.sample)
    pairs = [kept[i] for i in chosen]
    groups = text_groups([item.text for item in pairs])
    is_test = draw_test_split(groups, buckets[chosen], spec.split)
    order = np.argsort(is_test, kind="stable")
    ordered = [pairs[i] for i in order]
    names = [spec.sample.bucket_names[b] for b in buckets[chosen][order]]
    return ordered, _pairs_table(ordered, groups[order], names, is_test[order])


def draw_pools(texts: Sequence[str], pairs: pa.Table, spec: BenchmarkSpec) -> PoolTables:
    """Draw every frozen pool: track -> direction -> table with `query-id` and `corpus-ids`."""
    ids = pairs.column("id").to_pylist()
    groups = text_groups(texts)
    everyone = np.arange(len(ids))
    test = np.array([i for i, split in enumerate(pairs.column("split").to_pylist()) if split == "test"])
    size, seed = spec.pools.size, spec.pools.seed
    tables: PoolTables = {"paper": {}, "heldout": {}, "hard": {}}
    nearest = hard_pools(character_similarity(texts), groups, size)
    for direction in DIRECTIONS:
        paper = draw_random_pools(everyone, groups, size, seed, f"paper {direction}")
        heldout = draw_random_pools(test, groups, size, seed, f"heldout {direction}")
        tables["paper"][direction] = _pool_table(ids, everyone, paper)
        tables["heldout"][direction] = _pool_table(ids, test, heldout)
        tables["hard"][direction] = _pool_table(ids, everyone, nearest)
    return tables


def similarity_sample_table(texts: Sequence[str], ids: Sequence[str], spec: BenchmarkSpec) -> pa.Table:
    """Draw the frozen similarity sample: `speech-id`, `text-id`, `paired`."""
    paired, unpaired = draw_similarity_sample(text_groups(texts), spec.similarity_sample)
    speech = [*paired.tolist(), *unpaired[:, 0].tolist()]
    text = [*paired.tolist(), *unpaired[:, 1].tolist()]
    return pa.table(
        {
            "speech-id": [ids[i] for i in speech],
            "text-id": [ids[i] for i in text],
            "paired": [True] * len(paired) + [False] * len(unpaired),
        }
    )


def character_similarity(texts: Sequence[str]) -> NDArray[np.float64]:
    """Cosine similarity of TF-IDF vectors of character 2- to 4-grams within words, (n, n), rounded to 1e-9.

    It knows nothing of any encoder, so hard pools favour none. Rounding keeps ties ties on every machine.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False).fit_transform(texts)
    return (vectors @ vectors.T).toarray().round(9)


def _pairs_table(
    pairs: Sequence[Kept], groups: NDArray[np.int64], buckets: Sequence[str], is_test: NDArray[np.bool_]
) -> pa.Table:
    columns: Mapping[str, list[Any]] = {
        "id": [item.id for item in pairs],
        "text": [item.text for item in pairs],
        "text_group": [f"t{group:04d}" for group in groups],
        "speaker_id": [item.speaker_id for item in pairs],
        "gender": [item.gender for item in pairs],
        "locale": [item.locale for item in pairs],
        "duration_s": [item.duration_s for item in pairs],
        "duration_bucket": list(buckets),
        "n_words": [item.statistics.n_words for item in pairs],
        "n_chars": [item.statistics.n_chars for item in pairs],
        "n_digits": [item.statistics.n_digits for item in pairs],
        "n_capitalised": [item.statistics.n_capitalised for item in pairs],
        "n_tone_marks": [item.statistics.n_tone_marks for item in pairs],
        "n_dotted": [item.statistics.n_dotted for item in pairs],
        "source_split": [item.source_split for item in pairs],
        "audio_sha256": [item.audio_sha256 for item in pairs],
        "split": [SPLITS[int(flag)] for flag in is_test],
    }
    if any(item.source for item in pairs):
        columns = {**columns, "source": [item.source for item in pairs]}
    return pa.table(columns)


def _pool_table(ids: Sequence[str], queries: NDArray[np.int64], pools: NDArray[np.int64]) -> pa.Table:
    candidates = [[ids[i] for i in pool] for pool in pools]
    return pa.table({"query-id": [ids[i] for i in queries], "corpus-ids": pa.array(candidates, pa.list_(pa.string()))})
