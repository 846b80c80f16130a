"""Everything that a report tells: scores, the similarity matrix, transcripts, baselines, and the log of a training."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..diagnostics.failures import Failures, failure_track
from ..metrics.retrieval import chance_standings, reciprocal_rank
from ..probing.result import ProbeResult, parse_probe
from ..problems import ProblemsFound
from ..progress import Progress, silent_progress
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.comparison import track_difference
from ..scoring.leaderboard import some_submission_folders, submission_folders
from ..scoring.score import score
from ..scoring.scores import Scores
from ..statistics.bootstrap import resample_counts
from ..statistics.comparison import PairedDifference, holm, paired_bootstrap
from ..submission.card import parse_json_object
from ..submission.intake import take_in
from ..submission.reading import Submission, read_regular_file
from ..submission.sandbox import Decoder
from ..submission.writing import aligned
from ..tracks.similarity import Similarity, similarity_of
from .pair_names import pair_names

TRAINING_LOG_FILE = "training_log.json"
_MAX_LOG_BYTES = _MAX_PROBE_BYTES = 1024 * 1024
_MAX_EPOCHS = 10_000
#: Tracks in which the submission is compared with baselines.
COMPARED_TRACKS = ("heldout", "paper")


@dataclass(frozen=True, eq=False)
class Evidence:
    """One submission, with all that is needed to explain it.

    Attributes:
        scores: of the submission.
        similarity: of all recordings with all texts.
        against_chance: track -> paired bootstrap of its reciprocal ranks with those of chance, both directions.
        baselines: of the same release, by name.
        training: epochs of its training, where a log lies beside it.
        probe: what the layers of a speech encoder hold of pitch, where it was given.
    """

    scores: Scores
    similarity: Similarity
    against_chance: Mapping[str, Verdict]
    baselines: Sequence[Comparison]
    training: TrainingLog | None
    probe: ProbeResult | None = None

    @property
    def release(self) -> Release:
        """The benchmark."""
        return self.scores.release

    @property
    def name(self) -> str:
        """`org/system`, and its revision where it is not the first."""
        return system_name(self.scores)

    @property
    def failure_track(self) -> str:
        """The track whose failures are told."""
        return failure_track(self.scores.card["alignment"]["trained_on_pairs"])

    @property
    def failures(self) -> Failures:
        """Of that track."""
        return self.scores.diagnostics.failures[self.failure_track]

    @functools.cached_property
    def pair_names(self) -> list[str]:
        """How pairs are named to people, in the order of the release."""
        return pair_names(self.release)


@dataclass(frozen=True)
class Verdict:
    """A difference of mean reciprocal ranks, and its probability corrected for the number of questions asked."""

    difference: PairedDifference
    p_holm: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """The submission minus one baseline: track -> verdict."""

    name: str
    scores: Scores
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class TrainingLog:
    """Losses by epoch. `mined_before` are epochs before which negatives were mined anew; the first is left out."""

    epochs: Sequence[int]
    losses: Mapping[str, Sequence[float]]
    chance: Mapping[str, float]
    mined_before: Sequence[int]


def gather(
    folder: Path,
    release: Release,
    baselines: Path | None,
    probe: Path | None = None,
    progress: Progress = silent_progress,
) -> Evidence:
    """Score a submission and the baselines that it is compared with.

    Args:
        folder: of the submission.
        release: the benchmark.
        baselines: folder of submissions to compare with; None for the one that the submission lies in.
        probe: file that `igbo-align probe` wrote.
        progress: opens a progress bar; none by default.

    Raises:
        ProblemsFound: problems of the submission, of a baseline that was asked for, or of the probe.
    """
    probed = parse_probe(read_regular_file(probe, _MAX_PROBE_BYTES), probe.name, release) if probe else None
    with Decoder() as decoder:
        submission = take_in(folder, release, decoder)
        others = _others(folder, release, baselines, decoder, progress)
    return dataclasses.replace(_evidence(submission, release, others), probe=probed)


def gather_alone(folder: Path, release: Release) -> Evidence:
    """Score a submission, and compare it with no other.

    Raises:
        ProblemsFound: problems of the submission.
    """
    return _evidence(take_in(folder, release), release, [])


def _evidence(submission: Submission, release: Release, others: Sequence[Scores]) -> Evidence:
    scores, numbers = score(submission, release), similarity_of(aligned(submission, release))
    chance = _verdicts({track: _against_chance(scores, track) for track in TRACKS})
    log = read_training_log(submission.folder) if submission.folder else None
    return Evidence(scores, numbers, chance, _comparisons(scores, others), log)


def system_name(scores: Scores) -> str:
    """`org/system`, with `@revision` where it is not the first."""
    system = scores.card["system"]
    revision = "" if system["revision"] == "1" else f"@{system['revision']}"
    return f"{system['org']}/{system['name']}{revision}"


def _others(
    folder: Path, release: Release, baselines: Path | None, decoder: Decoder, progress: Progress
) -> list[Scores]:
    """The baselines, without the submission itself. Damaged neighbours only matter where they were asked for."""
    if baselines is not None:
        there = some_submission_folders(baselines)
    else:
        beside = submission_folders(folder.resolve().parent.parent)
        there = [path for path in beside if path.parent.name.startswith("baselines__")]
    wanted = [path for path in there if path.resolve() != folder.resolve()]
    found: list[Scores] = []
    if not wanted:
        return found
    with progress("Scoring baselines", len(wanted)) as advance:
        for path in wanted:
            try:
                found.append(score(take_in(path, release, decoder), release))
            except ProblemsFound:
                if baselines is not None:
                    raise
            advance(1)
    return found


def _against_chance(scores: Scores, track: str) -> PairedDifference:
    scoring = scores.release.spec.scoring
    held = [scores.tracks[track][direction].standings for direction in DIRECTIONS]
    chance = np.mean([reciprocal_rank(chance_standings(item.candidates)) for item in held], axis=0)
    counts = resample_counts(len(chance), scoring.comparison_resamples, scoring.seed)
    return paired_bootstrap(scores.reciprocal_ranks(track), chance, counts, scoring.confidence)


def _comparisons(scores: Scores, others: Sequence[Scores]) -> list[Comparison]:
    """Best baseline first, by the first compared track."""
    by_name = {system_name(other): other for other in others}
    names = sorted(by_name, key=lambda name: (-by_name[name].mean_mrr(COMPARED_TRACKS[0]), name))
    differences = {
        (name, track): track_difference(scores, by_name[name], track) for track in COMPARED_TRACKS for name in names
    }
    verdicts = _verdicts(differences)
    return [
        Comparison(name, by_name[name], {track: verdicts[name, track] for track in COMPARED_TRACKS}) for name in names
    ]


def _verdicts(differences: Mapping[Any, PairedDifference]) -> dict[Any, Verdict]:
    corrected = holm([item.p_two_sided for item in differences.values()])
    return {key: Verdict(item, p) for (key, item), p in zip(differences.items(), corrected, strict=True)}


def read_training_log(folder: Path) -> TrainingLog | None:
    """The log of a training beside a submission; None where there is none that can be drawn.

    The file comes from a stranger and belongs to no score: what does not fit is left out.
    """
    try:
        document = parse_json_object(read_regular_file(folder / TRAINING_LOG_FILE, _MAX_LOG_BYTES), TRAINING_LOG_FILE)
    except ProblemsFound:
        return None
    rows = document.get("epochs")
    if not isinstance(rows, list) or not 0 < len(rows) <= _MAX_EPOCHS or not all(isinstance(row, dict) for row in rows):
        return None
    losses = {name: [row.get(name) for row in rows] for name in ("train_loss", "heldout_loss")}
    drawable = {name: values for name, values in losses.items() if all(map(_is_number, values))}
    chance = document.get("chance")
    levels = {k: v for k, v in chance.items() if k in drawable and _is_number(v)} if isinstance(chance, dict) else {}
    mining = document.get("mining")
    mined = [row.get("before_epoch") for row in mining if isinstance(row, dict)] if isinstance(mining, list) else []
    again = sorted({epoch for epoch in mined if type(epoch) is int and 1 < epoch <= len(rows)})
    return TrainingLog(range(1, len(rows) + 1), drawable, levels, again) if drawable else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e9


def first_pairs(evidence: Evidence, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosines (k, k) of (k,) chosen recordings, in rows, with the texts of the same pairs."""
    return evidence.similarity.integers[np.ix_(chosen, chosen)] / evidence.similarity.scale
