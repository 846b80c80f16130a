"""The leaderboard: every row recomputed from embeddings, tied ranks, and the paper's own figures apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import is_temporary
from ..problems import Problem, ProblemsFound, collected, problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..statistics.bootstrap import bootstrap_means, percentile_interval, resample_counts
from ..statistics.comparison import holm
from ..submission.intake import take_in
from ..submission.reading import CARD_FILE
from ..submission.sandbox import Decoder
from ..tracks.estimation import mean_of_directions
from .comparison import ranked, require_same_benchmark, track_difference
from .duplicates import same_as, same_as_flag, sketch
from .score import score
from .scores import Estimate, Scores, rounded
from .seeds import SeedSpread, read_seeds
from .verification import is_verified

#: Systems of which every pair is tested; half a million tests of a board of 500 would tell nobody anything.
_FULLY_COMPARED = 40


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Scored systems of one release; `as_json` is `leaderboard.json`."""

    release: Release
    names: list[str]
    scores: list[Scores]
    seeds: list[SeedSpread | None]
    same_as: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    verified: frozenset[str] = frozenset()

    def rank_rows(self, track: str) -> list[tuple[int, str, Scores]]:
        """Tied dense rank, submission and scores, best first by mean MRR of the track."""
        order, ranks = ranked(self.scores, track)
        return [(rank, self.names[i], self.scores[i]) for rank, i in zip(ranks, order, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """The whole board as one JSON document."""
        ranks = {track: {name: rank for rank, name, _ in self.rank_rows(track)} for track in TRACKS}
        rows = [
            _row(name, scores, {track: ranks[track][name] for track in TRACKS}, seeds) | self._trust(name, scores)
            for name, scores, seeds in zip(self.names, self.scores, self.seeds, strict=True)
        ]
        return rounded(
            {
                "schema_version": 1,
                "benchmark": self.release.benchmark(),
                "notice": self.release.spec.notice,
                "rows": rows,
                "comparisons": {track: self._comparisons(track) for track in TRACKS},
                "reported": reported_rows(),
            }
        )

    def flags(self, name: str, scores: Scores) -> list[Problem]:
        """The integrity flags of a row, that of vectors which other rows have too among them."""
        return [*scores.flags, *same_as_flag(self.same_as.get(name, []))]

    def _trust(self, name: str, scores: Scores) -> dict[str, Any]:
        """How far a row can be trusted: badge, flags, what its card discloses, how often its submitter tried."""
        submitter = scores.card["submitter"]
        return {
            "status": "verified" if name in self.verified else "scored",
            "flags": [flag.as_json() for flag in self.flags(name, scores)],
            "class": "transductive" if scores.card["alignment"]["transductive"] else "inductive",
            "labels": _disclosures(scores.card["alignment"]),
            "submissions_of_submitter": sum(other.card["submitter"] == submitter for other in self.scores),
        }

    def _comparisons(self, track: str) -> list[dict[str, Any]]:
        pairs = self._compared(track)
        tests = [track_difference(self.scores[i], self.scores[j], track) for i, j in pairs]
        corrected = holm([test.p_two_sided for test in tests])
        return [
            {"first": self.names[i], "second": self.names[j], **vars(test), "p_holm": p}
            for (i, j), test, p in zip(pairs, tests, corrected, strict=True)
        ]

    def _compared(self, track: str) -> list[tuple[int, int]]:
        """Pairs that are tested: all, or on a long board all of the best and everyone with the first."""
        if len(self.scores) <= _FULLY_COMPARED:
            return list(combinations(range(len(self.scores)), 2))
        order = sorted(range(len(self.scores)), key=lambda i: -self.scores[i].mean_mrr(track))
        best = combinations(sorted(order[:_FULLY_COMPARED]), 2)
        return sorted({*best, *((min(order[0], i), max(order[0], i)) for i in order[_FULLY_COMPARED:])})


def build_leaderboard(submissions: Path, release: Release) -> Leaderboard:
    """Score every submission below a folder, `<org>__<system>/<revision>/`, in alphabetical order.

    Raises:
        ProblemsFound: there is none (`folder.missing`), or all problems of all submissions.
    """
    folders = some_submission_folders(submissions)
    names = [folder.relative_to(submissions).as_posix() for folder in folders]
    scores: list[Scores] = []
    sketches: list[NDArray[np.float64]] = []
    problems: list[Problem] = []
    with Decoder() as decoder:
        for name, folder, after in zip(names, folders, [*folders[1:], None], strict=True):
            submission = collected(problems, partial(take_in, folder, release, decoder), name)
            if after is not None:  # decoder and scorer work side by side
                decoder.prepare(after)
            if submission is not None and not problems:
                scores.append(score(submission, release))
                sketches.append(sketch(submission, release))
    if problems:
        raise ProblemsFound(problems)
    require_same_benchmark(scores)
    verified = frozenset(
        name for name, folder, item in zip(names, folders, scores, strict=True) if is_verified(folder, item)
    )
    seeds = [read_seeds(folder) for folder in folders]
    return Leaderboard(release, names, scores, seeds, same_as(names, sketches), verified)


def board_text(document: Mapping[str, Any]) -> str:
    """A board as `leaderboard.json` holds it: one line for each row and each other part, so that diffs tell rows."""
    rows = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False) for row in document["rows"])
    parts = {name: json.dumps(part, ensure_ascii=False, allow_nan=False) for name, part in document.items()}
    parts["rows"] = f"[\n{rows}\n]"
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {part}" for name, part in parts.items()) + "\n}\n"


