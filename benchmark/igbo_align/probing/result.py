"""The outcome of a probe, as `probe.json` holds it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError

from ..problems import printable, problem
from ..protocol.release import Release
from ..protocol.spec import Section

SCHEMA_VERSION = 1


class Share(Section):
    """R² on test recordings with its 95 % bootstrap interval over recordings; at most 1, negative if misleading."""

    value: float = Field(le=1)
    low: float = Field(le=1)
    high: float = Field(le=1)


class Reading(Section):
    """How well pitch is read off some features.

    Attributes:
        r2: of the pitch contour.
        penalty: of the ridge regression, by observation and for features of unit variance.
        control: R² of the same contours in a random order, which only chance can read.
    """

    r2: Share
    penalty: float = Field(gt=0)
    control: Share


class LayerReading(Reading):
    """Of a hidden state: 0 is what goes into the first layer, the last one the output of the last."""

    layer: int = Field(ge=0)


class Sample(Section):
    """How many recordings with voice, and how many tenths of a second of it."""

    recordings: int = Field(ge=1)
    observations: int = Field(ge=1)


class ProbedEncoder(Section):
    """The encoder, as cards name it."""

    id: str = Field(max_length=200)
    revision: str = Field(max_length=200)


class ProbedBenchmark(Section):
    """The release, as cards name it."""

    name: str = Field(max_length=64)
    version: str = Field(max_length=64)
    fingerprint: str = Field(max_length=64)


class ProbeResult(Section):
    """Everything that a probe found.

    Attributes:
        schema_version: of this document.
        benchmark: release that was probed.
        speech_encoder: whose hidden states were probed.
        target: what was read, in words.
        train: recordings of the train split, which the regression was fitted on.
        test: recordings of the test split, which it was scored on.
        log_mel: the reference: what a spectrogram of 80 bands holds of it.
        layers: from 0 up.
    """

    schema_version: Literal[1]
    benchmark: ProbedBenchmark
    speech_encoder: ProbedEncoder
    target: str = Field(max_length=200)
    train: Sample
    test: Sample
    log_mel: Reading
    layers: tuple[LayerReading, ...] = Field(min_length=1, max_length=1000)


def parse_probe(data: bytes, where: str, release: Release) -> ProbeResult:
    """Read a document of `igbo-align probe`.

    Args:
        data: JSON.
        where: names the file in a problem.
        release: it has to be of.

    Raises:
        ProblemsFound: it is no such document, or of another release (`probe.unreadable`).
    """
    expected, mend = "a document that `igbo-align probe` wrote for this release", "Run `igbo-align probe` again."
    try:
        result = ProbeResult.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = "/".join(printable(part).strip("'") for part in first["loc"]) or "the document"
        found = f"{error.error_count()} problem(s), first at {field}"
        raise problem("probe.unreadable", where, found=found, expected=expected, mend=mend) from error
    if result.benchmark.fingerprint != release.fingerprint:
        found = f"a probe of the release with the fingerprint {printable(result.benchmark.fingerprint)}"
        raise problem("probe.unreadable", where, found=found, expected=expected, mend=mend)
    return result
