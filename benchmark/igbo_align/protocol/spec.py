"""The benchmark specification: every number of the protocol that a build or a score depends on, as data."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..problems import Problem, ProblemsFound, printable, problem
from .address import Address

#: Tracks in the order in which they are shown.
TRACKS = ("paper", "heldout", "full", "hard")
#: Tracks whose candidates are frozen in files; `full` ranks against every pair and needs none.
POOLED_TRACKS = ("paper", "heldout", "hard")
#: Both directions, in the order in which they are shown.
DIRECTIONS = ("speech_to_text", "text_to_speech")

Fraction = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0)]
#: What every generator of random numbers takes, torch's too.
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
#: Problems of a specification that are told; a file that is something else altogether has hundreds.
_MAX_SHOWN = 20


class Section(BaseModel):
    """A part of the specification: unknown fields are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _is_unset(value: Any) -> bool:
    """Whether an optional field is left out of the JSON, so that specifications from before it keep theirs."""
    return value in (None, ())


class Source(Section):
    """Where the recordings come from.

    Attributes:
        dataset: id on the Hub; empty for a source of the user's own.
        config: of the dataset.
        revision: commit of the dataset.
        splits: that are read; all others are left alone.
        licence: as the source states it.
        attribution: as the source asks for it.
        name: what the ids begin with, and the column `source` holds, in a release of several sources.
        files: pattern of a split's files, with `{config}` and `{split}`, where the dataset's card declares none.
    """

    dataset: str
    config: str | None
    revision: Revision | None
    splits: tuple[str, ...]
    licence: str
    attribution: str
    name: Annotated[str | None, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,23}$", exclude_if=_is_unset)] = None
    files: Annotated[str | None, Field(exclude_if=_is_unset)] = None

    @property
    def address(self) -> Address:
        """Where the source is, as `--source` would name it."""
        return Address(self.dataset, self.config, self.revision)

    @property
    def title(self) -> str:
        """Dataset and config, for people."""
        return " ".join(part for part in (self.dataset, self.config) if part)


class Expected(Section):
    """What the source is known to hold; None where nothing is known. A build reports every difference."""

    records: int | None
    kept: int | None
    speakers: int | None


class Audio(Section):
    """How recordings are filtered and prepared. Durations in seconds, bounds included."""

    min_duration_s: Annotated[float, Field(ge=0)]
    max_duration_s: Annotated[float, Field(gt=0)]
    sampling_rate_hz: PositiveInt
    resampler: Literal["soxr HQ"]
    peak_normalise: bool
    truncate_s: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _some_durations_are_left(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s is above max_duration_s")
        return self


class Text(Section):
    """Which version of the text normaliser prepared the transcripts."""

    normaliser: Literal["igbo-align-text-1"]


class Sample(Section):
    """The stratified sample: equally many pairs from each duration bucket; n buckets lie between n - 1 percentiles."""

    bucket_names: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    bucket_percentiles: tuple[Annotated[float, Field(gt=0, lt=100)], ...]
    per_bucket: PositiveInt
    seed: Seed

    @model_validator(mode="after")
    def _buckets_are_told_apart(self) -> Self:
        names, percentiles = self.bucket_names, self.bucket_percentiles
        if len(set(names)) < len(names) or len(percentiles) != len(names) - 1:
            raise ValueError("n buckets need n different names and n - 1 percentiles")
        if any(low >= high for low, high in pairwise(percentiles)):
            raise ValueError("percentiles have to ascend")
        return self


class Split(Section):
    """The split of the pairs into train and test, by text group and stratified by duration bucket."""

    test_fraction: Fraction
    seed: Seed


class Encoder(Section):
    """An encoder of the reference embeddings that a release carries."""

    id: str
    revision: Revision | None
    pooling: str


class Pools(Section):
    """The frozen pools: how many candidates (the correct one with them), and the seed of the random ones."""

    size: Annotated[int, Field(ge=2)]
    seed: Seed


class SimilaritySample(Section):
    """The frozen sample of paired and unpaired cosines for the tests of alignment."""

    paired: PositiveInt
    unpaired: PositiveInt
    seed: Seed


def _with_shown(cutoffs: tuple[int, ...]) -> tuple[int, ...]:
    if not {1, 10} <= set(cutoffs):
        raise ValueError("boards and flags need recall@1 and recall@10")
    return cutoffs


class Scoring(Section):
    """Metrics, intervals and tests."""

    recall_at: Annotated[tuple[PositiveInt, ...], AfterValidator(_with_shown)]
    confidence: Fraction
    bootstrap_resamples: PositiveInt
    comparison_resamples: PositiveInt
    permutations: PositiveInt
    seed: Seed


class BenchmarkSpec(Section):
    """The whole specification. Its canonical JSON is part of the release's fingerprint."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]
    language: str
    notice: str
    source: Source
    expected: Expected
    audio: Audio
    text: Text
    sample: Sample
    split: Split
    speech_encoder: Encoder
    text_encoder: Encoder
    pools: Pools
    similarity_sample: SimilaritySample
    scoring: Scoring
    further_sources: Annotated[tuple[Source, ...], Field(exclude_if=_is_unset)] = ()

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        names = {source.name for source in self.sources if source.name and source.dataset}
        if self.further_sources and len(names) < len(self.sources):
            raise ValueError("each of several sources needs a dataset and a name of its own")
        return self

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every source, in order; most specifications have one."""
        return (self.source, *self.further_sources)

    @property
    def licence(self) -> str:
        """What the sources say about their licence; empty where nothing is known."""
        return self._of_sources("licence")

    @property
    def attribution(self) -> str:
        """Whom the sources ask to name; empty where nothing is known."""
        return self._of_sources("attribution")

    def _of_sources(self, field: str) -> str:
        if not self.further_sources:
            return getattr(self.source, field)
        return "; ".join(f"{source.title}: {getattr(source, field)}" for source in self.sources)


def parse_spec(data: bytes, where: str) -> BenchmarkSpec:
    """Parse a specification's JSON; `where` names the file in every problem, `spec.schema`."""
    try:
        return BenchmarkSpec.model_validate_json(data)
    except ValidationError as error:
        mend = "Compare with the specifications in igbo_align/protocol/specs."
        raise ProblemsFound(
            [
                Problem(
                    "spec.schema",
                    "/".join([where, *(printable(part).strip("'") for part in item["loc"])]),
                    "a missing field" if item["type"] == "missing" else "a value that does not fit",
                    item["msg"].removeprefix("Value error, "),
                    mend,
                )
                for item in error.errors(include_input=False, include_url=False)[:_MAX_SHOWN]
            ]
        ) from error


def require_track(name: str) -> str:
    """The name, if it is a track; a problem that lists the tracks otherwise."""
    if name not in TRACKS:
        expected = f"one of {', '.join(TRACKS)}"
        raise problem("usage", "--track", found=repr(name), expected=expected, mend="Check the spelling.")
    return name
