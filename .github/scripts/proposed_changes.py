"""What a pull request changes, read from git's objects: nothing of it is checked out, nothing in it runs.

Only new files of new submissions are ever written to disk, after their names, kinds and sizes were found in order.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from igbo_align.problems import Problem, problem, shortened
from igbo_align.scoring.receipt import SCORES_FILE
from igbo_align.scoring.seeds import SEEDS_FILE
from igbo_align.submission.card import System
from igbo_align.submission.formats import FORMATS
from igbo_align.submission.reading import CARD_FILE
from pydantic import ValidationError

SUBMISSIONS = "submissions"
#: What a submission in the repository may hold; receipts of verification come from maintainers.
ALLOWED_FILES = {CARD_FILE, *FORMATS, SCORES_FILE, SEEDS_FILE, "training_log.json"}
#: A repository is fetched whole by everybody; vectors of 699 pairs in float16 are much smaller.
MAX_FILE_BYTES = 5_000_000
_PLAIN_FILE, _ADDED = "100644", "A"


@dataclass(frozen=True)
class Change:
    """One changed file: git's status letter, mode and object on the new side, and its path."""

    status: str
    mode: str
    blob: str
    path: str

    @property
    def file(self) -> str:
        """Its name without folders."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Proposal:
    """A pull request against a base.

    Attributes:
        repository: folder of a git repository that holds both commits.
        base: commit that it is to be merged into.
        folders: `<org>__<system>/<revision>` -> changed files, alphabetically.
        elsewhere: changes that belong to no submission.
        taken: folders of the base, in small letters: some file systems do not tell them apart.
    """

    repository: Path
    base: str
    folders: dict[str, list[Change]]
    elsewhere: list[Change]
    taken: frozenset[str] = field(default_factory=frozenset)

    def problems(self) -> list[Problem]:
        """What is wrong with the pull request as a whole."""
        if not self.elsewhere:
            return []
        listed = shortened([change.path for change in self.elsewhere])
        expected = f"new files in {SUBMISSIONS}/<org>__<system>/<revision>/ and nothing else"
        mend = "Propose everything else in a pull request of its own."
        return [Problem("folder.extra", "pull request", f"{_changes(self.elsewhere)}: {listed}", expected, mend)]

    def folder_problems(self, name: str) -> list[Problem]:
        """What forbids to write the files of one submission to disk."""
        changes, small = self.folders[name], name.casefold()
        again = small in self.taken or sum(other.casefold() == small for other in self.folders) > 1
        if again or any(change.status != _ADDED for change in changes):
            listed = shortened([change.file for change in changes])
            mend = "Give `system.revision` a new value and add a new folder; what is stored never changes."
            found = f"{_changes(changes)} under a name that is taken: {listed}"
            return [Problem("submission.exists", name, found, "a name and revision that nothing has", mend)]
        return [item for change in changes for item in _file_problems(self.repository, change)]

    def write(self, name: str, submissions: Path) -> Path:
        """Write the files of a submission without `folder_problems` below a folder, and return where."""
        folder = submissions / name
        folder.mkdir(parents=True)
        for change in self.folders[name]:
            (folder / change.file).write_bytes(_git(self.repository, "cat-file", "blob", change.blob))
        return folder

    def write_base(self, submissions: Path) -> None:
        """Write the submissions of the base, which maintainers merged, below a folder."""
        listed = _git(self.repository, "ls-tree", "-r", "-z", self.base, "--", f"{SUBMISSIONS}/")
        for line in filter(None, _text(listed).split("\0")):
            entry, path = line.split("\t", 1)
            mode, _, blob = entry.split(" ")
            if mode == _PLAIN_FILE:
                target = submissions / path.removeprefix(f"{SUBMISSIONS}/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_git(self.repository, "cat-file", "blob", blob))


def read_proposal(repository: Path, base: str, head: str) -> Proposal:
    """What `head` changes since it left `base`.

    Args:
        repository: folder of a git repository that holds both.
        base: commit, branch or tag.
        head: commit, branch or tag.

    Raises:
        ProblemsFound: git does not know them, or they have no common history (`usage`).
    """
    start, end = (_commit(repository, name) for name in (base, head))
    fork = _text(_git(repository, "merge-base", start, end)).strip()
    raw = _git(repository, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", fork, end)
    folders: dict[str, list[Change]] = {}
    elsewhere = []
    for change in _parsed(_text(raw)):
        name = submission_of(change.path)
        if name is None:
            elsewhere.append(change)
        else:
            folders.setdefault(name, []).append(change)
    held = _text(_git(repository, "ls-tree", "-r", "-z", "--name-only", start, "--", f"{SUBMISSIONS}/"))
    taken = frozenset(name.casefold() for name in map(submission_of, held.split("\0")) if name)
    return Proposal(repository, start, dict(sorted(folders.items())), elsewhere, taken)


def submission_of(path: str) -> str | None:
    """The submission `<org>__<system>/<revision>` that a path is a file of; None if it belongs to none."""
    parts = path.split("/")
    if len(parts) != 4 or parts[0] != SUBMISSIONS or not parts[3]:
        return None
    _, system, revision, _ = parts
    org, _, name = system.partition("__")
    try:
        System(org=org, name=name, revision=revision, licence="any")
    except ValidationError:
        return None
    return f"{system}/{revision}"


def _file_problems(repository: Path, change: Change) -> list[Problem]:
    """Name, kind and size of one new file, looked at without reading it."""
    where = shortened([change.file])
    if change.file not in ALLOWED_FILES:
        expected = ", ".join(sorted(ALLOWED_FILES))
        mend = "Leave it out; receipts of verification are added by maintainers."
        return [Problem("folder.extra", where, "a file that no submission has", f"only {expected}", mend)]
    if change.mode != _PLAIN_FILE:
        mend = "Add the file itself, without permission to run."
        return [Problem("file.not_regular", where, f"a file of git's mode {change.mode}", _PLAIN_FILE, mend)]
    size = int(_git(repository, "cat-file", "-s", change.blob))
    if size > MAX_FILE_BYTES:
        mend = "Send float16 vectors as embeddings.parquet; `igbo-align pack` keeps the type of the matrices."
        return [Problem("file.too_large", where, f"{size} bytes", f"at most {MAX_FILE_BYTES} bytes", mend)]
    return []


def _parsed(raw: str) -> list[Change]:
    """Records `:mode mode object object status`, each followed by a path, all ended by NUL."""
    fields = raw.split("\0")[:-1]
    changes = []
    for record, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, status = record.split(" ")
        changes.append(Change(status, mode, blob, path))
    return changes


def _commit(repository: Path, name: str) -> str:
    return _text(_git(repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")).strip()


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - git, and names that it was given
    if done.returncode:
        raise problem(
            "usage",
            f"git {arguments[0]}",
            found=" ".join(_text(done.stderr).split()) or "no answer",
            expected="two commits of one history in this repository",
            mend="Fetch both, and name them with --base and --head.",
        )
    return done.stdout


def _text(data: bytes) -> str:
    """Paths need not be UTF-8: what is not stays visible as escapes when it is shown."""
    return data.decode("utf-8", "surrogateescape")


def _changes(changes: Sequence[Change]) -> str:
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"
