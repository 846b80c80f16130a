"""Opening a corpus: a Hub dataset or a local folder of parquet shards, through the same `datasets` loading code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import canonical_json, sha256_of_bytes, sha256_of_file
from ..problems import problem, shortened
from ..protocol.spec import Source

#: Columns that a source must have, as google/WaxalNLP names them for its TTS configs.
COLUMNS = ("id", "speaker_id", "text", "locale", "gender", "audio")
_SHARD = re.compile(r"(?:(?P<config>.+)-)?(?P<split>train|validation|test)-\d{5}(?:-of-\d{5})?\.parquet")


@dataclass(frozen=True)
class Record:
    """One record of a source, as it stands there; `audio` is the encoded bytes, None where there are none."""

    id: Any
    speaker_id: str
    text: Any
    locale: str
    gender: str
    audio: bytes | None
    source_split: str


@dataclass(frozen=True, eq=False)
class Corpus:
    """An opened source that can be read several times.

    Attributes:
        datasets: split name -> `datasets` object whose audio column is not decoded.
        provenance: where the records come from, for the manifest.
    """

    datasets: dict[str, Any]
    provenance: dict[str, Any]

    def records(self) -> Iterator[Record]:
        """All records, split by split, in the order of the source.

        Raises:
            ProblemsFound: a shard cannot be read (`source.unreadable`).
        """
        for split, dataset in self.datasets.items():
            rows = iter(dataset)
            while (row := _next_row(rows, split)) is not None:
                yield _record(row, split)


def open_corpus(source: str, spec: Source, config: str | None, revision: str | None) -> Corpus:
    """Open a source.

    Args:
        source: a folder of parquet shards, or a Hub dataset id, optionally `id@revision`.
        spec: the specification's source; its config and revision are used for its own dataset.
        config: name of the config; needed where a folder holds several.
        revision: 40-character commit of a Hub dataset.

    Raises:
        ProblemsFound: `source.missing`, `source.revision`, `source.column` or `source.unreadable`.
        EnvironmentProblem: the `build` extra is not installed, or the Hub cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        return _open_folder(folder, config, spec.splits)
    name, _, named_revision = source.partition("@")
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise problem(
            "source.missing",
            "--source",
            found=f"no folder {source!r}",
            expected="a folder of parquet shards, or a Hub dataset id `org/name`",
            mend="Check the path.",
        )
    is_own = name == spec.dataset
    chosen = revision or named_revision or (spec.revision if is_own else None)
    return _open_hub(name, config or (spec.config if is_own else None), chosen, spec.splits)


def _open_folder(folder: Path, config: str | None, splits: tuple[str, ...]) -> Corpus:
    shards = _find_shards(folder, config, splits)
    datasets = require_datasets()
    datasets.disable_progress_bars()  # of finding local files; a download from the Hub shows its own
    files = {split: [str(path) for path in paths] for split, paths in shards.items()}
    opened = _guarded(lambda: datasets.load_dataset("parquet", data_files=files, streaming=True), folder.name)
    hashes = {path.relative_to(folder).as_posix(): sha256_of_file(path) for paths in shards.values() for path in paths}
    provenance = {
        "kind": "folder",
        "dataset": folder.resolve().name,
        "config": config,
        "revision": f"sha256:{sha256_of_bytes(canonical_json(hashes))}",
        "files": hashes,
    }
    return Corpus({split: _undecoded(opened[split], split) for split in shards}, provenance)


def _open_hub(name: str, config: str | None, revision: str | None, splits: tuple[str, ...]) -> Corpus:
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise problem(
            "source.revision",
            "--revision",
            found=repr(revision) if revision else "no revision",
            expected="the 40-character commit of the dataset, because branches move",
            mend="Pass --revision with the commit that the dataset's page shows under Files, History.",
        )
    datasets = require_datasets()
    opened = _guarded(lambda: datasets.load_dataset(name, config, revision=revision), name, hub=True)
    provenance = {"kind": "hub", "dataset": name, "config": config, "revision": revision}
    present = [split for split in splits if split in opened]
    return Corpus({split: _undecoded(opened[split], split) for split in present}, provenance)


