"""The recordings of a release: written in the order of its pairs, whatever their order in the source."""

from __future__ import annotations

import functools
import io
import os
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..files import write_atomically
from ..protocol.release import SPLITS
from ..submission.parquet_format import WRITING

#: Encoded audio of one row group: what is held in memory at once.
_GROUP_BYTES = 2**26
_SCHEMA = pa.schema({"id": pa.string(), "audio": pa.struct({"bytes": pa.binary(), "path": pa.string()})})
_SUFFIXES = {"WAVEX": "wav"}


def write_audio(folder: Path, pairs: pa.Table, recordings: Iterable[tuple[str, bytes]]) -> None:
    """Write `train.parquet` and `test.parquet` with the columns `id` and `audio`.

    Recordings arrive in the order of the source and wait in a temporary file, so that memory holds one of them, and
    later one row group.

    Args:
        folder: of the files.
        pairs: columns `id` and `split`.
        recordings: (id, encoded audio) of every pair.
    """
    folder.mkdir(parents=True)
    with _spooled(recordings, folder) as (spool, places):
        for split in SPLITS:
            ids = pairs.filter(pc.field("split") == split).column("id").to_pylist()
            write = functools.partial(_write, spool=spool, places=places, groups=_row_groups(ids, places))
            write_atomically(folder / f"{split}.parquet", write)


@contextmanager
def _spooled(
    recordings: Iterable[tuple[str, bytes]], folder: Path
) -> Generator[tuple[int, dict[str, tuple[int, int]]]]:
    """A nameless file with all recordings one after the other, and the place and length of each."""
    places, end = {}, 0
    with tempfile.TemporaryFile(dir=folder) as spool:
        for name, data in recordings:
            spool.write(data)
            places[name] = end, len(data)
            end += len(data)
        spool.flush()
        yield spool.fileno(), places


def _row_groups(ids: Sequence[str], places: dict[str, tuple[int, int]]) -> list[list[str]]:
    """Ids by row group: as many as fit, in order."""
    groups: list[list[str]] = [[]]
    held = 0
    for name in ids:
        size = places[name][1]
        if groups[-1] and held + size > _GROUP_BYTES:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups


def _write(path: Path, spool: int, places: dict[str, tuple[int, int]], groups: Sequence[Sequence[str]]) -> None:
    with pq.ParquetWriter(path, _SCHEMA, **WRITING) as writer:
        for ids in groups:
            cells = [_cell(name, os.pread(spool, places[name][1], places[name][0])) for name in ids]
            columns = [pa.array(ids, _SCHEMA.field("id").type), pa.array(cells, _SCHEMA.field("audio").type)]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))


def _cell(name: str, data: bytes) -> dict[str, bytes | str]:
    """A recording as `datasets` stores audio; its suffix says what the bytes are."""
    import soundfile

    kind = soundfile.info(io.BytesIO(data)).format
    suffix = f".{_SUFFIXES.get(kind, kind.lower())}"
    return {"bytes": data, "path": f"{name.removesuffix(suffix)}{suffix}"}
