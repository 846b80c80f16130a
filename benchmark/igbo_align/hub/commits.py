"""One commit, or one pull request, that is there exactly once, whatever happens on the way.

Every attempt begins by reading what the repository holds, and sends only what differs. So a commit that was carried
out though its answer was lost is found by the next attempt, publishing the same thing twice changes nothing, and
somebody else's commit in between is noticed by `parent_commit` and read before the next attempt.
"""

from __future__ import annotations

import hashlib
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..problems import ProblemsFound, problem

Result = TypeVar("Result")
#: Answers that may be different a moment later: timeouts, conflicts, too many requests, and the server's own failures.
_PASSING = {408, 409, 412, 425, 429, 500, 502, 503, 504}
_FORBIDDEN = {401, 403}


@dataclass(frozen=True)
class Destination:
    """A repository on the Hub: its name `org/name`, and its kind: `dataset`, `space` or `model`."""

    name: str
    kind: str = "dataset"


@dataclass(frozen=True)
class Patience:
    """How often and how slowly a request is repeated: waits are drawn between 0 and a bound that doubles each time.

    A server that says nothing for `silence_s` has failed; the client itself would wait for ever.
    """

    attempts: int = 10
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    silence_s: float = 120.0

    def wait(self, attempt: int, error: Exception) -> None:
        """Sleep before the next attempt; as long as the Hub asks for, where it does."""
        asked = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
        bound = min(self.longest_wait_s, self.first_wait_s * 2**attempt)
        jitter = random.SystemRandom().uniform(0, bound)
        time.sleep(min(float(asked), self.longest_wait_s) + jitter if asked.isdigit() else jitter)


@dataclass(frozen=True)
class Committed:
    """What became of it: the address to show, the commit, and whether anything had to be changed."""

    url: str
    commit: str
    changed: bool


PATIENCE = Patience()


def require_token(destination: Destination) -> None:
    """Fail before any request if there is no token at all; what one may do is the Hub's to say.

    Raises:
        EnvironmentProblem: there is none (`environment.token`).
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise _not_allowed(destination)


def ensure_repository(
    api: Any,
    destination: Destination,
    *,
    private: bool = False,
    sdk: str | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Create a repository unless it is there already: who may write to one need not have the right to create one.

    Raises:
        EnvironmentProblem: the Hub cannot be reached (`environment.hub`) or the token may not write
            (`environment.token`).
    """
    name, kind = destination.name, destination.kind

    def attempt() -> None:
        if not api.repo_exists(name, repo_type=kind):
            api.create_repo(name, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)

    persist(destination, attempt, patience)


def commit_files(
    api: Any,
    destination: Destination,
    files: Mapping[str, bytes],
    message: str,
    *,
    remove: Callable[[str], bool] = lambda _path: False,
    patience: Patience = PATIENCE,
) -> Committed:
    """Make the main branch hold these files in one commit; no commit if it holds them already.

    Args:
        api: a `huggingface_hub.HfApi`.
        destination: an existing repository.
        files: path in the repository -> content.
        message: of the commit.
        remove: which of the other files there are removed.
        patience: with passing failures.

    Raises:
        EnvironmentProblem: the Hub cannot be reached or keeps refusing (`environment.hub`), or the token may not write
            (`environment.token`).
    """
    changed = False

    def attempt() -> Committed:
        nonlocal changed
        head = api.repo_info(destination.name, repo_type=destination.kind).sha
        operations = list(_operations(files, held_files(api, destination, head), remove))
        if not operations:
            return Committed(_page(api, destination), head, changed)
        changed = True
        api.create_commit(
            destination.name, operations, commit_message=message, repo_type=destination.kind, parent_commit=head
        )
        raise _ReadBackError

    return persist(destination, attempt, patience)


def propose_files(
    api: Any,
    destination: Destination,
    files: Mapping[str, bytes],
    title: str,
    description: str,
    patience: Patience = PATIENCE,
) -> Committed:
    """Open one pull request that adds these files; none if it is open already, or if main holds them.

    Raises:
        EnvironmentProblem: as `commit_files`.
    """
    from huggingface_hub import CommitOperationAdd

    changed = False

    def attempt() -> Committed:
        nonlocal changed
        head = api.repo_info(destination.name, repo_type=destination.kind).sha
        if not list(_operations(files, held_files(api, destination, head))):
            return Committed(_page(api, destination), head, changed)
        if found := _open_request(api, destination, files, title):
            return Committed(found.url, found.commit, changed)
        changed = True
        done = api.create_commit(
            destination.name,
            [CommitOperationAdd(path, data) for path, data in files.items()],
            commit_message=title,
            commit_description=description,
            repo_type=destination.kind,
            parent_commit=head,
            create_pr=True,
        )
        if list(_operations(files, held_files(api, destination, done.pr_revision))):
            raise _ReadBackError
        return Committed(done.pr_url, done.oid, changed)

    return persist(destination, attempt, patience)


