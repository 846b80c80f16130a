"""Damaged and hostile `.npy` and `.npz` files."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np

from .cases import case
from .small_release import (
    DIMENSIONS,
    EMBEDDINGS_NPZ,
    ROWS,
    arrays,
    members,
    npy,
    npz,
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
_archive("counts-beyond-sign", "file.members", _patched(_plain, len(_plain) - 12, struct.pack("<HI", 65535, 2**32 - 1)))
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
    _patched(_long, _long.index(_far) + 40_000, b"\1"),
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
            archive.writestr(zipfile.ZipInfo(name), data)
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
