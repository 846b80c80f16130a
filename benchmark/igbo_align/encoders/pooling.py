"""From frames to one vector. Poolings are named, because the name is part of every card and cache key."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]


def _mean(frames: Frames, _: int) -> NDArray[np.float64]:
    return frames.mean(axis=0, dtype=np.float64)


def _masked_mean(frames: Frames, speech: int) -> NDArray[np.float64]:
    return frames[:speech].mean(axis=0, dtype=np.float64)


def _masked_mean_std(frames: Frames, speech: int) -> NDArray[np.float64]:
    held = frames[:speech].astype(np.float64)
    return np.concatenate([held.mean(axis=0), held.std(axis=0)])


def _first(frames: Frames, _: int) -> NDArray[np.float64]:
    return frames[0].astype(np.float64)


def _max(frames: Frames, speech: int) -> NDArray[np.float64]:
    return frames[:speech].max(axis=0).astype(np.float64)


#: Name -> function of the frames (T, d) and the number of frames that hold the recording. `mean` is the paper's:
#: over all frames, padding included.
POOLINGS: dict[str, Callable[[Frames, int], NDArray[np.float64]]] = {
    "mean": _mean,
    "masked-mean": _masked_mean,
    "masked-mean-std": _masked_mean_std,
    "first": _first,
    "max": _max,
}


def pool_frames(frames: Frames, speech: int, pooling: str) -> NDArray[np.float32]:
    """One L2-normalised vector, (d,) or (2 d,) for `masked-mean-std`, float32.

    Args:
        frames: (T, d) hidden states.
        speech: how many of the first frames hold the recording; the rest is padding.
        pooling: a key of `POOLINGS`.
    """
    return pool_windows([(frames, speech, 1)], pooling)


def pool_windows(windows: Sequence[tuple[Frames, int, int]], pooling: str) -> NDArray[np.float32]:
    """One L2-normalised vector of a recording in windows: their pooled vectors, weighted by their durations.

    Args:
        windows: of each, frames (T, d), how many of the first hold the recording, and its samples.
        pooling: a key of `POOLINGS`.
    """
    total = sum(samples for _, _, samples in windows)
    pooled = [POOLINGS[pooling](frames, max(speech, 1)) * (samples / total) for frames, speech, samples in windows]
    vector = functools.reduce(np.add, pooled)
    norm = float(np.sqrt((vector * vector).sum()))
    return (vector / norm if norm > 0 else vector).astype(np.float32)


#: What a job keeps of a recording that is to be pooled later: its speech frames, ten a second.
FRAMES = "frames-10hz"
FRAMES_PER_S = 10
#: Whisper's encoder gives fifty frames a second.
_AVERAGED = 50 // FRAMES_PER_S


def reduce_windows(windows: Sequence[tuple[Frames, int, int]], reduction: str) -> NDArray[np.float32]:
    """What is kept of one recording: a vector for the name of a pooling, (t, d) slow frames for `FRAMES`."""
    if reduction == FRAMES:
        return np.concatenate([slow_frames(frames, speech) for frames, speech, _ in windows])
    return pool_windows(windows, reduction)


def slow_frames(frames: Frames, speech: int) -> NDArray[np.float32]:
    """Means of five frames each over the frames that hold the recording, (t, d) float32, ten a second.

    The last mean is over what is left, one to five frames.
    """
    held = frames[: max(speech, 1)].astype(np.float64)
    starts = np.arange(0, len(held), _AVERAGED)
    counts = np.diff(np.append(starts, len(held)))
    return (np.add.reduceat(held, starts, axis=0) / counts[:, None]).astype(np.float32)
