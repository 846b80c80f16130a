"""A release of six pairs and valid submissions to it: what the bad inputs differ from by one thing each."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.numpy
from igbo_align.files import sha256_of_bytes
from igbo_align.protocol.bundled_specs import load_spec
from igbo_align.protocol.release import Release

IDS = ("pair-007", "pair-12", "Ọkụ-3", "pair-44", "pair-5", "a/b")
ROWS, DIMENSIONS = len(IDS), 4
EMBEDDINGS_NPZ, SIMILARITY_NPZ = "embeddings.npz", "similarity.npz"
SAFETENSORS, PARQUET, CARD = "embeddings.safetensors", "embeddings.parquet", "submission.json"


@cache
def release() -> Release:
    """A release that knows its ids and its name; nothing else is looked at before scoring."""
    pairs = pa.table({"id": list(IDS)})
    return Release(Path(), load_spec("custom"), "ab" * 32, pairs, {}, None)


def vectors(rows: int = ROWS, dimensions: int = DIMENSIONS, seed: int = 0, dtype: str = "<f4") -> np.ndarray:
    """Seeded vectors."""
    return np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(dtype)


def arrays(**replaced: Any) -> dict[str, np.ndarray]:
    """The arrays of a valid submission, some replaced."""
    return {"ids": np.array(IDS), "speech": vectors(seed=1), "text": vectors(seed=2)} | replaced


def npz(compressed: bool = False, **replaced: Any) -> bytes:
    """An `.npz` as NumPy writes it."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays(**replaced))
    return stream.getvalue()


def similarity_npz(**replaced: Any) -> bytes:
    """A similarity matrix as NumPy writes it."""
    ids = np.array(IDS)
    content = {"speech_ids": ids, "text_ids": ids[::-1], "similarity": vectors(ROWS, ROWS)} | replaced
    stream = io.BytesIO()
    np.savez(stream, **content)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    """An `.npy` as NumPy writes it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    """A zip archive of any members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():  # always of the same day, so that equal members are equal archives
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return stream.getvalue()


def members(**replaced: bytes) -> dict[str, bytes]:
    """Members of a valid archive, some replaced by other bytes."""
    return {f"{name}.npy": npy(array) for name, array in arrays().items()} | {
        f"{name}.npy": data for name, data in replaced.items()
    }


def safetensors_file(metadata: dict[str, str] | None = None, *, checksum: bool = True, **replaced: np.ndarray) -> bytes:
    """A `.safetensors` as its library writes it, with the checksum that the format lacks."""
    tensors = {name: array for name, array in arrays(**replaced).items() if name != "ids"}
    told = {"ids": json.dumps(list(IDS))} if metadata is None else metadata
    data = safetensors.numpy.save(tensors, told)
    start = 8 + int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:start]), data[start:]
    if checksum:
        told = told | {"sha256": sha256_of_bytes(body)}
    # The library writes metadata in a random order; a corpus is the same every time.
    text = json.dumps(header | {"__metadata__": dict(sorted(told.items()))}, separators=(",", ":"), sort_keys=True)
    return framed(text.ljust(-(-len(text) // 8) * 8).encode(), body)


def framed(header: Any, body: bytes = b"") -> bytes:
    """A `.safetensors` of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def table(**replaced: Any) -> pa.Table:
    """The columns of a valid parquet file, some replaced, None to leave one out."""
    columns = {"id": pa.array(IDS), "speech": fixed_lists(vectors(seed=1)), "text": fixed_lists(vectors(seed=2))}
    return pa.table({name: column for name, column in (columns | replaced).items() if column is not None})


def fixed_lists(matrix: np.ndarray) -> pa.Array:
    """An (n, d) matrix as fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1])


def parquet(content: pa.Table | None = None, **options: Any) -> bytes:
    """A parquet file with checksums on its pages."""
    stream = io.BytesIO()
    pq.write_table(table() if content is None else content, stream, **({"write_page_checksum": True} | options))
    return stream.getvalue()


def fields(**replaced: Any) -> dict[str, Any]:
    """The fields of a valid card, some replaced."""
    return {
        "schema_version": 1,
        "system": {"name": "ridge", "org": "tests", "revision": "1", "licence": "MIT"},
        "speech_encoder": {"id": "openai/whisper-tiny"},
        "text_encoder": {"id": "tests/text", "prompt": "query: "},
        "alignment": {"method": "none", "trained_on_pairs": "none"},
        "submitter": "Adaeze Ọkafọ",
        "created": "2026-01-02",
        "benchmark": release().benchmark(),
    } | replaced


def card(pointer: str = "", value: Any = None) -> bytes:
    """A valid card, with the field at `pointer` (`system/name`) replaced."""
    document = fields()
    if pointer:
        *parents, last = pointer.split("/")
        part = document
        for name in parents:
            part[name] = dict(part[name])
            part = part[name]
        part[last] = value
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


VALID = {
    EMBEDDINGS_NPZ: npz(),
    SIMILARITY_NPZ: similarity_npz(),
    SAFETENSORS: safetensors_file(),
    PARQUET: parquet(),
}
