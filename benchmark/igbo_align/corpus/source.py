"""Opening a corpus: folders and Hub datasets, one or several."""

from __future__ import annotations

import csv
import glob
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ..extras import imported
from ..files import canonical_json, sha256_of_bytes, sha256_of_file
from ..problems import problem, shortened
from ..protocol.address import Address, source_names
from ..protocol.bundled_specs import known_source
from ..protocol.spec import BenchmarkSpec, Source
from .folders import METADATA, FolderFiles, find_files
from .layouts import Reader, Record, reader_of
from .library_errors import guarded

#: Rows that are read at once from a parquet file; recordings are large.
_BATCH_ROWS = 16
_BUFFER_BYTES = 2**20


@dataclass(frozen=True)
class ParquetRows:
    """Rows of a parquet file, a few at a time.

    The loader of `datasets` holds a whole row group, and some corpora have one for the whole file; with `pre_buffer` a
    reader would keep all that it has read.
    """

    path: Path
    columns: list[str]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER_BYTES) as file:
            for batch in file.iter_batches(_BATCH_ROWS, columns=self.columns, use_threads=False):
                yield from batch.to_pylist()


@dataclass(frozen=True, eq=False)
class Table:
    """One opened table.

    Attributes:
        where: names it in a problem.
        rows: its rows by column, audio as bytes or as a path; can be read several times.
        reader: turns its rows into records.
        split_of: split of a recording, by the path of its file.
    """

    where: str
    rows: Iterable[dict[str, Any]]
    reader: Reader
    split_of: Callable[[str | None], str]


