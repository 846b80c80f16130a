"""`encode`: a user's own pair of encoders on an existing release becomes a submission."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..encoders.cache import default_cache_file
from ..encoders.encoding import SpeechJob, encode_speech, encode_texts
from ..encoders.identity import EncoderIdentity, resolve_encoder
from ..encoders.settings import Settings
from ..encoders.shared_work import Share, place_of_this_process
from ..files import readable_json, refuse_existing
from ..metrics.sharding import Place
from ..problems import problem
from ..protocol.release import SPLITS, Release
from ..submission.card import parse_card
from ..submission.reading import Embeddings, Submission
from ..submission.writing import write_submission
from .build import Progress, matching_recordings
from .source import open_corpus
from .text_normalisation import TEXT_VARIANTS, normalise_text, text_variant

_VARIANT_PREFIX = "texts "


@dataclass(frozen=True)
class EncodeRequest:
    """What to encode with.

    Attributes:
        speech_encoder: Hub id or folder.
        text_encoder: Hub id or folder.
        out: the new submission folder.
        source: where the recordings are; by default the release's own audio, else the specification's dataset.
        pooling: of the speech frames.
        layer: whose hidden states are pooled; the model's output by default.
        long_audio: `truncate` or `chunk`.
        dtype: `float32` or `bfloat16`.
        prompt: put before every text.
        text_variant: `as-is`, or the diacritics that are taken from every text: `no-tone`, `no-dots` or `ascii`.
        name: of the system; made from the encoders by default.
        org: who submits.
        workers: processes that encode.
        cache_file: of encoded vectors.
    """

    speech_encoder: str
    text_encoder: str
    out: Path
    source: str | None = None
    pooling: str = "mean"
    layer: int | None = None
    long_audio: str = "truncate"
    dtype: str = "float32"
    prompt: str | None = None
    text_variant: str = "as-is"
    name: str | None = None
    org: str = "local"
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)

    @property
    def settings(self) -> Settings:
        """How frames become a vector."""
        return Settings(self.pooling, self.layer, self.long_audio, self.dtype)


def encode_release(request: EncodeRequest, release: Release, progress: Progress) -> Submission | None:
    """Encode every pair of a release and write the submission.

    Under `accelerate launch` the processes share the recordings; the first one writes, the others return None.

    Raises:
        ProblemsFound: problems of the source, the encoders or their vectors; nothing is written then.
    """
    _require_variant(request.text_variant)
    place = place_of_this_process()
    if place.rank == 0:
        refuse_existing(request.out)
    pooling = str(request.settings)
    encoders = resolve_encoder(request.speech_encoder), resolve_encoder(request.text_encoder)
    job = SpeechJob(encoders[0], pooling, release.spec.audio)
    if place.size > 1:
        _encode_share(job, request, release, place, progress)
        if place.rank > 0:
            return None
    with progress("Encoding speech", len(release.ids)) as advance:
        recordings = release_recordings(release, request.source)
        speech = encode_speech(job, recordings, request.cache_file, advance, request.workers)
    with progress("Encoding text", len(release.ids)) as advance:
        written = release_texts(release, request.source)
        texts = [(name, text_variant(text, request.text_variant)) for name, text in written]
        text = encode_texts(encoders[1], request.prompt, texts, request.cache_file, advance)
    content = Embeddings(np.array(release.ids), _matrix(speech, release), _matrix(text, release))
    card = parse_card(readable_json(_card(request, release, encoders)).encode())
    return write_submission(request.out, card, content, release)


def _require_variant(variant: str) -> None:
    if variant not in TEXT_VARIANTS:
        expected = f"one of {', '.join(TEXT_VARIANTS)}"
        raise problem("usage", "--text-variant", found=repr(variant), expected=expected, mend="Check the spelling.")


def variant_line(variant: str) -> str | None:
    """The variant as cards hold it, in the text encoder's `pooling`; texts as they are need no word."""
    return None if variant == "as-is" else f"{_VARIANT_PREFIX}{variant}"


