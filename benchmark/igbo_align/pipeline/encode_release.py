"""`encode`: a user's own pair of encoders on an existing release becomes a submission."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..corpus.text_normalisation import require_variant, text_variant
from ..encoders.encoding import are_finished, encode_speech, encode_texts
from ..encoders.shared_work import Share, place_of_this_process
from ..encoders.throughput import Throughput
from ..files import readable_json, refuse_existing
from ..metrics.sharding import Place
from ..progress import Progress, silent_progress
from ..protocol.release import Release
from ..submission.card import parse_card
from ..submission.reading import Embeddings, Submission
from ..submission.writing import write_submission
from .encode_card import encoding_card
from .encode_request import EncodeRequest, Jobs, jobs_of
from .recordings import release_recordings, release_texts


def encode_release(
    request: EncodeRequest,
    release: Release,
    progress: Progress = silent_progress,
    measured: Callable[[Throughput], object] = lambda _: None,
) -> Submission | None:
    """Encode every pair of a release and write the submission.

    Under `accelerate launch` the processes share the recordings; the first one writes, the others return None.

    Args:
        request: what to encode with.
        release: what to encode.
        progress: opens a progress bar; none by default.
        measured: told how fast the recordings were encoded.

    Raises:
        ProblemsFound: problems of the source, the encoders or their vectors; nothing is written then.
    """
    require_variant(request.text_variant)
    place = place_of_this_process()
    if place.rank == 0:
        refuse_existing(Path(request.out))
    with jobs_of(request, release.spec) as jobs:
        started, before = time.monotonic(), _finished(jobs, release)
        if place.size > 1 and jobs.speech_side.is_shared:
            _encode_share(jobs, request, release, place, progress)
        if place.rank > 0:
            return None
        with progress("Encoding speech", len(release.ids)) as advance:
            recordings = release_recordings(release, request.source)
            speech = encode_speech(jobs.speech, recordings, jobs.speech_side.cache_file, advance, request.workers)
        measured(_throughput(release, before, time.monotonic() - started))
        with progress("Encoding text", len(release.ids)) as advance:
            written = release_texts(release, request.source)
            texts = [(name, text_variant(text, request.text_variant)) for name, text in written]
            text = encode_texts(jobs.text, texts, jobs.text_side.cache_file, advance)
    content = Embeddings(np.array(release.ids), _matrix(speech, release), _matrix(text, release))
    card = parse_card(readable_json(encoding_card(request, release, jobs)).encode())
    return write_submission(Path(request.out), card, content, release)


def _finished(jobs: Jobs, release: Release) -> list[bool]:
    return are_finished(jobs.speech, release.column("audio_sha256").tolist(), jobs.speech_side.cache_file)


def _throughput(release: Release, before: list[bool], elapsed_s: float) -> Throughput:
    fresh = ~np.array(before)
    return Throughput(int(fresh.sum()), sum(before), float(release.column("duration_s")[fresh].sum()), elapsed_s)


def _encode_share(jobs: Jobs, request: EncodeRequest, release: Release, place: Place, progress: Progress) -> None:
    mine = len(range(place.rank, len(release.ids), place.size))
    with progress(f"Encoding speech, process {place.rank + 1} of {place.size}", mine) as advance:
        share = Share(place, release.fingerprint)
        recordings = functools.partial(release_recordings, release, request.source)
        share.encode(jobs.speech, recordings, jobs.speech_side.cache_file, advance, request.workers)


def _matrix(vectors: dict[str, NDArray[np.float32]], release: Release) -> NDArray[np.float32]:
    return np.stack([vectors[name] for name in release.ids])
