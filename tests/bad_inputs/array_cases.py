"""Numbers that are no vectors: not finite, not normalisable, of a wrong type or shape."""

from __future__ import annotations

import numpy as np

from .cases import case
from .small_release import (
    DIMENSIONS,
    EMBEDDINGS_NPZ,
    PARQUET,
    ROWS,
    SAFETENSORS,
    SIMILARITY_NPZ,
    arrays,
    fixed_lists,
    npz,
    parquet,
    safetensors_file,
    similarity_npz,
    table,
    vectors,
)


def _with(value, where):
    matrix = vectors(seed=1)
    matrix[where] = value
    return matrix


_WHERE = {"cell": (2, 1), "row": 3, "matrix": slice(None)}
for _label, _value in {"nan": np.nan, "inf": np.inf, "minus-inf": -np.inf}.items():
    for _place, _index in _WHERE.items():
        _good = {EMBEDDINGS_NPZ: npz(speech=_with(0.5, _index))}
        case(
            f"arrays/{_label}-{_place}",
            "array.non_finite",
            {EMBEDDINGS_NPZ: npz(speech=_with(_value, _index))},
            _good,
        )
    case(
        f"arrays/{_label}-parquet",
        "array.non_finite",
        {PARQUET: parquet(table(text=fixed_lists(_with(_value, 1))))},
        {PARQUET: parquet(table(text=fixed_lists(_with(0.5, 1))))},
    )
    case(
        f"arrays/{_label}-safetensors",
        "array.non_finite",
        {SAFETENSORS: safetensors_file(text=_with(_value, 1))},
        {SAFETENSORS: safetensors_file(text=_with(0.5, 1))},
    )
    case(
        f"arrays/{_label}-float16",
        "array.non_finite",
        {EMBEDDINGS_NPZ: npz(text=_with(_value, 0).astype("<f2"))},
        {EMBEDDINGS_NPZ: npz(text=vectors().astype("<f2"))},
    )

for _label, _bad, _fine in (
    ("zero-row", 0.0, 1e-5),
    ("minus-zero-row", -0.0, -1e-5),
    ("denormal", 1e-40, 1e-5),
    ("just-below", 4.9e-7, 5.1e-7),
    ("just-above", 5.1e5, 4.9e5),
    ("largest-float32", 3e38, 4e5),
):
    _good = {EMBEDDINGS_NPZ: npz(speech=_with(_fine, 3))}
    case(f"arrays/norm-{_label}", "array.norm", {EMBEDDINGS_NPZ: npz(speech=_with(_bad, 3))}, _good)
_huge = _with(1.0, 3).astype("<f8")
_huge[3] = 1e200
case(
    "arrays/norm-overflow-float64",
    "array.norm",
    {EMBEDDINGS_NPZ: npz(text=_huge)},
    {EMBEDDINGS_NPZ: npz(text=vectors(dtype="<f8"))},
)


def _of_dimension(dimensions):
    return {EMBEDDINGS_NPZ: npz(speech=vectors(dimensions=dimensions), text=vectors(dimensions=dimensions, seed=5))}


case("arrays/dimensions-0", "array.dim", _of_dimension(0), _of_dimension(1))
case("arrays/dimensions-8193", "array.dim", _of_dimension(8193), _of_dimension(8192))
case(
    "arrays/dimensions-differ",
    "array.dim_mismatch",
    {EMBEDDINGS_NPZ: npz(text=vectors(dimensions=5))},
    _of_dimension(2),
)
for _rows in (0, 1, ROWS - 1, ROWS + 1, 40):
    case(f"arrays/rows-{_rows}", "array.rows", {EMBEDDINGS_NPZ: npz(speech=vectors(rows=_rows))})
