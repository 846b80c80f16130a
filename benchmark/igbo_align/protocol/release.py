"""A release: the folder, also a Hub dataset repository, that holds the frozen benchmark."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..files import canonical_json, sha256_of_bytes
from ..problems import problem
from .spec import DIRECTIONS, POOLED_TRACKS, BenchmarkSpec, parse_spec

SPLITS = ("train", "test")
Pools = Mapping[str, Mapping[str, NDArray[np.int64]]]


@dataclass(frozen=True, eq=False)
class SimilarityPairs:
    """The frozen sample: positions of speech and text, and whether they belong together, (k,) each."""

    speech: NDArray[np.int64]
    text: NDArray[np.int64]
    paired: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Release:
    """A loaded release. Every array follows the order of `pairs`: train pairs first, then test pairs, each by id.

    Attributes:
        folder: where its files are.
        spec: the specification.
        fingerprint: SHA-256 over specification, pairs, pools and similarity sample (docs/protocol.md, Fingerprint).
        pairs: one row a pair, the columns of `pairs/*.parquet`: `id`, `split`, `text_group` and what is known of it.
        pools: track -> direction -> (queries, size) positions of candidates.
        similarity_sample: the frozen sample for the tests of alignment.
    """

    folder: Path
    spec: BenchmarkSpec
    fingerprint: str
    pairs: pa.Table
    pools: Pools
    similarity_sample: SimilarityPairs

    @functools.cached_property
    def ids(self) -> list[str]:
        """Id of each pair."""
        return self.pairs.column("id").to_pylist()

    @functools.cached_property
    def groups(self) -> NDArray[np.int64]:
        """Number of each pair's text group, (n,)."""
        return _numbers(self.pairs.column("text_group").combine_chunks().dictionary_encode().indices).astype(np.int64)

    @functools.cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """Which pairs are test pairs, (n,)."""
        return np.array([split == "test" for split in self.pairs.column("split").to_pylist()])

    def queries(self, track: str) -> NDArray[np.int64]:
        """Positions of the pairs that are queries in a track, (queries,)."""
        return np.flatnonzero(self.is_test) if track == "heldout" else np.arange(len(self.ids))

    def column(self, name: str) -> NDArray[Any]:
        """A column of `pairs` as a NumPy array, (n,)."""
        return np.array(self.pairs.column(name).to_pylist())

    def encoder_slugs(self, modality: str) -> list[str]:
        """Names of the cached embeddings of a modality, `speech` or `text`."""
        folder = self.folder / "embeddings" / modality
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []

    def embeddings(self, modality: str, slug: str | None = None) -> NDArray[np.float32]:
        """Cached vectors of all pairs, (n, d) float32.

        Args:
            modality: `speech` or `text`.
            slug: which encoder, `org__model`; may be left out when there is only one.

        Raises:
            ProblemsFound: the release has no such embeddings (`release.missing`) or they are damaged.
        """
        slugs = self.encoder_slugs(modality)
        if (slug not in slugs) if slug else len(slugs) != 1:
            raise problem(
                "release.missing",
                f"embeddings/{modality}",
                found=f"a request for {slug!r}" if slug else f"{len(slugs)} encoders",
                expected=f"one of: {', '.join(slugs) or 'none is there'}",
                mend="Name one of them.",
            )
        folder = self.folder / "embeddings" / modality / (slug or slugs[0])
        rows, where = _read_splits(folder), f"embeddings/{modality}/{folder.name}"
        try:
            ids = rows.column("id").to_pylist()
            values, width = _equal_lists(rows.column("embedding"))
            vectors = _numbers(values).reshape(len(ids), width)
        except (KeyError, ValueError, AttributeError, pa.ArrowException) as error:
            raise _corrupt(where, "no columns `id` and `embedding` with vectors of one length") from error
        if ids != self.ids:
            raise _corrupt(where, "other ids than those of the pairs")
        return vectors

    @functools.cached_property
    def manifest(self) -> dict[str, Any]:
        """Provenance of the release: source, exclusions, encoders, library versions, hashes of files."""
        return json.loads((self.folder / "manifest.json").read_bytes())

    def benchmark(self) -> dict[str, str]:
        """Name, version and fingerprint, as cards and score files carry them."""
        return {"name": self.spec.name, "version": self.spec.version, "fingerprint": self.fingerprint}


