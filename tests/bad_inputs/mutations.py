"""Damaged bytes from seeds: every truncation, every flipped bit, and random mutations of valid files."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable

from .small_release import (
    EMBEDDINGS_NPZ,
    PARQUET,
    SAFETENSORS,
    SIMILARITY_NPZ,
    VALID,
    framed,
    members,
    npz,
    parquet,
    zipped,
)

#: Files that are damaged: names say what is done to them and where they belong.
ORIGINALS: dict[str, tuple[str, bytes]] = {
    "npz": (EMBEDDINGS_NPZ, VALID[EMBEDDINGS_NPZ]),
    "npz deflated": (EMBEDDINGS_NPZ, npz(compressed=True)),
    "similarity": (SIMILARITY_NPZ, VALID[SIMILARITY_NPZ]),
    "safetensors": (SAFETENSORS, VALID[SAFETENSORS]),
    "parquet": (PARQUET, VALID[PARQUET]),
    "parquet zstd": (PARQUET, parquet(compression="zstd", data_page_version="2.0", use_dictionary=False)),
}
_NUMBERS = [0, 1, 2, 3, 127, 128, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1]


def truncation(data: bytes, index: int) -> bytes:
    """The first `index` bytes."""
    return data[:index]


def flip(data: bytes, index: int) -> bytes:
    """Bit `index` changed."""
    changed = bytearray(data)
    changed[index // 8] ^= 1 << (index % 8)
    return bytes(changed)


def mutation(data: bytes, name: str, index: int, seed: int) -> bytes:
    """Mutation `index` of a file: one to four random operations."""
    draw = random.Random(f"{seed}/{name}/{index}")
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        data = draw.choice(_OPERATIONS)(data, draw)
    return data


def inner_mutation(name: str, index: int, seed: int) -> bytes:
    """A file whose frame is whole and whose header, inside checksums, was mutated: deeper than random bytes get."""
    draw = random.Random(f"{seed}/inner/{name}/{index}")
    if name == "safetensors":
        data = VALID[SAFETENSORS]
        length = int.from_bytes(data[:8], "little")
        header = _changed_text(data[8 : 8 + length], draw)
        return framed(header, data[8 + length :])
    if name.startswith("parquet"):
        data = ORIGINALS[name][1]
        start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        return data[:start] + _changed_text(data[start:-8], draw, keep_length=True) + data[-8:]
    changed = {key: _changed_text(value[:128], draw) + value[128:] for key, value in members().items()}
    return zipped(changed, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _changed_text(text: bytes, draw: random.Random, *, keep_length: bool = False) -> bytes:
    for _ in range(draw.choice((0, 1, 1, 2, 3))):
        changed = draw.choice(_SAME_LENGTH if keep_length else _OPERATIONS)(text, draw)
        text = changed or text
    return text


def _span(data: bytes, draw: random.Random, longest: int = 64) -> tuple[int, int]:
    begin = draw.randrange(len(data) + 1)
    return begin, min(len(data), begin + draw.randint(1, longest))


def _set_bytes(data: bytes, draw: random.Random) -> bytes:
    begin, end = _span(data, draw, 4)
    return data[:begin] + draw.randbytes(end - begin) + data[end:]


def _flip_bits(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 3)):
        data = flip(data, draw.randrange(max(1, 8 * len(data)))) if data else data
    return data


def _number(data: bytes, draw: random.Random) -> bytes:
    size = draw.choice((1, 2, 4, 8))
    begin = draw.randrange(max(1, len(data) - size + 1))
    new = (draw.choice(_NUMBERS) % 256**size).to_bytes(size, draw.choice(("little", "big")))
    return data[:begin] + new + data[begin + size :]


def _insert(data: bytes, draw: random.Random) -> bytes:
    begin, _ = _span(data, draw)
    return data[:begin] + draw.randbytes(draw.randint(1, 16)) + data[begin:]


def _delete(data: bytes, draw: random.Random) -> bytes:
    begin, end = _span(data, draw)
    return data[:begin] + data[end:]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    begin, end = _span(data, draw)
    return data[:end] + data[begin:end] * draw.randint(1, 50) + data[end:]


def _zero(data: bytes, draw: random.Random) -> bytes:
    begin, end = _span(data, draw)
    return data[:begin] + bytes(end - begin) + data[end:]


def _move(data: bytes, draw: random.Random) -> bytes:
    (begin, end), (to, _) = _span(data, draw), _span(data, draw)
    return data[:to] + data[begin:end] + data[to + end - begin :]


def _splice(data: bytes, draw: random.Random) -> bytes:
    other = draw.choice(list(VALID.values()))
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other)) :]


def _digits(data: bytes, draw: random.Random) -> bytes:
    digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
    if not digits:
        return data
    place = draw.choice(digits)
    new = draw.choice((b"0", b"9", b"7", b"99999", b"-1", b"1e9", b"2147483648", b"18446744073709551616"))
    return data[:place] + new + data[place + 1 :]


_Operation = Callable[[bytes, random.Random], bytes]
_SAME_LENGTH: list[_Operation] = [
    _set_bytes,
    _flip_bits,
    _zero,
    _move,
    lambda data, draw: _number(data, draw)[: len(data)],
]
_OPERATIONS: list[_Operation] = [*_SAME_LENGTH, _number, _insert, _delete, _repeat, _splice, _digits, _digits]
