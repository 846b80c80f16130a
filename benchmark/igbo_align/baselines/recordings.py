"""Encoding the recordings for baselines that look at frames, with everything kept in the cache of vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..encoders.cache import default_cache_file
from ..encoders.encoding import encode_speech, encode_texts
from ..encoders.identity import EncoderIdentity, resolve_encoder
from ..encoders.jobs import SpeechJob
from ..encoders.presets import prompt_of
from ..encoders.text_jobs import SentenceJob
from ..extras import ENCODING, require_libraries
from ..pipeline.recordings import release_recordings, release_texts
from ..progress import Progress
from ..protocol.address import SourceTexts
from ..protocol.release import Release
from .inputs import Inputs, RecordingVectors, Vectors, reference_encoder


@dataclass(frozen=True)
class Sources:
    """Where recordings come from and what encodes them.

    Attributes:
        source: folder or Hub id of the corpus, several as in the build; None for the release's own audio.
        speech_encoder: Hub id or folder; None for the release's reference encoder.
        text_encoder: Hub id or folder; None for the release's reference vectors.
        workers: processes that encode.
        cache_file: of encoded vectors.
    """

    source: SourceTexts = None
    speech_encoder: str | None = None
    text_encoder: str | None = None
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)

    def has_recordings(self, release: Release) -> bool:
        """Whether recordings are at hand: from the source, or in the release."""
        return bool(self.source) or (release.folder / "audio").is_dir()


def encode_recordings(inputs: Inputs, sources: Sources, poolings: Sequence[str], progress: Progress) -> Inputs:
    """The inputs with every recording encoded by each pooling.

    Raises:
        ProblemsFound: problems of the source, the encoders or their vectors.
        EnvironmentProblem: the extra `build` is not installed (`environment.extra`).
    """
    require_libraries("baseline", *ENCODING)
    release = inputs.release
    encoder = resolve_encoder(sources.speech_encoder or _reference_id(release, "speech"))
    speech = {}
    for pooling in poolings:
        job = SpeechJob(encoder, pooling, release.spec.audio)
        with progress(f"Encoding speech, {pooling}", len(release.ids)) as advance:
            recordings = release_recordings(release, sources.source)
            vectors = encode_speech(job, recordings, sources.cache_file, advance, sources.workers)
        speech[pooling] = [vectors[name] for name in release.ids]
    entries = {"speech": _entry(encoder), "text": reference_encoder(release, "text")}
    text = inputs.pairs.text
    if sources.text_encoder:
        text_encoder = resolve_encoder(sources.text_encoder)
        entries["text"] = _entry(text_encoder)
        text = _encode_texts(text_encoder, release, sources, progress)
    return Inputs(release, inputs.pairs, RecordingVectors(speech, text, entries))


def _encode_texts(encoder: EncoderIdentity, release: Release, sources: Sources, progress: Progress) -> Vectors:
    with progress("Encoding text", len(release.ids)) as advance:
        texts = release_texts(release, sources.source)
        job = SentenceJob(encoder, prompt_of(encoder.id, release.spec.language))
        vectors = encode_texts(job, texts, sources.cache_file, advance)
    return np.stack([vectors[name] for name in release.ids]).astype(np.float64)


def _reference_id(release: Release, modality: str) -> str:
    """What `resolve_encoder` takes: the id, with the commit where the release was made with one."""
    entry = reference_encoder(release, modality)
    is_commit = re.fullmatch(r"[0-9a-f]{40}", entry["revision"])
    return f"{entry['id']}@{entry['revision']}" if is_commit else entry["id"]


def _entry(encoder: EncoderIdentity) -> dict[str, str | None]:
    return {"id": encoder.id, "revision": encoder.revision, "pooling": None}
