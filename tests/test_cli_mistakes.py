"""What people get wrong at the command line, and names that look like something else: said in words, never a bug."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run

SUBMISSIONS = Path(__file__).parent.parent / "submissions"


@pytest.fixture
def board(tmp_path):
    """A folder of one good submission and two that have problems."""
    for name in ("good", "long", "short"):
        shutil.copytree(SUBMISSIONS / "baselines__random", tmp_path / f"baselines__{name}")
    for name, factor in (("long", 1e8), ("short", 1e-8)):
        place = tmp_path / f"baselines__{name}" / "1" / "embeddings.parquet"
        submission, release = ia.load_submission(place.parent), ia.load_release()
        content = submission.content
        place.unlink()
        np.savez(
            place.with_suffix(".npz"), ids=content.ids, speech=content.speech * np.float32(factor), text=content.text
        )
        assert ia.validate(ia.load_submission(place.parent), release)
    return tmp_path


@pytest.mark.parametrize("name", ["runs[final]", "a[/b]", ":smile:", "[bold]x[/bold]"])
def test_paths_are_printed_as_they_are(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SUBMISSIONS / "baselines__random" / "1", tmp_path / name)
    assert run(["validate", name]) == 0
    assert capsys.readouterr().out == f"{name}: no problems\n"


def test_a_board_lists_the_problems_of_all_its_submissions(board, capsys):
    assert run(["leaderboard", str(board), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(item["code"], item["where"]) for item in told["problems"]] == [
        ("array.norm", "baselines__long/1/speech"),
        ("array.norm", "baselines__short/1/speech"),
    ]


def test_a_comparison_says_whose_problems_they_are(board, capsys):
    good, long, short = (board / f"baselines__{name}" / "1" for name in ("good", "long", "short"))
    assert run(["compare", str(long), str(short), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [item["where"] for item in told["problems"]] == [f"{long}/speech", f"{short}/speech"]
    assert run(["compare", str(good), str(good), "--json"]) == 0
    assert "not Igbo" in json.loads(capsys.readouterr().out)["notice"]
    assert run(["compare", str(good), str(good)]) == 0
    assert "not Igbo" in capsys.readouterr().err


def test_a_board_says_which_folder_holds_another_card(tmp_path, capsys):
    shutil.copytree(SUBMISSIONS / "baselines__random" / "1", tmp_path / "other__name" / "7")
    shutil.copytree(SUBMISSIONS / "baselines__ridge", tmp_path / "baselines__ridge")
    assert run(["leaderboard", str(tmp_path)]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Note:")]
    assert notes == ["Note: other__name/7 holds the card of baselines__random/1."]


@pytest.mark.parametrize("arguments", [["leaderboard", "nosuch"], ["report", "x", "--out", "r.html"]])
def test_folders_that_are_not_there(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "report":
        pytest.importorskip("matplotlib")
        shutil.copytree(SUBMISSIONS / "baselines__random" / "1", tmp_path / "x")
        arguments = [*arguments, "--baselines", "nosuch"]
    assert run(arguments) == 1
    assert "folder.missing  nosuch\n  found     no such folder\n" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_file_is_no_submission_folder(tmp_path, capsys):
    (tmp_path / "card.json").touch()
    assert run(["validate", str(tmp_path / "card.json")]) == 1
    assert "folder.missing  card.json\n  found     a file\n" in capsys.readouterr().err


def test_rank_names_files_that_are_not_there_and_devices_that_nobody_has(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["rank", "--speech", "s.npy", "--text", "s.npy", "--out", "ranks.parquet"]
    assert run(arguments) == 1
    assert "file.format  s.npy\n  found     no such file\n" in capsys.readouterr().err
    np.save("s.npy", np.eye(4))
    pytest.importorskip("torch")
    assert run([*arguments, "--device", "foo"]) == 2
    assert "usage  --device\n  found     'foo'\n" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["s.npy"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--repo", "bad repo"], "'bad repo' is no name of a repository on the Hub, `org/name`."),
        (["--repo", "name"], "'name' names no organisation or user, `org/name`."),
        (["--repo", "a/b", "--space", "a/b/c"], "'a/b/c' is no name of a repository on the Hub, `org/name`."),
        (["--repo", "a/b", "--metric", "a/-b"], "'a/-b' is no name of a repository on the Hub, `org/name`."),
    ],
)
def test_names_that_no_repository_can_have(options, said, capsys):
    assert run(["publish", "demo", "--dry-run", *options]) == 2
    printed = capsys.readouterr()
    assert said in " ".join(printed.err.split())
    assert printed.out == ""


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_seeds_that_no_generator_takes(seed, tmp_path, capsys):
    assert run(["build", "--source", str(tmp_path), "--out", str(tmp_path / "new"), "--seed", seed]) == 2
    assert "Invalid value for '--seed'" in capsys.readouterr().err


def test_a_port_that_is_taken_and_a_release_that_is_not_there(tmp_path, monkeypatch, capsys):
    pytest.importorskip("gradio")
    monkeypatch.chdir(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert run(["space", "--port", port]) == 2
    assert re.search(rf"usage  --port\n  found     {port}: .*in use\n", capsys.readouterr().err)
    assert run(["space", "--port", port, "--release", "nosuch"]) == 1
    assert "release.missing  nosuch" in capsys.readouterr().err


def test_a_repository_of_submissions_that_nobody_has(monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run(["leaderboard", "--from-hub", "nobody/nothing"]) == 4
    said = " ".join(capsys.readouterr().err.split())
    assert (
        "environment.hub nobody/nothing found no answer from the Hub, or no such dataset expected a Hub dataset id, "
        "`org/name` or `org/name@revision` mend"
    ) in said


def test_problems_of_a_submission_come_before_the_token(board, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert run(["submit", str(board / "baselines__long" / "1"), "--repo", "a/b"]) == 1
    assert "array.norm" in capsys.readouterr().err
