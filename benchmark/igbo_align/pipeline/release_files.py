"""The files of a release that a build writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..corpus.selection import Kept
from ..corpus.tables import draw_pools, similarity_sample_table
from ..files import readable_json, write_text
from ..protocol.release import SPLITS, fingerprint_of
from ..protocol.spec import BenchmarkSpec
from ..submission.parquet_format import vectors_array, write_parquet


def write_protocol(folder: Path, spec: BenchmarkSpec, pairs: pa.Table, kept: Sequence[Kept], with_text: bool) -> str:
    """Draw and write all that is frozen, specification, pairs, pools, similarity sample; return its fingerprint."""
    texts = [item.text for item in kept]
    pools = draw_pools(texts, pairs, spec)
    sample = similarity_sample_table(texts, pairs.column("id").to_pylist(), spec)
    fingerprint = fingerprint_of(spec, pairs, pools, sample)
    write_text(folder / "spec.json", readable_json(spec.model_dump(mode="json") | {"fingerprint": fingerprint}))
    if not with_text:
        nothing = pa.nulls(pairs.num_rows, pa.string())
        pairs = pairs.set_column(pairs.schema.get_field_index("text"), "text", nothing)
    for split, rows in _by_split(pairs):
        write_parquet(folder / "pairs" / f"{split}.parquet", rows)
    for track, directions in pools.items():
        for direction, table in directions.items():
            write_parquet(folder / "pools" / track / f"{direction}.parquet", table)
    write_parquet(folder / "similarity_sample.parquet", sample)
    return fingerprint


def write_embeddings(folder: Path, pairs: pa.Table, vectors: dict[str, NDArray[np.float32]]) -> None:
    """Write one encoder's vectors, id -> (d,), split by split."""
    for split, rows in _by_split(pairs):
        ids = rows.column("id").to_pylist()
        matrix = np.stack([vectors[name] for name in ids])
        write_parquet(folder / f"{split}.parquet", pa.table({"id": ids, "embedding": vectors_array(matrix)}))


def _by_split(pairs: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for split in SPLITS:
        yield split, pairs.filter(pc.field("split") == split).combine_chunks()
