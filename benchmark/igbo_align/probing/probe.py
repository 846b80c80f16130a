"""`probe`: what every hidden state of a speech encoder holds of the pitch contour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..encoders.cache import VectorCache, default_cache_file
from ..encoders.encoding import each_recording
from ..encoders.identity import resolve_encoder
from ..extras import ENCODING, require_libraries
from ..pipeline.recordings import release_recordings
from ..problems import problem
from ..progress import Progress
from ..protocol.release import Release
from ..randomness import permutation, raw_stream
from ..statistics.estimates import Estimate
from .fitting import Fitted, Observed, Scored, fit, score
from .observations import N_MELS, OBSERVATIONS_PER_S, ObservationJob
from .result import LayerReading, ProbedBenchmark, ProbedEncoder, ProbeResult, Reading, Sample, Share

TARGET = f"F0 by pYIN in semitones from the recording's mean, {OBSERVATIONS_PER_S} observations a second of voice"
_CONTROL_SEED = 42


@dataclass(frozen=True)
class ProbeRequest:
    """What to probe.

    Attributes:
        speech_encoder: Hub id or folder.
        source: where the recordings are; by default the release's own audio, else the specification's dataset.
        workers: processes that encode.
        cache_file: of observations.
    """

    speech_encoder: str
    source: str | None = None
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)


def probe(request: ProbeRequest, release: Release, progress: Progress) -> ProbeResult:
    """Probe every hidden state of an encoder, and a log-mel spectrogram as reference.

    Observations of every recording are cached as they are made. Then they are read in release order, those of the
    train pairs to fit and those of the test pairs to score, and of each only sums stay in memory.

    Raises:
        ProblemsFound: problems of the source or the encoder, or too little voice (`source.too_few`).
        EnvironmentProblem: the extra `build` is not installed (`environment.extra`).
    """
    require_libraries("probe", "librosa", *ENCODING)
    job = ObservationJob(resolve_encoder(request.speech_encoder), release.spec.audio)
    with progress("Encoding frames", len(release.ids)) as advance:
        recordings = release_recordings(release, request.source)
        each_recording(job, recordings, request.cache_file, lambda *_: None, advance, request.workers)
    widths = [N_MELS, *job.widths()]
    # One thread: what a sum of products gives must not depend on how many there are.
    with closing(VectorCache(request.cache_file)) as cache, threadpool_limits(1, user_api="blas"):
        with progress("Fitting", int((~release.is_test).sum())) as advance:
            fitted = fit(_observed(job, cache, release, ~release.is_test, widths, advance))
        with progress("Scoring", int(release.is_test.sum())) as advance:
            seen = _observed(job, cache, release, release.is_test, widths, advance)
            scored = score(fitted, seen, release.spec.scoring)
    return _result(job, release, fitted, scored)


def _observed(
    job: ObservationJob,
    cache: VectorCache,
    release: Release,
    chosen: NDArray[np.bool_],
    widths: Sequence[int],
    advance: Callable[[int], None],
) -> Iterator[Observed]:
    """What was cached of the chosen recordings that hold voice, in release order."""
    hashes = release.column("audio_sha256").tolist()
    ends = 1 + np.cumsum(widths)
    for position in np.flatnonzero(chosen).tolist():
        rows = cache.get(job.key(hashes[position]))
        if rows is None:
            raise _gone(release.ids[position])
        if len(rows):
            pitch = rows[:, 0].astype(np.float64)
            order = permutation(raw_stream(_CONTROL_SEED, f"probe {release.ids[position]}"), len(pitch))
            features = np.split(rows, [1, *ends[:-1]], axis=1)[1:]
            yield Observed(int(release.groups[position]), features, pitch, pitch[order])
        advance(1)


def _gone(name: str) -> Exception:
    """Bits of the cache flipped, or somebody emptied it, since it was filled a moment ago."""
    return problem(
        "environment.cache",
        name,
        found="no observations of this recording, though they were just made",
        expected="a cache that keeps what is put into it",
        mend="Run the same command again.",
    )


def _result(job: ObservationJob, release: Release, fitted: Fitted, scored: Scored) -> ProbeResult:
    readings: list[dict[str, Any]] = [
        {"r2": _share(pitch), "penalty": penalty, "control": _share(control)}
        for pitch, control, penalty in zip(scored.pitch, scored.control, fitted.penalties, strict=True)
    ]
    return ProbeResult(
        schema_version=1,
        benchmark=ProbedBenchmark(**release.benchmark()),
        speech_encoder=ProbedEncoder(id=job.encoder.id, revision=job.encoder.revision),
        target=TARGET,
        train=Sample(recordings=fitted.recordings, observations=fitted.observations),
        test=Sample(recordings=scored.recordings, observations=scored.observations),
        log_mel=Reading(**readings[0]),
        layers=tuple(LayerReading(layer=i, **reading) for i, reading in enumerate(readings[1:])),
    )


def _share(estimate: Estimate) -> Share:
    return Share(value=estimate.value, low=estimate.low, high=estimate.high)
