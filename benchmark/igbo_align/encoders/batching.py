"""Encoding on a GPU: workers decode and make features ahead, and recordings of about one length go in together."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jobs import SpeechJob, Windows, prepared
from .pooling import Frames, reduce_windows
from .speech import Features, FrameEncoder, length_of, load_speech_encoder
from .worker_processes import results_in_order

#: Batches that are sorted by length together: more make fuller batches and need more memory.
_BATCHES_AT_ONCE = 8


@dataclass(frozen=True, eq=False)
class _Window:
    """One window of a recording: whose it is, which, and what goes into the model."""

    recording: int
    number: int
    features: Features


def encode_in_batches(
    job: SpeechJob, todo: Iterable[tuple[Any, bytes]], workers: int
) -> Iterator[tuple[Any, NDArray[np.float32] | None]]:
    """Vectors (d,), or frames (t, d), of labelled recordings, in order; None for one that cannot be decoded.

    The batches depend on the order of the recordings alone, not on the workers.
    """
    encoder = load_speech_encoder(job.encoder, job.settings.dtype, job.device)
    group = _BATCHES_AT_ONCE * job.batch_size
    ready = results_in_order(functools.partial(prepared, job), todo, workers, ahead=2 * group)
    while chunk := list(itertools.islice(ready, group)):
        vectors = _vectors(job, encoder, [windows for _, windows in chunk])
        yield from ((label, vector) for (label, _), vector in zip(chunk, vectors, strict=True))


def _vectors(
    job: SpeechJob, encoder: FrameEncoder, recordings: Sequence[Windows | None]
) -> list[NDArray[np.float32] | None]:
    windows = [
        _Window(i, number, features)
        for i, held in enumerate(recordings)
        for number, (features, _) in enumerate(held or [])
    ]
    states: dict[tuple[int, int], tuple[Frames, int]] = {}
    for batch in batches(windows, job.batch_size, encoder):
        found = encoder.states([window.features for window in batch], job.settings.layer)
        states |= {(window.recording, window.number): item for window, item in zip(batch, found, strict=True)}
    return [
        None
        if held is None
        else reduce_windows(
            [(*states[i, number], samples) for number, (_, samples) in enumerate(held)], job.settings.pooling
        )
        for i, held in enumerate(recordings)
    ]


def batches(windows: Sequence[_Window], size: int, encoder: FrameEncoder) -> Iterator[list[_Window]]:
    """Windows sorted by length, at most `size` together; of one length where padding would change the frames."""
    batch: list[_Window] = []
    for window in sorted(windows, key=lambda window: length_of(window.features)):
        fits = not batch or encoder.may_pad(window.features) or _same_length(window, batch[0])
        if batch and (len(batch) == size or not fits):
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


def _same_length(left: _Window, right: _Window) -> bool:
    return length_of(left.features) == length_of(right.features)
