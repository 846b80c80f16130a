"""The comment of a review: one per pull request, never of anything that another pull request or workflow made up."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import post_review
import pytest
from hostile_strings import STRINGS
from markdown_it import MarkdownIt

SHA = "a" * 40
REVIEW = (
    "## Review of 1 submission: nothing is wrong\n\n### `me__mine/1`: can be scored\n\n```text\n@everyone <b>\n```\n"
)
BOT, PERSON = {"login": "github-actions[bot]"}, {"login": "somebody"}


class GitHub:
    """As much of GitHub's REST interface as the script uses, on loopback: pull request 7 of `me:branch`."""

    def __init__(self):
        base = {"ref": "main", "repo": {"full_name": "org/name"}}
        self.pull = {"number": 7, "head": {"sha": SHA}, "base": base, "changed_files": 2}
        self.files = [{"filename": f"submissions/me__mine/1/{name}"} for name in ("submission.json", "embeddings.npz")]
        self.comments = [{"id": 1, "user": PERSON, "body": "Nice!"}]
        self.requests = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, method, path, query, body):
        paged = slice(100 * (int(query.get("page", 1)) - 1), 100 * int(query.get("page", 1)))
        match method, path.removeprefix("/repos/org/name"):
            case "GET", "/pulls":
                open_here = query == {"state": "open", "head": "me:branch/ü&x"}
                return [self.pull] if open_here else []
            case "GET", "/pulls/7":
                return self.pull
            case "GET", "/pulls/7/files":
                return self.files[paged]
            case "GET", "/issues/7/comments":
                return self.comments[paged]
            case "POST", "/issues/7/comments":
                self.comments.append({"id": 1000 + len(self.comments), "user": BOT, "body": body["body"]})
                return {"html_url": "https://example.org/new"}
            case "PATCH", place:
                (comment,) = [item for item in self.comments if place == f"/issues/comments/{item['id']}"]
                comment["body"] = body["body"]
                return {"html_url": "https://example.org/old"}
        return None

    def handler(self):
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do(self):
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                hub.requests.append((self.command, self.path, self.headers["Authorization"]))
                answer = hub.answer(self.command, parts.path, query, body)
                self.send_response(404 if answer is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_GET = do_POST = do_PATCH = do  # noqa: N815 - the names that the server calls

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def github():
    running = GitHub()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.fixture
def post(github, tmp_path):
    """Run the script as the workflow does, on a review of this text."""

    def run(text=REVIEW, **replaced):
        folder = tmp_path / "review"
        if text is not None:
            folder.mkdir(exist_ok=True)
            (folder / "review.md").write_text(text)
        environment = {
            "GITHUB_TOKEN": "token",
            "GITHUB_API_URL": f"http://127.0.0.1:{github.server.server_port}",
            "GITHUB_REPOSITORY": "org/name",
            "HEAD_OWNER": "me",
            "HEAD_BRANCH": "branch/ü&x",
            "HEAD_SHA": SHA,
            "BASE_BRANCH": "main",
            "RUN_URL": "https://example.org/run",
            "REVIEW": str(folder),
        }
        assert post_review.main(environment | replaced) == 0
        return [item["body"] for item in github.comments if item["user"] == BOT]

    return run


def test_the_first_review_is_a_comment_and_the_next_ones_replace_it(github, post, capsys):
    (body,) = post()
    about = f"Made automatically from `{SHA}`; people decide. [The run](https://example.org/run)"
    assert body == f"{post_review.MARKER}\n{about}\n\n{REVIEW}"
    assert capsys.readouterr().out == "https://example.org/new\n"
    (body,) = post(REVIEW.replace("mine", "other"))
    assert "me__other/1" in body
    assert capsys.readouterr().out == "https://example.org/old\n"
    assert github.comments[0]["body"] == "Nice!"
    assert {token for _, _, token in github.requests} == {"Bearer token"}


def test_the_comment_of_a_person_is_never_replaced_and_ours_is_found_far_below(github, post):
    github.comments = [{"id": i, "user": PERSON, "body": f"{post_review.MARKER}\n{i}"} for i in range(150)]
    github.comments.append({"id": 150, "user": BOT, "body": "another workflow's"})
    github.comments.append({"id": 151, "user": BOT, "body": f"{post_review.MARKER}\nold"})
    assert len(post()) == 2
    assert REVIEW in github.comments[151]["body"]
    assert github.comments[149]["body"] == f"{post_review.MARKER}\n149"
    assert len(github.comments) == 152


@pytest.mark.parametrize(
    "change",
    [
        {"files": [{"filename": ".github/workflows/submissions.yml"}], "changed_files": 1},
        {"files": [{"filename": "submissions/a", "previous_filename": ".github/scripts/x.py"}], "changed_files": 1},
        {"files": [{"filename": "submissions/a"}], "changed_files": 2},
        {"changed_files": post_review.MAX_CHANGED_FILES + 1},
        {"files": [*({"filename": f"submissions/{i}"} for i in range(199)), {"filename": "x"}], "changed_files": 200},
    ],
    ids=["the workflow", "a rename", "files that are not listed", "too many", "on the second page"],
)
def test_of_a_pull_request_that_may_have_changed_the_review_nothing_is_repeated(change, github, post):
    github.files = change.get("files", github.files)
    github.pull["changed_files"] = change["changed_files"]
    (body,) = post()
    assert "can be scored" not in body
    assert "also changes files outside of `submissions/`" in body


def test_many_files_of_submissions_are_fine(github, post):
    github.files = [{"filename": f"submissions/{i}"} for i in range(200)]
    github.pull["changed_files"] = 200
    (body,) = post()
    assert REVIEW in body


@pytest.mark.parametrize(
    "replaced",
    [{"HEAD_SHA": "b" * 40}, {"BASE_BRANCH": "release"}, {"HEAD_OWNER": "other"}, {"HEAD_BRANCH": "branch"}],
    ids=lambda item: next(iter(item)),
)
def test_a_run_that_belongs_to_no_open_pull_request_posts_nothing(replaced, github, post, capsys):
    assert post(**replaced) == []
    assert capsys.readouterr().out == "No open pull request has this commit as its newest: nothing to post.\n"
    assert {method for method, _, _ in github.requests} == {"GET"}


def test_a_push_during_the_check_means_that_nothing_is_repeated(github, post, monkeypatch):
    pages = post_review.Api.pages

    def pushed(api, path):
        yield from pages(api, path)
        github.pull["head"] = {"sha": "c" * 40}

    monkeypatch.setattr(post_review.Api, "pages", pushed)
    (body,) = post()
    assert "can be scored" not in body


def test_without_a_review_the_comment_says_so(post):
    (body,) = post(None)
    assert body.endswith("## Review of submissions: not posted\n\nReason: there is no review.\n")


@pytest.mark.parametrize(
    "active",
    [
        "@everyone",
        "see #12",
        "GH-12",
        "org/name#1",
        "https://example.org",
        "www.example.org",
        "[x][y]",
        "[x]: y",
        "![x](y)",
        "<!-- x -->",
        "deadbeef0",
        "`` open",
        "a\N{RIGHT-TO-LEFT OVERRIDE}b",
        "a\N{ZERO WIDTH SPACE}b",
        "```text\n@x\n",
        "```html\n@x\n```",
    ],
)
def test_active_text_outside_of_code_is_not_posted(active, post):
    (body,) = post(f"## Review\n\n{active}\n")
    assert "Reason: the review holds" in body
    assert body.endswith(
        "cannot be seen.\n" if not active.isprintable() and "\n" not in active else "outside of code.\n"
    )


@pytest.mark.parametrize("text", STRINGS)
def test_hostile_text_is_refused_or_nothing_but_text(text, tmp_path):
    (tmp_path / "review.md").write_text(f"## Review\n\n{text}\n")
    try:
        shown = MarkdownIt("commonmark").render(post_review.read_review(tmp_path))
    except ValueError:
        return
    assert set(re.findall(r"<(\w+)", shown)) <= {"h2", "p", "code", "strong"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "more.md").write_text("x"), "there is no review"),
        (lambda folder: (folder / "review.md").write_bytes(b"a" * 256_001), "an allowed size"),
        (lambda folder: (folder / "review.md").write_bytes(b"a" * 64_001), "longer than a comment"),
        (lambda folder: (folder / "review.md").write_bytes(b"\xff"), "no text"),
        (lambda folder: (folder / "review.md").write_bytes(b"a\x1b[31m"), "cannot be seen"),
        (lambda folder: ((folder / "review.md").unlink(), (folder / "review.md").mkdir()), "no regular file"),
        (lambda folder: ((folder / "review.md").unlink(), (folder / "review.md").symlink_to("/etc/passwd")), "regular"),
    ],
    ids=["two files", "too large", "too long", "no UTF-8", "control characters", "a folder", "a link"],
)
def test_what_is_no_review_is_not_read(spoil, reason, tmp_path):
    (tmp_path / "review.md").write_text(REVIEW)
    assert post_review.read_review(tmp_path) == REVIEW
    spoil(tmp_path)
    with pytest.raises(ValueError, match=reason):
        post_review.read_review(tmp_path)