def fingerprint_of(
    spec: BenchmarkSpec, pairs: pa.Table, pools: Mapping[str, Mapping[str, pa.Table]], sample: pa.Table
) -> str:
    """SHA-256 over the canonical JSON of all that is frozen (docs/protocol.md, Fingerprint).

    Args:
        spec: the specification.
        pairs: columns `id`, `split`, `text_group`, in release order.
        pools: track -> direction -> columns `query-id`, `corpus-ids`.
        sample: columns `speech-id`, `text-id`, `paired`.
    """
    document = {
        "spec": spec.model_dump(mode="json"),
        "pairs": [pairs.column(name).to_pylist() for name in ("id", "split", "text_group")],
        "pools": {
            track: {
                direction: [table.column(name).to_pylist() for name in ("query-id", "corpus-ids")]
                for direction, table in directions.items()
            }
            for track, directions in pools.items()
        },
        "similarity_sample": [sample.column(name).to_pylist() for name in ("speech-id", "text-id", "paired")],
    }
    return sha256_of_bytes(canonical_json(document))


def read_release(folder: Path) -> Release:
    """Load a release from its folder, and check that its content has the fingerprint that it states.

    Raises:
        ProblemsFound: `release.missing`, `release.corrupt` or `release.fingerprint`.
    """
    spec, stated = _read_spec(folder)
    pairs = _read_splits(folder / "pairs")
    tables = {
        track: {direction: _read(folder / "pools" / track / f"{direction}.parquet") for direction in DIRECTIONS}
        for track in POOLED_TRACKS
    }
    sample = _read(folder / "similarity_sample.parquet")
    try:
        found = fingerprint_of(spec, pairs, tables, sample)
    except (KeyError, ValueError) as error:
        raise _corrupt("pairs, pools or similarity sample", "columns of other names or types") from error
    if found != stated:
        raise problem(
            "release.fingerprint",
            "spec.json",
            found=f"content with the fingerprint {found}",
            expected=f"the stated fingerprint {stated}",
            mend="A file was changed; fetch or build the release again.",
        )
    ids = pairs.column("id").combine_chunks()
    pools = {
        track: {direction: _pool_positions(table, ids) for direction, table in directions.items()}
        for track, directions in tables.items()
    }
    speech, text = (_positions(sample.column(name).combine_chunks(), ids) for name in ("speech-id", "text-id"))
    paired = np.array(sample.column("paired").to_pylist(), dtype=bool)
    return Release(folder, spec, stated, pairs, pools, SimilarityPairs(speech, text, paired))


def _read_spec(folder: Path) -> tuple[BenchmarkSpec, str]:
    path = folder / "spec.json"
    if not path.is_file():
        raise problem(
            "release.missing",
            folder.name,
            found="no spec.json in the folder" if folder.is_dir() else "no such folder",
            expected="`demo`, the folder of a release, or a Hub dataset id (`org/name@revision`)",
            mend="Check the path, or build a release with `igbo-align build`.",
        )
    try:
        document = json.loads(path.read_bytes())
        stated = str(document.pop("fingerprint"))
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise _corrupt("spec.json", "no JSON object with a fingerprint") from error
    return parse_spec(json.dumps(document).encode(), "spec.json"), stated


def _read(path: Path) -> pa.Table:
    try:
        return pq.ParquetFile(path).read(use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        missing = not path.exists()
        raise _corrupt(
            f"{path.parent.name}/{path.name}", "no such file" if missing else "no readable parquet"
        ) from error


def _read_splits(folder: Path) -> pa.Table:
    tables = [_read(folder / f"{split}.parquet") for split in SPLITS]
    if len({table.schema for table in tables}) != 1:
        raise _corrupt(folder.name, "splits with different columns")
    return pa.concat_tables(tables)


def _positions(values: pa.Array, ids: pa.Array) -> NDArray[np.int64]:
    positions = pc.call_function("index_in", [values], pc.SetLookupOptions(value_set=ids))
    if positions.null_count:
        raise _corrupt("pools or similarity sample", "ids that are not among the pairs")
    return _numbers(positions).astype(np.int64)


def _numbers(array: pa.Array) -> NDArray[Any]:
    """An Arrow array of numbers as NumPy's, without `to_numpy`, which imports pandas where it is installed."""
    return np.from_dlpack(array)


def _equal_lists(column: pa.ChunkedArray) -> tuple[pa.Array, int]:
    """Values of a column of lists, one after the other, and how many each row has."""
    lists = column.combine_chunks()
    lengths = pc.call_function("list_value_length", [lists]).unique().to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise ValueError("lists of several lengths, or of none")
    return lists.flatten(), lengths[0]


def _pool_positions(table: pa.Table, ids: pa.Array) -> NDArray[np.int64]:
    try:
        values, width = _equal_lists(table.column("corpus-ids"))
    except ValueError as error:
        raise _corrupt("pools", "pools of several sizes, or empty ones") from error
    return _positions(values, ids).reshape(table.num_rows, width)


def _corrupt(where: str, found: str) -> Exception:
    return problem(
        "release.corrupt",
        where,
        found=found,
        expected="the files of a complete release",
        mend="Fetch or build the release again.",
    )
