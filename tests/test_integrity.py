"""Flags: every way of looking too good or not looking at all, and no flag on an honest system."""

from __future__ import annotations

import dataclasses

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.verification import print_flags
from igbo_align.diagnostics.integrity import integrity_flags
from igbo_align.diagnostics.memorisation import MemorisationGap
from igbo_align.problems import Problem
from igbo_align.scoring.duplicates import same_as, same_as_flag, sketch
from igbo_align.scoring.leaderboard import build_leaderboard

ALL = {
    "flag.collapsed",
    "flag.identical_sides",
    "flag.implausible",
    "flag.memorised",
    "flag.misaligned",
    "flag.one_hot",
    "flag.unrelated",
}


@pytest.fixture(scope="module")
def sides(demo):
    """Real vectors of both modalities."""
    return demo.embeddings("speech"), demo.embeddings("text")


def codes(submission, demo):
    return {(flag.code, flag.where) for flag in ia.score(submission, demo).flags}


def learnt(sides, demo):
    """Least squares on the train pairs: it remembers them."""
    speech, text = sides
    train = ~demo.is_test
    return speech @ np.linalg.lstsq(speech[train], text[train], rcond=None)[0], text


def test_an_honest_system_has_no_flag(zero_shot, demo):
    assert codes(zero_shot, demo) == set()
    document = ia.score(zero_shot, demo).as_json()
    assert document["flags"] == []


def test_flags_are_told_beside_the_scores_and_never_among_them(zero_shot_scores, capsys):
    flag = Problem("flag.collapsed", "speech", "equal vectors", "different ones", "Look at the encoder.")
    print_flags(dataclasses.replace(zero_shot_scores, flags=(flag,)))
    printed = capsys.readouterr()
    said = "flag.collapsed (speech): Found equal vectors; expected different ones. Look at the encoder."
    assert (" ".join(printed.err.split()), printed.out) == (said, "")


def test_one_hot_vectors(submission_of, demo):
    numbers = np.eye(len(demo.ids), dtype=np.float32)
    found = {code for code, _ in codes(submission_of(numbers, numbers), demo)}
    assert found == {"flag.one_hot", "flag.identical_sides", "flag.implausible", "flag.unrelated"}


def test_random_vectors_by_id(submission_of, demo):
    generator = np.random.default_rng(0)
    hashes = generator.standard_normal((len(demo.ids), 16))
    found = {
        code for code, _ in codes(submission_of(hashes, hashes + 0.3 * generator.standard_normal(hashes.shape)), demo)
    }
    assert found == {"flag.implausible", "flag.unrelated"}


def test_text_vectors_on_both_sides(submission_of, sides, demo):
    found = {code for code, _ in codes(submission_of(sides[1], sides[1]), demo)}
    assert {"flag.identical_sides"} <= found <= {"flag.identical_sides", "flag.implausible"}


@pytest.mark.parametrize("side", [0, 1])
def test_a_collapsed_encoder(side, submission_of, sides, demo):
    both = [vectors.copy() for vectors in sides]
    both[side][:] = both[side][0] + 1e-9
    found = codes(submission_of(*both), demo)
    assert ("flag.collapsed", ("speech", "text")[side]) in found
    candidates = ("text_to_speech", "speech_to_text")[side]
    scores = ia.score(submission_of(*both), demo).tracks["paper"][candidates]
    assert scores["recall@1"].value == 0.01
    assert scores["mrr"].value == scores["mrr"].chance


def test_repeated_texts_are_no_collapse(submission_of, sides, demo):
    assert len(set(demo.groups.tolist())) < len(demo.ids)
    assert ("flag.collapsed", "text") not in codes(submission_of(*sides), demo)


@pytest.mark.parametrize("step", [-1, 1])
def test_rows_that_are_shifted_against_their_ids(step, submission_of, sides, demo):
    speech, text = learnt(sides, demo)
    assert ("flag.misaligned", "ids") in codes(submission_of(speech, np.roll(text, step, axis=0)), demo)


def test_rows_that_are_sorted_by_id(submission_of, zero_shot, demo):
    """Release order is train before test; whoever sorts by id mixes them, and a heldout score then remembers."""
    order = sorted(range(len(demo.ids)), key=demo.ids.__getitem__)
    speech, text = (demo.embeddings(side)[order] for side in ("speech", "text"))
    flags = ia.score(submission_of(speech, text), demo).flags
    assert [(flag.code, flag.where) for flag in flags] == [("flag.misaligned", "speech"), ("flag.misaligned", "text")]
    assert flags[0].mend == "Rows were written sorted by id, not in release order: pack them with --ids."
    assert flags[0].found.endswith(", 1.0000 in order of ids")


def test_memory_against_the_declaration(submission_of, sides, demo):
    speech, text = learnt(sides, demo)
    where = "submission.json/alignment/trained_on_pairs"
    assert codes(submission_of(speech, text), demo) == {("flag.memorised", where)}
    for claim in ("train", "all"):
        honest = {"alignment": {"method": "least squares", "trained_on_pairs": claim}}
        assert codes(submission_of(speech, text, **honest), demo) == set()


def test_similarity_matrices_are_looked_at_as_far_as_they_go(make_card, demo):
    ids = np.array(demo.ids)
    perfect = ia.Submission(make_card(), ia.SimilarityMatrix(ids, ids, np.eye(len(ids), dtype=np.float32)))
    assert codes(perfect, demo) == {("flag.implausible", "tracks/full")}


