"""Review the submissions that a pull request adds: `review_submissions.py --base main --head BRANCH`.

Prints Markdown: for every submission its problems, or its scores, its rank on the board of the base, its flags and
what became of its receipt. Exit codes are those of igbo-align: 0 nothing is wrong, 1 there are problems, 2 wrong usage,
4 the environment failed. Only data is taken from the pull request; the code that looks at it is that of the base.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from igbo_align.files import write_text
from igbo_align.hub import load_release
from igbo_align.problems import Problem, ProblemsFound
from igbo_align.protocol.release import Release
from igbo_align.scoring.duplicates import same_as_flag
from igbo_align.scoring.leaderboard import Leaderboard, build_leaderboard
from igbo_align.scoring.receipt import SCORES_FILE, require_receipt
from igbo_align.scoring.seeds import read_seeds
from igbo_align.submission.intake import take_in
from proposed_changes import Proposal, read_proposal
from review_markdown import MAX_CHARACTERS, code, page, problem_section, score_section

_WRITES_RECEIPT = f"igbo-align score SUBMISSION --json > SUBMISSION/{SCORES_FILE}"


def review(proposal: Proposal, release: Release, characters: int | None = None) -> tuple[str, bool]:
    """The review as Markdown of at most so many characters, and whether nothing is wrong."""
    with tempfile.TemporaryDirectory() as scratch:
        stored, proposed = Path(scratch, "stored"), Path(scratch, "proposed")
        found = {name: _intake_problems(proposal, name, proposed, release) for name in proposal.folders}
        fine = [name for name, problems in found.items() if not problems]
        board = None
        if fine:
            proposal.write_base(stored)
            for name in fine:
                shutil.copytree(proposed / name, stored / name)
            board = build_leaderboard(stored, release)
        receipts = {name: _receipt(stored / name, name, board) for name in fine if board}
    whole = proposal.problems()
    sections = [problem_section("The pull request", whole)] if whole else []
    for name, problems in found.items():
        if problems or board is None:
            sections.append(problem_section(f"{code(name)}: has problems", problems))
        else:
            told, differing = receipts[name]
            flags = [*board.scores[board.names.index(name)].flags, *same_as_flag(board.same_as.get(name, []))]
            sections.append(score_section(name, board, told, flags))
            sections += [problem_section(f"{code(name)}: its receipt differs", differing)] if differing else []
    well = not whole and len(fine) == len(found) and not any(differing for _, differing in receipts.values())
    return page(_summary(len(found), well), sections, release.spec.notice, characters), well


def _intake_problems(proposal: Proposal, name: str, proposed: Path, release: Release) -> Sequence[Problem]:
    """All problems of the first stage that finds any: the change itself, the files, the vectors, the card's place."""
    problems = proposal.folder_problems(name)
    if problems:
        return problems
    folder = proposal.write(name, proposed)
    try:
        submission = take_in(folder, release)
        read_seeds(folder)
    except ProblemsFound as error:
        if error.exit_code != ProblemsFound.exit_code:
            raise
        return error.problems
    if submission.card.folder() != name:
        where, mend = "submission.json/system", "Rename the folder, or correct org, name and revision in the card."
        return [Problem("card.schema", where, submission.card.folder(), f"the name of its folder, {name}", mend)]
    return []


def _receipt(folder: Path, name: str, board: Leaderboard) -> tuple[str, Sequence[Problem]]:
    """What is to be said of a receipt, and where it differs from the recomputed scores."""
    path = folder / SCORES_FILE
    if not os.path.lexists(path):
        return f"Receipt: none. {code(_WRITES_RECEIPT)} writes it.", []
    try:
        require_receipt(path, board.scores[board.names.index(name)])
    except ProblemsFound as error:
        return "Receipt: **not what scoring writes**.", error.problems
    return "Receipt: the same bytes as scoring writes.", []


def _summary(submissions: int, well: bool) -> str:
    counted = "1 submission" if submissions == 1 else f"{submissions} submissions"
    return f"Review of {counted}: {'nothing is wrong' if well else 'there are problems'}"


def main() -> int:
    """Review, print or write the Markdown, and return the exit code."""
    parser = argparse.ArgumentParser(description="Review the submissions that a pull request adds.")
    parser.add_argument("--base", required=True, help="commit, branch or tag that it is to be merged into")
    parser.add_argument("--head", required=True, help="commit, branch or tag that is proposed")
    parser.add_argument("--repository", type=Path, default=Path(), help="folder of the git repository")
    parser.add_argument("--release", default="demo", help="`demo`, a folder, or a Hub dataset id")
    parser.add_argument(
        "--out", type=Path, help="file for as much of the Markdown as a comment holds, instead of printing all of it"
    )
    arguments = parser.parse_args()
    try:
        proposal = read_proposal(arguments.repository, arguments.base, arguments.head)
        text, well = review(proposal, load_release(arguments.release), MAX_CHARACTERS if arguments.out else None)
    except ProblemsFound as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    if arguments.out:
        write_text(arguments.out, text)
    else:
        sys.stdout.write(text)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
