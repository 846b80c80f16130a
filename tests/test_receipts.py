"""Receipts of scores: everything in them is recomputed, and a single changed byte is found."""

from __future__ import annotations

import json

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.problems import ProblemsFound
from igbo_align.scoring.receipt import SCORES_FILE, receipt_problems, receipt_text, require_receipt, write_receipt


@pytest.fixture(scope="module")
def scores(zero_shot, demo):
    return ia.score(zero_shot, demo)


@pytest.fixture(scope="module")
def receipt(scores):
    return receipt_text(scores.as_json())


def changed(receipt, *path, value):
    """The receipt with the field at a path replaced, written as scoring writes it."""
    document = json.loads(receipt)
    part = document
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return receipt_text(document).encode()


def wheres(data, scores):
    return [(problem.code, problem.where) for problem in receipt_problems(data, scores)]


def test_a_receipt_says_what_was_scored_with_what(receipt, demo, scores):
    document = json.loads(receipt)
    assert document["benchmark"]["fingerprint"] == demo.fingerprint
    assert set(document["provenance"]) == {
        "embeddings_sha256", "package_version", "python", "numpy", "scipy", "pyarrow", "created"
    }  # fmt: skip
    held = document["per_query"]["paper"]["speech_to_text"]
    assert len(held["better"]) == len(held["equal"]) == 699
    assert receipt_problems(receipt.encode(), scores) == []


def test_versions_may_differ_and_nothing_else(receipt, scores):
    for name in ("package_version", "python", "numpy", "scipy", "pyarrow"):
        assert wheres(changed(receipt, "provenance", name, value="0.0.1"), scores) == []
    for path, value in (
        (("tracks", "paper", "speech_to_text", "mrr", "value"), 0.9),
        (("tracks", "full", "text_to_speech", "recall@1", "low"), 0.123),
        (("per_query", "hard", "speech_to_text", "better", 5), 0),
        (("per_query", "ids", 0), "x"),
        (("provenance", "embeddings_sha256"), "0" * 64),
        (("provenance", "created"), "2020-01-01"),
        (("provenance", "numpy"), 5),
        (("benchmark", "fingerprint"), "0" * 64),
        (("system", "name"), "better"),
        (("similarity", "welch", "p"), 0),
        (("flags",), [{}]),
        (("extra",), 1),
        (("schema_version",), 2),
    ):
        assert wheres(changed(receipt, *path, value=value), scores) == [("scores.mismatch", f"{SCORES_FILE}/{path[0]}")]


def test_a_problem_names_the_field_and_both_values(receipt, scores):
    (problem,) = receipt_problems(changed(receipt, "system", "name", value="better"), scores)
    assert "'better' at /name" in problem.found
    assert problem.expected == "'test'"


def test_a_field_that_is_left_out_is_named_though_it_was_empty(receipt, scores):
    document = json.loads(receipt)
    assert document["diagnostics"].pop("minimal_pairs", "absent") is None
    (problem,) = receipt_problems(receipt_text(document).encode(), scores)
    assert (problem.code, problem.where) == ("scores.mismatch", f"{SCORES_FILE}/diagnostics")
    assert (problem.found, problem.expected) == ("nothing at /minimal_pairs", "None")


def test_every_byte_counts(receipt, scores):
    (problem,) = receipt_problems(json.dumps(json.loads(receipt)).encode(), scores)
    assert problem.found == "the same values in other bytes"
    for data in (receipt.encode()[:-1], receipt.encode() + b" ", receipt.encode().replace(b"\n", b"\r\n")):
        assert len(receipt_problems(data, scores)) == 1
    for data in (b"", b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}'):
        (problem,) = receipt_problems(data, scores)
        assert (problem.code, problem.found) == ("scores.mismatch", "no score file")
    assert len(receipt_problems(b"{}", scores)) == 9


def test_a_receipt_without_provenance(receipt, scores):
    assert wheres(changed(receipt, "provenance", value=[1]), scores) == [
        ("scores.mismatch", f"{SCORES_FILE}/provenance")
    ]


def test_a_submission_that_changed_after_scoring(receipt, zero_shot, demo):
    content = zero_shot.content
    speech = content.speech.copy()
    speech[3] = speech[4]
    other = ia.score(ia.Submission(zero_shot.card, ia.Embeddings(content.ids, speech, content.text)), demo)
    parts = {where.split("/")[1] for _, where in wheres(receipt.encode(), other)}
    assert {"provenance", "per_query", "tracks"} <= parts


def test_row_order_and_file_format_do_not_change_a_byte(receipt, zero_shot, demo):
    order = np.random.default_rng(0).permutation(len(demo.ids))
    content = zero_shot.content
    shuffled = ia.Embeddings(content.ids[order], content.speech[order], content.text[order])
    again = ia.score(ia.Submission(zero_shot.card, shuffled), demo)
    assert receipt_text(again.as_json()) == receipt


def test_the_command_checks_and_writes_the_very_bytes(zero_shot, scores, receipt, demo, tmp_path, capsys):
    folder = tmp_path / "tests__test" / "1"
    ia.write_submission(folder, zero_shot.card, zero_shot.content, demo)
    write_receipt(folder, scores)
    assert run(["score", str(folder), "--json"]) == 0
    assert capsys.readouterr().out == receipt == (folder / SCORES_FILE).read_text()
    assert run(["score", str(folder), "--check", str(folder / SCORES_FILE)]) == 0
    assert "byte for byte" in capsys.readouterr().err
    assert run(["score", str(folder), "--check", str(folder / SCORES_FILE), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "problems": []}
    (folder / SCORES_FILE).write_bytes(changed(receipt, "tracks", "paper", "speech_to_text", "n", value=1))
    assert run(["score", str(folder), "--check", str(folder / SCORES_FILE), "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [item["code"] for item in problems] == ["scores.mismatch"]
    assert run(["score", str(folder), "--check", str(folder / "nothing.json")]) == 1
    assert "file.not_regular" in capsys.readouterr().err
    (folder / SCORES_FILE).write_bytes(b" " * 10**7)
    with pytest.raises(ProblemsFound, match="too_large"):
        require_receipt(folder / SCORES_FILE, scores)
