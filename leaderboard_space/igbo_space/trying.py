"""Vectors that somebody tries: taken in as any submission is, scored, told, and deleted; nothing is kept."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from igbo_align.files import readable_json, write_bytes, write_text
from igbo_align.problems import ProblemsFound, problem
from igbo_align.protocol.release import Release
from igbo_align.protocol.spec import TRACKS
from igbo_align.scoring.board import Board, Place
from igbo_align.scoring.score import score
from igbo_align.scoring.scores import Scores
from igbo_align.submission.formats import FORMATS
from igbo_align.submission.intake import take_in
from igbo_align.submission.limits import Limits
from igbo_align.submission.reading import CARD_FILE, read_regular_file
from igbo_align.submission.writing import complete_card, pack

#: Uploads of all visitors together that may lie on the disk; the oldest go first.
MOST_BYTES = 2**30
_EMPTY_S = 60
SUFFIXES = (".parquet", ".npz", ".safetensors", ".npy", ".json")


@dataclass(frozen=True, eq=False)
class Tried:
    """Scores that are shown once, and where they would stand on the board."""

    scores: Scores
    places: Mapping[str, Place]


def try_files(paths: Sequence[str], trained: str, board: Board) -> Tried:
    """Score uploaded files, and delete them whatever comes of it.

    Args:
        paths: one file of a submission, or two `.npy` matrices of which one has `speech` and one `text` in its name;
            a card, `submission.json`, may lie beside them.
        trained: what the vectors were trained on, where no card says it: none, train or all.
        board: to place them on.

    Raises:
        ProblemsFound: every problem of the first stage that finds any.
    """
    uploads = [Path(path) for path in paths]
    try:
        with tempfile.TemporaryDirectory(prefix="igbo-align-try-") as folder:
            return _tried(uploads, trained, board, Path(folder))
    finally:
        for path in uploads:
            _forget(path)


def _tried(uploads: Sequence[Path], trained: str, board: Board, folder: Path) -> Tried:
    release, limits = board.release, Limits(len(board.release.ids))
    cards = [path for path in uploads if path.suffix.lower() == ".json"]
    numbers = [path for path in uploads if path.suffix.lower() != ".json"]
    if len(cards) > 1:
        raise _wrong_files(f"{len(cards)} cards")
    card = read_regular_file(cards[0], 65536).decode("utf-8", "replace") if cards else _card(trained, release)
    submission = folder / "submission"
    if len(numbers) == 2 and all(path.suffix.lower() == ".npy" for path in numbers):
        speech, text = _sides(numbers)
        write_text(folder / CARD_FILE, card)
        pack(
            _own(speech, folder, "speech.npy", limits),
            _own(text, folder, "text.npy", limits),
            folder / CARD_FILE,
            release,
            submission,
        )
    elif len(numbers) == 1 and numbers[0].suffix.lower() != ".npy":
        submission.mkdir()
        write_text(submission / CARD_FILE, card)
        _own(numbers[0], submission, _file_name(numbers[0]), limits)
    else:
        raise _wrong_files(", ".join(path.name for path in numbers) or "no vectors")
    scores = score(take_in(submission, release), release)
    return Tried(scores, {track: board.place(scores, track) for track in TRACKS})


def _own(upload: Path, folder: Path, name: str, limits: Limits) -> Path:
    """Our own copy of an upload, read once, under the name that its format has."""
    write_bytes(folder / name, read_regular_file(upload, limits.file_bytes))
    return folder / name


def _file_name(upload: Path) -> str:
    """The name that a submission's file has to have: by its suffix, `similarity` where the upload says so."""
    suffix = upload.suffix.lower()
    stem = "similarity" if suffix == ".npz" and "similarity" in upload.name.lower() else "embeddings"
    name = f"{stem}{suffix}"
    if name not in FORMATS:
        raise _wrong_files(upload.name)
    return name


def _sides(numbers: Sequence[Path]) -> tuple[Path, Path]:
    """Which matrix is speech and which is text, by their names."""
    speech = [path for path in numbers if "speech" in path.name.lower() or "audio" in path.name.lower()]
    text = [path for path in numbers if "text" in path.name.lower()]
    if len(speech) != 1 or len(text) != 1 or speech[0] == text[0]:
        raise _wrong_files(" and ".join(path.name for path in numbers))
    return speech[0], text[0]


def _wrong_files(found: str) -> ProblemsFound:
    return problem(
        "folder.no_embeddings",
        "upload",
        found=found,
        expected=f"one of {', '.join(FORMATS)}, or speech.npy and text.npy; submission.json may lie beside",
        mend="Send one file of a submission, or two matrices with `speech` and `text` in their names.",
    )


def _card(trained: str, release: Release) -> str:
    """A card for vectors without one; it is shown to nobody."""
    fields = {
        "system": {"name": "yours", "org": "you", "revision": "1", "licence": "not told"},
        "speech_encoder": {"id": "yours"},
        "text_encoder": {"id": "yours"},
        "alignment": {"method": "not told", "trained_on_pairs": trained},
        "submitter": "you",
    }
    return readable_json(complete_card(fields, release))


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def bound_uploads(folder: Path, most_bytes: int = MOST_BYTES) -> int:
    """Delete the oldest uploads until at most this many bytes are left; how many files went.

    What is empty for a minute goes too: Gradio makes a folder and an empty file for each upload, and forgets them.
    """
    files, long_ago = [], time.time() - _EMPTY_S
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside comes before its folder
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                files.append((status.st_mtime, status.st_size, path))
            elif stat.S_ISDIR(status.st_mode) and status.st_mtime < long_ago:
                path.rmdir()  # only where nothing is in it
    total, deleted = sum(size for _, size, _ in files), 0
    for modified, size, path in sorted(files, key=lambda item: item[0]):
        if total > most_bytes or (size == 0 and modified < long_ago):
            _forget(path)
            total, deleted = total - size, deleted + 1
    return deleted


def upload_folder() -> Path:
    """A folder of our own for uploads, so that what is bounded and removed is only ours."""
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.mkdtemp(prefix="igbo-align-uploads-"))
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def remove(folder: Path) -> None:
    """Remove the folder of uploads."""
    shutil.rmtree(folder, ignore_errors=True)
