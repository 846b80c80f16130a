"""Damaged and hostile `.safetensors` files, and files whose content is not what their name says."""

from __future__ import annotations

import json

import numpy as np

from .cases import case
from .small_release import (
    EMBEDDINGS_NPZ,
    PARQUET,
    ROWS,
    SAFETENSORS,
    SIMILARITY_NPZ,
    VALID,
    framed,
    members,
    npy,
    safetensors_file,
    vectors,
    zipped,
)

# --- the suffix and the content disagree
for _name in VALID:
    for _other, _data in VALID.items():
        if (_name.endswith("npz"), _name) != (_other.endswith("npz"), _other) and _name[-3:] != _other[-3:]:
            case(f"format/{_name}-holding-{_other}", "file.format", {_name: _data}, {_name: VALID[_name]})
case(
    "format/zip-before-safetensors", "file.format", {SAFETENSORS: zipped(members())}, {SAFETENSORS: VALID[SAFETENSORS]}
)
case("format/npy-as-npz", "file.format", {EMBEDDINGS_NPZ: npy(vectors())})
case("format/pickle-as-npz", "file.format", {EMBEDDINGS_NPZ: b"\x80\x04cposix\nsystem\n."})
case("format/html-as-parquet", "file.format", {PARQUET: b"<html>404</html>"})
case(
    "format/git-lfs-pointer",
    "file.format",
    {PARQUET: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"},
)
case("format/text-as-similarity", "file.format", {SIMILARITY_NPZ: b"1,2,3\n"})

# --- safetensors
_safe = VALID[SAFETENSORS]
_length = int.from_bytes(_safe[:8], "little")
_header = json.loads(_safe[8 : 8 + _length])
_tensors = _safe[8 + _length :]


def _tensor(label, code, data, good=None):
    case(f"safetensors/{label}", code, {SAFETENSORS: data}, good)


def _edited(tensor="speech", metadata=None, **changes):
    header = json.loads(json.dumps(_header))
    header["__metadata__"].pop("sha256")
    header["__metadata__"] |= metadata or {}
    header[tensor] |= changes
    return framed(header, _tensors)


for _label, _told in (("beyond-file", 10**6), ("2-to-63", 2**63), ("100-megabytes", 10**8), ("zero", 0), ("one", 1)):
    _tensor(f"length-{_label}", "file.header", _told.to_bytes(8, "little") + _safe[8:])
_tensor("deep", "file.header", framed(b"{" + b'"a":{' * 50_000))
_tensor("not-utf-8", "file.header", framed(b'{"\xff": 1}'))
_tensor("digits", "file.header", framed(b'{"a": ' + b"9" * 5000 + b"}"))
_tensor(
    "leading-space",
    "file.format",
    framed(b" " + json.dumps(_header).encode(), _tensors),
    {SAFETENSORS: framed(json.dumps(_header).encode() + b"  ", _tensors)},
)
_tensor("header-torn", "file.header", framed(json.dumps(_header).encode()[:-1], _tensors))
_tensor(
    "metadata-of-50-megabytes-shrunk",
    "file.header",
    (5 * 10**7).to_bytes(8, "little") + b'{"__metadata__":{"a":"' + b"x" * 2**20,
)
_text = json.dumps(_header)
_tensor(
    "duplicate-tensor",
    "file.header",
    framed((_text[:-1] + ', "speech": ' + json.dumps(_header["speech"]) + "}").encode(), _tensors),
)
_tensor("duplicate-metadata", "file.header", framed(_text.replace('"sha256"', '"ids"').encode(), _tensors))
_tensor(
    "duplicate-field",
    "file.header",
    framed(
        _text.replace('"dtype": "F32", "shape": [6, 4]', '"dtype": "F32", "dtype": "F32", "shape": [6, 4]', 1).encode(),
        _tensors,
    ),
)
_tensor("metadata-number", "file.members", framed(_header | {"__metadata__": {"ids": 5}}, _tensors))
_tensor("metadata-list", "ids.dtype", framed(_header | {"__metadata__": [1]}, _tensors))
_tensor(
    "metadata-unknown",
    "file.members",
    _edited(metadata={"licence": "MIT"}),
    {SAFETENSORS: _edited(metadata={"format": "np"})},
)
_tensor("metadata-control-name", "file.members", _edited(metadata={"\x1b[31m": "x"}))
_tensor("no-metadata", "ids.dtype", framed({k: v for k, v in _header.items() if k != "__metadata__"}, _tensors))
_tensor(
    "unknown-tensor",
    "file.members",
    framed(_header | {"extra": {"dtype": "F32", "shape": [0], "data_offsets": [192, 192]}}, _tensors),
)
_tensor(
    "100-thousand-tensors",
    "file.members",
    framed({"__metadata__": _header["__metadata__"]} | {f"t{i}": 1 for i in range(50_000)}),
)
_tensor("text-missing", "file.members", framed({k: v for k, v in _header.items() if k != "text"}, _tensors[:96]))
_tensor("tensor-is-a-number", "file.header", framed(_header | {"text": 5}, _tensors))
_tensor("tensor-unknown-field", "file.header", _edited(note="x"))
_tensor(
    "tensor-without-offsets", "file.header", framed(_header | {"text": {"dtype": "F32", "shape": [6, 4]}}, _tensors)
)
_tensor("dtype-is-a-list", "file.header", _edited(dtype=["F32"]))
for _dtype in ("BF16", "F8_E4M3", "F8_E5M2", "I8", "I32", "I64", "U8", "BOOL", "F4", "f32", "", "F128"):
    _tensor(f"dtype-{_dtype or 'empty'}", "array.dtype", _edited(dtype=_dtype))
for _label, _shape, _code in (
    ("scalar", [], "array.shape"),
    ("one-axis", [24], "array.shape"),
    ("three-axes", [6, 4, 1], "array.shape"),
    ("negative", [-6, -4], "array.shape"),
    ("float", [6.0, 4], "array.shape"),
    ("boolean", [True, 4], "array.shape"),
    ("string", "6, 4", "array.shape"),
    ("null", None, "array.shape"),
    ("zero-times-2-to-62", [0, 2**62], "array.shape"),
    ("zero-times-2-to-39", [0, 2**39], "file.too_large"),
    ("2-to-40", [1, 2**40], "array.shape"),
    ("nearly-2-to-40", [1, 2**40 - 1], "file.too_large"),
    ("billion", [6, 10**9], "file.too_large"),
    ("more-numbers-than-allowed", [1000, 100], "file.too_large"),
    ("as-many-numbers-as-allowed", [2 * 8192, ROWS], "file.corrupt"),
    ("one-row-more", [7, 4], "file.corrupt"),
    ("one-row-fewer", [5, 4], "file.corrupt"),
    ("exchanged", [4, 6], "array.rows"),
):
    _tensor(f"shape-{_label}", _code, _edited(shape=_shape), {SAFETENSORS: safetensors_file(checksum=False)})
for _label, _offsets in (
    ("reversed", [96, 0]),
    ("negative", [-96, 0]),
    ("overlapping", [96, 192]),
    ("beyond", [192, 288]),
    ("gap", [0, 95]),
    ("one-number", [0]),
    ("float", [0.0, 96.0]),
    ("null", None),
    ("2-to-63", [2**63, 2**63 + 96]),
):
    _tensor(
        f"offsets-{_label}",
        "file.corrupt",
        _edited(data_offsets=_offsets),
        {SAFETENSORS: safetensors_file(checksum=False)},
    )
_laid_out = {SAFETENSORS: safetensors_file(checksum=False)}
for _label, _first, _second, _more in (
    ("begin-late", [4, 100], [100, 196], 4),
    ("have-a-gap", [0, 96], [100, 196], 4),
    ("end-early", [0, 96], [96, 192], 4),
):
    _entries = {
        name: _header[name] | {"data_offsets": offsets} for name, offsets in (("speech", _first), ("text", _second))
    }
    _told = {"__metadata__": {"ids": _header["__metadata__"]["ids"]}}
    _tensor(f"tensors-{_label}", "file.corrupt", framed(_entries | _told, _tensors + bytes(_more)), _laid_out)
_tensor("body-short", "file.corrupt", _safe[:-1])
_tensor("body-long", "file.corrupt", _safe + b"\0")
_tensor("checksum-wrong", "file.corrupt", _edited(metadata={"sha256": "0" * 64}))
_tensor("numbers-flipped", "file.corrupt", _safe[:-1] + bytes([_safe[-1] ^ 1]))
_tensor(
    "float64-nan",
    "array.non_finite",
    safetensors_file(speech=np.full((ROWS, 4), np.nan)),
    {SAFETENSORS: safetensors_file(speech=vectors(dtype="<f8"))},
)
