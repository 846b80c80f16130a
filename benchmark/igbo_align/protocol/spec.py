"""The benchmark specification: every number of the protocol that a build or a score depends on, as data."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..problems import problem
from .address import Address

#: Tracks in the order in which they are shown.
TRACKS = ("paper", "heldout", "full", "hard")
#: Tracks whose candidates are frozen in files; `full` ranks against every pair and needs none.
POOLED_TRACKS = ("paper", "heldout", "hard")
#: Both directions, in the order in which they are shown.
DIRECTIONS = ("speech_to_text", "text_to_speech")

Fraction = Annotated[float, Field(gt=0, lt=1)]
PositiveInt = Annotated[int, Field(gt=0)]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


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


class Text(Section):
    """Which version of the text normaliser prepared the transcripts."""

    normaliser: str


class Sample(Section):
    """The stratified sample: equally many pairs from each duration bucket."""

    bucket_names: tuple[str, ...]
    bucket_percentiles: tuple[float, ...]
    per_bucket: PositiveInt
    seed: int


class Split(Section):
    """The split of the pairs into train and test, by text group and stratified by duration bucket."""

    test_fraction: Fraction
    seed: int


class Encoder(Section):
    """An encoder of the reference embeddings that a release carries."""

    id: str
    revision: Revision | None
    pooling: str


class Pools(Section):
    """The frozen pools: how many candidates (the correct one with them), and the seed of the random ones."""

    size: Annotated[int, Field(ge=2)]
    seed: int


class SimilaritySample(Section):
    """The frozen sample of paired and unpaired cosines for the tests of alignment."""

    paired: PositiveInt
    unpaired: PositiveInt
    seed: int


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
    seed: int


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


def spec_names() -> list[str]:
    """Names of the specifications that come with the package."""
    return sorted(path.name.removesuffix(".json") for path in _spec_folder().iterdir() if path.name.endswith(".json"))


def load_spec(name_or_file: str | Path) -> BenchmarkSpec:
    """Load a specification by its name (`waxal-igbo`, `demo`, ...) or from a JSON file.

    Raises:
        ProblemsFound: no such name (`spec.unknown`), or the file is not a valid specification (`spec.schema`).
    """
    text = str(name_or_file)
    path = Path(text) if text.endswith(".json") else _spec_folder() / f"{text}.json"
    if not path.is_file():
        raise problem(
            "spec.unknown",
            "--spec",
            found=repr(text),
            expected=f"one of {', '.join(spec_names())}, or a .json file that exists",
            mend="Check the spelling, or give the path of a specification file.",
        )
    return parse_spec(path.read_bytes(), path.name)


def parse_spec(data: bytes, where: str) -> BenchmarkSpec:
    """Parse a specification's JSON; `where` names the file in the error."""
    try:
        return BenchmarkSpec.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = "/".join(str(part) for part in first["loc"]) or "the document"
        raise problem(
            "spec.schema",
            where,
            found=f"{error.error_count()} problem(s), first at {field}",
            expected=first["msg"],
            mend="Compare with the specifications in igbo_align/protocol/specs.",
        ) from error


def _spec_folder() -> Path:
    return Path(str(resources.files("igbo_align.protocol"))) / "specs"


def spec_for(
    name_or_file: str | None, addresses: Sequence[Address], per_bucket: int | None, seed: int | None
) -> BenchmarkSpec:
    """The specification of a build: the named one, else that of these sources, else `custom`; with fields replaced.

    Args:
        name_or_file: what the user named, or None.
        addresses: what to build from, in order.
        per_bucket: replaces `sample.per_bucket`.
        seed: replaces every seed of a draw.
    """
    spec = load_spec(name_or_file) if name_or_file else _spec_of(addresses) or load_spec("custom")
    changes = spec.model_dump(mode="json")
    if per_bucket is not None:
        changes["sample"]["per_bucket"] = per_bucket
    if seed is not None:
        for section in ("sample", "split", "pools", "similarity_sample"):
            changes[section]["seed"] = seed
    return BenchmarkSpec.model_validate_json(json.dumps(changes))


def known_source(dataset: str) -> Source | None:
    """What a bundled specification says about a dataset, whatever the config; None for an unknown dataset.

    Of several specifications of one dataset the Igbo one speaks for it: this is a benchmark of Igbo.
    """
    known = [(spec.language != "ibo", source) for spec in _bundled_specs() for source in spec.sources]
    matching = [item for item in known if item[1].dataset == dataset and dataset]
    return min(matching, key=lambda item: item[0])[1] if matching else None


def _spec_of(addresses: Sequence[Address]) -> BenchmarkSpec | None:
    """The bundled specification that has these sources and no others, the Igbo one where no config is named."""
    wanted = [(address.place, address.config) for address in addresses]
    if len(wanted) == 1 and wanted[0][1] is None:
        known = known_source(wanted[0][0])
        wanted = [(known.dataset, known.config)] if known else wanted
    named = (spec for spec in _bundled_specs() if [(item.dataset, item.config) for item in spec.sources] == wanted)
    return next(named, None)


@functools.cache
def _bundled_specs() -> tuple[BenchmarkSpec, ...]:
    return tuple(load_spec(name) for name in spec_names())


def require_track(name: str) -> str:
    """The name, if it is a track; a problem that lists the tracks otherwise."""
    if name not in TRACKS:
        expected = f"one of {', '.join(TRACKS)}"
        raise problem("usage", "--track", found=repr(name), expected=expected, mend="Check the spelling.")
    return name
