"""Damaged and hostile `.npy`, `.npz` and `.safetensors` files."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np

from .cases import case
from .small_release import (
    DIMENSIONS,
    EMBEDDINGS_NPZ,
    IDS,
    PARQUET,
    ROWS,
    SAFETENSORS,
    SIMILARITY_NPZ,
    VALID,
    arrays,
    framed,
    members,
    npy,
    npz,
    safetensors_file,
    vectors,
    zipped,
)

_BODY = vectors(seed=1).tobytes()


def _npy_header(text, version=(1, 0), body=_BODY, length=None):
    size = "<H" if version[0] == 1 else "<I"
    told = len(text) if length is None else length
    return b"\x93NUMPY" + bytes(version) + struct.pack(size, told) + text + body


def _speech(data):
    return {EMBEDDINGS_NPZ: zipped(members(speech=data))}


def _described(descr="'<f4'", fortran="False", shape=f"({ROWS}, {DIMENSIONS})", rest=", "):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}{rest}}}".encode()


_GOOD = _speech(_npy_header(_described()))
for _label, _text in {
    "deep-parentheses": b"(" * 3000,
    "minus-signs": b"-" * 3900,
    "not-latin": b"\xff\xfe\x00{",
    "empty": b"",
    "python-call": b"__import__('os').system('touch canary')",
    "no-dictionary": b"[1, 2]",
    "open-string": b"{'descr': '<f4",
    "duplicate-keys": b"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), }",
    "extra-key": b"{'descr': '<f4', 'extra': 1, 'fortran_order': False, 'shape': (6, 4), }",
    "boolean-shape": _described(shape="(True, 4)"),
    "negative-shape": _described(shape="(-1, 4)"),
    "float-shape": _described(shape="(6.0, 4)"),
    "long-number": _described(shape=f"({'9' * 3000}, 4)"),
    "thirteen-digits": _described(shape="(1000000000000, 4)"),
    "fortran-number": _described(fortran="1"),
    "list-of-types": _described(descr="[('a', '<f4')]"),
    "65-axes": _described(shape=f"({', '.join(['1'] * 65)})"),
    "nul": _described() + b"\0",
    "trailing-code": _described() + b";1",
}.items():
    case(f"npy/header-{_label}", "file.header", _speech(_npy_header(_text)), _GOOD)
for _label, _shape, _code in (
    ("billion-columns", "(6, 1000000000)", "file.too_large"),
    ("billion-rows", "(1000000000, 4)", "file.too_large"),
    ("many-axes-multiplied", "(1000, 1000, 1000, 1000)", "file.too_large"),
    ("zero-times-huge", "(0, 999999999999)", "file.too_large"),
    ("one-row-more-than-data", "(7, 4)", "file.corrupt"),
    ("one-row-fewer-than-data", "(5, 4)", "file.corrupt"),
):
    case(f"npy/shape-{_label}", _code, _speech(_npy_header(_described(shape=_shape))), _GOOD)
for _label, _descr, _code in (
    ("object", "'|O'", "array.dtype"),
    ("string", "'<U4'", "array.dtype"),
    ("void", "'|V1000000'", "array.dtype"),
    ("float128", "'<f16'", "array.dtype"),
    ("unknown", "'<q9'", "array.dtype"),
    ("date", "'<M8[ns]'", "file.header"),
    ("no-order", "'f4'", "array.dtype"),
    ("comma", "'<f4,<f4'", "file.header"),
):
    case(f"npy/descr-{_label}", _code, _speech(_npy_header(_described(descr=_descr))), _GOOD)
_canary = b"\x80\x04\x95\x1e\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x05touch\x94\x85\x94R\x94."
case("npy/pickle", "file.header", _speech(_canary), _GOOD)
case(
    "npy/pickle-after-header",
    "array.dtype",
    _speech(_npy_header(_described(descr="'|O'", shape="(6,)"), body=_canary)),
    _GOOD,
)
case("npy/version-0", "file.header", _speech(_npy_header(_described(), version=(0, 0))), _GOOD)
case("npy/version-1.1", "file.header", _speech(_npy_header(_described(), version=(1, 1))), _GOOD)
case(
    "npy/version-4",
    "file.header",
    _speech(_npy_header(_described(), version=(4, 0))),
    _speech(_npy_header(_described(), version=(3, 0))),
)
case("npy/magic", "file.header", _speech(b"\x94NUMPY" + npy(vectors())[6:]), _speech(npy(vectors())))
case("npy/length-beyond-file", "file.header", _speech(_npy_header(_described(), length=65535)), _GOOD)
case(
    "npy/length-4-gigabytes",
    "file.header",
    _speech(_npy_header(_described(), version=(2, 0), length=2**32 - 1)),
    _speech(_npy_header(_described(), version=(2, 0))),
)
case(
    "npy/header-4097",
    "file.header",
    _speech(_npy_header(_described().ljust(4097))),
    _speech(_npy_header(_described().ljust(4096))),
)
case("npy/trailing-byte", "file.corrupt", _speech(_npy_header(_described(), body=_BODY + b"\0")), _GOOD)
case("npy/missing-byte", "file.corrupt", _speech(_npy_header(_described(), body=_BODY[:-1])), _GOOD)
case("npy/no-data", "file.corrupt", _speech(_npy_header(_described(), body=b"")), _GOOD)
for _size in (0, 1, 5, 6, 9, 11):
    case(f"npy/{_size}-bytes", "file.header", _speech(npy(vectors())[:_size]), _speech(npy(vectors())))

# --- archives
_STORED = {EMBEDDINGS_NPZ: zipped(members())}


def _archive(label, code, data, good=None):
    case(f"npz/{label}", code, {EMBEDDINGS_NPZ: data}, good or _STORED)


def _without(name):
    return {key: data for key, data in members().items() if key != f"{name}.npy"}


def _patched(data, offset, new):
    return data[:offset] + new + data[offset + len(new) :]


_plain = zipped(members())
_directory = _plain.index(b"PK\x01\x02")
for _name in ("ids", "speech", "text"):
    _archive(f"without-{_name}", "file.members", zipped(_without(_name)))
_archive("empty", "file.format", zipped({}))
_archive("extra-member", "file.members", zipped(members() | {"extra.npy": npy(vectors())}))
_archive("extra-folder", "file.members", zipped(members() | {"folder/": b""}))
_archive("parent-path", "file.members", zipped(_without("ids") | {"../ids.npy": members()["ids.npy"]}))
_archive("absolute-path", "file.members", zipped(_without("ids") | {"/ids.npy": members()["ids.npy"]}))
_archive("no-suffix", "file.members", zipped({name.removesuffix(".npy"): data for name, data in members().items()}))
_archive("upper-case", "file.members", zipped({name.upper(): data for name, data in members().items()}))
_archive("both-names", "file.members", zipped(members() | {"speech": npy(vectors())}))
_archive("many-members", "file.members", zipped({f"m{i}.npy": b"" for i in range(2000)}))
_archive("comment", "file.corrupt", zipped(members(), comment=b"x" * 60_000))
_archive("bytes-after", "file.corrupt", _plain + b"\0")
_archive("bytes-before", "file.format", b"\0" + _plain)
_archive("end-record-only", "file.format", _plain[-22:])
_archive("end-record-lost", "file.corrupt", _plain[:-22])
_archive("directory-lost", "file.corrupt", _plain[:_directory] + _plain[-22:])
_archive("encrypted", "file.members", _patched(_plain, _directory + 8, b"\x01\0"))
_archive(
    "bzip2",
    "file.members",
    zipped(members(), zipfile.ZIP_BZIP2),
    {EMBEDDINGS_NPZ: zipped(members(), zipfile.ZIP_DEFLATED)},
)
_archive("lzma", "file.members", zipped(members(), zipfile.ZIP_LZMA), {EMBEDDINGS_NPZ: npz(compressed=True)})
_archive("unknown-method", "file.members", _patched(_plain, _directory + 10, b"\x63\0"))
_archive("wrong-checksum", "file.corrupt", _patched(_plain, _directory + 16, b"\0\0\0\0"))
_archive("size-too-small", "file.corrupt", _patched(_plain, _directory + 24, struct.pack("<I", 10)))
_archive("size-too-large", "file.too_large", _patched(_plain, _directory + 24, struct.pack("<I", 2**31)))
_archive("offset-beyond", "file.corrupt", _patched(_plain, _directory + 42, struct.pack("<I", 2**30)))
_archive("count-wrong", "file.members", _patched(_plain, len(_plain) - 12, struct.pack("<HI", 2, 2**24)))
_archive("zip64", "file.members", _plain[:-22] + b"PK\x06\x07" + bytes(16) + _plain[-22:])
_archive("extra-field-torn", "file.corrupt", _patched(_plain, _directory + 30, b"\xff\xff"))
_archive(
    "deflate-garbage", "file.corrupt", _patched(_packed := zipped(members(), zipfile.ZIP_DEFLATED), 38, b"\xff" * 30)
)
_archive("numbers-flipped", "file.corrupt", _patched(_plain, _plain.index(_BODY) + 5, bytes([_BODY[5] ^ 1])))
_far = npy(np.ones((ROWS, 2048), "<f4"))
_long = zipped(members(speech=_far, text=_far))
_archive(
    "numbers-flipped-far-in",
    "file.corrupt",
    _patched(_long, _long.index(_far) + 40_000, b"\0"),
    {EMBEDDINGS_NPZ: _long},
)
_bomb = zipped(members(speech=npy(np.zeros((ROWS, 2**20), "<f4"))), zipfile.ZIP_DEFLATED)
_archive("bomb", "file.too_large", _bomb, {EMBEDDINGS_NPZ: zipped(members(), zipfile.ZIP_DEFLATED)})
_lying = zipped(members(speech=npy(np.zeros((ROWS, 2**20), "<f4"))), zipfile.ZIP_DEFLATED)
_entry = _lying.index(b"PK\x01\x02", _lying.index(b"PK\x01\x02") + 4)
_archive("bomb-that-lies", "file.corrupt", _patched(_lying, _entry + 24, struct.pack("<I", 224)))
_archive(
    "header-bomb",
    "file.header",
    zipped(members(speech=_npy_header(b" " * 2**20, version=(3, 0))), zipfile.ZIP_DEFLATED),
)


def _duplicate_names():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in [*members().items(), ("ids.npy", npy(arrays()["ids"]))]:
            archive.writestr(name, data)
    return stream.getvalue()


def _overlapping():
    """Every entry of the directory points at the same local header."""
    data = bytearray(_plain)
    position = data.index(b"PK\x01\x02")
    while (position := data.find(b"PK\x01\x02", position + 4)) != -1:
        data[position + 42 : position + 46] = bytes(4)
    return bytes(data)


_archive("duplicate-names", "file.members", _duplicate_names())
_archive("overlapping", "file.corrupt", _overlapping())

# --- the suffix and the content disagree
for _name in VALID:
    for _other, _data in VALID.items():
        if (_name.endswith("npz"), _name) != (_other.endswith("npz"), _other) and _name[-3:] != _other[-3:]:
            case(f"format/{_name}-holding-{_other}", "file.format", {_name: _data}, {_name: VALID[_name]})
case("format/zip-before-safetensors", "file.format", {SAFETENSORS: _plain}, {SAFETENSORS: VALID[SAFETENSORS]})
case("format/npy-as-npz", "file.format", {EMBEDDINGS_NPZ: npy(vectors())})
case("format/pickle-as-npz", "file.format", {EMBEDDINGS_NPZ: _canary})
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
    ("billion", [6, 10**9], "file.too_large"),
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
assert len(IDS) == ROWS