case(
    "arrays/transposed",
    "array.rows",
    {EMBEDDINGS_NPZ: npz(speech=vectors(seed=1).T)},
    {EMBEDDINGS_NPZ: npz(speech=np.asfortranarray(vectors(seed=1)))},
)
case(
    "arrays/square-transposed-is-valid-in-shape",
    "array.dim_mismatch",
    {EMBEDDINGS_NPZ: npz(speech=vectors(ROWS, ROWS))},
    {EMBEDDINGS_NPZ: npz(speech=vectors(ROWS, ROWS), text=vectors(ROWS, ROWS))},
)
for _label, _array in {
    "0": np.float32(1.0),
    "1": np.ones(ROWS, "<f4"),
    "3": np.ones((ROWS, DIMENSIONS, 1), "<f4"),
    "8": np.ones((ROWS, *[1] * 7), "<f4"),
}.items():
    case(f"arrays/axes-{_label}", "array.shape", {EMBEDDINGS_NPZ: npz(speech=_array)})
case("arrays/axes-9", "file.header", {EMBEDDINGS_NPZ: npz(speech=np.ones((ROWS, *[1] * 8), "<f4"))})

for _dtype in ("<i1", "<u1", "<i4", "<i8", "<c8", "<c16", "<M8[s]", "<m8[s]", "?", "<U4", "S4", "V4", "<f16"):
    _array = (
        np.ones((ROWS, DIMENSIONS), "<f4").astype(_dtype) if _dtype[0] != "V" else np.zeros((ROWS, DIMENSIONS), "V4")
    )
    _code = "file.header" if "[" in _dtype else "array.dtype"
    case(f"arrays/dtype-{_dtype.strip('<')}", _code, {EMBEDDINGS_NPZ: npz(speech=_array)})
case(
    "arrays/dtype-structured", "file.header", {EMBEDDINGS_NPZ: npz(speech=np.zeros(ROWS, [("a", "<f4"), ("b", "<f4")]))}
)
for _dtype in ("<f2", "<f4", "<f8", ">f4", ">f2", ">f8"):
    _good = {EMBEDDINGS_NPZ: npz(speech=vectors(seed=1).astype(_dtype))}
    case(
        f"arrays/nan-in-{_dtype}",
        "array.non_finite",
        {EMBEDDINGS_NPZ: npz(speech=_with(np.nan, 0).astype(_dtype))},
        _good,
    )
case(
    "arrays/several-at-once",
    "array.non_finite",
    {EMBEDDINGS_NPZ: npz(speech=_with(np.nan, 0), text=_with(0, 1))},
    {EMBEDDINGS_NPZ: npz(compressed=True)},
)

_SIMILARITY = vectors(ROWS, ROWS)


def _similarity(value, dtype="<f4"):
    matrix = _SIMILARITY.astype(dtype)
    matrix[1, 2] = value
    return {SIMILARITY_NPZ: similarity_npz(similarity=matrix)}


for _label, _value in {"nan": np.nan, "inf": np.inf, "minus-inf": -np.inf}.items():
    case(f"arrays/similarity-{_label}", "array.non_finite", _similarity(_value), _similarity(0.0))
case("arrays/similarity-too-large", "array.range", _similarity(1.1e6), _similarity(1e6))
case("arrays/similarity-too-small", "array.range", _similarity(-1e300, "<f8"), _similarity(-1e6, "<f8"))
case("arrays/similarity-not-square", "array.rows", {SIMILARITY_NPZ: similarity_npz(similarity=vectors(ROWS, ROWS + 1))})
case("arrays/similarity-one-axis", "array.rows", {SIMILARITY_NPZ: similarity_npz(similarity=np.ones(ROWS, "<f4"))})
case("arrays/similarity-of-vectors", "array.rows", {SIMILARITY_NPZ: similarity_npz(similarity=vectors())})
case(
    "arrays/similarity-integers",
    "array.dtype",
    {SIMILARITY_NPZ: similarity_npz(similarity=np.eye(ROWS, dtype="<i4"))},
    {SIMILARITY_NPZ: similarity_npz(similarity=np.eye(ROWS, dtype="<f2"))},
)
case("arrays/embeddings-in-a-similarity-file", "file.members", {SIMILARITY_NPZ: npz()})
case("arrays/similarity-in-an-embeddings-file", "file.members", {EMBEDDINGS_NPZ: similarity_npz()})
case(
    "arrays/positions-instead-of-ids",
    "ids.dtype",
    {EMBEDDINGS_NPZ: npz(ids=np.arange(ROWS))},
    {EMBEDDINGS_NPZ: npz(ids=arrays()["ids"][::-1])},
)