@dataclass(frozen=True, eq=False)
class OpenedSource:
    """One source: its tables, which splits of it are wanted, its name among several, and where it comes from."""

    tables: Sequence[Table]
    splits: tuple[str, ...]
    provenance: dict[str, Any]
    name: str = ""

    def records(self) -> Iterator[Record]:
        """All records, in the order of the source."""
        for table in self.tables:
            rows = iter(table.rows)
            while (record := guarded(lambda rows=rows, table=table: self._next(rows, table), table.where)) is not None:
                if record.source_split in (*self.splits, ""):
                    yield record

    def _next(self, rows: Iterator[dict[str, Any]], table: Table) -> Record | None:
        row = next(rows, None)
        return None if row is None else table.reader.record(row, table.split_of, self.name)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Opened sources that can be read several times."""

    sources: Sequence[OpenedSource]

    def records(self) -> Iterator[Record]:
        """All records, source by source, each in its own order.

        Raises:
            ProblemsFound: a file cannot be read (`source.unreadable`).
        """
        for source in self.sources:
            yield from source.records()

    @property
    def provenance(self) -> dict[str, Any]:
        """Where the records come from, as the manifest holds it: `source`, or a list `sources`."""
        if len(self.sources) == 1:
            return {"source": self.sources[0].provenance}
        return {"sources": [{"name": source.name} | source.provenance for source in self.sources]}


def open_corpus(addresses: Sequence[Address], spec: BenchmarkSpec, names: Sequence[str] | None = None) -> Corpus:
    """Open the sources of a release.

    Args:
        addresses: where they are; none for the datasets that the specification names.
        spec: whose sources these are, in its order.
        names: what several sources are called; by default as in the specification, else after their datasets.

    Raises:
        ProblemsFound: `source.missing`, `source.revision`, `source.column` or `source.unreadable`.
        UsageProblem: another number of sources than the specification has, or than there are names (`usage`).
        EnvironmentProblem: the `build` extra is not installed, or the Hub cannot be reached.
    """
    addresses = list(addresses) or _own_addresses(spec)
    described = spec.sources if spec.source.dataset else (spec.source,) * len(addresses)
    expected = list(names) if names else [source.title for source in described]
    if not len(addresses) == len(expected) == len(described):
        raise problem(
            "usage",
            "--source",
            found=f"{len(addresses)} sources",
            expected=f"{len(expected)}: {', '.join(expected)}",
            mend="Repeat --source, once for each of these and in this order.",
        )
    opened = [_open(address, source) for address, source in zip(addresses, described, strict=True)]
    if len(opened) == 1:
        return Corpus(opened)
    stated = [source.name for source in described if source.name] if spec.further_sources else source_names(addresses)
    return Corpus([replace(source, name=name) for source, name in zip(opened, names or stated, strict=True)])


def _own_addresses(spec: BenchmarkSpec) -> list[Address]:
    if not spec.source.dataset:
        raise problem(
            "usage",
            "--source",
            found="no source",
            expected="a folder, or a Hub dataset id `org/name@revision#config`; or a --spec that names its own",
            mend="Name what to build from.",
        )
    return [source.address for source in spec.sources]


def _open(address: Address, spec: Source) -> OpenedSource:
    folder = Path(address.place)
    if folder.is_dir():
        return _open_folder(folder, address.config, spec.splits)
    if address.place.count("/") != 1 or address.place.startswith((".", "/", "~")):
        raise problem(
            "source.missing",
            "--source",
            found=f"no folder {address.place!r}",
            expected="a folder of parquet shards, or a Hub dataset id `org/name`",
            mend="Check the path.",
        )
    return _open_hub(address, spec)


def _open_folder(folder: Path, config: str | None, splits: tuple[str, ...]) -> OpenedSource:
    imported("datasets").disable_progress_bars()  # of finding local files; a download from the Hub shows its own
    found = find_files(folder.resolve(), config, splits)
    tables = [_parquet_table(path, split, found.root) for split, paths in found.tables.items() for path in paths]
    tables += _metadata_tables(found)
    listed = [path for paths in found.tables.values() for path in paths] + found.metadata
    hashes = {path.relative_to(found.root).as_posix(): sha256_of_file(path) for path in listed}
    beside = {path.relative_to(found.root).as_posix(): sha256_of_file(path) for path in found.recordings}
    provenance = {
        "kind": "folder",
        "dataset": folder.resolve().name,
        "config": config,
        "revision": f"sha256:{sha256_of_bytes(canonical_json(hashes | beside))}",
        "files": hashes,
    }
    return OpenedSource(tables, splits, provenance)


def _parquet_table(path: Path, split: str, root: Path) -> Table:
    where = path.relative_to(root).as_posix()
    features = guarded(lambda: imported("datasets").Features.from_arrow_schema(pq.read_schema(path)), where)
    reader = reader_of(features, where, root, root)
    return Table(where, ParquetRows(path, list(reader.columns.values())), reader, lambda _: split)


def _metadata_tables(found: FolderFiles) -> list[Table]:
    """Tables of metadata, each with the recordings beside it."""
    splits = {path.relative_to(found.root).as_posix(): split for path, split in found.recordings.items()}
    tables = []
    for path in found.metadata:
        where, kind = path.relative_to(found.root).as_posix(), METADATA[path.name]
        options = _csv_options(path, where) if kind == "csv" else {}
        dataset = _streamed(kind, path, where, **options)
        tables.append(_table(dataset, where, lambda file: splits.get(file or "", ""), found.root, path.parent))
    return tables


def _csv_options(path: Path, where: str) -> dict[str, Any]:
    """CSV cells are text: no `NA` becomes a missing value, and no id loses its zeros."""
    datasets = imported("datasets")

    def header() -> list[str]:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file), [])

    text = datasets.Features({name: datasets.Value("string") for name in guarded(header, where)})
    return {"keep_default_na": False, "na_filter": False, "features": text}


def _streamed(kind: str, path: Path, where: str, **options: Any) -> Any:
    """A file as a streamed dataset whose columns are known."""
    datasets = imported("datasets")
    files = [glob.escape(str(path))]  # names are read as patterns
    opened = guarded(
        lambda: datasets.load_dataset(kind, data_files=files, split="train", streaming=True, **options), where
    )
    # The only way to learn a streamed dataset's columns.
    return opened if opened.features is not None else guarded(opened._resolve_features, where)  # noqa: SLF001


def _open_hub(address: Address, spec: Source) -> OpenedSource:
    known = spec if spec.dataset == address.place else known_source(address.place)
    revision = address.revision or (known.revision if known else None)
    config = address.config or (spec.config if known is spec else None)
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise problem(
            "source.revision",
            "--revision",
            found=repr(revision) if revision else "no revision",
            expected="the 40-character commit of the dataset, because branches move",
            mend="Pass --revision with the commit that the dataset's page shows under Files, History.",
        )
    opened = _from_hub(address.place, config, revision, known)
    splits = [split for split in spec.splits if split in opened]
    if not splits:
        raise problem(
            "source.missing",
            address.place,
            found=f"only the splits {shortened(sorted(opened))}",
            expected=f"one of {', '.join(spec.splits)}",
            mend="Name the splits to read in a specification, and it with --spec.",
        )
    tables = [_table(opened[split], split, lambda _, split=split: split) for split in splits]
    provenance = {"kind": "hub", "dataset": address.place, "config": config, "revision": revision}
    return OpenedSource(tables, spec.splits, provenance)


def _from_hub(dataset: str, config: str | None, revision: str, known: Source | None) -> Any:
    """Split -> opened table, every file of it fetched."""
    datasets = imported("datasets")
    if known is None or known.files is None:
        return guarded(lambda: datasets.load_dataset(dataset, config, revision=revision), dataset, hub=True)
    if config is None:
        raise problem(
            "source.missing",
            "--config",
            found="no config",
            expected=f"one of {dataset}, such as {known.config}",
            mend="Name it: --source org/name#config.",
        )
    pattern = known.files.replace("{config}", config)
    files = {split: pattern.replace("{split}", split) for split in known.splits}
    return guarded(lambda: datasets.load_dataset(dataset, data_files=files, revision=revision), dataset, hub=True)


def _table(
    dataset: Any, where: str, split_of: Callable[[str | None], str], root: Path | None = None, base: Path | None = None
) -> Table:
    """A table of the `datasets` library, with bytes instead of decoded audio and only the columns that are read."""
    datasets = imported("datasets")
    reader = reader_of(dataset.features or {}, where, root, base)
    audio = reader.columns.get("audio")
    if audio is not None and isinstance(dataset.features[audio], datasets.Audio):
        dataset = dataset.cast_column(audio, datasets.Audio(decode=False))
    return Table(where, dataset.select_columns(list(reader.columns.values())), reader, split_of)
