"""Ids that are not exactly those of the release, once each."""

from __future__ import annotations

import json
import unicodedata

import numpy as np
import pyarrow as pa

from .cases import case
from .small_release import (
    EMBEDDINGS_NPZ,
    IDS,
    PARQUET,
    ROWS,
    SAFETENSORS,
    SIMILARITY_NPZ,
    npz,
    parquet,
    safetensors_file,
    similarity_npz,
    table,
    vectors,
)


def _changed(position, name):
    return [name if i == position else old for i, old in enumerate(IDS)]


def _everywhere(label, code, names, good=None):
    """The same ids in all three formats."""
    width = max(len(name) for name in names)
    if width <= 64:
        case(f"ids/npz-{label}", code, {EMBEDDINGS_NPZ: npz(ids=np.array(names))}, good)
    case(f"ids/parquet-{label}", code, {PARQUET: parquet(table(id=pa.array(names)))})
    case(f"ids/safetensors-{label}", code, {SAFETENSORS: safetensors_file({"ids": json.dumps(names)})})


for _label, _position, _name in (
    ("trailing-space", 0, "pair-007 "),
    ("leading-space", 0, " pair-007"),
    ("newline", 1, "pair-12\n"),
    ("carriage-return", 1, "pair-12\r"),
    ("no-break-space", 1, "pair-12\u00a0"),
    ("zero-width-space", 1, "pair-12\u200b"),
    ("byte-order-mark", 1, "\ufeffpair-12"),
    ("right-to-left", 1, "\u202epair-12"),
    ("upper-case", 3, "PAIR-44"),
    ("decomposed", 2, unicodedata.normalize("NFD", IDS[2])),
    ("full-width", 3, "\uff50air-44"),
    ("cyrillic", 3, "p\u0430ir-44"),
    ("zero-padded", 4, "pair-05"),
    ("zero-stripped", 0, "pair-7"),
    ("printed-bytes", 4, "b'pair-5'"),
    ("parent-folder", 5, "../../etc/passwd"),
    ("absolute", 5, "/etc/passwd"),
    ("device", 5, "CON"),
    ("formula", 5, "=1+1"),
    ("markup", 5, "<script>alert(1)</script>"),
    ("escape-sequence", 5, "\x1b[31mred\x1b[0m"),
    ("empty", 5, ""),
    ("other", 5, "somebody-else"),
):
    _everywhere(_label, "ids.unknown", _changed(_position, _name))
_everywhere("duplicate", "ids.duplicate", _changed(1, IDS[0]), {EMBEDDINGS_NPZ: npz(ids=np.array(IDS, dtype="<U64"))})
_everywhere("all-the-same", "ids.duplicate", [IDS[0]] * ROWS)
_everywhere("all-others", "ids.missing", [f"other-{i}" for i in range(ROWS)])
_everywhere("positions-as-strings", "ids.missing", [str(i) for i in range(ROWS)])
_everywhere("64-characters", "ids.unknown", _changed(0, "x" * 64))
_everywhere("65-characters", "ids.dtype", _changed(0, "x" * 65))
_everywhere("10-kilobytes", "ids.dtype", _changed(0, "x" * 10_000))

for _label, _name in (("nul", "pair-12\0"), ("nul-inside", "pair\0-12")):
    case(f"ids/parquet-{_label}", "ids.dtype", {PARQUET: parquet(table(id=pa.array(_changed(1, _name))))})
    case(
        f"ids/safetensors-{_label}",
        "ids.dtype",
        {SAFETENSORS: safetensors_file({"ids": json.dumps(_changed(1, _name))})},
    )
case("ids/npz-nul-inside", "ids.unknown", {EMBEDDINGS_NPZ: npz(ids=np.array(_changed(1, "pair\0-12")))})

for _rows in (0, 1, ROWS - 1):
    _fewer = {"ids": np.array(IDS[:_rows], "<U8"), "speech": vectors(_rows), "text": vectors(_rows, seed=3)}
    case(f"ids/only-{_rows}", "ids.missing", {EMBEDDINGS_NPZ: npz(**_fewer)})
_more = [*IDS, "extra"]
case(
    "ids/one-more",
    "ids.unknown",
    {EMBEDDINGS_NPZ: npz(ids=np.array(_more), speech=vectors(ROWS + 1), text=vectors(ROWS + 1, seed=3))},
)
case(
    "ids/65-wide",
    "ids.dtype",
    {EMBEDDINGS_NPZ: npz(ids=np.array(IDS, "<U65"))},
    {EMBEDDINGS_NPZ: npz(ids=np.array(IDS, "<U64"))},
)
case("ids/million-wide", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=np.array(["a"], "<U100000"), compressed=True)})
case("ids/two-axes", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=np.array(IDS).reshape(2, 3))})
case("ids/bytes", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=np.array([b"a"] * ROWS))})
case("ids/floats", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=np.ones(ROWS))})
case("ids/objects", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=np.array(IDS, dtype=object))})
case(
    "ids/big-endian",
    "ids.unknown",
    {EMBEDDINGS_NPZ: npz(ids=np.array(_changed(0, "no"), ">U8"))},
    {EMBEDDINGS_NPZ: npz(ids=np.array(IDS, ">U8"))},
)
for _label, _code_point in (
    ("beyond-unicode", 0x7FFFFFFF),
    ("just-beyond-unicode", 0x110000),
    ("lone-surrogate", 0xD800),
):
    _codes = np.array(IDS, "<U8").view("<u4").reshape(ROWS, 8).copy()
    _codes[1, 0] = _code_point
    case(f"ids/{_label}", "ids.dtype", {EMBEDDINGS_NPZ: npz(ids=_codes.view("<U8").reshape(ROWS))})
case(
    "ids/json-lone-surrogate", "ids.dtype", {SAFETENSORS: safetensors_file({"ids": json.dumps(_changed(0, "\ud800"))})}
)
for _label, _text in (
    ("no-json", "pair-007, pair-12"),
    ("no-list", '{"0": "pair-007"}'),
    ("numbers", "[1, 2, 3, 4, 5, 6]"),
    ("nested", json.dumps([list(IDS)])),
    ("deep", "[" * 100_000),
    ("null", "null"),
):
    case(f"ids/json-{_label}", "ids.dtype", {SAFETENSORS: safetensors_file({"ids": _text})})
case(
    "ids/json-absent",
    "ids.dtype",
    {SAFETENSORS: safetensors_file({"format": "np"})},
    {SAFETENSORS: safetensors_file({"format": "np", "ids": json.dumps(list(IDS))})},
)
case(
    "ids/similarity-speech-unknown",
    "ids.unknown",
    {SIMILARITY_NPZ: similarity_npz(speech_ids=np.array(_changed(0, "no")))},
    {SIMILARITY_NPZ: similarity_npz(speech_ids=np.array(IDS)[::-1])},
)
case(
    "ids/similarity-text-duplicate",
    "ids.duplicate",
    {SIMILARITY_NPZ: similarity_npz(text_ids=np.array(_changed(0, IDS[1])))},
)
case("ids/similarity-numbers", "ids.dtype", {SIMILARITY_NPZ: similarity_npz(text_ids=np.arange(ROWS))})
