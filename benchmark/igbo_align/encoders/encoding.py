"""Encoding many recordings and texts: several processes of one thread each, every finished vector kept at once.

Each recording is encoded alone on one thread, so its vector does not depend on batches, cores or order. Killed at any
moment, the same command continues with what the cache holds and ends with the same bytes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..corpus.audio import UndecodableAudio, load_waveform, windows_of
from ..corpus.text_normalisation import NORMALISER
from ..files import sha256_of_bytes
from ..problems import Problem, ProblemsFound, problem
from ..protocol.spec import Audio
from .cache import VectorCache, cache_key
from .identity import EncoderIdentity
from .pooling import reduce_windows
from .settings import Settings, parse_settings
from .speech import load_speech_encoder
from .text import load_text_encoder

#: Part of every cache key: raise it when code changes a vector.
_ENCODING_VERSION = 1
Report = Callable[[int], None]


@dataclass(frozen=True)
class SpeechJob:
    """How recordings become vectors: the encoder, the pooling, and how the audio is prepared.

    The pooling is a line of `settings.Settings`, such as `mean` or `mean, layer 4, chunk`. With `pooling.FRAMES` a job
    keeps the frames of each recording instead, (t, d).
    """

    encoder: EncoderIdentity
    pooling: str
    audio: Audio

    @property
    def settings(self) -> Settings:
        """The pooling with everything that its line holds."""
        return parse_settings(self.pooling)

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's vector."""
        settings = self.settings
        prepared = self.audio.model_dump(include={"sampling_rate_hz", "resampler", "peak_normalise", "truncate_s"})
        return cache_key(
            {
                "version": _ENCODING_VERSION,
                "id": self.encoder.id,
                "revision": self.encoder.revision,
                "pooling": settings.pooling,
                "dtype": settings.dtype,
                "audio": prepared,
                "audio_sha256": audio_sha256,
            }
            | settings.beyond_defaults()
        )

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """The vector (or the frames) of one recording's encoded bytes."""
        settings = self.settings
        waveform = load_waveform(data, self.audio, whole=settings.long_audio == "chunk")
        encoder = load_speech_encoder(self.encoder, settings.dtype)
        windows = [
            (*encoder.frames(part, self.audio.sampling_rate_hz, settings.layer), len(part))
            for part in windows_of(waveform, self.audio)
        ]
        return reduce_windows(windows, settings.pooling)


def encode_speech(
    job: SpeechJob,
    recordings: Iterable[tuple[str, bytes]],
    cache_file: Path,
    report: Report,
    workers: int | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Vectors of recordings, id -> (d,).

    Args:
        job: encoder and preparation.
        recordings: (id, encoded audio) pairs; only a few are held in memory at a time.
        cache_file: of `VectorCache`.
        report: called with 1 for every finished recording.
        workers: processes; as many as there are cores by default. One is this process itself.

    Raises:
        ProblemsFound: recordings that could not be decoded or gave no finite vector (`encoder.output`), all others
            done and cached.
    """
    cache = VectorCache(cache_file)
    vectors: dict[str, NDArray[np.float32]] = {}
    bad: list[str] = []
    try:
        todo = _not_cached(job, recordings, cache, vectors, report)
        for (name, key), vector in _in_processes(job, todo, workers or os.cpu_count() or 1):
            if vector is None or not np.isfinite(vector).all():
                bad.append(name)
                continue
            cache.put(key, vector)
            vectors[name] = vector
            report(1)
    finally:
        cache.close()
    if bad:
        raise ProblemsFound([_bad_output(name) for name in sorted(bad)])
    return vectors


def encode_texts(
    encoder: EncoderIdentity,
    prompt: str | None,
    texts: Sequence[tuple[str, str]],
    cache_file: Path,
    report: Report,
) -> dict[str, NDArray[np.float32]]:
    """Vectors of normalised texts, id -> (d,); equal texts are encoded once.

    Raises:
        ProblemsFound: texts that gave no finite vector (`encoder.output`), all others done and cached.
    """
    cache = VectorCache(cache_file)
    vectors = {}
    try:
        for name, text in texts:
            key = cache_key(
                {
                    "version": _ENCODING_VERSION,
                    "id": encoder.id,
                    "revision": encoder.revision,
                    "prompt": prompt,
                    "normaliser": NORMALISER,
                    "text_sha256": sha256_of_bytes(text.encode()),
                }
            )
            vector = cache.get(key)
            if vector is None:
                vector = load_text_encoder(encoder).vector(text, prompt)
                cache.put(key, vector)
            vectors[name] = vector
            report(1)
    finally:
        cache.close()
    bad = [name for name, vector in vectors.items() if not np.isfinite(vector).all()]
    if bad:
        raise ProblemsFound([_bad_output(name) for name in sorted(bad)])
    return vectors


def _not_cached(
    job: SpeechJob,
    recordings: Iterable[tuple[str, bytes]],
    cache: VectorCache,
    vectors: dict[str, NDArray[np.float32]],
    report: Report,
) -> Iterator[tuple[tuple[str, str], bytes]]:
    for name, data in recordings:
        key = job.key(sha256_of_bytes(data))
        vector = cache.get(key)
        if vector is None:
            yield (name, key), data
        else:
            vectors[name] = vector
            report(1)


def _in_processes(
    job: SpeechJob, todo: Iterator[tuple[tuple[str, str], bytes]], workers: int
) -> Iterator[tuple[tuple[str, str], NDArray[np.float32] | None]]:
    """Results as they finish; at most twice as many recordings as workers are under way."""
    first = next(todo, None)
    if first is None:
        return
    _check_in_this_process(job)
    if workers == 1:
        yield first[0], _work(job, first[1])
        yield from ((label, _work(job, data)) for label, data in todo)
        return
    pending: dict[Future, tuple[str, str]] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            pending[pool.submit(_work, job, first[1])] = first[0]
            for label, data in todo:
                pending[pool.submit(_work, job, data)] = label
                if len(pending) >= 2 * workers:
                    yield from _finished(pending)
            while pending:
                yield from _finished(pending)
        except BrokenProcessPool as error:
            raise problem(
                "environment.memory",
                "encoding",
                found="a worker process that was ended from outside, most likely for lack of memory",
                expected="workers that live",
                mend="Run the same command again, with fewer --workers; finished vectors are kept.",
            ) from error


def _end_with_parent() -> None:
    """Let a worker end when the command is killed, instead of waiting for work for ever."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _check_in_this_process(job: SpeechJob) -> None:
    """Fail with the real problem here, not with a broken pool, if the model cannot be loaded."""
    load_speech_encoder(job.encoder, job.settings.dtype)


def _finished(pending: dict[Future, tuple[str, str]]) -> Iterator[tuple[tuple[str, str], NDArray[np.float32] | None]]:
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        yield pending.pop(future), future.result()


def _work(job: SpeechJob, data: bytes) -> NDArray[np.float32] | None:
    try:
        return job.vector(data)
    except UndecodableAudio:
        return None


def _bad_output(name: str) -> Problem:
    found, expected = "audio that cannot be decoded, or a vector with NaN or infinity", "a finite vector"
    return Problem("encoder.output", name, found, expected, "Look at this recording; the others are done and kept.")
