"""Damaged and hostile parquet files."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .cases import case
from .small_release import IDS, PARQUET, ROWS, VALID, fixed_lists, parquet, table, vectors

_valid = VALID[PARQUET]


def _file(label, code, data, good=None):
    case(f"parquet/{label}", code, {PARQUET: data}, good)


def _columns(label, code, good=None, **replaced):
    _file(label, code, parquet(table(**replaced)), good)


def _lists(kind=None, rows=None):
    content = vectors(seed=1).tolist() if rows is None else rows
    return pa.array(content, pa.list_(pa.float32()) if kind is None else kind)


_GOOD_LISTS = {PARQUET: parquet(table(speech=_lists()))}
_GOOD_LARGE = {PARQUET: parquet(table(speech=_lists(pa.large_list(pa.float32()))))}
_GOOD_HALF = {PARQUET: parquet(table(speech=fixed_lists(vectors(dtype="<f2"))))}
_footer = int.from_bytes(_valid[-8:-4], "little")
_file("no-tail", "file.corrupt", _valid[:-4])
_file("encrypted-footer", "file.corrupt", _valid[:-4] + b"PARE")
_file("magic-only", "file.corrupt", b"PAR1PAR1")
_file("footer-length-0", "file.header", _valid[:-8] + bytes(4) + b"PAR1")
_file("footer-longer-than-file", "file.header", _valid[:-8] + (10**6).to_bytes(4, "little") + b"PAR1")
_file("footer-4-gigabytes", "file.header", _valid[:-8] + b"\xff\xff\xff\xff" + b"PAR1")
_file("footer-length-off-by-one", "file.corrupt", _valid[:-8] + (_footer - 1).to_bytes(4, "little") + b"PAR1")
_file("footer-zeros", "file.corrupt", _valid[: -8 - _footer] + bytes(_footer) + _valid[-8:])
_file("footer-ones", "file.corrupt", _valid[: -8 - _footer] + b"\xff" * _footer + _valid[-8:])
_file("pages-zeros", "file.corrupt", b"PAR1" + bytes(len(_valid) - _footer - 12) + _valid[-8 - _footer :])
_file("pages-lost", "file.corrupt", b"PAR1" + _valid[-8 - _footer :])

for _name in ("id", "speech", "text"):
    _columns(f"without-{_name}", "file.members", **{_name: None})
_columns("extra-column", "file.members", note=pa.array(["x"] * ROWS))
_columns("index-column", "file.members", __index_level_0__=pa.array(range(ROWS)))
_columns("upper-case", "file.members", id=None, ID=pa.array(IDS))
_file("5000-columns", "file.members", parquet(pa.table({f"c{i}": [1] for i in range(5000)})))
_file("no-columns", "file.members", parquet(pa.table({})))
_twice = pa.Table.from_arrays([*table().columns, pa.array(IDS)], names=["id", "speech", "text", "id"])
_file("column-twice", "file.members", parquet(_twice))
_columns("control-name", "file.members", **{"\x1b[2Jnote": pa.array(["x"] * ROWS)})

_columns("ids-integers", "ids.dtype", id=pa.array(range(ROWS)))
_columns("ids-bytes", "ids.dtype", id=pa.array([name.encode() for name in IDS]))
_columns("ids-lists", "ids.dtype", id=pa.array([[name] for name in IDS]))
_columns("ids-of-a-long-type", "ids.dtype", id=pa.array([{"x" * 100: 1}] * ROWS))
_columns("vectors-of-a-long-type", "array.dtype", speech=pa.array([{"x" * 100: 1}] * ROWS))
_bytes = [name.encode() for name in IDS[:-1]] + [b"a\xffb"]
_columns("ids-not-utf-8", "file.corrupt", id=pa.array(_bytes).view(pa.string()))
_columns("ids-floats", "ids.dtype", id=pa.array([float(i) for i in range(ROWS)]))
_columns("ids-dates", "ids.dtype", id=pa.array(range(ROWS), pa.date32()))
_columns("ids-null", "array.null", id=pa.array([*IDS[:-1], None]))
_columns("ids-megabyte", "ids.dtype", id=pa.array(["x" * 10**6] * ROWS))
_columns("ids-dictionary-of-numbers", "ids.dtype", id=pa.array(range(ROWS)).dictionary_encode())
_GOOD_LARGE_STRINGS = {PARQUET: parquet(table(id=pa.array(IDS, pa.large_string())))}
_columns("ids-large-strings-null", "array.null", _GOOD_LARGE_STRINGS, id=pa.array([*IDS[:-1], None], pa.large_string()))
_GOOD_PLAIN = {PARQUET: parquet(use_dictionary=False)}
_file(
    "ids-plain-megabyte",
    "ids.dtype",
    parquet(table(id=pa.array(["x" * 10**5] * ROWS)), use_dictionary=False),
    _GOOD_PLAIN,
)
_GOOD_CATEGORIES = {PARQUET: parquet(table(id=pa.array(IDS).dictionary_encode()))}
_columns(
    "ids-categories-duplicate", "ids.duplicate", _GOOD_CATEGORIES, id=pa.array([*IDS[:-1], IDS[0]]).dictionary_encode()
)

for _kind in (pa.float64(), pa.int8(), pa.int32(), pa.bool_(), pa.string(), pa.decimal128(5, 2), pa.timestamp("s")):
    _values = pa.nulls(ROWS * 4, _kind)
    _columns(f"vectors-of-{_kind}", "array.dtype", speech=pa.FixedSizeListArray.from_arrays(_values, 4))
_columns("vectors-flat", "array.dtype", speech=pa.array([1.0] * ROWS, pa.float32()))
_columns("vectors-bytes", "array.dtype", speech=pa.array([b"\0" * 16] * ROWS))
_columns("vectors-struct", "array.dtype", speech=pa.array([{"a": 1.0}] * ROWS))
_columns("vectors-nested", "array.dtype", speech=pa.array([[[1.0]]] * ROWS, pa.list_(pa.list_(pa.float32()))))
_columns("vectors-map", "array.dtype", speech=pa.array([[("a", 1.0)]] * ROWS, pa.map_(pa.string(), pa.float32())))
_deep = pa.array([1.0] * ROWS, pa.float32())
for _ in range(60):
    _deep = pa.ListArray.from_arrays(pa.array(range(ROWS + 1), pa.int32()), _deep)
_columns("vectors-60-deep", "file.corrupt", speech=_deep)
_rows = vectors(seed=1).tolist()
_columns("vector-null", "array.null", _GOOD_LISTS, speech=_lists(rows=[*_rows[:-1], None]))
_columns("number-null", "array.null", _GOOD_LISTS, speech=_lists(rows=[*_rows[:-1], [1.0, None, 2.0, 3.0]]))
_columns("fixed-vector-null", "array.null", speech=pa.array([*_rows[:-1], None], pa.list_(pa.float32(), 4)))
_columns(
    "large-vector-null", "array.null", _GOOD_LARGE, speech=_lists(pa.large_list(pa.float32()), [*_rows[:-1], None])
)
_columns("ragged", "array.shape", _GOOD_LISTS, speech=_lists(rows=[*_rows[:-1], [1.0]]))
_columns("ragged-large", "array.shape", _GOOD_LARGE, speech=_lists(pa.large_list(pa.float32()), [*_rows[:-1], [1.0]]))
_columns("one-vector-empty", "array.shape", speech=_lists(rows=[*_rows[:-1], []]))
_columns("all-vectors-empty", "array.dim", speech=_lists(rows=[[]] * ROWS), text=_lists(rows=[[]] * ROWS))
_columns(
    "half-precision-infinite", "array.non_finite", _GOOD_HALF, speech=fixed_lists(np.full((ROWS, 4), np.inf, "<f2"))
)

_file("no-rows", "array.dim", parquet(table().slice(0, 0)), {PARQUET: parquet(row_group_size=1)})
_file("one-row-fewer", "ids.missing", parquet(table().slice(1)))
_file("3000-rows", "file.too_large", parquet(pa.concat_tables([table()] * 500)))
_file("1200-row-groups", "file.too_large", parquet(pa.concat_tables([table()] * 200), row_group_size=1))
_zeros = fixed_lists(np.zeros((ROWS, 100_000), "<f4"))
_wide = fixed_lists(np.ones((ROWS, 8192), "<f4"))
_columns(
    "100-thousand-dimensions",
    "file.too_large",
    {PARQUET: parquet(table(speech=_wide, text=_wide))},
    speech=_zeros,
    text=_zeros,
)
_million = fixed_lists(np.zeros((ROWS, 1_000_000), "<f4"))
_columns("million-dimensions", "file.too_large", speech=_million)
_file("compressed-bomb", "file.too_large", parquet(table(speech=_million, text=_million), compression="zstd"))
_GOOD_ZSTD = {PARQUET: parquet(compression="zstd", data_page_version="2.0")}
_file("flipped-page", "file.corrupt", _valid.replace(IDS[0].encode(), b"Qair-007", 1), _GOOD_ZSTD)
_numbers = vectors(seed=1).tobytes()
_plain = parquet(use_dictionary=False, compression="none")
_flipped = _plain.replace(_numbers[:16], bytes([_numbers[0] ^ 1]) + _numbers[1:16])
_file("flipped-number", "file.corrupt", _flipped, {PARQUET: _plain})


def _with_arrow_schema(schema_bytes):
    """A file whose footer claims another Arrow schema than the columns have."""
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, table().schema, store_schema=False, write_page_checksum=True) as writer:
        writer.write_table(table())
        writer.add_key_value_metadata({"ARROW:schema": schema_bytes})
    return stream.getvalue()


_file(
    "arrow-schema-garbage", "file.corrupt", _with_arrow_schema("not base64 !"), {PARQUET: parquet(store_schema=False)}
)
_file(
    "key-values-of-a-megabyte",
    "file.header",
    parquet(table().replace_schema_metadata({"x": "y" * 500_000})),
    {PARQUET: parquet(table().replace_schema_metadata({"x": "y"}))},
)
_pickle = {
    b"ARROW:extension:name": b"arrow.py_extension_type",
    b"ARROW:extension:metadata": b"\x80\x04cposix\nsystem\n.",
}
_extended = pa.schema(
    [table().schema.field("id"), table().schema.field("speech").with_metadata(_pickle), pa.field("text", pa.string())]
)
_file(
    "extension-type",
    "array.dtype",
    parquet(pa.table([table()["id"], table()["speech"], pa.array(IDS)], schema=_extended)),
    {
        PARQUET: parquet(
            pa.table(
                table().columns,
                schema=pa.schema(
                    [
                        table().schema.field("id"),
                        table().schema.field("speech").with_metadata(_pickle),
                        table().schema.field("text"),
                    ]
                ),
            )
        )
    },
)
