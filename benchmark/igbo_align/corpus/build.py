"""`build`: a source of recordings and transcripts becomes a release."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import __version__
from ..diagnostics.predictors import ACOUSTICS_FILE, TEXT_STATISTICS_FILE
from ..encoders.cache import default_cache_file
from ..encoders.encoding import each_recording, encode_speech, encode_texts
from ..encoders.identity import EncoderIdentity, resolve_encoder
from ..encoders.jobs import SpeechJob
from ..encoders.presets import prompt_of
from ..encoders.settings import parse_settings
from ..encoders.text_jobs import SentenceJob
from ..files import new_folder, readable_json, refuse_existing, sha256_of_bytes, sha256_of_file, write_text
from ..problems import problem
from ..protocol.address import SourceTexts, parse_addresses
from ..protocol.release import SPLITS, Release, fingerprint_of, read_release
from ..protocol.spec import BenchmarkSpec
from ..submission.parquet_format import vectors_array, write_parquet
from .acoustics import MEASURE_VERSION, AcousticsJob, acoustics_table
from .audio_table import write_audio
from .card import dataset_card
from .selection import Kept, Selection, select_records, unmet_expectations
from .source import Corpus, open_corpus
from .tables import draw_pools, sample_pairs, similarity_sample_table
from .text_statistics import text_statistics_table

#: Opens a progress bar: (title, total) -> context with a function that advances it.
Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]


def silent_progress(_: str, __: int | None) -> AbstractContextManager[Callable[[int], None]]:
    """No progress bar, for those who call from Python."""
    return nullcontext(lambda _: None)


_LIBRARIES = ("numpy", "pyarrow", "datasets", "soundfile", "soxr", "torch", "transformers", "sentence-transformers")
_SOUND_LIBRARIES = ("librosa", "scipy")


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        source: folders or Hub dataset ids; None for what the specification names.
        out: the new release folder.
        spec: the specification.
        config: config of a single source; by default the specification's for its own dataset.
        revision: commit of a single Hub dataset; by default the specification's.
        speech_encoder: Hub id or folder; by default the specification's.
        text_encoder: Hub id or folder; by default the specification's.
        with_audio: keep the recordings in the release.
        with_text: keep the transcripts in the release.
        with_acoustics: measure pitch, rate, pauses and noise of every recording.
        workers: processes that encode; by default as many as there are cores.
        cache_file: of encoded vectors.
    """

    source: SourceTexts
    out: Path
    spec: BenchmarkSpec
    config: str | None = None
    revision: str | None = None
    speech_encoder: str | None = None
    text_encoder: str | None = None
    with_audio: bool = False
    with_text: bool = True
    with_acoustics: bool = False
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)


@dataclass(frozen=True, eq=False)
class Built:
    """A finished build: the release, what the source held, and which expected counts it did not have."""

    release: Release
    profile: dict[str, Any]
    unmet: list[dict[str, Any]]


