"""Audio bytes to waveforms, in memory, with libsndfile and soxr (docs/protocol.md, Data)."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from ..protocol.spec import Audio


class UndecodableAudio(Exception):
    """The bytes are not audio that libsndfile can decode."""


def duration_s(data: bytes, longest_s: float) -> float:
    """Duration in seconds. Recordings that the header calls longer than `longest_s` are not decoded to learn it.

    Raises:
        UndecodableAudio: the bytes cannot be decoded.
    """
    import soundfile

    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise UndecodableAudio from error
    if info.frames / info.samplerate > longest_s:
        return info.frames / info.samplerate
    samples, rate = _decode(data)
    return len(samples) / rate


def load_waveform(data: bytes, audio: Audio, whole: bool = False) -> NDArray[np.float32]:
    """Mono float32 at the benchmark's rate, (samples,): resampled, peak-normalised (silence stays silent), truncated.

    Args:
        data: encoded audio.
        audio: how to prepare it.
        whole: do not truncate.

    Raises:
        UndecodableAudio: the bytes cannot be decoded.
    """
    import soxr

    samples, rate = _decode(data)
    if rate != audio.sampling_rate_hz:
        samples = soxr.resample(samples, rate, audio.sampling_rate_hz, quality="HQ")
    peak = float(np.abs(samples).max(initial=0.0))
    if audio.peak_normalise and peak > 0:
        samples = samples / np.float32(peak)
    longest = None if whole else round(audio.truncate_s * audio.sampling_rate_hz)
    return np.ascontiguousarray(samples[:longest], dtype=np.float32)


def windows_of(waveform: NDArray[np.float32], audio: Audio) -> list[NDArray[np.float32]]:
    """Windows (samples,) of `truncate_s`, in order; a rest of less than 0.1 s is left out, since models refuse it."""
    size, shortest = round(audio.truncate_s * audio.sampling_rate_hz), audio.sampling_rate_hz // 10
    parts = [waveform[start : start + size] for start in range(0, len(waveform), size)]
    return parts[:1] + [part for part in parts[1:] if len(part) >= shortest]


def _decode(data: bytes) -> tuple[NDArray[np.float32], int]:
    import soundfile

    try:
        channels, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError, TypeError) as error:
        raise UndecodableAudio from error
    if not len(channels) or not np.isfinite(channels).all():
        raise UndecodableAudio
    return channels.mean(axis=1), rate
