"""The README and the documentation do what they say: every command and snippet runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.protocol.spec import DIRECTIONS
from igbo_align.scoring.leaderboard import build_leaderboard, mean_mrr_estimate
from igbo_align.submission.card import parse_card
from loopback_hub import LoopbackHub, Repository

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SUBMITTING = (ROOT / "docs" / "submitting.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def documented_card() -> dict:
    """The example card of the documentation."""
    return json.loads(blocks(SUBMITTING, "json")[0])


@pytest.fixture
def user_folder(tmp_path, monkeypatch, demo):
    """Where a user stands: the submissions of the repository, two matrices and a card."""
    shutil.copytree(ROOT / "submissions", tmp_path / "submissions")
    np.save(tmp_path / "speech.npy", demo.embeddings("speech"))
    np.save(tmp_path / "text.npy", demo.embeddings("text"))
    (tmp_path / "card.json").write_text(json.dumps(documented_card()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_commands_run(user_folder, capsys):
    commands = "".join(blocks(README, "bash")).splitlines()
    assert len(commands) >= 5
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "igbo-align"
        if words[1] == "submit":
            assert submitted(words, user_folder) == ["submissions/me__mine/1/embeddings.parquet"]
        else:
            assert run(words[1:]) == 0, capsys.readouterr().err
    assert "me/mine" in capsys.readouterr().out
    assert (user_folder / "report.html").stat().st_size > 100_000


def submitted(words, folder):
    """Vectors that a stand-in for the Hub got by a pull request, the command typed in a process that knows no other."""
    board = Repository({"README.md": b""})
    with LoopbackHub({("datasets", words[-1]): board}) as hub:
        environment = os.environ | hub.environment(folder / "hf")
        command = [sys.executable, "-m", "igbo_align", *words[1:]]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        (request,) = board.pull_requests.values()
        return [name for name in request.files if name.endswith(".parquet")]


@pytest.mark.parametrize("number", range(len(blocks(README, "python"))))
def test_readme_snippets_run(number, user_folder):
    code = blocks(README, "python")[number]
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


def test_documented_card_is_valid_and_of_the_demo(demo):
    card = parse_card(json.dumps(documented_card()).encode())
    assert card.benchmark.fingerprint == demo.fingerprint


def test_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 150
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def results_table(submissions: Path) -> str:
    """The README's table of results, computed from the submissions."""
    board = build_leaderboard(submissions, ia.load_release())
    lines = ["| rank | system | MRR | R@1 speech to text | R@1 text to speech |", "|--:|---|--:|--:|--:|"]
    for rank, _, scores in board.rank_rows("heldout"):
        cells = [scores.tracks["heldout"][direction]["recall@1"] for direction in DIRECTIONS]
        shown = [f"{e.value:.3f} [{e.low:.2f}, {e.high:.2f}]" for e in [mean_mrr_estimate(scores, "heldout"), *cells]]
        lines.append(f"| {rank} | {scores.card['system']['name']} | {' | '.join(shown)} |")
    return "\n".join([*lines, "| | chance | 0.052 | 0.010 | 0.010 |", ""])


def test_readme_results_are_those_of_the_submissions():
    shown = README.split("<!-- results -->\n")[1].split("<!-- /results -->")[0]
    assert results_table(ROOT / "submissions") in shown
