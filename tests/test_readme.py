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
import pyarrow.parquet as pq
import pytest
from documents import TRIED_OUT, between, blocks, page, run_commands, run_snippet
from igbo_align.cli.app import run
from igbo_align.protocol.spec import DIRECTIONS
from igbo_align.scoring.leaderboard import build_leaderboard, mean_mrr_estimate
from igbo_align.submission.card import Card, CardPart, parse_card
from igbo_align.submission.writing import aligned, complete_card, content_sha256, order_of
from loopback_hub import LoopbackHub, Repository

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SUBMITTING = (ROOT / "docs" / "submitting.md").read_text(encoding="utf-8")


def documented_card() -> dict:
    """The example card of the documentation."""
    return json.loads(blocks(SUBMITTING, "json")[0])


@pytest.fixture
def user_folder(tmp_path, monkeypatch, demo):
    """Where a user stands: some submissions of the repository, two matrices and a card."""
    for name in ("baselines__ridge", "baselines__zero-shot"):
        shutil.copytree(ROOT / "submissions" / name, tmp_path / "submissions" / name)
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
    assert "flipped" in (user_folder / "flipped.html").read_text(encoding="utf-8")


def test_commands_of_the_first_page_run(user_folder):
    """What the page installs is not tried here; the rest is typed in this order."""
    plain = [block for block in blocks(page("docs/index.md"), "") if block.startswith("igbo-align")]
    assert len(plain) == 2
    run_commands("".join(plain))


def test_a_corpus_without_a_release_is_ranked(user_folder, capsys):
    run_commands(*after("rank", page("docs/doors.md")))
    assert pq.read_table(user_folder / "ranks.parquet").num_rows == 699
    assert "speech to text" in capsys.readouterr().out


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


def fields_of(part, prefix=""):
    """Dotted name of each field of a card, and whether it is required."""
    for name, field in part.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, CardPart):
            yield from fields_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.is_required()


def test_the_table_of_fields_is_that_of_the_card(demo):
    filled = complete_card({}, demo).keys()
    told = dict(re.findall(r"^\| `([a-z_.]+)` \| (\w+) \|", between(SUBMITTING, "fields"), flags=re.MULTILINE))
    assert told == {
        name: "pack" if name.split(".")[0] in filled else "yes" if required else "no"
        for name, required in fields_of(Card)
    }


def after(marker, text=SUBMITTING):
    """The blocks that stand below a marker of this name."""
    return re.findall(rf"<!-- test: {marker} -->\n```\w*\n(.*?)```", text, flags=re.DOTALL)


def test_rows_in_another_order_are_packed_with_their_ids(user_folder, demo):
    snippet, command = after("ids")
    ids = run_snippet(snippet, "docs/submitting.md")["ids"]
    order = order_of(np.array(demo.ids), ids)
    for side in ("speech", "text"):
        np.save(user_folder / f"{side}.npy", demo.embeddings(side)[order])
    run_commands(command)
    packed = ia.load_submission(user_folder / "submissions/me__mine/1")
    assert packed.content.ids.tolist() == ids
    assert content_sha256(packed, demo) == content_sha256(
        ia.Submission(packed.card, ia.Embeddings(np.array(demo.ids), *map(demo.embeddings, ("speech", "text")))), demo
    )


def test_a_wrong_order_of_both_sides_does_what_the_page_says(demo):
    """The page warns of it with these numbers."""
    stored = ia.load_submission(ROOT / "submissions/baselines__ridge/1")
    right, ids = ia.score(stored, demo), np.array(demo.ids)
    order = np.argsort(ids)
    wrong = ia.Submission(stored.card, ia.Embeddings(ids, *(side[order] for side in aligned(stored, demo))))
    assert ia.validate(wrong, demo) == []
    scores = ia.score(wrong, demo)
    assert (right.flags, {flag.code for flag in scores.flags}) == ((), {"flag.misaligned"})
    assert f"MRR of {scores.mean_mrr('heldout'):.3f} in place of {right.mean_mrr('heldout'):.3f}" in re.sub(
        r"\s+", " ", SUBMITTING
    )
    assert abs(scores.mean_mrr("paper") - right.mean_mrr("paper")) < 0.01


def test_pairs_to_train_on_are_those_of_the_page(demo):
    (snippet,) = after("train")
    learnt = []
    names = {side: demo.embeddings(side) for side in ("speech", "text")}
    exec(
        compile(snippet, "docs/submitting.md", "exec"),
        names | {"release": demo, "fit": lambda *sides: learnt.append(sides)},
    )
    assert [len(side) for side in learnt[0]] == [559, 559]
    pairs = demo.pairs.column("split").to_pylist()
    assert pairs == ["train"] * 559 + ["test"] * 140
    assert demo.ids == [*sorted(demo.ids[:559]), *sorted(demo.ids[559:])]


def test_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) <= 150
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def results_table(submissions: Path) -> str:
    """The README's table of results, computed from the submissions."""
    board = build_leaderboard(submissions, ia.load_release())
    lines = ["| rank | system | MRR | R@1 speech to text | R@1 text to speech |", "|--:|---|--:|--:|--:|"]
    for rank, _, scores in board.rank_rows("heldout"):
        cells = [scores.tracks["heldout"][direction]["recall@1"] for direction in DIRECTIONS]
        shown = [f"{e.value:.3f} [{e.low:.2f}, {e.high:.2f}]" for e in [mean_mrr_estimate(scores, "heldout"), *cells]]
        lines.append(f"| {rank} | {scores.card['system']['name']} | {' | '.join(shown)} |")
    return "\n".join([*lines, "| | chance | 0.052 | 0.010 | 0.010 |", ""])


def test_readme_results_are_those_of_the_submissions(tmp_path):
    shutil.copytree(ROOT / "submissions", tmp_path / "submissions", ignore=shutil.ignore_patterns(TRIED_OUT))
    shown = README.split("<!-- results -->\n")[1].split("<!-- /results -->")[0]
    assert results_table(tmp_path / "submissions") in shown
