"""Twenty people at once, each with a view or files of their own: everybody gets their own answer."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from browser import skip_or_fail
from igbo_space.view import View
from space_browser import serving

httpx = pytest.importorskip("httpx")
pytest.importorskip("gradio")

USERS = 20
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    with serving(GRADIO_TEMP_DIR=str(uploads)) as running:
        running.uploads = uploads
        yield running


class Visitor:
    """A client that talks to the app as its page does."""

    def __init__(self, server):
        self.client = httpx.Client(base_url=server.address, timeout=_PATIENCE_S)
        self.session = uuid.uuid4().hex[:11]
        self.functions = self.client.get("config").json()

    def close(self):
        self.client.close()

    def number_of(self, target, outputs):
        """The function that an event of a component calls."""
        by_id = {part["id"]: part for part in self.functions["components"]}
        for function in self.functions["dependencies"]:
            for component, event in function["targets"]:
                told = by_id.get(component, {}).get("props", {})
                if (told.get("elem_id"), event) == target and len(function["outputs"]) == outputs:
                    return function["id"]
        raise AssertionError(target)

    def search(self, words):
        values = [list(v) if isinstance(v, tuple) else v for v in vars(View(search=words)).values()]
        number = self.number_of(("control-search", "change"), 4)
        asked = {"data": values, "fn_index": number, "session_hash": self.session}
        return self.client.post("gradio_api/run/predict", json=asked).json()["data"][0]

    def try_files(self, *paths):
        files = [("files", (path.name, path.read_bytes())) for path in paths]
        places = self.client.post("gradio_api/upload", files=files).json()
        sent = [
            {"path": place, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}
            for place, path in zip(places, paths, strict=True)
        ]
        number = self.number_of(("try", "click"), 2)
        asked = {"data": [sent, "none"], "fn_index": number, "session_hash": self.session}
        self.client.post("gradio_api/queue/join", json=asked).raise_for_status()
        with self.client.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as lines:
            for line in lines.iter_lines():
                told = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if told.get("msg") == "process_completed":
                    return told["output"]["data"][0]
        raise AssertionError("no answer")


def matrices(demo, folder, number):
    """Vectors of their own for every visitor, small and quick to score."""
    rng = np.random.default_rng(number)
    speech = rng.normal(size=(len(demo.ids), 8)).astype(np.float32)
    text = speech + rng.normal(size=speech.shape).astype(np.float32) * (0.2 + number / 20)
    folder.mkdir()
    np.save(folder / "speech.npy", speech)
    np.save(folder / "text.npy", text)
    return speech, text


def test_everybody_gets_their_own_answer(server, demo, submission_of, tmp_path):
    words = [Path(row["submission"]).parts[0].removeprefix("baselines__") for row in board_rows()]
    expected = {}
    for number in range(0, USERS, 2):
        vectors = matrices(demo, tmp_path / str(number), number)
        expected[number] = ia.score(submission_of(*vectors), demo).tracks["full"]["speech_to_text"]["mrr"]
    together = threading.Barrier(USERS)

    def visit(number):
        with closing(Visitor(server)) as visitor:
            together.wait(_PATIENCE_S)
            if number % 2:
                return visitor.search(f"baselines/{words[number % len(words)]}")
            return visitor.try_files(*(tmp_path / str(number) / f"{side}.npy" for side in ("speech", "text")))

    with ThreadPoolExecutor(USERS) as pool:
        pages = list(pool.map(visit, range(USERS)))
    for number, page in enumerate(pages):
        if number % 2:
            assert f'data-system="baselines__{words[number % len(words)]}/1"' in page
        else:
            own = expected[number]
            assert f"{own.value:.3f}<small>{own.low:.3f}–{own.high:.3f}</small>" in page
    assert len({f"{item.value:.6f}" for item in expected.values()}) == USERS // 2
    left = [path for path in server.uploads.rglob("*") if path.is_file() and path.stat().st_size]
    assert left == []


def board_rows():
    board = Path(__file__).resolve().parent.parent / "leaderboard_space" / "leaderboard.json"
    return json.loads(board.read_text(encoding="utf-8"))["rows"]


def test_programs_read_the_board_without_an_account(server):
    client = pytest.importorskip("gradio_client").Client(server.address, verbose=False)
    told = client.view_api(return_format="dict")["named_endpoints"]
    assert {"/list_systems", "/get_system", "/compare_systems"} == told.keys()
    systems = client.predict(track="paper", direction="speech_to_text", search="", api_name="/list_systems")
    assert systems["systems"][0]["submission"] == "baselines__attentive/1"
    assert systems["systems"][0]["recall@1_low"] < systems["systems"][0]["recall@1"]
    one = client.predict(submission="baselines/ridge", api_name="/get_system")
    assert one["card"]["system"]["name"] == "ridge"
    assert "per_query" not in one
    test = client.predict(
        first="baselines/ridge", second="baselines/random", track="heldout", api_name="/compare_systems"
    )
    assert test["separable"]
    assert test["difference"] > 0.4
    assert "list_systems" in client.predict(submission="nobody", api_name="/get_system")["error"]


def test_the_same_three_are_tools_for_machines(server):
    if importlib.util.find_spec("mcp") is None:
        skip_or_fail("mcp is not installed")
    tools = httpx.get(f"{server.address}gradio_api/mcp/schema").json()
    assert {tool["name"] for tool in tools} == {"list_systems", "get_system", "compare_systems"}
    assert all(tool["description"] for tool in tools)


def test_the_limits_of_the_server_hold(server):
    with closing(Visitor(server)) as visitor:
        check_limits(visitor, visitor.client)


def check_limits(visitor, client):
    too_large = b"\0" * (64 * 1024 * 1024 + 1)
    assert client.post("gradio_api/upload", files=[("files", ("a.npz", too_large))]).status_code == 413
    for path in ("gradio_api/file=/etc/passwd", "file=/etc/passwd"):
        assert client.get(path).status_code in (403, 404)
    number = visitor.number_of(("try", "click"), 2)
    for place in ("/etc/passwd", str(Path(sys.executable))):
        asked = {"data": [[{"path": place, "meta": {"_type": "gradio.FileData"}}], "none"], "fn_index": number}
        answer = client.post("gradio_api/run/predict", json=asked | {"session_hash": "x"})
        assert "root:" not in answer.text
        assert "igbo_space" not in answer.text
        assert answer.status_code >= 400 or "error" in answer.text
    assert Path(sys.executable).exists()