class _ReadBackError(Exception):
    """A commit was accepted and is to be read back: the next attempt finds nothing left to do, or does the rest."""


def persist(destination: Destination, attempt: Callable[[], Result], patience: Patience = PATIENCE) -> Result:
    """Call `attempt` until it returns; passing failures are waited out, all others end it.

    A Hub that is not there when it is called first is none that fails in passing: no network, or another address.

    Raises:
        EnvironmentProblem: as `commit_files`.
    """
    from huggingface_hub import get_session
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import httpx

    get_session().timeout = patience.silence_s
    last: Exception | None = None
    for number in range(patience.attempts):
        if last is not None:
            patience.wait(number - 1, last)
        try:
            return attempt()
        except _ReadBackError:
            last = None
        except (httpx.HTTPError, HFValidationError, OSError) as error:  # the Hub's own errors are among the first two
            _raise_if_final(destination, error)
            if number == 0 and _is_unreachable(error):
                raise _unreachable(destination, error) from error
            last = error
    raise _unreachable(destination, last) from last


def _raise_if_final(destination: Destination, error: Exception) -> None:
    """Raise the problem that an error stands for, unless it may pass."""
    from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError, OfflineModeIsEnabled

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, LocalTokenNotFoundError) or status in _FORBIDDEN:
        raise _not_allowed(destination, status) from error
    if isinstance(error, (HFValidationError, OfflineModeIsEnabled)) or (status and status not in _PASSING):
        raise _unreachable(destination, error) from error


def _is_unreachable(error: BaseException | None) -> bool:
    """Whether a name could not be looked up, or nobody listens there; clients wrap what the system said."""
    while error is not None:
        if isinstance(error, (socket.gaierror, ConnectionRefusedError)):
            return True
        error = error.__cause__ or error.__context__
    return False


def held_files(api: Any, destination: Destination, revision: str) -> dict[str, str]:
    """Path -> name of the content of every file at a revision: SHA-256 of large files, git's name of the others."""
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(destination.name, recursive=True, revision=revision, repo_type=destination.kind)
    return {item.path: item.lfs.sha256 if item.lfs else item.blob_id for item in tree if isinstance(item, RepoFile)}


def same_content(data: bytes, name: str | None) -> bool:
    """Whether a name of `held_files` is that of these bytes."""
    git = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return name in (git, hashlib.sha256(data).hexdigest())


def _operations(
    files: Mapping[str, bytes], held: Mapping[str, str], remove: Callable[[str], bool] = lambda _path: False
) -> Iterator[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    for path, data in files.items():
        if not same_content(data, held.get(path)):
            yield CommitOperationAdd(path, data)
    for path in held:
        if path not in files and remove(path):
            yield CommitOperationDelete(path)


def _open_request(api: Any, destination: Destination, files: Mapping[str, bytes], title: str) -> Committed | None:
    """The open pull request of this title that holds these files. A title alone proves nothing: anyone can write it."""
    listed = api.get_repo_discussions(destination.name, discussion_type="pull_request", repo_type=destination.kind)
    for request in listed:
        if request.title == title and request.status in ("open", "draft"):
            revision = f"refs/pr/{request.num}"
            if not list(_operations(files, held_files(api, destination, revision))):
                commit = api.repo_info(destination.name, repo_type=destination.kind, revision=revision).sha
                return Committed(f"{_page(api, destination)}/discussions/{request.num}", commit, changed=False)
    return None


def _page(api: Any, destination: Destination) -> str:
    folder = {"dataset": "datasets/", "space": "spaces/"}.get(destination.kind, "")
    return f"{api.endpoint}/{folder}{destination.name}"


def _not_allowed(destination: Destination, status: int | None = None) -> ProblemsFound:
    return problem(
        "environment.token",
        destination.name,
        found="no token" if status is None else f"a token that may not do this (status {status})",
        expected=f"a token that may write to this {destination.kind}",
        mend="Make one with write access at huggingface.co/settings/tokens, then `hf auth login`.",
    )


def _unreachable(destination: Destination, error: Exception | None) -> ProblemsFound:
    status = getattr(getattr(error, "response", None), "status_code", None)
    found = f"status {status}" if status else type(error).__name__
    return problem(
        "environment.hub",
        destination.name,
        found=f"no answer from the Hub, or a refusal ({found})",
        expected=f"a {destination.kind} that can be read and written",
        mend="Check name and network, then run the same command again: nothing is written twice.",
    )
