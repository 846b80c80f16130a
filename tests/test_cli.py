"""The command line as a user types it: outputs, exit codes, and every problem in words."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.baselines.registry import BASELINES
from igbo_align.cli import submissions as cli_submissions
from igbo_align.cli.app import run
from igbo_align.cli.tables import similarity_lines

RANDOM = Path(__file__).parent.parent / "submissions" / "baselines__random"
CARD = {
    "system": {"name": "mine", "org": "tests", "revision": "1", "licence": "MIT"},
    "speech_encoder": {"id": "tests/speech"},
    "text_encoder": {"id": "tests/text", "prompt": "query: "},
    "alignment": {"method": "none", "trained_on_pairs": "none"},
    "submitter": "tests",
}


@pytest.fixture
def matrices(demo, tmp_path):
    """Two .npy matrices in release order and a card that leaves out what `pack` can fill in."""
    np.save(tmp_path / "s.npy", demo.embeddings("speech"))
    np.save(tmp_path / "t.npy", demo.embeddings("text").astype(np.float64))
    (tmp_path / "card.json").write_text(json.dumps(CARD))
    return tmp_path


def pack_arguments(folder, out="packed", **replaced):
    options = {"speech": folder / "s.npy", "text": folder / "t.npy", "card": folder / "card.json", "out": folder / out}
    return ["pack", *(str(part) for name, value in (options | replaced).items() for part in (f"--{name}", value))]


def test_pack_validate_score_compare_and_rank(matrices, capsys):
    out = matrices / "submissions" / "tests__mine" / "1"
    assert run(pack_arguments(matrices, out=out.relative_to(matrices))) == 0
    assert ia.load_submission(out).card.benchmark.fingerprint == ia.load_release().fingerprint
    assert run(["validate", str(out)]) == 0
    capsys.readouterr()
    assert run(["validate", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}
    assert run(["score", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tracks"]["heldout"]["text_to_speech"]["n"] == 140
    assert run(["score", str(out)]) == 0
    printed = capsys.readouterr()
    assert "heldout" in printed.out
    assert "Welch" in printed.out
    assert "not Igbo" in printed.err
    assert run(["compare", str(out), str(out), "--json"]) == 0
    comparison = json.loads(capsys.readouterr().out)
    assert comparison["tracks"]["full"]["mrr"]["difference"] == 0
    assert run(["compare", str(out), str(out)]) == 0
    assert f"igbo-align report {out} {out} --compare --out compare.html" in capsys.readouterr().err
    assert run(["leaderboard", str(out.parent.parent), "--out", str(matrices / "board.json")]) == 0
    printed = capsys.readouterr().out
    assert "tests/mine" in printed
    assert "Reported by the paper" in printed
    assert json.loads((matrices / "board.json").read_text())["rows"][0]["submission"] == "tests__mine/1"


def test_the_printed_board_says_what_its_document_says_of_trust(matrices, capsys):
    whole = CARD["alignment"] | {"transductive": "CSLS [k=10]"}
    (matrices / "card.json").write_text(json.dumps(CARD | {"alignment": whole}))
    for name in ("mine", "copy"):
        (matrices / "board" / f"tests__{name}").mkdir(parents=True)
        assert run(pack_arguments(matrices, out=f"board/tests__{name}/1")) == 0
    shutil.copytree(RANDOM, matrices / "board" / RANDOM.name)
    capsys.readouterr()
    assert run(["leaderboard", str(matrices / "board"), "--json"]) == 0
    rows = {row["submission"]: row for row in json.loads(capsys.readouterr().out)["rows"]}
    assert run(["leaderboard", str(matrices / "board")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed.count("tests/mine: flag.same_as, transductive (CSLS [k=10])") == 2
    assert printed.count("baselines/random: flag.unrelated") == 1
    assert rows["tests__mine/1"]["class"] == "transductive"
    assert {flag["code"] for flag in rows["baselines__random/1"]["flags"]} == {"flag.unrelated"}


def test_pack_says_which_order_it_takes_and_which_folder_the_card_means(matrices, demo, capsys):
    assert run(pack_arguments(matrices, out="board/mine/1")) == 0
    said = capsys.readouterr().err
    assert f"release order: train 559, then test 140, from {demo.ids[0]} to {demo.ids[-1]}." in said
    assert "has to lie as tests__mine/1" in said
    (matrices / "ids.txt").write_text("\n".join(demo.ids))
    assert run(pack_arguments(matrices, out="board/tests__mine/1", ids=matrices / "ids.txt")) == 0
    assert capsys.readouterr().err == ""


def test_a_probability_too_small_for_a_float_is_not_called_zero(zero_shot_scores):
    tests = zero_shot_scores.similarity
    tiny = replace(tests, welch=replace(tests.welch, p=0.0), student=replace(tests.student, p=2e-300))
    (line,) = [text for text in similarity_lines(replace(zero_shot_scores, similarity=tiny)) if "Welch" in text]
    assert ", p < 1e-300; Student" in line
    assert ", p = 2e-300;" in line


def test_pack_matches_rows_by_id(matrices, demo):
    order = np.random.default_rng(0).permutation(699)
    np.save(matrices / "s.npy", demo.embeddings("speech")[order])
    np.save(matrices / "t.npy", demo.embeddings("text")[order])
    (matrices / "ids.txt").write_text("\n".join(demo.ids[i] for i in order))
    assert run(pack_arguments(matrices, ids=matrices / "ids.txt")) == 0
    scores = ia.score(ia.load_submission(matrices / "packed"), demo)
    assert scores.similarity.paired_cosine.value == pytest.approx(0.0145, abs=5e-4)


def test_pack_lists_every_problem_at_once_and_writes_nothing(matrices, demo, capsys):
    speech = demo.embeddings("speech").copy()
    speech[0, 0], speech[1] = np.nan, 0
    np.save(matrices / "s.npy", speech)
    (matrices / "ids.txt").write_text("\n".join([*demo.ids[:-2], demo.ids[0], "unknown \u202e id"]))
    assert run(pack_arguments(matrices, ids=matrices / "ids.txt")) == 1
    err = capsys.readouterr().err
    for code in ("array.non_finite", "array.norm", "ids.duplicate", "ids.unknown", "ids.missing"):
        assert code in err
    assert "\u202e" not in err
    assert not (matrices / "packed").exists()


def test_norms_are_stated_and_what_to_do_follows_from_them(matrices, demo, capsys):
    speech = demo.embeddings("speech").astype(np.float32)
    speech[[5, 7, 9]] *= 2e8 / np.linalg.norm(speech[[5, 7, 9]], axis=1, keepdims=True)
    np.save(matrices / "s.npy", speech)
    assert run(pack_arguments(matrices)) == 1
    said = capsys.readouterr().err
    assert f"a norm of 2e+08 in 3 rows, first row 5 (counted from 0): '{demo.ids[5]}'" in said
    assert "mend      Scale the vectors" in said
    speech[0] = 0
    np.save(matrices / "s.npy", speech)
    assert run(pack_arguments(matrices)) == 1
    said = capsys.readouterr().err
    assert "norms of 0 to 2e+08 in 4 rows, first row 0" in said
    assert "a vector of zeros has no direction" in said


def test_a_file_that_is_not_there_is_called_that(matrices, capsys):
    assert run(pack_arguments(matrices, speech=matrices / "missing.csv")) == 1
    assert "file.not_regular  missing.csv\n  found     no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n  "system": 1,,\n}', "no JSON at line 2, column 15"),
        ('{\n"a": "\udcff"}', "bytes that are not UTF-8 at line 2, column 7"),
        (json.dumps(CARD | {"system": CARD["system"] | {"license": "MIT"}}), "Did you mean `licence`?"),
        (json.dumps(CARD | {"system": CARD["system"] | {"name": "a b"}}), "digits, '.', '_' and '-'"),
        (json.dumps(CARD | {"created": "2. 1. 2026"}), "expected  a date, YYYY-MM-DD"),
    ],
)
def test_what_is_wrong_with_a_card_is_said_in_words_and_with_its_place(text, said, matrices, capsys):
    (matrices / "card.json").write_bytes(text.encode(errors="surrogateescape"))
    assert run(pack_arguments(matrices)) == 1
    assert said in capsys.readouterr().err


def test_a_folder_around_submissions_is_told_from_one(matrices, capsys):
    board = matrices / "board"
    for name in ("empty/1", "tests__mine"):
        (board / name).mkdir(parents=True)
    assert run(pack_arguments(matrices, out="board/tests__mine/1")) == 0
    for folder, meant in ((board, "tests__mine/1"), (board / "tests__mine", "1")):
        assert run(["validate", str(folder)]) == 1
        assert f"Did you mean {meant}?" in capsys.readouterr().err


def test_a_refused_submission_as_json_and_in_words(matrices, capsys):
    (matrices / "nothing").mkdir()
    assert run(["validate", str(matrices / "nothing"), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    codes = {item["code"] for item in document["problems"]}
    assert codes == {"card.missing", "folder.no_embeddings"}
    assert all({"code", "where", "message"} <= set(item) for item in document["problems"])
    assert run(["score", str(matrices / "nothing")]) == 1
    assert "mend" in capsys.readouterr().err


def test_wrong_usage_is_exit_code_2(matrices, capsys):
    assert run(["leaderboard", str(matrices), "--track", "papre"]) == 2
    assert "one of paper, heldout, full, hard" in capsys.readouterr().err
    assert run(["score"]) == 2
    assert run(["scrore", "x"]) == 2
    assert run(["build", "--source", "x", "--out", "y", "--spec", "nothing"]) == 2
    assert "one of custom, demo, fleurs-igbo, igbo-speech, waxal-acholi" in capsys.readouterr().err


def test_version_and_module_entry(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == ia.__version__
    done = subprocess.run([sys.executable, "-m", "igbo_align", "--help"], capture_output=True, text=True, check=True)
    for verb in ("build", "encode", "pack", "validate", "score", "compare", "leaderboard", "baseline"):
        assert verb in done.stdout


def test_the_help_of_baseline_lists_their_names(capsys):
    assert run(["baseline", "--help"]) == 0
    shown = capsys.readouterr().out
    for item in BASELINES:
        assert re.search(rf"^\W*{item.name} - {re.escape(item.summary[:20])}", shown, flags=re.MULTILINE)


def test_a_bug_is_reported_not_dumped(monkeypatch, capsys, tmp_path):
    def broken(*_args):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(cli_submissions, "_score", broken)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert run(["score", "x"]) == 3
    err = capsys.readouterr().err
    assert "This is a bug" in err
    assert "secret detail" not in err


def test_interrupt_says_that_work_is_kept(monkeypatch, capsys):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_submissions, "_score", interrupted)
    assert run(["score", "x"]) == 130
    assert "goes on from there" in capsys.readouterr().err
