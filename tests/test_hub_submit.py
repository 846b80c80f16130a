"""`submit` with the real client against a stand-in on loopback: every submission arrives exactly once."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import httpx
from igbo_align.cli.app import run as run_here
from igbo_align.hub.commits import Committed, Destination, Patience, persist, propose_files
from igbo_align.problems import EnvironmentProblem
from loopback_hub import LoopbackHub, Repository
from loopback_repository import blob_id

TESTS = Path(__file__).parent
RIDGE = TESTS.parent / "submissions" / "baselines__ridge" / "1"
BOARD = ("datasets", "tests/board")
PLACE = "submissions/baselines__ridge/1/"


@pytest.fixture
def hub():
    """A hub with an empty board."""
    with LoopbackHub({BOARD: Repository({"README.md": b"# Board\n"})}) as running:
        yield running


@pytest.fixture
def typed(hub, tmp_path):
    """Type a command in a process of its own that knows no other hub."""

    def run(*arguments, **environment):
        variables = os.environ | hub.environment(tmp_path / "hf") | environment
        command = [sys.executable, *(arguments if arguments[0].endswith(".py") else ("-m", "igbo_align", *arguments))]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


def test_a_submission_becomes_one_pull_request_with_its_table(hub, typed):
    hub.faults.single = [("POST.*/commit/", "late"), ("POST.*/commit/", 409), ("/tree/", "drop")]
    done = typed("submit", str(RIDGE), "--repo", "tests/board")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.address}/datasets/tests/board/discussions/1"
    (request,) = hub.repositories[BOARD].pull_requests.values()
    assert request.title == "Submission baselines__ridge/1"
    assert "| heldout | speech to text |" in request.description
    for name in ("submission.json", "embeddings.parquet", "scores.json"):
        if name != "scores.json":
            assert request.files[PLACE + name] == (RIDGE / name).read_bytes()
    assert json.loads(request.files[PLACE + "scores.json"])["system"]["name"] == "ridge"
    assert "README.md" in request.files


def test_the_same_submission_again_sends_nothing_and_another_under_its_name_is_refused(hub, typed, tmp_path):
    first = json.loads(typed("submit", str(RIDGE), "--repo", "tests/board", "--json").stdout)
    again = json.loads(typed("submit", str(RIDGE), "--repo", "tests/board", "--json").stdout)
    assert (first["changed"], again["changed"]) == (True, False)
    assert again["url"] == first["url"]
    board = hub.repositories[BOARD]
    assert len(board.pull_requests) == 1
    board.merge(1)
    assert not json.loads(typed("submit", str(RIDGE), "--repo", "tests/board", "--json").stdout)["changed"]
    board.write(board.files | {f"{PLACE}submission.json": b"{}"}, "another card")
    done = typed("submit", str(RIDGE), "--repo", "tests/board")
    assert done.returncode == 1
    assert "submission.exists" in done.stderr
    assert len(board.pull_requests) == 1


@pytest.mark.parametrize(
    ("repository", "token", "code"),
    [
        ("tests/board", "reader", "environment.token"),
        ("tests/none", "writer", "environment.hub"),
    ],
)
def test_refusals_are_problems_without_a_loop_of_retries(hub, typed, repository, token, code):
    done = typed("submit", str(RIDGE), "--repo", repository, HF_TOKEN=token)
    assert done.returncode == 4
    assert code in done.stderr
    assert "Traceback" not in done.stderr
    assert len(hub.requests) < 8
    assert not hub.repositories[BOARD].pull_requests


def test_the_board_of_a_repository_is_recomputed_and_found_again_offline(hub, typed, tmp_path):
    board = hub.repositories[BOARD]
    for name in ("ridge", "zero-shot"):
        folder = RIDGE.parent.parent / f"baselines__{name}" / "1"
        held = {f"submissions/baselines__{name}/1/{path.name}": path.read_bytes() for path in folder.iterdir()}
        board.write(board.files | held | {f"submissions/baselines__{name}/1/run.sh": b"rm"}, name)
    online = typed("leaderboard", "--from-hub", "tests/board", "--json")
    assert online.returncode == 0, online.stderr
    rows = {row["submission"]: row for row in json.loads(online.stdout)["rows"]}
    assert set(rows) == {"baselines__ridge/1", "baselines__zero-shot/1"}
    stated = json.loads((RIDGE / "scores.json").read_bytes())["tracks"]
    assert rows["baselines__ridge/1"]["tracks"] == stated
    assert not [line for line in hub.requests if "run.sh" in line]
    hub.requests.clear()
    offline = typed("leaderboard", "--from-hub", "tests/board", "--json", HF_HUB_OFFLINE="1")
    assert offline.stdout == online.stdout
    assert hub.requests == []
    assert typed("leaderboard").returncode == 2
    assert typed("leaderboard", str(tmp_path), "--from-hub", "tests/board").returncode == 2


def test_results_become_a_pull_request_to_the_model(hub, typed):
    model = hub.repositories["models", "tests/ridge"] = Repository({"README.md": b"# Ridge\n"})
    dataset, url = f"tests/demo@{'0' * 40}", "https://huggingface.co/datasets/tests/demo"
    command = ["eval-results", str(RIDGE), "--dataset", dataset, "--source-url", url]
    printed = typed(*command, HF_HUB_OFFLINE="1")
    assert printed.returncode == 0, printed.stderr
    for changed in (True, False):
        done = typed(*command, "--model", "tests/ridge", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["changed"] == changed
    (request,) = model.pull_requests.values()
    (path,) = set(request.files) - {"README.md"}
    assert path == ".eval_results/igbo-align-demo-baselines__ridge.yaml"
    assert request.files[path].decode() == printed.stdout
    entries = parse_eval_result_entries(yaml.safe_load(printed.stdout))
    stated = json.loads((RIDGE / "scores.json").read_bytes())["tracks"]["heldout"]["speech_to_text"]["recall@1"]
    named = {entry.task_id: entry for entry in entries}
    assert named["heldout_speech_to_text_recall_at_1"].value == pytest.approx(stated["value"], abs=1e-6)
    assert {entry.source_url for entry in entries} == {url}
    assert typed("eval-results", str(RIDGE)).returncode == 2
    assert "--dataset" in typed("eval-results", str(RIDGE), "--dataset", "tests/demo").stderr


def test_results_are_a_pull_request_whose_address_is_printed(zero_shot_scores, monkeypatch, capsys):
    address = "https://huggingface.co/tests/ridge/discussions/1"
    asked = []

    def propose(text, scores, model):
        asked.append((yaml.safe_load(text)[0]["dataset"]["id"], scores, model))
        return Committed(address, "0" * 40, changed=True)

    monkeypatch.setattr("igbo_align.scoring.score.score", lambda *_: zero_shot_scores)
    monkeypatch.setattr("igbo_align.hub.evaluation.propose_eval_results", propose)
    command = ["eval-results", str(RIDGE), "--dataset", f"tests/demo@{'0' * 40}", "--model", "tests/ridge"]
    assert run_here(command) == 0
    assert capsys.readouterr().out == f"{address}\n"
    assert asked == [("tests/demo", zero_shot_scores, "tests/ridge")]


def test_a_hub_that_never_answers_is_given_up_after_some_attempts():
    attempts = []

    def attempt():
        attempts.append(len(attempts))
        raise httpx.ConnectError("refused")

    with pytest.raises(EnvironmentProblem) as caught:
        persist(Destination("tests/board"), attempt, Patience(attempts=3, first_wait_s=0.001))
    assert attempts == [0, 1, 2]
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("environment.hub", "tests/board")
    assert problem.found == "no answer from the Hub, or a refusal (ConnectError)"
    assert problem.expected == "a dataset that can be read and written"
    assert problem.mend == "Check name and network, then run the same command again: nothing is written twice."


class Forgetful:
    """A hub on which pull requests are opened; what the first ones should hold is not there."""

    endpoint = "https://hub"

    def __init__(self, forgotten):
        self.forgotten, self.requests = forgotten, {}

    def repo_info(self, name, repo_type, revision="main"):
        return SimpleNamespace(sha=f"commit of {revision}")

    def list_repo_tree(self, name, recursive, revision, repo_type):
        return self.requests[revision].files if revision in self.requests else []

    def get_repo_discussions(self, name, discussion_type, repo_type):
        return self.requests.values()

    def create_commit(self, name, operations, *, commit_message, **_):
        number, files = len(self.requests) + 1, [] if len(self.requests) < self.forgotten else operations
        listed = [RepoFile(path=item.path_in_repo, size=1, oid=blob_id(item.path_or_fileobj)) for item in files]
        request = SimpleNamespace(title=commit_message, status="open", num=number, files=listed)
        self.requests[f"refs/pr/{number}"] = request
        url = f"{self.endpoint}/datasets/{name}/discussions/{number}"
        return SimpleNamespace(pr_revision=f"refs/pr/{number}", pr_url=url, oid=f"commit {number}")


def test_a_pull_request_counts_when_it_holds_the_files_and_not_by_its_title():
    """Anybody can open one of the same title, and a commit that was accepted may have come to nothing."""
    api, board, files = Forgetful(forgotten=2), Destination("tests/board"), {"a.json": b"{}"}
    patience = Patience(attempts=4, first_wait_s=0.001)
    address = "https://hub/datasets/tests/board/discussions/3"
    done = propose_files(api, board, files, "Submission a", "table", patience)
    assert done == Committed(address, "commit 3", changed=True)
    again = propose_files(api, board, files, "Submission a", "table", patience)
    assert again == Committed(address, "commit of refs/pr/3", changed=False)
    assert len(api.requests) == 3


def test_offline_it_says_so_at_once(typed):
    done = typed("submit", str(RIDGE), "--repo", "tests/board", HF_HUB_OFFLINE="1")
    assert done.returncode == 4
    assert "environment.hub" in done.stderr


def test_without_a_token_nothing_is_asked(hub, typed):
    for command in (
        ["submit", str(RIDGE), "--repo", "tests/board"],
        ["publish", "demo", "--repo", "tests/demo"],
        ["eval-results", str(RIDGE), "--dataset", f"tests/demo@{'0' * 40}", "--model", "tests/ridge"],
    ):
        done = typed(*command, HF_TOKEN="")
        assert done.returncode == 4
        assert "environment.token" in done.stderr
        assert "found     no token" in done.stderr
    assert hub.requests == []


def test_a_hub_where_nobody_listens_is_not_waited_for(typed):
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        done = typed("submit", str(RIDGE), "--repo", "tests/board", HF_ENDPOINT=nowhere)
    assert done.returncode == 4
    assert time.monotonic() - started < 20
    assert "environment.hub" in done.stderr
    assert "etry" not in done.stderr


@pytest.mark.parametrize("cause", [socket.gaierror(-3, "Temporary failure"), ConnectionRefusedError(111, "refused")])
def test_a_hub_that_was_never_there_ends_it_and_one_that_restarts_does_not(cause):
    def failing():
        asked.append(1)
        try:
            raise cause
        except OSError as error:
            raise httpx.ConnectError("wrapped") from error

    def restarting():
        if asked:
            failing()
        asked.append(1)
        raise httpx.ReadTimeout("slow")

    for attempt, expected in ((failing, 1), (restarting, 4)):
        asked = []
        with pytest.raises(EnvironmentProblem, match=r"environment\.hub"):
            persist(Destination("tests/board"), attempt, Patience(4, 0.001, 0.001))
        assert len(asked) == expected


def test_a_server_that_falls_silent_is_not_waited_for(hub, typed):
    hub.faults.single = [("POST.*/commit/", "silence")]
    started = time.monotonic()
    done = typed(str(TESTS / "hub_submit_child.py"), "1", "2")
    assert done.returncode == 0, done.stderr[-2000:]
    assert time.monotonic() - started < hub.faults.silence_s
    assert hub.faults.seen == ["silence"]
    assert len(hub.repositories[BOARD].pull_requests) == 1


def test_sixty_four_at_once_with_conflicts_and_lost_answers_are_each_present_exactly_once(hub, typed):
    """30 % of the commits meet a conflict, 10 % are carried out and answered with 500."""
    chance = random.Random(7)

    def fault(request):
        if "/commit/" not in request:
            return None
        drawn = chance.random()
        return chance.choice((409, 412)) if drawn < 0.3 else "late" if drawn < 0.4 else None

    hub.faults.always = fault
    done = typed(str(TESTS / "hub_submit_child.py"), "64", "60")
    assert done.returncode == 0, done.stderr[-2000:]
    assert {"late"} < set(hub.faults.seen)
    board = hub.repositories[BOARD]
    assert sorted(request.title for request in board.pull_requests.values()) == sorted(
        f"Submission tests__system-{number}/1" for number in range(64)
    )
    assert len({url for url, _ in json.loads(done.stdout)}) == 64
    for number in list(board.pull_requests):
        board.merge(number)
    for number in range(64):
        assert board.files[f"submissions/tests__system-{number}/1/embeddings.npz"] == b"%d" % number
