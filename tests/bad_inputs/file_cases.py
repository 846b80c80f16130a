"""Folders and files that are not what they should be before a byte is read."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from .cases import CASES, Case, Files, case
from .small_release import CARD, EMBEDDINGS_NPZ, PARQUET, SAFETENSORS, SIMILARITY_NPZ, VALID, card, npz, zipped


def _link(target):
    return lambda path: path.symlink_to(target)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        # A socket's path may have 108 bytes only.
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def _sparse(path):
    with path.open("wb") as stream:
        stream.write(VALID[EMBEDDINGS_NPZ])
        stream.truncate(10 * 2**30)


def _link_inside(path):
    target = path.with_name("hidden.npz")
    target.write_bytes(npz())
    path.symlink_to(target.name)


for _name in (EMBEDDINGS_NPZ, PARQUET, SAFETENSORS, SIMILARITY_NPZ):
    for _size in (0, 1, 2, 3, 4, 7, 8, 9, 16):
        _data = VALID[_name][:_size]
        _fits = (_size >= 4 and _name != SAFETENSORS) or _size >= 9
        _truncated = "file.header" if _name == SAFETENSORS else "file.corrupt"
        _code = "file.empty" if not _size else _truncated if _fits else "file.format"
        case(f"files/{_name}-of-{_size}-bytes", _code, {_name: _data}, {_name: VALID[_name]})
    case(f"files/{_name}-of-zeros", "file.format", {_name: bytes(100)}, {_name: VALID[_name]})

for _name, _good in ((EMBEDDINGS_NPZ, VALID[EMBEDDINGS_NPZ]), (CARD, card())):
    case(f"files/{_name}-link-to-secret", "file.not_regular", {_name: _link("/etc/hostname")}, {_name: _good})
    case(f"files/{_name}-link-dangling", "file.not_regular", {_name: _link("/nonexistent/x")}, {_name: _good})
    case(f"files/{_name}-link-inside", "file.not_regular", {_name: _link_inside}, {_name: _good})
    case(f"files/{_name}-link-to-itself", "file.not_regular", {_name: _link(_name)}, {_name: _good})
    case(f"files/{_name}-link-to-device", "file.not_regular", {_name: _link("/dev/zero")}, {_name: _good})
    case(f"files/{_name}-pipe", "file.not_regular", {_name: os.mkfifo}, {_name: _good})
    case(f"files/{_name}-folder", "file.not_regular", {_name: lambda path: path.mkdir()}, {_name: _good})
    case(f"files/{_name}-socket", "file.not_regular", {_name: _socket}, {_name: _good})
    case(f"files/{_name}-10-gigabytes", "file.too_large", {_name: _sparse}, {_name: _good})

for _other in (PARQUET, SAFETENSORS, SIMILARITY_NPZ):
    _single: Files = {CARD: card(), _other: VALID[_other]}
    CASES[f"files/two-files-{_other}"] = Case(
        f"files/two-files-{_other}", "folder.ambiguous", _single | {EMBEDDINGS_NPZ: npz()}, _single
    )
    _both = {CARD: card(), EMBEDDINGS_NPZ: npz(), _other: _link("/nonexistent/x")}
    CASES[f"files/two-files-link-{_other}"] = Case(f"files/two-files-link-{_other}", "folder.ambiguous", _both, _single)

_valid = {CARD: card(), EMBEDDINGS_NPZ: npz()}
for _name, _code, _files in (
    ("no-card", "card.missing", {EMBEDDINGS_NPZ: npz()}),
    ("no-vectors", "folder.no_embeddings", {CARD: card()}),
    ("nothing", "card.missing", {}),
    ("upper-case-names", "folder.no_embeddings", {CARD: card(), "Embeddings.NPZ": npz()}),
    ("zip-upload", "folder.no_embeddings", {CARD: card(), "submission.zip": zipped({"../x": b"x"})}),
    ("tar-upload", "folder.no_embeddings", {CARD: card(), "embeddings.tar": bytes(512)}),
    ("name-with-newline", "folder.no_embeddings", {CARD: card(), "embeddings.npz\n": npz()}),
    ("npy-files", "folder.no_embeddings", {CARD: card(), "speech.npy": b"x", "text.npy": b"x"}),
    ("200-files", "folder.extra", _valid | {f"file{i}": b"" for i in range(200)}),
):
    CASES[f"files/{_name}"] = Case(
        f"files/{_name}", _code, _files, _valid | {".DS_Store": b"x", "training.json": b"{}"}
    )
