"""Invariants of `submissions/`: valid, recomputable, small, and as strong as the documentation says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import igbo_align as ia
import pytest
from documents import is_stored, page
from igbo_align.baselines.registry import BASELINES
from igbo_align.scoring.leaderboard import submission_folders
from igbo_align.scoring.receipt import receipt_problems
from igbo_align.scoring.seeds import read_seeds
from igbo_align.submission.intake import take_in

SUBMISSIONS = Path(__file__).parent.parent / "submissions"
FOLDERS = [folder for folder in submission_folders(SUBMISSIONS) if is_stored(folder)]
DIRECTIONS = ("speech_to_text", "text_to_speech")


def stored(name, track, direction, metric):
    """An estimate of a baseline's score file."""
    document = json.loads((SUBMISSIONS / f"baselines__{name}" / "1" / "scores.json").read_text())
    return document["tracks"][track][direction][metric]


def mean_mrr(name, bound="value"):
    return sum(stored(name, "heldout", direction, "mrr")[bound] for direction in DIRECTIONS) / 2


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.relative_to(SUBMISSIONS).as_posix())
def test_every_score_file_is_recomputed(folder, demo):
    submission = take_in(folder, demo)
    assert folder.relative_to(SUBMISSIONS).as_posix() == submission.card.folder()
    assert receipt_problems((folder / "scores.json").read_bytes(), ia.score(submission, demo)) == []
    seeds = read_seeds(folder)
    assert seeds is None or seeds.tracks["heldout"]["mrr"].values[0] > 0


def test_every_baseline_is_there_and_all_are_small():
    assert {f"baselines__{baseline.name}" for baseline in BASELINES} <= {folder.parent.name for folder in FOLDERS}
    assert sum(path.stat().st_size for folder in FOLDERS for path in folder.iterdir()) < 20e6


def test_the_page_of_baselines_has_every_one_in_both_tables():
    for part in page("docs/baselines.md").split("## The projection")[0].split("## The baselines"):
        cells = "".join(re.findall(r"^\| (`.*?) \|", part, flags=re.MULTILINE))
        assert sorted(re.findall(r"`([a-z-]+)`", cells)) == sorted(baseline.name for baseline in BASELINES)


@pytest.mark.parametrize("name", [baseline.name for baseline in BASELINES if baseline.is_trained])
def test_trained_baselines_keep_their_log_and_their_spread_over_seeds(name):
    folder = SUBMISSIONS / f"baselines__{name}" / "1"
    assert len(json.loads((folder / "training_log.json").read_text())["epochs"]) == 20
    assert len(read_seeds(folder).seeds) == 5


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["tracks"].pop("hard"),
        lambda document: document["tracks"].update(more=document["tracks"]["hard"]),
        lambda document: document["tracks"]["paper"].pop("mrr"),
    ],
    ids=["a track less", "a track more", "a metric less"],
)
def test_a_spread_over_seeds_has_every_track_and_metric(change, tmp_path):
    document = json.loads((SUBMISSIONS / "baselines__projection" / "1" / "seeds.json").read_text())
    change(document)
    (tmp_path / "seeds.json").write_text(json.dumps(document))
    with pytest.raises(ia.ProblemsFound) as caught:
        read_seeds(tmp_path)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("file.corrupt", "seeds.json")
    assert problem.found == "1 fields that are missing, unknown or wrong"
    assert problem.expected == "the file that `igbo-align baseline --seeds` writes"
    assert problem.mend == "Make it again, or remove it."


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_projection_beats_zero_shot_five_times(direction):
    projected, zero_shot = (stored(name, "paper", direction, "recall@1") for name in ("projection", "zero-shot"))
    assert projected["value"] >= 5 * zero_shot["value"]


def test_the_best_baseline_beats_projection_2_4_times_with_intervals_apart():
    best = max((baseline.name for baseline in BASELINES), key=mean_mrr)
    assert mean_mrr(best) >= 2.4 * mean_mrr("projection")
    for direction in DIRECTIONS:
        assert (
            stored(best, "heldout", direction, "mrr")["low"] > stored("projection", "heldout", direction, "mrr")["high"]
        )


@pytest.mark.parametrize("name", ["random", "shuffled-pairs", "random-rotation"])
@pytest.mark.parametrize("track", ["paper", "heldout"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_controls_sit_at_chance(name, track, direction):
    recall = stored(name, track, direction, "recall@1")
    assert recall["wilson"][0] <= recall["chance"] <= recall["wilson"][1]
