"""Making baselines: every one becomes an ordinary submission folder with its card and its receipt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import new_folder, readable_json, write_text
from ..problems import Problem, ProblemsFound
from ..protocol.release import Release
from ..scoring.receipt import write_receipt
from ..scoring.score import score
from ..scoring.scores import Scores, rounded
from ..submission.card import Card, parse_card
from ..submission.reading import Embeddings, Submission
from ..submission.writing import write_submission
from .inputs import Inputs, Sources, Vectors, reference_encoder, reference_inputs
from .registry import Baseline, Outcome, baselines_named

#: Seed of every baseline; `--seeds N` also runs the N - 1 seeds that follow.
SEED = 42
#: The day on which the definitions of these baselines were fixed. Today's date would change the bytes of every run.
DEFINED_ON = "2026-11-23"
TRAINING_LOG_FILE = "training_log.json"


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
    """A finished baseline: where it is, its scores, and how long fitting took in seconds (never stored)."""

    baseline: Baseline
    folder: Path
    scores: Scores
    fit_s: float


def make_baselines(request: BaselineRequest, release: Release, skipped: Callable[[str], None]) -> Iterator[Made]:
    """Make baselines one after the other, each yielded when its folder is complete.

    Args:
        request: what to make.
        release: to make them for.
        skipped: told, when none was named, why a baseline is left out.

    Raises:
        ProblemsFound: `baseline.unknown`, `baseline.needs_source`, `folder.exists` and the like, before anything is
            made; or a problem of the recordings or encoders.
    """
    inputs = reference_inputs(release)
    chosen = _possible(request, inputs, skipped)
    _refuse_existing([_folder(request.out, baseline) for baseline in chosen])
    for baseline in chosen:
        yield _make(baseline, request, inputs)


def _possible(request: BaselineRequest, inputs: Inputs, skipped: Callable[[str], None]) -> list[Baseline]:
    """The baselines that can be made. What is in the way is a problem where it was named, and a message otherwise."""
    chosen = baselines_named(request.names)
    obstacles = {baseline.name: _obstacle(baseline, inputs, request.sources) for baseline in chosen}
    found = [item for item in obstacles.values() if item]
    if request.names and found:
        raise ProblemsFound(found)
    for item in found:
        skipped(f"Skipped {item.where}: {item.message}")
    return [baseline for baseline in chosen if obstacles[baseline.name] is None]


def _obstacle(baseline: Baseline, inputs: Inputs, sources: Sources) -> Problem | None:
    if baseline.needs_recordings and not sources.has_recordings(inputs.release):
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
    started = time.perf_counter()
    outcome = baseline.make(inputs, SEED)
    fit_s = time.perf_counter() - started
    card, content = _card(baseline, outcome, inputs.release), _content(outcome, inputs.release)
    scores = score(Submission(card, content), inputs.release)
    folder = _folder(request.out, baseline)
    with new_folder(folder) as temporary:
        revision = temporary / card.system.revision
        write_submission(revision, card, content, inputs.release)
        write_receipt(revision, scores)
        if outcome.training_log is not None:
            write_text(revision / TRAINING_LOG_FILE, readable_json(rounded(outcome.training_log)))
    return Made(baseline, folder / card.system.revision, scores, fit_s)


def _content(outcome: Outcome, release: Release) -> Embeddings:
    return Embeddings(np.array(release.ids), _unit_float16(outcome.speech), _unit_float16(outcome.text))


def _unit_float16(vectors: Vectors) -> NDArray[np.float16]:
    """Rows scaled to unit length, so that all of them use the same part of float16's range."""
    return (vectors / np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))).astype(np.float16)


def _card(baseline: Baseline, outcome: Outcome, release: Release) -> Card:
    speech, text = (reference_encoder(release, modality) for modality in ("speech", "text"))
    n_fitted = sum(array.size for array in outcome.fitted.values())
    document: dict[str, Any] = {
        "schema_version": 1,
        "system": {
            "name": baseline.name,
            "org": "baselines",
            "revision": "1",
            "licence": release.spec.source.licence or "see the corpus",
        },
        "speech_encoder": {
            "id": speech["id"],
            "revision": speech["revision"],
            "pooling": baseline.speech_pooling or speech["pooling"],
        },
        "text_encoder": {"id": text["id"], "revision": text["revision"], "pooling": text["pooling"]},
        "alignment": {"method": baseline.summary, "trained_on_pairs": baseline.fits_on},
        "submitter": "igbo-align",
        "created": DEFINED_ON,
        "benchmark": release.benchmark(),
        "notes": "; ".join([f"{n_fitted} fitted numbers", *(f"{k} {v}" for k, v in outcome.choices.items())]),
    }
    return parse_card(readable_json(document).encode())
