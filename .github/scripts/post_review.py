"""Post a review as the one comment of its pull request; the only script that holds a token which may write.

The text was made in a run of the pull request, and whoever changes the workflow there can make any text. So it is
posted only if the pull request changes nothing outside of `submissions/` - then workflow and scripts were those of the
base - and only if it formats nothing but what a review does. Which pull request it is comes from GitHub, not from the
text. Nothing is installed and nothing of the pull request is fetched here: the standard library is enough.

Environment: GITHUB_TOKEN, GITHUB_API_URL, GITHUB_REPOSITORY, HEAD_OWNER, HEAD_BRANCH, HEAD_SHA, BASE_BRANCH, RUN_URL,
and REVIEW, the folder that holds `review.md`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

MARKER = "<!-- igbo-align: review of submissions -->"
AUTHOR = "github-actions[bot]"
FILE = "review.md"
#: GitHub takes 65,536 characters; what is added around the review is shorter than the rest.
MAX_CHARACTERS = 64_000
_MAX_BYTES = 4 * MAX_CHARACTERS
#: Changed files that are looked at; a submission has five.
MAX_CHANGED_FILES = 300
_PER_PAGE = 100
_TIMEOUT_S = 30
_BLOCK = re.compile(r"^(`{3,})text\n.*?\n\1$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
#: What a review has outside of code: words, numbers, tables, headings, quotations, lists and bold words.
_PLAIN = re.compile(r"[\w \n.,:;()+%'>|*#\[\]…–−-]*")
_ACTIVE = re.compile(r"://|www\.|\]\(|\]\[|\]:|#\d|\bGH-\d|\b[0-9a-f]{7,40}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Api:
    """GitHub's REST interface, as far as it is needed."""

    address: str
    token: str

    def get(self, path: str, **query: str | int) -> Any:
        """The JSON at a path."""
        return self._send("GET", f"{path}?{urlencode(query)}" if query else path)

    def pages(self, path: str) -> Iterator[Any]:
        """Every item of a list, page after page."""
        number = 1
        while items := self.get(path, per_page=_PER_PAGE, page=number):
            yield from items
            if len(items) < _PER_PAGE:
                return
            number += 1

    def write(self, method: str, path: str, **fields: str) -> Any:
        """Send JSON with POST or PATCH."""
        return self._send(method, path, json.dumps(fields).encode())

    def _send(self, method: str, path: str, data: bytes | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        headers |= {"X-GitHub-Api-Version": "2022-11-28", "User-Agent": "igbo-align-review"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.address}{path}", data, headers, method=method)  # noqa: S310 - GitHub's own address
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)


@dataclass(frozen=True)
class Run:
    """The run that made a review, as GitHub describes it: of which commit, of whose branch, against which base."""

    repository: str
    owner: str
    branch: str
    commit: str
    base: str
    url: str

    def pull_request(self, api: Api) -> int | None:
        """Number of the open pull request whose newest commit is the one that was reviewed; None if there is none."""
        found = api.get(f"/repos/{self.repository}/pulls", state="open", head=f"{self.owner}:{self.branch}")
        numbers = [item["number"] for item in found if self._is_it(item)]
        return numbers[0] if len(numbers) == 1 else None

    def changes_only_submissions(self, api: Api, number: int) -> bool:
        """Whether every changed file lies, and lay before, below `submissions/`, in the commit that was reviewed."""
        path = f"/repos/{self.repository}/pulls/{number}"
        before = api.get(path)
        if before["changed_files"] > MAX_CHANGED_FILES:
            return False
        files = list(api.pages(f"{path}/files"))
        after = api.get(path)
        names = [name for item in files for name in (item["filename"], item.get("previous_filename")) if name]
        whole = len(files) == after["changed_files"] and self._is_it(after)
        return whole and all(name.startswith("submissions/") for name in names)

    def post(self, api: Api, number: int, body: str) -> str:
        """Write the comment, in the place of the one that stands there already, and return its address."""
        comments = f"/repos/{self.repository}/issues/{number}/comments"
        own = [item["id"] for item in api.pages(comments) if _is_ours(item)]
        if own:
            place = f"/repos/{self.repository}/issues/comments/{quote(str(own[0]))}"
            return api.write("PATCH", place, body=body)["html_url"]
        return api.write("POST", comments, body=body)["html_url"]

    def _is_it(self, item: Mapping[str, Any]) -> bool:
        base, head = item["base"], item["head"]
        return head["sha"] == self.commit and base["ref"] == self.base and base["repo"]["full_name"] == self.repository


def read_review(folder: Path) -> str:
    """The text of a review that is safe to post.

    Raises:
        ValueError: there is none, or it is not what a review looks like; the message says what is wrong.
    """
    path = folder / FILE
    names = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
    if names != [FILE]:
        raise ValueError("there is no review")
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_BYTES:
        raise ValueError("the review is no regular file of an allowed size")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("the review is no text") from error
    if len(text) > MAX_CHARACTERS:
        raise ValueError("the review is longer than a comment")
    if not all(character.isprintable() or character == "\n" for character in text):
        raise ValueError("the review holds characters that cannot be seen")
    words = _INLINE.sub("", _BLOCK.sub("", text))
    if not _PLAIN.fullmatch(words) or _ACTIVE.search(words):
        raise ValueError("the review holds more than words, numbers and tables outside of code")
    return text


def body_of(run: Run, review: str) -> str:
    """The comment: our own words first, so that nobody takes the rest for a decision."""
    about = f"Made automatically from `{run.commit}`; people decide. [The run]({run.url})"
    return f"{MARKER}\n{about}\n\n{review}"


def main(environment: Mapping[str, str]) -> int:
    """Post the review of the run that the environment describes, and return the exit code."""
    names = ("GITHUB_REPOSITORY", "HEAD_OWNER", "HEAD_BRANCH", "HEAD_SHA", "BASE_BRANCH", "RUN_URL")
    run = Run(*(environment[name] for name in names))
    api = Api(environment["GITHUB_API_URL"], environment["GITHUB_TOKEN"])
    number = run.pull_request(api)
    if number is None:
        sys.stdout.write("No open pull request has this commit as its newest: nothing to post.\n")
        return 0
    if run.changes_only_submissions(api, number):
        try:
            review = read_review(Path(environment["REVIEW"]))
        except ValueError as error:
            review = f"## Review of submissions: not posted\n\nReason: {error}.\n"
    else:
        review = (
            "## Review of submissions: not posted\n\nThis pull request also changes files outside of `submissions/`, "
            "perhaps the review itself. Please propose submissions alone.\n"
        )
    sys.stdout.write(f"{run.post(api, number, body_of(run, review))}\n")
    return 0


def _is_ours(comment: Mapping[str, Any]) -> bool:
    return comment["user"]["login"] == AUTHOR and comment["body"].startswith(MARKER)


if __name__ == "__main__":
    try:
        sys.exit(main(os.environ))
    except OSError as error:  # of the network, and answers that are refusals
        sys.stderr.write(f"GitHub could not be asked: {error}\n")
        sys.exit(4)
