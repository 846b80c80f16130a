"""What must hold of every submission that is stored: the invariants of `submissions/`, a test for each folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import igbo_align as ia
import pytest
from documents import ROOT, TRIED_OUT, is_stored, page
from igbo_align.files import is_temporary
from igbo_align.scoring.duplicates import same_as, sketch
from igbo_align.scoring.leaderboard import submission_folders
from igbo_align.scoring.receipt import SCORES_FILE, receipt_problems
from igbo_align.scoring.seeds import read_seeds
from igbo_align.scoring.verification import VERIFICATION_FILE, read_verification
from igbo_align.submission.formats import FORMATS
from igbo_align.submission.intake import take_in
from igbo_align.submission.reading import CARD_FILE
from proposed_changes import ALLOWED_FILES, MAX_FILE_BYTES

SUBMISSIONS = Path(__file__).parent.parent / "submissions"
FOLDERS = [folder for folder in submission_folders(SUBMISSIONS) if is_stored(folder)]
#: What a pull request may add, and what maintainers add by `verify`.
FILES = ALLOWED_FILES | {VERIFICATION_FILE}


def name_of(folder):
    return folder.relative_to(SUBMISSIONS).as_posix()


@pytest.fixture(scope="module")
def taken(demo):
    """Every submission, read once."""
    return {name_of(folder): take_in(folder, demo) for folder in FOLDERS}


every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=name_of)


@every_folder
def test_it_is_valid_and_lies_where_its_card_says(folder, taken, demo):
    submission = taken[name_of(folder)]
    assert ia.validate(submission, demo) == []
    assert submission.card.folder() == name_of(folder)


@every_folder
def test_its_files_are_regular_known_and_without_links(folder):
    names = {path.name for path in folder.iterdir()}
    assert CARD_FILE in names
    assert len(names & FORMATS.keys()) == 1
    assert names <= FILES
    for path in [folder, folder.parent, *folder.iterdir()]:
        assert not path.is_symlink()
    for path in folder.iterdir():
        status = path.stat()
        assert stat.S_ISREG(status.st_mode)
        assert status.st_mode & 0o111 == 0
        assert status.st_size <= MAX_FILE_BYTES


@every_folder
def test_its_scores_are_those_of_its_vectors(folder, taken, demo):
    recomputed = ia.score(taken[name_of(folder)], demo)
    assert receipt_problems((folder / SCORES_FILE).read_bytes(), recomputed) == []


@every_folder
def test_its_receipt_of_verification_is_of_these_vectors(folder):
    held = read_verification(folder)
    assert (held is None) == (not (folder / VERIFICATION_FILE).exists())
    if held is not None:
        scored = json.loads((folder / SCORES_FILE).read_text())["provenance"]["embeddings_sha256"]
        assert held.embeddings_sha256 == scored


@every_folder
def test_its_spread_over_seeds_can_be_read(folder):
    assert (read_seeds(folder) is None) == (not (folder / "seeds.json").exists())


def test_nothing_else_lies_there():
    assert {path.parent.parent for path in FOLDERS} == {SUBMISSIONS}
    for path in SUBMISSIONS.rglob("*"):
        assert not is_temporary(path.name)
    known = {folder.parent for folder in FOLDERS}
    assert {path for path in SUBMISSIONS.iterdir() if path.is_dir() and is_stored(path)} == known
    assert all(child in FOLDERS for system in known for child in system.iterdir())


def test_git_ignores_what_is_tried_out_and_nothing_else(tmp_path):
    """`git add submissions/<org>__<system>` works for everybody whose name is not `me`."""
    (tmp_path / ".gitignore").write_text(page(".gitignore"))
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    tried = ["speech.npy", "text.npy", "card.json", "ids.txt", "report.html", "submissions/me__mine/1/submission.json"]
    sent = ["submissions/mine__me/1/submission.json", "submissions/org__x/1/embeddings.npz", "docs/card.json"]
    command = ["git", "-C", str(tmp_path), "check-ignore", *tried, *sent]
    ignored = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert ignored == tried
    assert f"/submissions/{TRIED_OUT}/" in page(".gitignore").splitlines()
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "ls-files", f"submissions/{TRIED_OUT}"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_names_stay_apart_where_case_does_not_count():
    names = [name_of(folder).casefold() for folder in FOLDERS]
    assert len(set(names)) == len(names)


def test_nobody_sent_what_somebody_else_had_sent(taken, demo):
    names = list(taken)
    doubles = same_as(names, [sketch(item, demo) for item in taken.values()])
    assert {name: others for name, others in doubles.items() if others} == {}


def test_no_stored_vector_was_ever_changed():
    """A new result is a new revision: in the history, files of vectors and cards are added and never modified."""
    root = SUBMISSIONS.parent
    if not (root / ".git").exists() or os.environ.get("GIT_DIR"):
        pytest.skip("not a git work tree")
    command = [
        "git",
        "-C",
        str(root),
        "log",
        "--diff-filter=M",
        "--name-only",
        "--format=",
        "v1.0..HEAD",
        "--",
        "submissions",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no release is tagged yet: baselines may still change")
    touched = {line for line in done.stdout.splitlines() if Path(line).name in {CARD_FILE, *FORMATS}}
    assert touched == set()
