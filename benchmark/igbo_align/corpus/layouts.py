"""The layouts in which corpora are stored: which columns each needs, and how a row becomes a record.

The layout of a source is chosen by its columns, not by its name: the first in `LAYOUTS` that finds all it needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..problems import problem, shortened

#: Columns that may hold the transcript where a layout leaves the choice; the first one present counts.
TEXT_COLUMNS = ("text", "transcription", "sentence", "transcript")
#: Field of a record -> columns that may hold it, in order of preference.
Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Record:
    """One record of a source, as it stands there.

    Attributes:
        id: with the prefix `source:` where a release has several sources.
        speaker_id: empty where unknown, as `locale` and `gender`.
        text: the transcript.
        locale: as the source spells it.
        gender: as the source spells it.
        audio: the encoded bytes, None where there are none.
        source_split: where it stood.
        cased_text: the transcript with its capitals, where `text` has lost them.
        source: name of the source in a release of several; empty otherwise.
    """

    id: Any
    speaker_id: str
    text: Any
    locale: str
    gender: str
    audio: bytes | None
    source_split: str
    cased_text: str | None = None
    source: str = ""


@dataclass(frozen=True)
class Row:
    """Cells of one row by the field of the record that they belong to, and where its audio file lies.

    Attributes:
        cells: field -> value.
        file: path of the audio file: below the source's folder, or as the source's author had it; None if unknown.
    """

    cells: Mapping[str, Any]
    file: str | None


def _own_id(row: Row) -> Any:
    return _as_text(row.cells["id"])


def _file_stem(row: Row) -> Any:
    return PurePosixPath(row.file).stem if row.file else None


def _own_id_or_stem(row: Row) -> Any:
    return _own_id(row) if "id" in row.cells else _file_stem(row)


def _own_id_or_file(row: Row) -> Any:
    return _own_id(row) if "id" in row.cells else row.file


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) else value


@dataclass(frozen=True)
class Layout:
    """How one kind of corpus is stored.

    Attributes:
        name: for messages and documents.
        required: columns that must be there.
        optional: columns that are read where they are there.
        identify: the id of a row.
    """

    name: str
    required: Columns
    optional: Columns = field(default_factory=dict)
    identify: Callable[[Row], Any] = _own_id

    def columns(self, present: Collection[str]) -> dict[str, str]:
        """Field of a record -> column, of those that are present."""
        wanted = {**self.required, **self.optional}
        found = {name: next((c for c in choices if c in present), None) for name, choices in wanted.items()}
        return {name: column for name, column in found.items() if column is not None}

    def missing(self, present: Collection[str]) -> list[str]:
        """Required columns that are absent, alternatives joined by `or`."""
        return [" or ".join(choices) for choices in self.required.values() if not set(choices) & set(present)]

    def needs(self) -> str:
        """The layout in one line: name and required columns."""
        return f"{self.name} ({', '.join(' or '.join(choices) for choices in self.required.values())})"


_TEXT = {"text": TEXT_COLUMNS}
_ABOUT = {"id": ("id",), "speaker_id": ("speaker_id",), "locale": ("locale",), "gender": ("gender",)}
LAYOUTS = (
    Layout(
        "WAXAL TTS",
        {name: (name,) for name in ("id", "speaker_id", "text", "locale", "gender", "audio")},
    ),
    Layout(
        "WAXAL ASR",
        {
            "id": ("id",),
            "speaker_id": ("speaker_id",),
            "text": ("transcription",),
            "locale": ("language",),
            "gender": ("gender",),
            "audio": ("audio",),
        },
    ),
    Layout(  # its `id` numbers sentences: several speakers read each
        "FLEURS",
        {"text": ("transcription",), "locale": ("lang_id",), "gender": ("gender",), "audio": ("audio",)},
        {"cased_text": ("raw_transcription",), "path": ("path",)},
        _file_stem,
    ),
    Layout("audiofolder", {"file": ("file_name",), **_TEXT}, _ABOUT, _own_id_or_file),
    Layout("parquet", {"audio": ("audio",), **_TEXT}, _ABOUT, _own_id_or_stem),
)


@dataclass(frozen=True, eq=False)
class Reader:
    """Turns rows of one table into records.

    Attributes:
        layout: of the table.
        columns: field -> column.
        labels: field -> names of its numbers, where the column holds class labels.
        root: the source's folder, resolved; files outside are never read. None for a source on the Hub.
        base: what paths in the table are relative to.
    """

    layout: Layout
    columns: Mapping[str, str]
    labels: Mapping[str, tuple[str, ...]]
    root: Path | None = None
    base: Path | None = None

    def record(self, row: Mapping[str, Any], split_of: Callable[[str | None], str], source: str) -> Record:
        """The record of a row.

        Args:
            row: column -> value.
            split_of: the split of an audio file, by its path below the source's folder.
            source: name of the source in a release of several, else empty.
        """
        cells = {name: self._cell(name, row[column]) for name, column in self.columns.items()}
        held = cells.get("audio") or {"bytes": None, "path": cells.get("file")}
        path = held.get("path") or cells.get("path")
        file = self._below_root(path) or path
        name = self.layout.identify(Row(cells, file))
        return Record(
            id=f"{source}:{name}" if source and isinstance(name, str) else name,
            text=cells["text"],
            audio=held.get("bytes") or self._read(path),
            source_split=split_of(file),
            cased_text=cells.get("cased_text"),
            source=source,
            **{key: "" if cells.get(key) is None else str(cells[key]) for key in ("speaker_id", "locale", "gender")},
        )

    def _cell(self, name: str, value: Any) -> Any:
        labels = self.labels.get(name)
        if labels is None or value is None:
            return value
        return labels[value] if 0 <= value < len(labels) else None

    def _below_root(self, path: str | None) -> str | None:
        if self.root is None or self.base is None or not path:
            return None
        relative = Path(os.path.relpath(self.base / path, self.root))
        return None if ".." in relative.parts else relative.as_posix()

    def _read(self, path: str | None) -> bytes | None:
        """Bytes of a file inside the folder; a link that leads out of it is as absent as a file that is not there."""
        if self.root is None or self.base is None or not path:
            return None
        file = (self.base / path).resolve()
        return file.read_bytes() if file.is_relative_to(self.root) and file.is_file() else None


def reader_of(features: Mapping[str, Any], where: str, root: Path | None, base: Path | None) -> Reader:
    """Choose the layout of a table and check the types of its columns.

    Args:
        features: column -> type, of the `datasets` library.
        where: names the table in a problem.
        root: the source's folder, resolved.
        base: what paths in the table are relative to.

    Raises:
        ProblemsFound: the columns fit no layout, or have wrong types (`source.column`).
    """
    layout = next((layout for layout in LAYOUTS if not layout.missing(features)), None)
    if layout is None:
        nearest = min(LAYOUTS, key=lambda layout: len(layout.missing(features)))
        raise problem(
            "source.column",
            where,
            found=f"no column {', '.join(nearest.missing(features))} among {shortened(sorted(features))}",
            expected=f"the columns of one layout: {'; '.join(layout.needs() for layout in LAYOUTS)}",
            mend="Rename the columns, or choose a config that has them.",
        )
    columns = layout.columns(features)
    for name, column in columns.items():
        _check_type(name, features[column], f"{where}/{column}")
    labels = {name: getattr(features[column], "names", None) for name, column in columns.items()}
    return Reader(layout, columns, {name: tuple(held) for name, held in labels.items() if held}, root, base)


def _check_type(name: str, found: Any, where: str) -> None:
    dtype = str(getattr(found, "dtype", ""))
    is_text = dtype in ("string", "large_string")
    fits = {
        "text": is_text,
        "file": is_text,
        "id": is_text or dtype.startswith(("int", "uint")),
        "audio": dtype == "dict" or (isinstance(found, dict) and "bytes" in found),  # of `datasets.Audio`, or a struct
    }
    if not fits.get(name, True):
        expected = {"audio": "bytes of encoded audio with their path", "id": "strings or whole numbers"}
        raise problem(
            "source.column",
            where,
            found=f"a column of type {str(found)[:80]}",
            expected=expected.get(name, "strings"),
            mend="Store the column with this type.",
        )
