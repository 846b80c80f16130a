"""A board read back from its JSON: tests, places, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.problems import ProblemsFound
from igbo_align.protocol.spec import DIRECTIONS, TRACKS
from igbo_align.scoring.board import read_board
from igbo_align.scoring.comparison import track_difference
from igbo_align.scoring.leaderboard import Leaderboard, board_text

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "leaderboard_space" / "leaderboard.json"


@pytest.fixture(scope="module")
def board(demo):
    return read_board(SNAPSHOT.read_bytes(), demo)


def test_the_snapshot_is_that_of_the_submissions(board):
    """Written by `igbo-align leaderboard submissions --out leaderboard_space/leaderboard.json`."""
    for name, row in board.rows.items():
        receipt = json.loads((ROOT / "submissions" / name / "scores.json").read_text())
        assert row["tracks"] == receipt["tracks"]
        assert row["per_query"] == {track: receipt["per_query"][track] for track in TRACKS}


def test_queries_and_tests_are_those_of_scoring(demo, zero_shot_scores, zero_shot):
    other = ia.score(ia.Submission(zero_shot.card, zero_shot.content), demo)
    written = Leaderboard(demo, ["a__x/1", "b__y/1"], [zero_shot_scores, other], [None, None])
    board = read_board(board_text(written.as_json()).encode(), demo)
    for track in TRACKS:
        assert np.array_equal(board.reciprocal_ranks("a__x/1", track), zero_shot_scores.reciprocal_ranks(track))
        both = board.rows["a__x/1"]["both_directions"][track]
        held = [zero_shot_scores.tracks[track][direction] for direction in DIRECTIONS]
        assert both["recall@1"]["value"] == pytest.approx(np.mean([item["recall@1"].value for item in held]), rel=1e-9)
        assert both["mrr"]["value"] == pytest.approx(board.rows["a__x/1"]["mean_mrr"][track]["value"], rel=1e-9)
        assert both["mrr"]["low"] == pytest.approx(board.rows["a__x/1"]["mean_mrr"][track]["low"], rel=1e-9)
    assert board.difference("a__x/1", "b__y/1", "paper") == track_difference(zero_shot_scores, other, "paper")
    assert board.not_separable_from_first("paper") == {"a__x/1", "b__y/1"}


def test_tests_are_corrected_over_exactly_the_pairs_shown(board):
    names = board.ordered("heldout")[:3]
    tests = board.separations(names, "heldout")
    assert [(test.first, test.second) for test in tests] == [
        (names[0], names[1]),
        (names[0], names[2]),
        (names[1], names[2]),
    ]
    smallest = min(test.p_two_sided for test in tests)
    assert min(test.p_holm for test in tests) == pytest.approx(3 * smallest)
    (turned,) = board.separations([names[1], names[0]], "heldout")
    assert turned.difference == -tests[0].difference
    assert (turned.low, turned.high) == (-tests[0].high, -tests[0].low)


def test_a_test_that_the_board_lacks_is_made_from_the_queries(board, demo):
    fewer = read_board(board_text({**board.document, "comparisons": {track: [] for track in TRACKS}}).encode(), demo)
    names = board.ordered("heldout")[:2]
    made, held = (one.separations(names, "heldout")[0] for one in (fewer, board))
    assert made.difference == pytest.approx(held.difference, rel=1e-9)
    assert made.p_two_sided == pytest.approx(held.p_two_sided, rel=1e-9)


@pytest.mark.parametrize("track", TRACKS)
def test_a_system_of_the_board_gets_its_own_place(board, demo, track):
    name = board.ordered(track)[3]
    scores = ia.score(ia.load_submission(ROOT / "submissions" / name), demo)
    place = board.place(scores, track)
    assert place.rank == board.rows[name]["rank"][track]
    assert name in place.tied_with
    assert place.of == len(board.rows)


def test_the_best_and_the_worst_get_the_ends(board, demo, submission_of):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(len(demo.ids), 32))
    best = board.place(ia.score(submission_of(vectors, vectors + 1e-3), demo), "heldout")
    assert (best.rank, best.ahead, best.tied_with) == (1, 0, [])
    constant = board.place(
        ia.score(submission_of(np.ones((len(demo.ids), 2)), np.ones((len(demo.ids), 2))), demo), "full"
    )
    assert constant.ahead >= len(board.rows) - 3


def test_on_a_long_board_everyone_is_compared_with_the_first(demo, zero_shot_scores):
    n = 60
    long = Leaderboard(demo, [f"o__{i}/1" for i in range(n)], [zero_shot_scores] * n, [None] * n)
    pairs = long._compared("heldout")
    assert len(pairs) == 40 * 39 // 2 + 20
    assert {(0, i) for i in range(1, n)} <= set(pairs)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"schema_version": 2, "rows": []}', b'{"schema_version": 1, "rows": [{}]}', b"\xff"]
)
def test_what_is_no_board_is_refused(data, demo):
    with pytest.raises(ProblemsFound) as caught:
        read_board(data, demo)
    assert caught.value.problems[0].code == "board.unreadable"


def test_a_board_of_another_release_is_refused(board, demo):
    other = {**board.document, "benchmark": {**board.document["benchmark"], "fingerprint": "0" * 64}}
    with pytest.raises(ProblemsFound) as caught:
        read_board(json.dumps(other).encode(), demo)
    assert caught.value.problems[0].code == "scores.mismatch"
