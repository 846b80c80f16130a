"""What the stand-in for the Hub stores: repositories with history and pull requests, and the faults it injects."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

#: Files that the real Hub would store as large ones.
LARGE = (".parquet", ".npz", ".npy", ".safetensors", ".whl", ".bin")
Files = dict[str, bytes]


def blob_id(data: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def is_large(path: str) -> bool:
    """Whether a file is stored as a large one."""
    return path.endswith(LARGE)


def etag(path: str, data: bytes) -> str:
    """The name under which the clients cache a file."""
    return hashlib.sha256(data).hexdigest() if is_large(path) else blob_id(data)


@dataclass
class PullRequest:
    """A pull request: what it would make of the repository, and what its page says."""

    title: str
    description: str
    files: Files
    commit: str
    status: str = "open"
    author: str = "nobody"


@dataclass
class Repository:
    """One repository: what `main` holds now (path -> bytes), all that it held, and its pull requests by number."""

    files: Files
    snapshots: dict[str, Files] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    private: bool = False

    @property
    def commit(self) -> str:
        """Name of the newest commit: a hash over everything in it and over how many came before."""
        return self.name_of(self.files)

    def name_of(self, files: Files) -> str:
        """Name that a commit of these files has, or would have."""
        listing = [(path, hashlib.sha1(data).hexdigest()) for path, data in sorted(files.items())]
        return hashlib.sha1(json.dumps([len(self.titles), listing]).encode()).hexdigest()

    def at(self, revision: str) -> Files | None:
        """Files at a revision: `main`, a commit, or `refs/pr/N`."""
        if match := re.fullmatch(r"refs/pr/(\d+)", revision):
            request = self.pull_requests.get(int(match[1]))
            return request.files if request else None
        for request in self.pull_requests.values():
            if request.commit == revision:
                return request.files
        return self.files if revision in ("main", "refs/heads/main", self.commit) else self.snapshots.get(revision)

    def write(self, files: Files, title: str) -> str:
        """Make `main` hold these files; returns the new commit."""
        self.snapshots[self.commit] = self.files
        self.titles.append(title)
        self.files = files
        return self.commit

    def propose(self, files: Files, title: str, description: str) -> int:
        """Open a pull request; returns its number."""
        number = len(self.pull_requests) + 1
        commit = hashlib.sha1(f"{number} {self.name_of(files)}".encode()).hexdigest()
        self.pull_requests[number] = PullRequest(title, description, files, commit)
        return number

    def merge(self, number: int) -> None:
        """Merge a pull request: what it adds or changes is written to `main`."""
        request = self.pull_requests[number]
        self.write(self.files | request.files, request.title)
        request.status = "merged"


def entry(path: str, data: bytes) -> dict:
    """A file as listings show it."""
    shown = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
    if is_large(path):
        shown["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return shown


@dataclass
class Faults:
    """What goes wrong: `(pattern, kind)`, each for one request that matches, first come first served.

    Kinds: a status as a number; `late` answers 500 to a request that was carried out; `drop` closes the connection
    unanswered, `late-drop` does so after carrying the request out, `silence` after a long wait. `always` is asked when no single fault matches.
    """

    single: list[tuple[str, str | int]] = field(default_factory=list)
    always: Callable[[str], str | int | None] | None = None
    seen: list[str | int] = field(default_factory=list)
    silence_s: float = 30.0

    def take(self, request: str) -> str | int | None:
        """The fault of this request, if any."""
        found = next((fault for fault in self.single if re.search(fault[0], request)), None)
        if found:
            self.single.remove(found)
        kind = found[1] if found else self.always(request) if self.always else None
        if kind is not None:
            self.seen.append(kind)
        return kind