def build_release(request: BuildRequest, progress: Progress, found: Callable[[dict, list], None]) -> Built:
    """Build a release; see PROTOCOL section 1 for every rule.

    Args:
        request: what to build.
        progress: opens a progress bar.
        found: called with the profile of the source and its unmet expectations before encoding starts.

    Raises:
        ProblemsFound: problems of the source or the encoders; nothing is written then.
    """
    refuse_existing(request.out)
    spec = request.spec
    corpus = open_corpus(parse_addresses(request.source, request.config, request.revision), spec)
    speech_encoder = resolve_encoder(request.speech_encoder or spec.speech_encoder.id)
    text_encoder = resolve_encoder(request.text_encoder or spec.text_encoder.id)
    with progress("Reading recordings", spec.expected.records) as advance:
        selection = select_records(_counted(corpus.records(), advance), spec.audio)
    profile, unmet = selection.profile(), unmet_expectations(selection, spec)
    found(profile, unmet)
    _require_any(selection)
    kept, pairs = sample_pairs(selection.kept, spec)
    job = SpeechJob(speech_encoder, str(parse_settings(spec.speech_encoder.pooling)), spec.audio)
    text_job = SentenceJob(text_encoder, prompt_of(text_encoder.id, spec.language))
    with progress("Encoding speech", len(kept)) as advance:
        speech = encode_speech(job, recordings(corpus, kept), request.cache_file, advance, request.workers)
    with progress("Encoding text", len(kept)) as advance:
        texts = [(item.id, item.text) for item in kept]
        text = encode_texts(text_job, texts, request.cache_file, advance)
    additional = _additional_tables(request, corpus, kept, progress)
    manifest = _manifest(request, corpus, selection, profile, unmet, {"speech": speech_encoder, "text": text_encoder})
    vectors = {("speech", speech_encoder.slug): speech, ("text", text_encoder.slug): text}
    with new_folder(request.out) as folder:
        _write_protocol(folder, spec, pairs, kept, request.with_text)
        for name, table in additional.items():
            write_parquet(folder / name, table)
        for (modality, slug), by_id in vectors.items():
            _write_embeddings(folder / "embeddings" / modality / slug, pairs, by_id)
        if request.with_audio:
            write_audio(folder / "audio", pairs, recordings(corpus, kept))
        write_text(folder / "README.md", dataset_card(folder, spec, profile))
        manifest["files"] = {
            path.relative_to(folder).as_posix(): sha256_of_file(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        write_text(folder / "manifest.json", readable_json(manifest))
    return Built(read_release(request.out), profile, unmet)


def _additional_tables(
    request: BuildRequest, corpus: Corpus, kept: Sequence[Kept], progress: Progress
) -> dict[str, pa.Table]:
    """File -> what diagnostics know of every pair beyond `pairs`; no part of the fingerprint."""
    ids, texts = [item.id for item in kept], [item.text for item in kept]
    tables = {TEXT_STATISTICS_FILE: text_statistics_table(ids, texts, request.spec.language)}
    if request.with_acoustics:
        measured: dict[str, NDArray[np.float32]] = {}
        with progress("Measuring sound", len(kept)) as advance:
            job, found = AcousticsJob(request.spec.audio), recordings(corpus, kept)
            each_recording(job, found, request.cache_file, measured.__setitem__, advance, request.workers)
        tables[ACOUSTICS_FILE] = acoustics_table(ids, measured)
    return tables


def recordings(corpus: Corpus, kept: Sequence[Kept]) -> Iterator[tuple[str, bytes]]:
    """Id and encoded audio of chosen records, in the order of the source."""
    wanted = {item.id: item.audio_sha256 for item in kept}
    yield from matching_recordings(corpus, wanted)


def matching_recordings(corpus: Corpus, wanted: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Id and encoded audio of the records whose id and audio hash are wanted (id -> SHA-256), each once.

    Raises:
        ProblemsFound: wanted recordings are absent or differ (`source.missing`), after all others were yielded.
    """
    missing = dict(wanted)
    for record in corpus.records():
        if record.audio and record.id in missing and sha256_of_bytes(record.audio) == missing[record.id]:
            del missing[record.id]
            yield record.id, record.audio
    if missing:
        raise problem(
            "source.missing",
            "--source",
            found=f"no recording with the right bytes for {len(missing)} of {len(wanted)} pairs",
            expected="the source that the release was built from",
            mend="Name the dataset and revision that the release's manifest.json states.",
        )


def _counted(records: Iterator, advance: Callable[[int], None]) -> Iterator:
    for record in records:
        yield record
        advance(1)


def _require_any(selection: Selection) -> None:
    if not selection.kept:
        reasons = ", ".join(f"{len(ids)} {reason}" for reason, ids in sorted(selection.excluded.items()))
        raise problem(
            "source.too_few",
            "--source",
            found=f"no usable record among {selection.records} ({reasons or 'none at all'})",
            expected="recordings with transcripts",
            mend="Check the source.",
        )


def _write_protocol(folder: Path, spec: BenchmarkSpec, pairs: pa.Table, kept: Sequence[Kept], with_text: bool) -> None:
    texts = [item.text for item in kept]
    pools = draw_pools(texts, pairs, spec)
    sample = similarity_sample_table(texts, pairs.column("id").to_pylist(), spec)
    fingerprint = fingerprint_of(spec, pairs, pools, sample)
    write_text(folder / "spec.json", readable_json(spec.model_dump(mode="json") | {"fingerprint": fingerprint}))
    if not with_text:
        nothing = pa.nulls(pairs.num_rows, pa.string())
        pairs = pairs.set_column(pairs.schema.get_field_index("text"), "text", nothing)
    for split, rows in _by_split(pairs):
        write_parquet(folder / "pairs" / f"{split}.parquet", rows)
    for track, directions in pools.items():
        for direction, table in directions.items():
            write_parquet(folder / "pools" / track / f"{direction}.parquet", table)
    write_parquet(folder / "similarity_sample.parquet", sample)


def _write_embeddings(folder: Path, pairs: pa.Table, vectors: dict[str, NDArray[np.float32]]) -> None:
    for split, rows in _by_split(pairs):
        ids = rows.column("id").to_pylist()
        matrix = np.stack([vectors[name] for name in ids])
        write_parquet(folder / f"{split}.parquet", pa.table({"id": ids, "embedding": vectors_array(matrix)}))


def _by_split(pairs: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    for split in SPLITS:
        yield split, pairs.filter(pc.field("split") == split).combine_chunks()


def _manifest(
    request: BuildRequest,
    corpus: Corpus,
    selection: Selection,
    profile: dict[str, Any],
    unmet: list[dict[str, Any]],
    encoders: dict[str, EncoderIdentity],
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "package_version": __version__,
        **corpus.provenance,
        "profile": profile,
        "excluded_ids": dict(sorted(selection.excluded.items())),
        "unmet_expectations": unmet,
        "encoders": {
            "speech": _encoder_entry(
                encoders["speech"],
                request.spec.speech_encoder.pooling,
                parse_settings(request.spec.speech_encoder.pooling).dtype,
            ),
            "text": _encoder_entry(encoders["text"], request.spec.text_encoder.pooling, "float32")
            | _prompt_entry(encoders["text"], request.spec),
        },
        "with_text": request.with_text,
        "with_audio": request.with_audio,
        "acoustics": {"version": MEASURE_VERSION} if request.with_acoustics else None,
        "libraries": {name: importlib.metadata.version(name) for name in _libraries(request)},
    }


def _prompt_entry(encoder: EncoderIdentity, spec: BenchmarkSpec) -> dict[str, str]:
    prompt = prompt_of(encoder.id, spec.language)
    return {"prompt": prompt} if prompt else {}


def _libraries(request: BuildRequest) -> tuple[str, ...]:
    return (*_LIBRARIES, *_SOUND_LIBRARIES) if request.with_acoustics else _LIBRARIES


def _encoder_entry(encoder: EncoderIdentity, pooling: str, dtype: str) -> dict[str, str]:
    return {"id": encoder.id, "revision": encoder.revision, "pooling": pooling, "dtype": dtype}