def require_datasets() -> Any:
    """The `datasets` library, or a problem that names the extra to install."""
    try:
        import datasets
    except ImportError as error:
        raise problem(
            "environment.extra",
            "datasets",
            found="no library for reading corpora",
            expected="the extra `build`",
            mend="Install it: pip install 'igbo-align[build]'.",
        ) from error
    return datasets


def _find_shards(folder: Path, config: str | None, splits: tuple[str, ...]) -> dict[str, list[Path]]:
    shards: dict[str, list[Path]] = {split: [] for split in splits}
    configs = set()
    for path in sorted(folder.rglob("*.parquet")):
        match = _SHARD.fullmatch(path.name)
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)  # half-written downloads
        if match and not hidden and match["split"] in shards and config in (None, match["config"]):
            shards[match["split"]].append(path)
            configs.add(match["config"] or "")
    if len(configs) != 1:
        raise problem(
            "source.missing",
            "--source" if not configs else "--config",
            found=f"shards of {len(configs)} configs: {shortened(sorted(configs))}" if configs else "no parquet shards",
            expected="files such as ibo-train-00000-of-00002.parquet, of one config",
            mend="Name the config with --config." if configs else "Check the folder.",
        )
    return {split: paths for split, paths in shards.items() if paths}


def _undecoded(dataset: Any, split: str) -> Any:
    """The dataset with bytes instead of decoded audio, its columns checked."""
    datasets = require_datasets()
    if dataset.features is None:
        dataset = dataset._resolve_features()  # noqa: SLF001 - the only way to learn a streamed dataset's columns
    features = dataset.features
    missing = [name for name in COLUMNS if name not in features]
    if missing:
        raise problem(
            "source.column",
            split,
            found=f"no column {', '.join(missing)} among {shortened(sorted(features))}",
            expected=f"the columns {', '.join(COLUMNS)}",
            mend="Rename the columns, or choose a config in the layout of google/WaxalNLP's TTS configs.",
        )
    if isinstance(features["audio"], datasets.Audio):
        dataset = dataset.cast_column("audio", datasets.Audio(decode=False))
    elif not (isinstance(features["audio"], dict) and "bytes" in features["audio"]):
        raise _wrong_type(split, "audio", features["audio"], "bytes of encoded audio with their path")
    for name in ("id", "text"):
        if getattr(features[name], "dtype", None) not in ("string", "large_string"):
            raise _wrong_type(split, name, features[name], "strings")
    return dataset.select_columns(list(COLUMNS))


def _wrong_type(split: str, name: str, found: Any, expected: str) -> Exception:
    return problem(
        "source.column",
        f"{split}/{name}",
        found=f"a column of type {str(found)[:80]}",
        expected=expected,
        mend="Store the corpus in the layout of google/WaxalNLP's TTS configs.",
    )


def _next_row(rows: Iterator[dict[str, Any]], split: str) -> dict[str, Any] | None:
    return _guarded(lambda: next(rows, None), split)


def _guarded(action: Any, where: str, hub: bool = False) -> Any:
    """Run one call of the `datasets` library and turn whatever it raises into a problem.

    The library raises exceptions of pyarrow, fsspec, httpx and its own; their texts hold paths and are not shown.
    """
    try:
        return action()
    except Exception as error:
        if hub:
            raise problem(
                "environment.hub",
                where,
                found=f"an error while fetching ({type(error).__name__})",
                expected="the dataset at the pinned revision",
                mend="Check the id, the config, the revision and the network; what was fetched before works offline.",
            ) from error
        raise problem(
            "source.unreadable",
            where,
            found=f"a shard that cannot be read ({type(error).__name__})",
            expected="readable parquet files with equal columns",
            mend="Fetch the corpus again.",
        ) from error


def _record(row: dict[str, Any], split: str) -> Record:
    audio = (row["audio"] or {}).get("bytes")
    fields = {name: str(row[name]) if row[name] is not None else "" for name in ("speaker_id", "locale", "gender")}
    return Record(id=row["id"], text=row["text"], audio=audio, source_split=split, **fields)
