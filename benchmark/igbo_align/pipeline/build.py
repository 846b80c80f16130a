"""`build`: a source of recordings and transcripts becomes a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..corpus.audio_table import write_audio
from ..corpus.card import dataset_card
from ..corpus.layouts import Record
from ..corpus.selection import Kept, Selection, select_records, unmet_expectations
from ..corpus.source import Corpus, open_corpus
from ..corpus.tables import sample_pairs
from ..corpus.text_statistics import text_statistics_table
from ..diagnostics.predictors import ACOUSTICS_FILE, TEXT_STATISTICS_FILE
from ..encoders.encoding import each_recording, encode_speech, encode_texts
from ..encoders.identity import resolve_encoder
from ..encoders.jobs import SpeechJob
from ..encoders.presets import prompt_of
from ..encoders.settings import parse_settings
from ..encoders.text_jobs import SentenceJob
from ..extras import ENCODING, require_libraries
from ..files import new_folder, readable_json, refuse_existing, sha256_of_file, write_text
from ..problems import problem
from ..progress import Progress, Report
from ..protocol.address import parse_addresses
from ..protocol.release import Release, read_release
from ..submission.parquet_format import write_parquet
from .acoustics import AcousticsJob, acoustics_table
from .build_request import BuildRequest
from .manifest import Provenance, release_manifest
from .recordings import recordings_of
from .release_files import write_embeddings, write_protocol

#: Is told the profile of a source and its unmet expectations.
Found = Callable[[dict[str, Any], list[dict[str, Any]]], None]


@dataclass(frozen=True, eq=False)
class Built:
    """A finished build: the release, what the source held, and which expected counts it did not have."""

    release: Release
    profile: dict[str, Any]
    unmet: list[dict[str, Any]]


def build_release(request: BuildRequest, progress: Progress, found: Found) -> Built:
    """Build a release; see docs/protocol.md, Data, for every rule.

    Args:
        request: what to build.
        progress: opens a progress bar.
        found: called with the profile of the source and its unmet expectations before encoding starts.

    Raises:
        ProblemsFound: problems of the source or the encoders; nothing is written then.
        EnvironmentProblem: the extra `build` is not installed (`environment.extra`).
    """
    refuse_existing(request.out)
    require_libraries("build", "datasets", "sklearn", *ENCODING, *(["librosa"] if request.with_acoustics else []))
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
        speech = encode_speech(job, recordings_of(corpus, kept), request.cache_file, advance, request.workers)
    with progress("Encoding text", len(kept)) as advance:
        texts = [(item.id, item.text) for item in kept]
        text = encode_texts(text_job, texts, request.cache_file, advance)
    additional = _additional_tables(request, corpus, kept, progress)
    manifest = release_manifest(request, Provenance(corpus, selection, profile, unmet, speech_encoder, text_job))
    vectors = {("speech", speech_encoder.slug): speech, ("text", text_encoder.slug): text}
    with new_folder(request.out) as folder:
        manifest["fingerprint"] = write_protocol(folder, spec, pairs, kept, request.with_text)
        for name, table in additional.items():
            write_parquet(folder / name, table)
        for (modality, slug), by_id in vectors.items():
            write_embeddings(folder / "embeddings" / modality / slug, pairs, by_id)
        if request.with_audio:
            write_audio(folder / "audio", pairs, recordings_of(corpus, kept))
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
            job, found = AcousticsJob(request.spec.audio), recordings_of(corpus, kept)
            each_recording(job, found, request.cache_file, measured.__setitem__, advance, request.workers)
        tables[ACOUSTICS_FILE] = acoustics_table(ids, measured)
    return tables


def _counted(records: Iterator[Record], advance: Report) -> Iterator[Record]:
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
