"""Reading a submission folder: the card and exactly one file of vectors, each read once into memory."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem, ProblemsFound, problem
from .card import MAX_CARD_BYTES, Card, parse_card
from .limits import Limits
from .npy_format import read_npz
from .parquet_format import read_parquet
from .safetensors_format import read_safetensors

CARD_FILE = "submission.json"
#: Pairs that are read when the release is not known; enough for any release of this benchmark.
DEFAULT_LIMITS = Limits(rows=10_000)


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors of both modalities, matched by id: `ids` (n,), `speech` (n, d), `text` (n, d), in any row order."""

    ids: NDArray[np.str_]
    speech: NDArray
    text: NDArray


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """Similarities of a system without a shared space: `similarity` (n, m), rows `speech_ids`, columns `text_ids`."""

    speech_ids: NDArray[np.str_]
    text_ids: NDArray[np.str_]
    similarity: NDArray


@dataclass(frozen=True, eq=False)
class Submission:
    """A submission that could be read; `validate` tells whether it fits a release."""

    card: Card
    content: Embeddings | SimilarityMatrix
    folder: Path | None = None


def load_submission(folder: str | Path, limits: Limits = DEFAULT_LIMITS) -> Submission:
    """Read a submission folder.

    Args:
        folder: holds `submission.json` and one of `embeddings.parquet`, `embeddings.npz`, `embeddings.safetensors`,
            `similarity.npz`.
        limits: how much is read; `Limits(rows=...)` for releases of more than 10,000 pairs.

    Raises:
        ProblemsFound: all problems of the card and of the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise problem(
            "folder.missing",
            folder.name,
            found="no such folder",
            expected="a submission folder",
            mend="Check the path; `igbo-align pack` makes a submission folder.",
        )
    problems: list[Problem] = []
    card = content = None
    try:
        card = parse_card(_read_card(folder))
    except ProblemsFound as error:
        problems.extend(error.problems)
    try:
        content = _read_content(folder, limits)
    except ProblemsFound as error:
        problems.extend(error.problems)
    if card is None or content is None:
        raise ProblemsFound(problems)
    return Submission(card, content, folder)


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file that is not a link, not empty and not too large.

    Raises:
        ProblemsFound: `file.not_regular`, `file.empty` or `file.too_large`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _not_regular(path) from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular(path)
        data = stream.read(max_bytes + 1) if status.st_size <= max_bytes else b""
    if status.st_size > max_bytes or len(data) > max_bytes:
        raise problem(
            "file.too_large",
            path.name,
            found=f"{status.st_size} bytes",
            expected=f"at most {max_bytes} bytes",
            mend="Send only the vectors of the release's pairs.",
        )
    if not data:
        raise problem(
            "file.empty",
            path.name,
            found="no bytes",
            expected="a file with content",
            mend="Write the file again, and check that the copy is complete.",
        )
    return data


def _read_card(folder: Path) -> bytes:
    if not os.path.lexists(folder / CARD_FILE):
        raise problem(
            "card.missing",
            CARD_FILE,
            found="no such file",
            expected=f"a card, {CARD_FILE}",
            mend="Write one; docs: submitting.md shows an example.",
        )
    return read_regular_file(folder / CARD_FILE, MAX_CARD_BYTES)


_EMBEDDINGS_MEMBERS = frozenset({"ids", "speech", "text"})
_SIMILARITY_MEMBERS = frozenset({"speech_ids", "text_ids", "similarity"})


def _read_content(folder: Path, limits: Limits) -> Embeddings | SimilarityMatrix:
    present = [name for name in _READERS if os.path.lexists(folder / name)]
    if len(present) != 1:
        raise problem(
            "folder.ambiguous" if present else "folder.no_embeddings",
            folder.name,
            found=" and ".join(present) or "none of these files",
            expected=f"exactly one of {', '.join(_READERS)}",
            mend="Keep one of them." if present else "Add one; `igbo-align pack` writes it from .npy files.",
        )
    name = present[0]
    magic, read = _READERS[name]
    data = read_regular_file(folder / name, limits.file_bytes)
    if not magic(data):
        raise problem(
            "file.format",
            name,
            found="content of another format",
            expected=f"the format that the name {name} says",
            mend="Rename the file, or write it again in this format.",
        )
    return read(data, limits, name)


def _embeddings_npz(data: bytes, limits: Limits, where: str) -> Embeddings:
    return Embeddings(**read_npz(data, _EMBEDDINGS_MEMBERS, limits, where))


def _similarity_npz(data: bytes, limits: Limits, where: str) -> SimilarityMatrix:
    return SimilarityMatrix(**read_npz(data, _SIMILARITY_MEMBERS, limits, where))


def _embeddings_parquet(data: bytes, limits: Limits, where: str) -> Embeddings:
    return Embeddings(**read_parquet(data, limits, where))


def _embeddings_safetensors(data: bytes, limits: Limits, where: str) -> Embeddings:
    return Embeddings(**read_safetensors(data, limits, where))


_READERS = {
    "embeddings.parquet": (lambda data: data[:4] == b"PAR1", _embeddings_parquet),
    "embeddings.npz": (lambda data: data[:4] == b"PK\x03\x04", _embeddings_npz),
    "embeddings.safetensors": (lambda data: data[8:9] == b"{", _embeddings_safetensors),
    "similarity.npz": (lambda data: data[:4] == b"PK\x03\x04", _similarity_npz),
}


def _not_regular(path: Path) -> ProblemsFound:
    return problem(
        "file.not_regular",
        path.name,
        found="a link, folder, device or a file that may not be read",
        expected="a regular file",
        mend="Copy the file itself into the folder.",
    )
