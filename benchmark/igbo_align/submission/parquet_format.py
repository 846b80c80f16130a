"""Reading parquet bytes from strangers, and writing our own with checksums on every page.

The whole footer is C++ to read, so that happens in the child process only; before that, its length is checked here.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..files import write_bytes
from ..problems import Problem, ProblemsFound, problem, shortened
from .limits import MAX_DIMENSIONS, Limits
from .raw_arrays import RawArray, bad_ids, ids_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = ["id", "speech", "text"]
_VECTORS = ["speech", "text"]
_MAX_ROW_GROUPS = 1000
#: How every table of ours is written.
WRITING: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_UNREADABLE = (OSError, pa.ArrowException, ValueError, NotImplementedError)


def check_parquet(data: bytes, limits: Limits, where: str) -> None:
    """Check the frame of a file: its last eight bytes are the footer's length and the magic number.

    Raises:
        ProblemsFound: `file.corrupt` or `file.header`.
    """
    if len(data) < 12 or data[-4:] != b"PAR1":
        raise _corrupt(where)
    length = int.from_bytes(data[-8:-4], "little")
    if not 0 < length <= min(len(data) - 12, limits.header_bytes):
        raise problem(
            "file.header",
            where,
            found=f"a footer of {length} bytes in a file of {len(data)}",
            expected="a footer inside the file, of a few kilobytes",
            mend="Write the file with `igbo-align pack`.",
        )


def decode_parquet(data: bytes, limits: Limits, where: str) -> dict[str, RawArray]:
    """Arrays `speech` and `text` (n, d) and `ids` (n,) of a parquet file with columns `id`, `speech`, `text`.

    Raises:
        ProblemsFound: `file.corrupt`, `file.members`, `file.too_large`, or one problem a column.
        MemoryError: the pages unpack to more than the process may have.
    """
    file = _open(data, limits, where)
    _check_schema(file.schema_arrow, where)
    _check_size(file.metadata, limits, where)
    try:
        # The same long id in every row is stored once; as a dictionary it also stays once in memory.
        table = _open(data, limits, where, read_dictionary=["id"]).read(use_threads=False)
        table.validate(full=True)
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    _check_nulls(table, where)
    arrays = {name: _matrix(table.column(name), f"{where}/{name}") for name in _VECTORS}
    return {"ids": _ids(table.column("id"), f"{where}/id"), **arrays}


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table crash-safe, with page checksums; equal tables give equal bytes."""
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream, **WRITING)
    write_bytes(path, memoryview(stream.getvalue()))


def vectors_array(matrix: NDArray[Any]) -> pa.FixedSizeListArray:
    """An (n, d) matrix as an Arrow array of fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _open(data: bytes, limits: Limits, where: str, **options: Any) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(
            pa.BufferReader(data),
            thrift_string_size_limit=limits.header_bytes,
            thrift_container_size_limit=100_000,
            schema_depth_limit=6,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
            pre_buffer=False,
            **options,
        )
        file.schema_arrow  # noqa: B018 - lazily built, and may raise too
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    return file


def _check_schema(schema: pa.Schema, where: str) -> None:
    if sorted(schema.names) != _COLUMNS:
        raise problem(
            "file.members",
            where,
            found=f"{len(schema.names)} columns: {shortened(schema.names)}",
            expected=f"exactly {', '.join(_COLUMNS)}",
            mend="Write the file with `igbo-align pack`.",
        )
    problems = []
    identifier = schema.field("id").type
    if pa.types.is_dictionary(identifier):
        identifier = identifier.value_type
    if not (pa.types.is_string(identifier) or pa.types.is_large_string(identifier)):
        problems += bad_ids(f"{where}/id", f"values of type {str(identifier)[:80]}").problems
    for name in _VECTORS:
        kind = schema.field(name).type
        listed = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
        if not listed or not (pa.types.is_float16(kind.value_type) or pa.types.is_float32(kind.value_type)):
            mend = "Convert with `array.astype('float32')`."
            expected = "lists of float16 or float32"
            problems.append(Problem("array.dtype", f"{where}/{name}", str(kind)[:80], expected, mend))
    if problems:
        raise ProblemsFound(problems)


def _check_size(metadata: pq.FileMetaData, limits: Limits, where: str) -> None:
    rows, groups = metadata.num_rows, metadata.num_row_groups
    columns = [metadata.row_group(g).column(c) for g in range(min(groups, _MAX_ROW_GROUPS)) for c in range(3)]
    values = sum(max(column.num_values, 0) for column in columns)
    unpacked = sum(max(column.total_uncompressed_size, 0) for column in columns)
    too_many = rows > 2 * limits.rows + 1000 or values > 2 * limits.numbers + rows or groups > _MAX_ROW_GROUPS
    if too_many or unpacked > limits.file_bytes:
        raise problem(
            "file.too_large",
            where,
            found=f"{rows} rows in {groups} row groups, {values} values, {unpacked} unpacked bytes",
            expected=f"{limits.rows} rows and at most {MAX_DIMENSIONS} dimensions",
            mend="Send only the vectors of the release's pairs.",
        )


def _check_nulls(table: pa.Table, where: str) -> None:
    problems = [
        Problem("array.null", f"{where}/{name}", "missing values", "a value in every row", "Fill or encode them.")
        for name in _COLUMNS
        if table.column(name).null_count or (name != "id" and _numbers(table.column(name).combine_chunks()).null_count)
    ]
    if problems:
        raise ProblemsFound(problems)


def _ids(column: pa.ChunkedArray, where: str) -> RawArray:
    """Ids, long ones refused before they are multiplied: a dictionary of one megabyte may stand in every row."""
    for chunk in column.chunks:
        ids_array(chunk.dictionary.to_pylist(), where)
    return ids_array(column.to_pylist(), where)


def _matrix(column: pa.ChunkedArray, where: str) -> RawArray:
    lists = column.combine_chunks()
    lengths = _lengths(lists)
    if len(lengths) != 1:
        raise problem(
            "array.shape",
            where,
            found=f"vectors of {len(lengths)} different lengths",
            expected="vectors of one length",
            mend="Send the pooled vector of each pair.",
        )
    numbers = _numbers(lists)
    size = numbers.type.bit_width // 8
    buffer = numbers.buffers()[1]
    begin, end = numbers.offset * size, (numbers.offset + len(numbers)) * size
    content = memoryview(buffer)[begin:end] if buffer else b""
    return RawArray(f"<f{size}", (len(lists), lengths.pop()), fortran=False, content=content)


def _lengths(lists: pa.Array) -> set[int]:
    """All lengths that occur; `value_lengths` would load pyarrow's compute functions."""
    if not len(lists):
        return {0}
    if pa.types.is_fixed_size_list(lists.type):
        return {lists.type.list_size}
    offsets = lists.offsets.to_pylist()
    return {end - begin for begin, end in itertools.pairwise(offsets)}


def _numbers(lists: pa.Array) -> pa.Array:
    """What the lists hold, one after the other; nulls among the lists have been refused."""
    if pa.types.is_fixed_size_list(lists.type):
        size = lists.type.list_size
        return lists.values.slice(lists.offset * size, len(lists) * size)
    first, last = (lists.offsets[i].as_py() for i in (0, -1))
    return lists.values.slice(first, last - first)


def _corrupt(where: str) -> ProblemsFound:
    return problem(
        "file.corrupt",
        where,
        found="a truncated or damaged file",
        expected="a parquet file that can be read whole",
        mend="Write the file again, and check that the copy is complete.",
    )
