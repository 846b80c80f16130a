"""Making a submission: the card, the vectors, and the folder that holds both."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..files import new_folder, readable_json, sha256_of_bytes, write_text
from ..problems import problem
from ..protocol.release import Release
from .card import Card, parse_card, parse_json_object
from .limits import Limits
from .npy_format import read_npy
from .parquet_format import vectors_array, write_parquet
from .reading import CARD_FILE, Embeddings, Submission, as_numpy, read_regular_file
from .validation import require_valid


def write_submission(folder: Path, card: Card, content: Embeddings, release: Release) -> Submission:
    """Validate and write a submission folder whole; it must not exist.

    Raises:
        ProblemsFound: every problem, and nothing is written.
    """
    submission = Submission(card, content, folder)
    require_valid(submission, release)
    with new_folder(folder) as temporary:
        write_text(temporary / CARD_FILE, readable_json(card.as_json()))
        columns = {
            "id": pa.array(content.ids.tolist(), pa.string()),
            "speech": vectors_array(content.speech),
            "text": vectors_array(content.text),
        }
        write_parquet(temporary / "embeddings.parquet", pa.table(columns))
    return submission


def pack(speech: Path, text: Path, card: Path, release: Release, out: Path, ids: Path | None = None) -> Submission:
    """Make a submission from two `.npy` matrices and a card.

    Args:
        speech: `.npy`, (n, d); float64 is cast to float32.
        text: `.npy`, (n, d).
        card: JSON; `benchmark`, `created` and `schema_version` are filled in where they are left out.
        release: the benchmark that was encoded.
        out: the new folder.
        ids: text file with one id a line, in the order of the rows; without it the rows must be in release order.

    Raises:
        ProblemsFound: every problem, and nothing is written.
    """
    limits = Limits(len(release.ids))
    matrices = [read_matrix(path, limits) for path in (speech, text)]
    names = _read_ids(ids, limits) if ids else release.ids
    filled = complete_card(parse_json_object(read_regular_file(card, 65536), card.name), release)
    content = Embeddings(np.array(names, dtype=np.str_), *matrices)
    return write_submission(out, parse_card(readable_json(filled).encode(), card.name), content, release)


def complete_card(fields: dict[str, Any], release: Release) -> dict[str, Any]:
    """Card fields with what follows from the release and today's date filled in where it is left out."""
    today = dt.datetime.now(dt.UTC).date().isoformat()
    return {"schema_version": 1, "created": today, "benchmark": release.benchmark()} | fields


def aligned(
    submission: Submission, release: Release
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | NDArray[np.float32]:
    """A valid submission's numbers in release order: (speech, text), or the similarity matrix."""
    content = submission.content
    if isinstance(content, Embeddings):
        order = order_of(content.ids, release.ids)
        return content.speech[order].astype(np.float32), content.text[order].astype(np.float32)
    rows, columns = order_of(content.speech_ids, release.ids), order_of(content.text_ids, release.ids)
    return content.similarity[np.ix_(rows, columns)].astype(np.float32)


def content_sha256(submission: Submission, release: Release) -> str:
    """SHA-256 of the numbers as little-endian float32 in release order: equal for every file format and row order."""
    numbers = aligned(submission, release)
    arrays = numbers if isinstance(numbers, tuple) else (numbers,)
    return sha256_of_bytes(b"".join(np.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays))


def order_of(found: NDArray[np.str_], expected: list[str]) -> NDArray[np.int64]:
    """The row of each expected id among the (n,) found, (expected,); every one is there."""
    position = {name: row for row, name in enumerate(found.tolist())}
    return np.array([position[name] for name in expected], dtype=np.int64)


def read_matrix(path: Path, limits: Limits) -> NDArray[Any]:
    """A stranger's `.npy` matrix, (n, d); float64 is cast to float32.

    Raises:
        ProblemsFound: the file is not one that can be read (`file.*`, `array.*`).
    """
    raw = read_npy(read_regular_file(path, limits.file_bytes), "vectors", limits, path.name)
    matrix = as_numpy(raw, "vectors", path.name)
    return matrix.astype(np.float32) if matrix.dtype == np.float64 else matrix


def _read_ids(path: Path, limits: Limits) -> list[str]:
    try:
        return read_regular_file(path, limits.header_bytes).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise problem(
            "ids.dtype",
            path.name,
            found="bytes that are not UTF-8",
            expected="one id a line, in UTF-8",
            mend="Save the file as UTF-8.",
        ) from error
