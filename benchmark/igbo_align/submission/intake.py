"""The way of a stranger's folder to a score, stage by stage.

1. files: regular, of an allowed size, exactly one file of vectors; 2. headers; 3. decoding, in a child process;
4. arrays; 5. ids; 6. card. (Integrity flags and scores follow; they reject nothing.) All problems of the first stage
that finds any are reported, and no later stage runs.
"""

from __future__ import annotations

from pathlib import Path

from ..problems import ProblemsFound
from ..protocol.release import Release
from .card import parse_card
from .limits import Limits
from .reading import Submission, read_content, read_files
from .sandbox import Decoder
from .validation import check_all_ids, check_arrays, check_benchmark


def take_in(folder: Path, release: Release, decoder: Decoder | None = None) -> Submission:
    """A submission that can be scored.

    Args:
        folder: of the submission.
        release: that it must fit.
        decoder: the one to use, by default one of its own.

    Raises:
        ProblemsFound: all problems of the first stage that found any.
    """
    limits = Limits(len(release.ids))
    files = read_files(folder, limits)
    content = read_content(files, limits, decoder)
    problems = check_arrays(content) or check_all_ids(content, release)
    if problems:
        raise ProblemsFound(problems)
    card = parse_card(files.card)
    problems = check_benchmark(card.benchmark, release)
    if problems:
        raise ProblemsFound(problems)
    return Submission(card, content, folder)
