"""Reading a submission folder: the card and exactly one file of vectors, each read once into memory."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem, ProblemsFound, collected, problem
from .card import MAX_CARD_BYTES, Card, parse_card
from .formats import FORMATS, FileFormat, numbers_file
from .limits import MAX_FOLDER_ENTRIES, Limits
from .raw_arrays import ID_ARRAYS, RawArray, bad_ids
from .sandbox import Decoder

CARD_FILE = "submission.json"
#: Pairs that are read when the release is not known; enough for any release of this benchmark.
DEFAULT_LIMITS = Limits(rows=10_000)
#: Errors of `open` that are the submission's fault; all others are the machine's.
_NOT_OURS = {errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors of both modalities, matched by id: `ids` (n,), `speech` (n, d), `text` (n, d), in any row order."""

    ids: NDArray[np.str_]
    speech: NDArray[Any]
    text: NDArray[Any]


@dataclass(frozen=True, eq=False)
class SimilarityMatrix:
    """Similarities of a system without a shared space: `similarity` (n, m), rows `speech_ids`, columns `text_ids`."""

    speech_ids: NDArray[np.str_]
    text_ids: NDArray[np.str_]
    similarity: NDArray[Any]


Content = Embeddings | SimilarityMatrix


@dataclass(frozen=True, eq=False)
class Submission:
    """A submission that could be read; `validate` tells whether it fits a release."""

    card: Card
    content: Content
    folder: Path | None = None


@dataclass(frozen=True)
class SubmissionFiles:
    """What was read of a folder: the card's bytes, and the one file of numbers. Nothing is read a second time."""

    card: bytes
    format: FileFormat
    data: bytes


def load_submission(folder: str | Path, limits: Limits = DEFAULT_LIMITS, decoder: Decoder | None = None) -> Submission:
    """Read a submission folder; `validate` then tells whether it fits a release.

    Args:
        folder: holds `submission.json` and one of `embeddings.parquet`, `embeddings.npz`, `embeddings.safetensors`,
            `similarity.npz`.
        limits: how much is read; `Limits(rows=...)` for releases of more than 10,000 pairs.
        decoder: the one to use, by default one of its own.

    Raises:
        ProblemsFound: all problems of the first stage that found any.
    """
    files = read_files(Path(folder), limits)
    content = read_content(files, limits, decoder)
    return Submission(parse_card(files.card), content, Path(folder))


def read_files(folder: Path, limits: Limits) -> SubmissionFiles:
    """The first stage: regular files of an allowed size, and exactly one file of numbers.

    Raises:
        ProblemsFound: all problems of both files.
    """
    _check_folder(folder)
    problems: list[Problem] = []
    card = collected(problems, lambda: _read_card(folder))
    found = collected(problems, lambda: _read_numbers(folder, limits))
    if card is None or found is None:
        raise ProblemsFound(problems)
    return SubmissionFiles(card, *found)


def read_content(files: SubmissionFiles, limits: Limits, decoder: Decoder | None = None) -> Content:
    """The second and third stage: headers here, everything else in a child process; then plain arrays.

    Raises:
        ProblemsFound: all problems of the first stage that found any.
    """
    kind = files.format
    kind.check(files.data, limits, kind.file)
    if decoder is None:
        with Decoder() as own:
            raw = own.decode(kind.file, files.data, limits)
    else:
        raw = decoder.decode(kind.file, files.data, limits)
    arrays = {name: as_numpy(array, name, kind.file) for name, array in raw.items()}
    return SimilarityMatrix(**arrays) if "similarity" in arrays else Embeddings(**arrays)


def read_regular_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file that is not a link, not empty and not too large.

    Raises:
        ProblemsFound: `file.not_regular`, `file.empty` or `file.too_large`.
        EnvironmentProblem: the disk refused (`environment.disk`).
    """
    try:
        data, size = _read_at_most(path, max_bytes)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise _not_regular(path, "no such file", "Check the path.") from error
        raise _not_regular(path) if error.errno in _NOT_OURS else _unreadable(path) from error
    if size > max_bytes or len(data) > max_bytes:
        raise problem(
            "file.too_large",
            path.name,
            found=f"{max(size, len(data))} bytes",
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


def _read_at_most(path: Path, max_bytes: int) -> tuple[bytes, int]:
    """Bytes, and the size that the file had when it was opened; the path is looked at only once."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular(path)
        return (stream.read(max_bytes + 1) if status.st_size <= max_bytes else b""), status.st_size


