"""Scores of the demo release: the document's keys, exact limits, determinism, and comparisons."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.files import canonical_json
from igbo_align.scoring.comparison import slice_differences
from igbo_align.scoring.leaderboard import build_leaderboard, reported_rows

TRACKS = ("paper", "heldout", "full", "hard")
DIRECTIONS = ("speech_to_text", "text_to_speech")
METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "mean_rank", "median_rank")


def test_document_has_the_keys_that_scripts_rely_on(zero_shot_scores, demo):
    document = zero_shot_scores.as_json()
    assert document["schema_version"] == 1
    assert document["benchmark"] == {"name": "demo", "version": "1.0", "fingerprint": demo.fingerprint}
    assert document["system"]["name"] == "test"
    assert list(document["tracks"]) == list(TRACKS)
    for track, (n, pool) in zip(TRACKS, [(699, 100), (140, 100), (699, 699), (699, 100)], strict=True):
        for direction in DIRECTIONS:
            held = document["tracks"][track][direction]
            assert (held["n"], held["pool"]) == (n, pool)
            assert set(held) == {"n", "pool", *METRICS}
            assert set(held["recall@1"]) == {"value", "low", "high", "chance", "wilson"}
            assert set(held["mrr"]) == {"value", "low", "high", "chance"}
    similarity = document["similarity"]
    assert set(similarity) == {
        "paired_cosine", "paired_mean", "unpaired_mean", "welch", "student", "permutation", "cohens_d"
    }  # fmt: skip
    assert set(similarity["welch"]) == {"t", "df", "p"}
    assert set(document["provenance"]) == {
        "embeddings_sha256", "package_version", "python", "numpy", "scipy", "pyarrow", "created"
    }  # fmt: skip
    assert "memorisation_gap" in document["diagnostics"]
    assert len(document["per_query"]["paper"]["speech_to_text"]["better"]) == 699


def test_intervals_hold_their_values(zero_shot_scores):
    for track in TRACKS:
        for direction in DIRECTIONS:
            for metric in METRICS:
                estimate = zero_shot_scores.tracks[track][direction][metric]
                assert estimate.low <= estimate.value <= estimate.high


def test_zero_shot_is_at_chance_for_recall(zero_shot_scores):
    for direction in DIRECTIONS:
        recall = zero_shot_scores.tracks["paper"][direction]["recall@1"]
        assert 0.003 <= recall.value <= 0.025
        assert recall.low <= recall.chance <= recall.high
        assert recall.wilson[0] <= recall.chance <= recall.wilson[1]
    mean_ranks = [zero_shot_scores.tracks["paper"][direction]["mean_rank"].value for direction in DIRECTIONS]
    assert 45 <= np.mean(mean_ranks) <= 55


def test_a_collapsed_encoder_scores_exactly_chance(demo, submission_of):
    constant = np.full((699, 8), 0.5, dtype=np.float32)
    scores = ia.score(submission_of(constant, constant), demo)
    for track in ("paper", "heldout", "hard"):
        for direction in DIRECTIONS:
            held = scores.tracks[track][direction]
            values = [scores.as_json()["tracks"][track][direction][metric]["value"] for metric in METRICS]
            assert values[:3] == [0.01, 0.05, 0.1]
            assert round(values[3], 5) == 0.05187
            assert values[4:] == [50.5, 50.5]
            assert all(held[metric].value == held[metric].chance for metric in METRICS)
    for direction in DIRECTIONS:
        held = scores.tracks["full"][direction]
        assert all(held[metric].value == held[metric].chance for metric in METRICS)
    assert scores.similarity.welch.p is None
    assert scores.similarity.permutation_p == 1


def test_speech_that_equals_its_text_scores_one(demo, submission_of):
    text = demo.embeddings("text")
    scores = ia.score(submission_of(text, text), demo)
    for track in TRACKS:
        for direction in DIRECTIONS:
            held = scores.tracks[track][direction]
            assert [held[metric].value for metric in METRICS] == [1, 1, 1, 1, 1, 1]
    assert scores.similarity.paired_cosine.value == pytest.approx(1)


def test_row_order_and_file_format_change_no_byte(zero_shot, zero_shot_scores, demo, submission_of):
    order = np.random.default_rng(0).permutation(699)
    content = zero_shot.content
    shuffled = submission_of(content.speech[order], content.text[order], content.ids[order])
    assert canonical_json(ia.score(shuffled, demo).as_json()) == canonical_json(zero_shot_scores.as_json())


SCORE_IN_A_PROCESS = """
import sys, igbo_align as ia
from igbo_align.files import canonical_json
release = ia.load_release("demo")
sys.stdout.buffer.write(canonical_json(ia.score(ia.load_submission(sys.argv[1]), release).as_json()))
"""


def test_threads_and_instruction_sets_change_no_byte(zero_shot, demo, tmp_path):
    ia.write_submission(tmp_path / "s", zero_shot.card, zero_shot.content, demo)
    outputs = set()
    for threads, core in (("1", "Haswell"), ("2", "Haswell"), ("2", "Prescott"), ("2", "SkylakeX"), ("2", "")):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads) | ({"OPENBLAS_CORETYPE": core} if core else {})
        command = [sys.executable, "-c", SCORE_IN_A_PROCESS, str(tmp_path / "s")]
        outputs.add(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert len(outputs) == 1
    assert json.loads(outputs.pop())["schema_version"] == 1


def test_a_similarity_matrix_scores_as_the_vectors_it_came_from(zero_shot, zero_shot_scores, demo, make_card):
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (zero_shot.content.speech, zero_shot.content.text)]
    ids = np.array(demo.ids)
    order = np.random.default_rng(1).permutation(699)
    matrix = (unit[0] @ unit[1].T).astype(np.float32)
    content = ia.SimilarityMatrix(ids[order], ids, matrix[order])
    scores = ia.score(ia.Submission(make_card(), content), demo)
    for direction in DIRECTIONS:
        ours = scores.tracks["paper"][direction]["mrr"].value
        assert ours == pytest.approx(zero_shot_scores.tracks["paper"][direction]["mrr"].value, abs=2e-3)
    assert scores.similarity.paired_mean == pytest.approx(zero_shot_scores.similarity.paired_mean, abs=1e-6)


def test_an_invalid_submission_is_never_scored(zero_shot, demo, submission_of):
    speech = zero_shot.content.speech.copy()
    speech[3, 5] = np.nan
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.score(submission_of(speech, zero_shot.content.text), demo)
    assert [item.code for item in caught.value.problems] == ["array.non_finite"]


def noisy(demo, submission_of, sigma, name="noisy"):
    noise = np.random.default_rng(5).standard_normal((699, 384))
    system = {"name": name, "org": "tests", "revision": "1", "licence": "MIT"}
    text = demo.embeddings("text")
    return submission_of((text + sigma * noise).astype(np.float32), text, system=system)


def test_compare_finds_a_difference_and_its_sign(demo, submission_of, zero_shot_scores):
    better = ia.score(noisy(demo, submission_of, 0.1), demo)
    comparisons = ia.compare(better, zero_shot_scores)
    assert list(comparisons) == list(TRACKS)
    held = comparisons["paper"]
    assert held.mrr.low > 0
    assert held.p_holm < 0.01
    assert held.first_better > 600
    mirrored = ia.compare(zero_shot_scores, better)["paper"]
    assert mirrored.mrr.difference == pytest.approx(-held.mrr.difference)
    assert ia.compare(better, better)["full"].mrr.p_two_sided == 1


def test_slices_of_a_comparison_are_comparisons_of_the_slices(demo, submission_of, zero_shot_scores):
    better = ia.score(noisy(demo, submission_of, 0.1), demo)
    held = slice_differences(better, zero_shot_scores, "heldout")
    queries = demo.queries("heldout")
    genders = np.array(demo.pairs.column("gender").to_pylist())[queries]
    first, second = (scores.reciprocal_ranks("heldout") for scores in (better, zero_shot_scores))
    for item in (item for item in held if item.kind == "gender"):
        chosen = genders == item.name
        assert item.n == chosen.sum() > 0
        assert item.mrr.difference == pytest.approx((first - second)[chosen].mean())
        assert 0 < item.mrr.low < item.mrr.difference < item.mrr.high
    assert sum(item.n for item in held if item.kind == "gender") == len(queries)
    assert all(item.mrr.p_two_sided <= item.p_holm <= 1 for item in held)
    mirrored = slice_differences(zero_shot_scores, better, "heldout")
    assert [item.mrr.difference for item in mirrored] == pytest.approx([-item.mrr.difference for item in held])
    assert {item.mrr.p_two_sided for item in slice_differences(better, better, "full")} == {1.0}


def test_scores_of_two_releases_are_not_compared(zero_shot_scores, demo):
    other = dataclasses.replace(zero_shot_scores, release=dataclasses.replace(demo, fingerprint="0" * 64))
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.compare(zero_shot_scores, other)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("scores.mismatch", "benchmark/fingerprint")
    assert problem.found == f"{'0' * 64} and {demo.fingerprint}"
    assert problem.expected == "scores of one release"
    assert problem.mend == "Score both systems on the same release."


def test_memorisation_gap_flags_a_card_that_denies_training(demo, submission_of):
    text = demo.embeddings("text")
    speech = np.where(demo.is_test[:, None], demo.embeddings("speech"), text)
    denied = ia.score(submission_of(speech, text), demo)
    assert denied.memorisation_gap.low > 0.5
    assert denied.as_json()["diagnostics"]["memorisation_gap"]["flagged"] is True
    declared = {"method": "lookup", "trained_on_pairs": "train"}
    honest = ia.score(submission_of(speech, text, alignment=declared), demo)
    assert honest.as_json()["diagnostics"]["memorisation_gap"]["flagged"] is False


@pytest.fixture
def board_folder(demo, submission_of, zero_shot, tmp_path):
    """Three submissions: two that cannot be told apart and one at chance."""
    for name, sigma in (("good", 0.1), ("alike", 0.1)):
        submission = noisy(demo, submission_of, sigma, name)
        ia.write_submission(tmp_path / submission.card.folder(), submission.card, submission.content, demo)
    ia.write_submission(tmp_path / zero_shot.card.folder(), zero_shot.card, zero_shot.content, demo)
    return tmp_path


def test_leaderboard_ties_what_cannot_be_told_apart(board_folder, demo):
    board = build_leaderboard(board_folder, demo)
    ranks = [(rank, name) for rank, name, _ in board.rank_rows("heldout")]
    assert ranks == [(1, "tests__alike/1"), (1, "tests__good/1"), (2, "tests__test/1")]
    document = board.as_json()
    assert [row["status"] for row in document["rows"]] == ["scored"] * 3
    assert [row["rank"]["heldout"] for row in document["rows"]] == [1, 1, 2]
    tests = document["comparisons"]["heldout"]
    assert len(tests) == 3
    assert all(item["p_holm"] >= item["p_two_sided"] for item in tests)
    assert {row["status"] for row in document["reported"]} == {"reported"}


def test_an_empty_folder_is_a_problem(demo, tmp_path):
    with pytest.raises(ia.ProblemsFound, match=r"folder\.missing"):
        build_leaderboard(tmp_path, demo)


def test_reported_figures_are_the_papers():
    """Every recall of the paper is a whole number of 699ths (docs/protocol.md)."""
    recalls = [
        values[metric]
        for row in reported_rows()
        for values in row["directions"].values()
        for metric in ("recall@1", "recall@5", "recall@10")
    ]
    hits = [round(recall * 699) for recall in recalls]
    assert sorted(hits) == sorted([9, 43, 78, 9, 44, 88, 46, 150, 235, 45, 163, 264])
    assert [round(h / 699, 4) for h in hits] == pytest.approx(recalls, abs=6e-5)
