"""Encoding many recordings and texts: every finished vector is kept at once, in whichever way it is made.

On a CPU each recording is encoded alone, in processes of one thread, so its vector does not depend on batches, cores or
order. Killed at any moment, the same command continues with what the cache holds and ends with the same bytes.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cores import allowed_cores
from ..corpus.audio import UndecodableAudio
from ..files import sha256_of_bytes
from ..problems import Problem, ProblemsFound
from ..progress import Report
from .batching import encode_in_batches
from .cache import VectorCache
from .jobs import RecordingJob, SpeechJob
from .text_jobs import TextJob
from .worker_processes import results_in_order

Vector = NDArray[np.float32]


def encode_speech(
    job: RecordingJob,
    recordings: Iterable[tuple[str, bytes]],
    cache_file: Path,
    report: Report,
    workers: int | None = None,
) -> dict[str, Vector]:
    """Vectors of recordings, id -> (d,); arguments and problems as of `each_recording`."""
    vectors: dict[str, Vector] = {}
    each_recording(job, recordings, cache_file, vectors.__setitem__, report, workers)
    return vectors


def each_recording(
    job: RecordingJob,
    recordings: Iterable[tuple[str, bytes]],
    cache_file: Path,
    take: Callable[[str, Vector], object],
    report: Report,
    workers: int | None = None,
) -> None:
    """Do a job for every recording.

    Args:
        job: what is computed, such as a `SpeechJob`.
        recordings: (id, encoded audio) pairs; only a few are held in memory at a time.
        cache_file: of `VectorCache`.
        take: called with the id and the array of every recording, in the order in which they are finished.
        report: called with 1 for every finished recording.
        workers: processes; as many as it may use cores by default. One is this process itself.

    Raises:
        ProblemsFound: recordings that could not be decoded or gave no finite vector (`encoder.output`), all others
            done and cached.
    """
    cache = VectorCache(cache_file)
    bad: list[str] = []
    try:
        todo = _not_cached(job, recordings, cache, take, report)
        for (name, key), vector in _vectors(job, todo, workers or allowed_cores()):
            if vector is None or not np.isfinite(vector).all():
                bad.append(name)
                continue
            cache.put(key, vector)
            take(name, vector)
            report(1)
    finally:
        cache.close()
    if bad:
        raise ProblemsFound([_bad_output(name) for name in sorted(bad)])


def encode_texts(job: TextJob, texts: Sequence[tuple[str, str]], cache_file: Path, report: Report) -> dict[str, Vector]:
    """Vectors of normalised texts, id -> (d,); equal texts are encoded once.

    Raises:
        ProblemsFound: texts that gave no finite vector (`encoder.output`), all others done and cached.
    """
    names: dict[str, list[str]] = {}
    for name, text in texts:
        names.setdefault(text, []).append(name)
    cache = VectorCache(cache_file)
    found: dict[str, Vector] = {}
    try:
        todo = []
        for text in names:
            vector = cache.get(job.key(text))
            if vector is None:
                todo.append(text)
            else:
                found[text] = vector
        report(sum(len(names[text]) for text in found))
        for start in range(0, len(todo), job.batch_size):
            batch = todo[start : start + job.batch_size]
            for text, vector in zip(batch, job.vectors(batch), strict=True):
                cache.put(job.key(text), vector)
                found[text] = vector
                report(len(names[text]))
    finally:
        cache.close()
    bad = [name for text, vector in found.items() if not np.isfinite(vector).all() for name in names[text]]
    if bad:
        raise ProblemsFound([_bad_output(name) for name in sorted(bad)])
    return {name: found[text] for name, text in texts}


def are_finished(job: RecordingJob, audio_sha256s: Iterable[str], cache_file: Path) -> list[bool]:
    """Of each recording, by the hash of its audio, whether the cache holds its result."""
    cache = VectorCache(cache_file)
    try:
        return [cache.get(job.key(sha256)) is not None for sha256 in audio_sha256s]
    finally:
        cache.close()


def _not_cached(
    job: RecordingJob,
    recordings: Iterable[tuple[str, bytes]],
    cache: VectorCache,
    take: Callable[[str, Vector], object],
    report: Report,
) -> Iterator[tuple[tuple[str, str], bytes]]:
    for name, data in recordings:
        key = job.key(sha256_of_bytes(data))
        vector = cache.get(key)
        if vector is None:
            yield (name, key), data
        else:
            take(name, vector)
            report(1)


def _vectors(
    job: RecordingJob, todo: Iterator[tuple[tuple[str, str], bytes]], workers: int
) -> Iterator[tuple[tuple[str, str], Vector | None]]:
    first = next(todo, None)
    if first is None:
        return
    job.check()
    items = itertools.chain([first], todo)
    if isinstance(job, SpeechJob) and job.is_batched:
        yield from encode_in_batches(job, items, workers)
        return
    yield from results_in_order(functools.partial(_work, job), items, workers if job.may_be_shared else 1)


def _work(job: RecordingJob, data: bytes) -> Vector | None:
    try:
        return job.vector(data)
    except UndecodableAudio:
        return None


def _bad_output(name: str) -> Problem:
    found, expected = "audio that cannot be decoded, or a vector with NaN or infinity", "a finite vector"
    return Problem("encoder.output", name, found, expected, "Look at this recording; the others are done and kept.")
