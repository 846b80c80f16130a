"""What lies in a folder: WAXAL's shards, recordings beside a table of metadata, or any other parquet files."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..extras import imported
from ..problems import problem, shortened
from .library_errors import guarded

_SHARD = re.compile(r"(?:(?P<config>.+)-)?(?P<split>train|validation|test)-\d{5}(?:-of-\d{5})?\.parquet")
_SPLIT_FOLDERS = ("train", "validation", "test")
#: Metadata of recordings, as `datasets` names it in an `audiofolder`.
METADATA = {"metadata.csv": "csv", "metadata.jsonl": "json", "metadata.parquet": "parquet"}


@dataclass(frozen=True)
class FolderFiles:
    """Files of one source in a folder.

    Attributes:
        root: what they lie in, and what their names are relative to; nothing outside belongs to the source.
        tables: split -> parquet files with the recordings inside.
        metadata: tables of metadata with the recordings beside them; their splits are those of the recordings.
        recordings: path of each such recording -> split.
    """

    root: Path
    tables: Mapping[str, list[Path]] = field(default_factory=dict)
    metadata: list[Path] = field(default_factory=list)
    recordings: Mapping[Path, str] = field(default_factory=dict)


def find_files(folder: Path, config: str | None, splits: tuple[str, ...]) -> FolderFiles:
    """Find the files of a source.

    Args:
        folder: to look in, resolved, at any depth; whatever is hidden is left alone.
        config: of WAXAL's shards (`ibo`, or `ibo_tts` below a folder `TTS`), or the name of a folder inside.
        splits: that are wanted.

    Raises:
        ProblemsFound: there are no such files, or those of several configs (`source.missing`).
    """
    shards = _shards(folder)
    if shards:
        return FolderFiles(folder, _of_one_config(shards, config, splits))
    base = _base(folder, config)
    metadata = [path for path in _visible(base) if path.name in METADATA]
    if metadata:
        files = _inferred_splits(base, "audiofolder")
        recordings = {path: split for path, split in files.items() if path.name not in METADATA}
        return FolderFiles(base, {}, metadata, recordings)
    tables: dict[str, list[Path]] = {split: [] for split in splits}
    if any(path.suffix == ".parquet" for path in _visible(base)):
        for path, split in _inferred_splits(base, "parquet").items():
            if path.suffix == ".parquet" and split in tables:
                tables[split].append(path)
    if not any(tables.values()):
        raise problem(
            "source.missing",
            "--source",
            found="no parquet shards",
            expected="parquet files, such as ibo-train-00000-of-00002.parquet, or recordings beside a metadata.csv, "
            "metadata.jsonl or metadata.parquet",
            mend="Check the folder.",
        )
    return FolderFiles(base, {split: sorted(paths) for split, paths in tables.items() if paths})


def _visible(folder: Path) -> list[Path]:
    """Files at any depth, sorted; hidden ones are half-written downloads and the like."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _shards(folder: Path) -> list[tuple[Path, str, str, str]]:
    """Path, short config, full config and split of every file named like WAXAL's shards."""
    found = []
    for path in _visible(folder):
        if match := _SHARD.fullmatch(path.name):
            short = match["config"] or ""
            kind = next((part.lower() for part in path.relative_to(folder).parts if part in ("TTS", "ASR")), None)
            found.append((path, short, f"{short}_{kind}" if kind else short, match["split"]))
    return found


def _of_one_config(
    shards: list[tuple[Path, str, str, str]], config: str | None, splits: tuple[str, ...]
) -> dict[str, list[Path]]:
    chosen = [item for item in shards if config in (None, item[1], item[2])]
    configs = sorted({full for _, _, full, _ in chosen or shards})
    tables = {split: [path for path, _, _, held in chosen if held == split] for split in splits}
    if not any(tables.values()) or len(configs) != 1:
        raise problem(
            "source.missing",
            "--config",
            found=f"shards of {len(configs)} configs: {shortened(configs)}",
            expected="files such as ibo-train-00000-of-00002.parquet, of one config"
            + (f", here {config!r}" if config else ""),
            mend="Name the config with --config.",
        )
    return {split: paths for split, paths in tables.items() if paths}


def _base(folder: Path, config: str | None) -> Path:
    """Where the files of a config lie: a folder of its name; without a name there must not be several."""
    if config is not None and (folder / config).is_dir():
        return (folder / config).resolve()
    paths = [path.relative_to(folder).parts for path in _visible(folder) if path.suffix == ".parquet"]
    configs = sorted({parts[0] for parts in paths if len(parts) == 3 and parts[1] in _SPLIT_FOLDERS})
    if config is not None or len(configs) > 1:
        raise problem(
            "source.missing",
            "--config",
            found=f"folders of {len(configs)} configs: {shortened(configs)}" if configs else "no folder of this name",
            expected=f"a folder {config!r} inside the source" if config else "files of one config",
            mend="Name a folder inside the source with --config." if configs else "Leave --config out.",
        )
    return folder


def _inferred_splits(folder: Path, kind: str) -> dict[Path, str]:
    """Split of every file, as `datasets` infers it from the names of folders and files."""
    datasets = imported("datasets")
    # The name of the folder is read as a pattern.
    escaped = glob.escape(str(folder))
    builder = guarded(lambda: datasets.load_dataset_builder(kind, data_dir=escaped), folder.name)
    splits: dict[Path, str] = {}
    for split, paths in builder.config.data_files.items():
        for path in paths:
            splits.setdefault(Path(path), str(split))
    return splits