def test_a_release_without_reference_vectors_compares_with_none(demo, monkeypatch):
    monkeypatch.setattr(type(demo), "encoder_slugs", lambda *_: [])
    vectors = np.eye(len(demo.ids)) * 2**25
    recall = {"speech_to_text": 0.0, "text_to_speech": 0.0}
    flags = integrity_flags(
        (vectors, vectors), np.eye(len(demo.ids)), recall, False, MemorisationGap(0.0, -1.0, 1.0), demo
    )
    assert {flag.code for flag in flags} == {"flag.one_hot", "flag.identical_sides"}


def test_one_dimension_is_poor_but_not_one_hot(submission_of, demo):
    line = np.linspace(0.1, 1, len(demo.ids))[:, None]
    assert "flag.one_hot" not in {code for code, _ in codes(submission_of(line, line), demo)}


# --- copies


def transformed(name, speech, text):
    generator = np.random.default_rng(1)
    rotation = np.linalg.qr(generator.standard_normal((speech.shape[1],) * 2))[0]
    order = generator.permutation(speech.shape[1])
    return {
        "same": (speech, text),
        "scaled": (3 * speech, text / 7),
        "permuted": (speech[:, order], text[:, order]),
        "rotated": (speech @ rotation, text @ rotation),
        "noisy": (speech + 1e-4 * generator.standard_normal(speech.shape), text),
        "half": (speech.astype(np.float16), text.astype(np.float16)),
    }[name]


@pytest.mark.parametrize("name", ["same", "scaled", "permuted", "rotated", "noisy", "half"])
def test_copies_are_recognised(name, submission_of, sides, demo):
    sketches = [sketch(submission_of(*pair), demo) for pair in (sides, transformed(name, *sides))]
    assert same_as(["a", "b"], sketches) == {"a": ["b"], "b": ["a"]}


def test_different_systems_are_not_copies(submission_of, sides, demo, make_card):
    speech, text = sides
    ids = np.array(demo.ids)
    matrix = ia.SimilarityMatrix(ids, ids, (speech @ text.T).astype(np.float32))
    constant = ia.SimilarityMatrix(ids, ids, np.ones((len(ids),) * 2, dtype=np.float32))
    systems = [
        submission_of(speech, text),
        submission_of(speech - speech.mean(axis=0), text - text.mean(axis=0)),
        submission_of(*learnt(sides, demo)),
        submission_of(np.roll(speech, 1, axis=0), text),
        ia.Submission(make_card(), matrix),
        ia.Submission(make_card(), constant),
    ]
    names = list("abcdef")
    assert same_as(names, [sketch(item, demo) for item in systems]) == {name: [] for name in names}
    assert same_as_flag([]) == []


def test_the_board_shows_flags_classes_disclosures_and_how_often_somebody_tried(make_card, sides, demo, tmp_path):
    speech, text = sides
    cards = {
        "first": {},
        "copy": {"submitter": "somebody else"},
        "csls": {"alignment": {"method": "csls", "trained_on_pairs": "none", "transductive": "csls, k = 10"}},
        "all": {"alignment": {"method": "x", "trained_on_pairs": "all", "other_training_data": "the web"}},
    }
    for number, (name, parts) in enumerate(cards.items()):
        system = {"name": name, "org": "tests", "revision": "1", "licence": "MIT"}
        own = speech if name in ("first", "copy") else speech + 0.05 * number * np.roll(speech, number, axis=0)
        content = ia.Embeddings(np.array(demo.ids), own, text)
        card = make_card(system=system, **parts)
        ia.write_submission(tmp_path / f"tests__{name}" / "1", card, content, demo)
    (tmp_path / "tests__first" / ".0123.tmp").mkdir()
    (tmp_path / "tests__first" / ".0123.tmp" / "submission.json").write_text("half")
    board = build_leaderboard(tmp_path, demo).as_json()
    rows = {row["submission"].split("__")[1].split("/")[0]: row for row in board["rows"]}
    assert rows.keys() == cards.keys()
    assert [flag["code"] for flag in rows["first"]["flags"]] == ["flag.same_as"]
    assert "tests__first/1" in rows["copy"]["flags"][0]["found"]
    assert {name: row["class"] for name, row in rows.items()} == {
        "first": "inductive",
        "copy": "inductive",
        "csls": "transductive",
        "all": "inductive",
    }
    assert rows["csls"]["labels"] == ["transductive: csls, k = 10"]
    assert rows["all"]["labels"] == ["trained on the test pairs", "other training data"]
    assert [rows[name]["submissions_of_submitter"] for name in cards] == [3, 1, 3, 3]
    assert {row["status"] for row in rows.values()} == {"scored"}
    assert all(row["rank"]["heldout"] >= 1 for row in rows.values())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0.2, "train queries that are found better than test queries"),
        (-0.2, "test queries that are found better than train queries"),
    ],
)
def test_the_flag_of_memory_says_which_queries_are_found_better(value, found, demo):
    gap = MemorisationGap(value, low=value - 0.1, high=value + 0.1)
    recalls = {"speech_to_text": 0.0, "text_to_speech": 0.0}
    flags = integrity_flags(None, np.eye(len(demo.ids)), recalls, True, gap, demo)
    assert [flag.found for flag in flags if flag.code == "flag.memorised"] == [found]
