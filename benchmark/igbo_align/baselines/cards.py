"""The card of a baseline."""

from __future__ import annotations

from typing import Any

from ..files import readable_json
from ..protocol.release import Release
from ..submission.card import Card, parse_card
from .inputs import Inputs, reference_encoder
from .outcome import Outcome
from .registry import Baseline

#: The day on which the definitions of these baselines were fixed. Today's date would change the bytes of every run.
DEFINED_ON = "2026-11-23"


def baseline_card(baseline: Baseline, outcome: Outcome, inputs: Inputs) -> Card:
    """What was encoded with what, how the spaces were brought together, and how many numbers that took."""
    release = inputs.release
    licence = release.spec.licence
    document = {
        "schema_version": 1,
        "system": {"name": baseline.name, "org": "baselines", "revision": "1", "licence": licence[:200] or "unknown"},
        **_encoders(baseline, inputs, release),
        "alignment": {"method": baseline.summary, "trained_on_pairs": baseline.fits_on},
        "submitter": "igbo-align",
        "created": DEFINED_ON,
        "benchmark": release.benchmark(),
        "notes": _notes(outcome),
    }
    return parse_card(readable_json(document).encode())


def _encoders(baseline: Baseline, inputs: Inputs, release: Release) -> dict[str, Any]:
    if baseline.speech_pooling is None:
        entries = {modality: reference_encoder(release, modality) for modality in ("speech", "text")}
    else:
        recorded = inputs.recordings.encoders
        entries = {"speech": {**recorded["speech"], "pooling": baseline.speech_pooling}, "text": recorded["text"]}
    fields = ("id", "revision", "pooling")
    return {f"{modality}_encoder": {name: entry[name] for name in fields} for modality, entry in entries.items()}


def _notes(outcome: Outcome) -> str:
    n_fitted = sum(array.size for array in outcome.fitted.values())
    return "; ".join([f"fitted numbers: {n_fitted}", *(f"{name}: {value}" for name, value in outcome.choices.items())])