def variant_of_card(line: str | None) -> str:
    """The inverse of `variant_line`; a line that says something else means texts as they are."""
    variant = (line or "").removeprefix(_VARIANT_PREFIX)
    return variant if variant in TEXT_VARIANTS else "as-is"


def _encode_share(job: SpeechJob, request: EncodeRequest, release: Release, place: Place, progress: Progress) -> None:
    mine = len(range(place.rank, len(release.ids), place.size))
    with progress(f"Encoding speech, process {place.rank + 1} of {place.size}", mine) as advance:
        share = Share(place, release.fingerprint)
        recordings = functools.partial(release_recordings, release, request.source)
        share.encode(job, recordings, request.cache_file, advance, request.workers)


def release_recordings(release: Release, source: str | None) -> Iterable[tuple[str, bytes]]:
    """Id and encoded audio of every pair: from the release, or from the source that it was built from."""
    folder = release.folder / "audio"
    if folder.is_dir() and source is None:
        return _stored_recordings(folder)
    wanted = dict(zip(release.ids, release.column("audio_sha256").tolist(), strict=True))
    return matching_recordings(_corpus(release, source), wanted)


def release_texts(release: Release, source: str | None) -> list[tuple[str, str]]:
    """Id and normalised text of every pair: from the release, or from its source where the release leaves them out."""
    texts = release.pairs.column("text").to_pylist()
    if None not in texts:
        return list(zip(release.ids, texts, strict=True))
    wanted = set(release.ids)
    found = {r.id: normalise_text(r.text) for r in _corpus(release, source).records() if r.id in wanted and r.text}
    return [(name, found[name]) for name in release.ids]


def _corpus(release: Release, source: str | None) -> Any:
    spec = release.spec.source
    if source is None and not spec.revision:
        raise problem(
            "source.missing",
            "--source",
            found="a release without recordings, and no --source",
            expected="the corpus that the release was built from",
            mend="Name its folder or its Hub id with --source.",
        )
    return open_corpus(source or spec.dataset, spec, None, None)


def _stored_recordings(folder: Path) -> Iterable[tuple[str, bytes]]:
    for split in SPLITS:
        for batch in pq.ParquetFile(folder / f"{split}.parquet").iter_batches(batch_size=64):
            for row in batch.to_pylist():
                yield row["id"], row["audio"]["bytes"]


def _matrix(vectors: dict[str, NDArray[np.float32]], release: Release) -> NDArray[np.float32]:
    return np.stack([vectors[name] for name in release.ids])


def _card(
    request: EncodeRequest, release: Release, encoders: tuple[EncoderIdentity, EncoderIdentity]
) -> dict[str, Any]:
    speech, text = encoders
    line = variant_line(request.text_variant)
    suffix = "" if line is None else f"-{request.text_variant}"
    return untrained_card(
        request.name or f"{speech.id.split('/')[-1]}-{text.id.split('/')[-1]}{suffix}",
        request.org,
        release,
        {"id": speech.id, "revision": speech.revision, "pooling": str(request.settings)},
        {"id": text.id, "revision": text.revision, "pooling": line, "prompt": request.prompt},
    )


def untrained_card(
    name: str, org: str, release: Release, speech_encoder: dict[str, Any], text_encoder: dict[str, Any]
) -> dict[str, Any]:
    """Card of a system whose vectors are what its encoders return; the name is made one that a card may have."""
    return {
        "schema_version": 1,
        "system": {
            "name": re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64].rstrip("-._"),
            "org": org,
            "revision": "1",
            "licence": "see the encoders",
        },
        "speech_encoder": speech_encoder,
        "text_encoder": text_encoder,
        "alignment": {"method": "none", "trained_on_pairs": "none"},
        "submitter": org,
        "created": dt.datetime.now(dt.UTC).date().isoformat(),
        "benchmark": release.benchmark(),
    }