def _check_folder(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise problem(
            "folder.missing",
            folder.name,
            found="a link" if folder.is_symlink() else "a file" if folder.exists() else "no such folder",
            expected="a submission folder",
            mend="Check the path; `igbo-align pack` makes a submission folder.",
        )
    try:
        with os.scandir(folder) as entries:
            count = sum(1 for _ in islice(entries, MAX_FOLDER_ENTRIES + 1))
    except OSError as error:
        raise _not_regular(folder) from error
    if count > MAX_FOLDER_ENTRIES:
        raise problem(
            "folder.extra",
            folder.name,
            found=f"more than {MAX_FOLDER_ENTRIES} files",
            expected=f"{CARD_FILE}, one file of vectors, and little else",
            mend="Move everything else out of the folder.",
        )


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


def _read_numbers(folder: Path, limits: Limits) -> tuple[FileFormat, bytes]:
    name = numbers_file(folder)
    if name is None:
        present = [file for file in FORMATS if os.path.lexists(folder / file)]
        raise problem(
            "folder.ambiguous" if present else "folder.no_embeddings",
            folder.name,
            found=" and ".join(present) or "none of these files",
            expected=f"exactly one of {', '.join(FORMATS)}",
            mend="Keep one of them." if present else _how_to_get_numbers(folder),
        )
    data = read_regular_file(folder / name, limits.file_bytes)
    if not FORMATS[name].recognises(data):
        raise problem(
            "file.format",
            name,
            found="content of another format",
            expected=f"the format that the name {name} says",
            mend="Rename the file, or write it again in this format.",
        )
    return FORMATS[name], data


def _how_to_get_numbers(folder: Path) -> str:
    """What to do about a folder without numbers; submissions below it are what was meant."""
    for inner in _folders_in(folder):
        for place in (inner, *_folders_in(inner)):
            if os.path.lexists(place / CARD_FILE):
                return f"Did you mean {place.relative_to(folder).as_posix()}?"
    return "Add one; `igbo-align pack` writes it from .npy files."


def _folders_in(folder: Path) -> list[Path]:
    """The first folders in a folder, by name; links are none."""
    try:
        with os.scandir(folder) as entries:
            first = list(islice(entries, MAX_FOLDER_ENTRIES))
    except OSError:
        return []
    return sorted(folder / item.name for item in first if item.is_dir(follow_symlinks=False))


def as_numpy(raw: RawArray, name: str, where: str) -> NDArray[Any]:
    """An array of its own memory, (n,) or (n, d), in native byte order and C order; ids are checked as characters."""
    if name in ID_ARRAYS:
        _check_characters(raw, f"{where}/{name}")
    dtype = np.dtype(raw.descr)
    array = np.frombuffer(raw.content, dtype).reshape(raw.shape, order="F" if raw.fortran else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("="))


def _check_characters(raw: RawArray, where: str) -> None:
    """Strings are stored as four bytes a character, and not every number is one."""
    codes = np.frombuffer(raw.content, f"{raw.descr[0]}u4")
    bad = (codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))
    if bad.any():
        raise bad_ids(where, f"{int(bad.sum())} numbers that are no characters")


def _not_regular(
    path: Path,
    found: str = "a link, folder, device or a file that may not be read",
    mend: str = "Copy the file itself into the folder.",
) -> ProblemsFound:
    return problem("file.not_regular", path.name, found=found, expected="a regular file", mend=mend)


def _unreadable(path: Path) -> ProblemsFound:
    return problem(
        "environment.disk",
        path.name,
        found="a file that the system cannot read now",
        expected="a disk that can be read, and free file handles",
        mend="Try again; if it persists, check the disk.",
    )
