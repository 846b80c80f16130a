"""Making baselines: every one becomes an ordinary submission folder with its card and its receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import absent, is_installed
from ..files import new_folder, readable_json, write_text
from ..problems import EnvironmentProblem, Problem, ProblemsFound
from ..progress import Progress
from ..protocol.release import Release
from ..scoring.receipt import write_receipt
from ..scoring.score import score
from ..scoring.scores import Scores, rounded
from ..scoring.seeds import SEEDS_FILE, SeedSpread, spread_over_seeds
from ..submission.card import Card
from ..submission.reading import Embeddings, Submission
from ..submission.writing import write_submission
from .cards import baseline_card
from .inputs import Inputs, Vectors, reference_inputs
from .outcome import Outcome
from .recordings import Sources, encode_recordings
from .registry import Baseline, baselines_named

#: Seed of every baseline; `--seeds N` also runs the N - 1 seeds that follow.
SEED = 42
TRAINING_LOG_FILE = "training_log.json"
#: Significant digits in the log: fewer than what differs between processors.
LOG_DIGITS = 8


@dataclass(frozen=True)
class BaselineRequest:
    """What to make.

    Attributes:
        out: folder of submissions; each baseline becomes `<out>/baselines__<name>/1`.
        names: of the baselines; empty for all that the release and the sources allow.
        seeds: how many seeds the trained ones are repeated with.
        sources: where recordings come from.
    """

    out: Path
    names: Sequence[str] = ()
    seeds: int = 1
    sources: Sources = field(default_factory=Sources)


@dataclass(frozen=True, eq=False)
class Made:
    """A finished baseline.

    Attributes:
        baseline: which one.
        folder: of the submission.
        scores: of the first seed.
        fit_s: seconds that fitting took with the first seed; printed, never stored.
        seeds: spread over seeds, if there were several.
    """

    baseline: Baseline
    folder: Path
    scores: Scores
    fit_s: float
    seeds: SeedSpread | None


def make_baselines(
    request: BaselineRequest, release: Release, progress: Progress, skipped: Callable[[str], None]
) -> Iterator[Made]:
    """Make baselines one after the other, each yielded when its folder is complete.

    Args:
        request: what to make.
        release: to make them for.
        progress: opens a progress bar.
        skipped: told, when none was named, why a baseline is left out.

    Raises:
        ProblemsFound: `baseline.unknown`, `baseline.needs_source`, `folder.exists` and the like, before anything is
            made; or a problem of the recordings or encoders.
    """
    inputs = reference_inputs(release)
    chosen = _possible(request, inputs, skipped)
    _refuse_existing([_folder(request.out, baseline) for baseline in chosen])
    poolings = sorted({baseline.speech_pooling for baseline in chosen if baseline.speech_pooling})
    if poolings:
        inputs = encode_recordings(inputs, request.sources, poolings, progress)
    for baseline in chosen:
        yield _make(baseline, request, inputs)


def _possible(request: BaselineRequest, inputs: Inputs, skipped: Callable[[str], None]) -> list[Baseline]:
    """The baselines that can be made. What is in the way is a problem where it was named, and a message otherwise."""
    chosen = baselines_named(request.names)
    obstacles = {baseline.name: _obstacle(baseline, inputs, request.sources) for baseline in chosen}
    found = [item for item in obstacles.values() if item]
    if request.names and found:
        is_environment = all(item.code.startswith("environment.") for item in found)
        raise EnvironmentProblem(found) if is_environment else ProblemsFound(found)
    for item in found:
        skipped(f"Skipped {item.where}: {item.message}")
    return [baseline for baseline in chosen if obstacles[baseline.name] is None]


def _obstacle(baseline: Baseline, inputs: Inputs, sources: Sources) -> Problem | None:
    if baseline.speech_pooling and not sources.has_recordings(inputs.release):
        return Problem(
            "baseline.needs_source",
            baseline.name,
            "a release without recordings, and no --source",
            "the corpus that the release was built from",
            "Name its folder or its Hub id with --source.",
        )
    speech, text = inputs.pairs.speech.shape[1], inputs.pairs.text.shape[1]
    if baseline.needs_equal_dimensions and speech != text:
        found, mend = f"{speech} dimensions of speech, {text} of text", "Use a baseline that learns a map."
        return Problem("array.dim_mismatch", baseline.name, found, "equally many", mend)
    if baseline.is_trained and not is_installed("torch"):
        return absent("torch", baseline.name, "baselines").problems[0]
    return None


def _refuse_existing(folders: Sequence[Path]) -> None:
    """One `folder.exists` for every folder that is there already, before any time is spent."""
    mend = "Choose another --out, or remove the old one first."
    problems = [
        Problem("folder.exists", folder.name, "a folder or file that exists already", "a path where nothing is", mend)
        for folder in folders
        if folder.exists() or folder.is_symlink()
    ]
    if problems:
        raise ProblemsFound(problems)


def _folder(out: Path, baseline: Baseline) -> Path:
    return out / f"baselines__{baseline.name}"


def _make(baseline: Baseline, request: BaselineRequest, inputs: Inputs) -> Made:
    recipe = baseline.make  # imports torch where it is needed, before the clock starts
    started = time.perf_counter()
    outcome = recipe(inputs, SEED)
    fit_s = time.perf_counter() - started
    card, content = baseline_card(baseline, outcome, inputs), submitted_vectors(outcome, inputs.release)
    scores = score(Submission(card, content), inputs.release)
    seeds = _repeated(baseline, card, scores, request.seeds, inputs) if baseline.is_trained else None
    folder = _folder(request.out, baseline)
    with new_folder(folder) as temporary:
        revision = temporary / card.system.revision
        write_submission(revision, card, content, inputs.release)
        write_receipt(revision, scores)
        if outcome.training_log is not None:
            write_text(revision / TRAINING_LOG_FILE, log_text(outcome.training_log))
        if seeds is not None:
            write_text(revision / SEEDS_FILE, readable_json(seeds.model_dump(mode="json")))
    return Made(baseline, folder / card.system.revision, scores, fit_s, seeds)


def _repeated(baseline: Baseline, card: Card, first: Scores, n_seeds: int, inputs: Inputs) -> SeedSpread | None:
    """The spread over `n_seeds` seeds, of which the first is done; None for one seed."""
    scores = {SEED: first}
    for seed in range(SEED + 1, SEED + n_seeds):
        content = submitted_vectors(baseline.make(inputs, seed), inputs.release)
        scores[seed] = score(Submission(card, content), inputs.release)
    return spread_over_seeds(scores) if n_seeds > 1 else None


def submitted_vectors(outcome: Outcome, release: Release) -> Embeddings:
    """The vectors of an outcome as its submission holds them."""
    return Embeddings(np.array(release.ids), _unit_float16(outcome.speech), _unit_float16(outcome.text))


def log_text(training_log: Mapping[str, Any]) -> str:
    """A training log as its file holds it."""
    return readable_json(rounded(training_log, LOG_DIGITS))


def _unit_float16(vectors: Vectors) -> NDArray[np.float16]:
    """Rows scaled to unit length, so that all of them use the same part of float16's range.

    Adding zero makes -0 to 0: the sign of what rounds to nothing depends on the number of threads.
    """
    unit = vectors / np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return unit.astype(np.float16) + np.float16(0)
