"""Reading parquet bytes from strangers, and writing our own with checksums on every page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..files import write_atomically
from ..problems import Problem, ProblemsFound, problem, shortened
from .limits import MAX_DIMENSIONS, MAX_ID_LENGTH, Limits

_COLUMNS = ["id", "speech", "text"]
_VECTORS = ["speech", "text"]
_UNREADABLE = (OSError, pa.ArrowException, ValueError, MemoryError, NotImplementedError)


def read_parquet(data: bytes, limits: Limits, where: str) -> dict[str, NDArray]:
    """Arrays `speech` and `text` (n, d) and `ids` (n,) of a parquet file with columns `id`, `speech`, `text`.

    Raises:
        ProblemsFound: `file.corrupt`, `file.members`, `file.too_large`, or one problem a column.
    """
    try:
        file = pq.ParquetFile(
            pa.BufferReader(data),
            thrift_string_size_limit=limits.header_bytes,
            thrift_container_size_limit=100_000,
            schema_depth_limit=6,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
            read_dictionary=["id"],
            pre_buffer=False,
        )
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    _check_schema(file.schema_arrow, where)
    _check_size(file.metadata, limits, where)
    try:
        table = file.read(use_threads=False)
        table.validate(full=True)
    except _UNREADABLE as error:
        raise _corrupt(where) from error
    _check_nulls(table, where)
    arrays = {name: _matrix(table.column(name), f"{where}/{name}") for name in _VECTORS}
    return {"ids": np.array(table.column("id").to_pylist(), dtype=np.str_), **arrays}


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table crash-safe, with page checksums; equal tables give equal bytes."""
    write_atomically(
        path,
        lambda temporary: pq.write_table(table, temporary, compression="zstd", write_page_checksum=True),
    )


def vectors_array(matrix: NDArray) -> pa.FixedSizeListArray:
    """An (n, d) matrix as an Arrow array of fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def _check_schema(schema: pa.Schema, where: str) -> None:
    if sorted(schema.names) != _COLUMNS:
        raise problem(
            "file.members",
            where,
            found=f"the columns {shortened(schema.names)}",
            expected=f"exactly {', '.join(_COLUMNS)}",
            mend="Write the file with `igbo-align pack`.",
        )
    problems = []
    identifier = schema.field("id").type
    if pa.types.is_dictionary(identifier):
        identifier = identifier.value_type
    if not (pa.types.is_string(identifier) or pa.types.is_large_string(identifier)):
        problems.append(Problem("ids.dtype", f"{where}/id", str(identifier)[:80], "strings", "Use the release's ids."))
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
    rows = metadata.num_rows
    columns = [metadata.row_group(g).column(c) for g in range(min(metadata.num_row_groups, 1000)) for c in range(3)]
    values = max((column.num_values for column in columns), default=0)
    unpacked = sum(column.total_uncompressed_size for column in columns)
    too_many = rows > 2 * limits.rows + 1000 or values > limits.numbers or metadata.num_row_groups > 1000
    if too_many or unpacked > limits.file_bytes:
        raise problem(
            "file.too_large",
            where,
            found=f"{rows} rows in {metadata.num_row_groups} row groups, {unpacked} unpacked bytes",
            expected=f"{limits.rows} rows and at most {MAX_DIMENSIONS} dimensions",
            mend="Send only the vectors of the release's pairs.",
        )


def _check_nulls(table: pa.Table, where: str) -> None:
    problems = [
        Problem("array.null", f"{where}/{name}", "missing values", "a value in every row", "Fill or encode them.")
        for name in _COLUMNS
        if table.column(name).null_count or (name != "id" and table.column(name).combine_chunks().flatten().null_count)
    ]
    if problems:
        raise ProblemsFound(problems)
    if any(len(text) > MAX_ID_LENGTH for text in table.column("id").unique().to_pylist()):
        expected = f"at most {MAX_ID_LENGTH} characters"
        raise problem("ids.dtype", f"{where}/id", found="longer ids", expected=expected, mend="Use the release's ids.")


def _matrix(column: pa.ChunkedArray, where: str) -> NDArray:
    lists = column.combine_chunks()
    numbers = lists.flatten().to_numpy()
    rows = len(lists)
    lengths = set(lists.value_lengths().unique().to_pylist()) if rows else {0}
    if len(lengths) != 1:
        raise problem(
            "array.shape",
            where,
            found=f"vectors of {len(lengths)} different lengths",
            expected="vectors of one length",
            mend="Send the pooled vector of each pair.",
        )
    return numbers.reshape(rows, lengths.pop())


def _corrupt(where: str) -> ProblemsFound:
    return problem(
        "file.corrupt",
        where,
        found="a truncated or damaged file",
        expected="a parquet file that can be read whole",
        mend="Write the file again, and check that the copy is complete.",
    )