def submission_folders(submissions: Path) -> list[Path]:
    """Folders of the submissions below a folder, sorted; what a killed process left unfinished is none."""
    folders = [path.parent for path in submissions.glob(f"*/*/{CARD_FILE}")]
    return sorted(folder for folder in folders if not any(map(is_temporary, (folder.name, folder.parent.name))))


def some_submission_folders(submissions: Path) -> list[Path]:
    """The same; a problem where there is none (`folder.missing`)."""
    if folders := submission_folders(submissions):
        return folders
    raise problem(
        "folder.missing",
        submissions.name,
        found="no submission in this folder" if submissions.is_dir() else "no such folder",
        expected=f"folders <org>__<system>/<revision>/ that hold {CARD_FILE}",
        mend="Check the path, or make some with `igbo-align baseline`.",
    )


def mean_mrr_estimate(scores: Scores, track: str) -> Estimate:
    """Mean reciprocal rank over both directions with its bootstrap interval: what a board is ranked by."""
    scoring = scores.release.spec.scoring
    per_query = scores.reciprocal_ranks(track)
    counts = resample_counts(len(per_query), scoring.bootstrap_resamples, scoring.seed)
    low, high = percentile_interval(bootstrap_means(per_query[:, None], counts)[:, 0], scoring.confidence)
    return Estimate(scores.mean_mrr(track), float(low), float(high))


def reported_rows() -> Sequence[dict[str, Any]]:
    """The figures that the paper reports (docs/reproducing-the-paper.md); they are shown apart and never ranked."""
    return json.loads((resources.files("igbo_align.scoring") / "reported.json").read_bytes())


def _disclosures(alignment: Mapping[str, Any]) -> list[str]:
    """What a card says that a reader should know; saying it is not punished."""
    labels = {
        "trained on the test pairs": alignment["trained_on_pairs"] == "all",
        "other training data": bool(alignment["other_training_data"]),
        f"transductive: {alignment['transductive']}": bool(alignment["transductive"]),
    }
    return [label for label, holds in labels.items() if holds]


def _row(name: str, scores: Scores, ranks: dict[str, int], seeds: SeedSpread | None) -> dict[str, Any]:
    document = scores.as_json()
    return {
        "submission": name,
        "rank": ranks,
        "card": scores.card,
        "mean_mrr": {track: mean_mrr_estimate(scores, track).as_json() for track in TRACKS},
        "tracks": document["tracks"],
        "both_directions": {track: _both(scores, track) for track in TRACKS},
        "similarity": document["similarity"],
        "diagnostics": document["diagnostics"],
        "seeds": None if seeds is None else seeds.model_dump(mode="json"),
        "provenance": document["provenance"],
        "per_query": {track: document["per_query"][track] for track in TRACKS},
    }


def _both(scores: Scores, track: str) -> dict[str, Any]:
    held = [scores.tracks[track][direction].standings for direction in DIRECTIONS]
    estimates = mean_of_directions(held, scores.release.spec.scoring)
    return {name: estimate.as_json() for name, estimate in estimates.items()}
