"""What a probe sees of a recording: pitch, the spectrogram and every hidden state, ten times a second of voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.audio import load_waveform
from ..corpus.pitch import HOP_S, hop_samples, pitch_hz, semitones
from ..encoders.cache import cache_key
from ..encoders.identity import EncoderIdentity
from ..encoders.jobs import prepared_audio, versions
from ..encoders.speech import load_speech_encoder
from ..extras import imported
from ..protocol.spec import Audio

#: Part of every cache key: raise it when code changes an observation.
_VERSION = 1
#: Observations a second of voice: syllables of Igbo, which bear its tones, last about twice as long.
OBSERVATIONS_PER_S = 10
_ESTIMATES = round(1 / (OBSERVATIONS_PER_S * HOP_S))
#: A tenth of a second is an observation if at least half of it is voiced.
_LEAST_VOICED = _ESTIMATES // 2
#: The log-mel spectrogram of Whisper: bands, window in seconds, and range in powers of ten.
N_MELS, _MEL_WINDOW_S, _MEL_RANGE = 80, 0.025, 8.0


@dataclass(frozen=True)
class ObservationJob:
    """Observations of recordings, as a job that is cached and shared by processes.

    Attributes:
        encoder: whose hidden states are looked at.
        audio: how recordings are prepared.
    """

    encoder: EncoderIdentity
    audio: Audio

    may_be_shared = True

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's observations."""
        encoder = {"id": self.encoder.id, "revision": self.encoder.revision}
        what = {"probe": _VERSION, "encoder": encoder, "audio_sha256": audio_sha256}
        return cache_key(what | {"audio": prepared_audio(self.audio)} | versions("librosa", "scipy"))

    def check(self) -> None:
        """Fail before any worker starts if the model or librosa is not there."""
        imported("librosa")
        load_speech_encoder(self.encoder)

    def widths(self) -> list[int]:
        """Dimensions of every hidden state, learnt from one second of silence."""
        silence = np.zeros(self.audio.sampling_rate_hz, np.float32)
        layers = load_speech_encoder(self.encoder).layers(silence, self.audio.sampling_rate_hz)
        return [states.shape[1] for states in layers]

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """Observations (t, 81 + d) of one recording's encoded bytes: pitch, 80 mel bands, all hidden states.

        Pitch is in semitones. Every column is minus its mean over the recording, so that a probe sees a contour and
        neither the level of a voice nor who speaks. There are no rows where fewer than two observations are.
        """
        rate = self.audio.sampling_rate_hz
        waveform = load_waveform(data, self.audio)
        f0 = pitch_hz(waveform, rate)
        layers = load_speech_encoder(self.encoder).layers(waveform, rate)
        moments, starts = observed_moments(f0)
        if len(starts) < 2:
            return np.empty((0, 1 + N_MELS + sum(states.shape[1] for states in layers)), np.float32)
        seconds = len(waveform) / rate
        columns = [
            semitones(f0[moments])[:, None],
            log_mel(waveform, rate)[moments],
            *(states_at(states, moments.astype(np.float64) * HOP_S / seconds) for states in layers),
        ]
        observed = np.hstack([_means(column, starts) for column in columns])
        return (observed - observed.mean(axis=0)).astype(np.float32)


def observed_moments(f0: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which estimates belong to observations: their positions (m,), and where in these each observation starts (w,).

    Args:
        f0: (t,) estimates every `HOP_S`, NaN where not voiced.
    """
    voiced = np.flatnonzero(np.isfinite(f0))
    tenth = voiced // _ESTIMATES
    moments = voiced[np.bincount(tenth)[tenth] >= _LEAST_VOICED] if len(voiced) else voiced
    return moments, np.flatnonzero(np.diff(moments // _ESTIMATES, prepend=-1))


def states_at(states: NDArray[np.float32], moments: NDArray[np.float64]) -> NDArray[np.float32]:
    """The frames (m, d) that hold moments, given as shares of the recording that all frames (t, d) cover evenly."""
    return states[np.minimum((moments * len(states)).astype(np.int64), len(states) - 1)]


def log_mel(waveform: NDArray[np.float32], sampling_rate_hz: int) -> NDArray[np.float64]:
    """Powers of ten of 80 mel bands at the moments of `pitch_hz`, (t, 80), at most eight below the loudest."""
    power = imported("librosa").feature.melspectrogram(
        y=waveform.astype(np.float64),
        sr=sampling_rate_hz,
        n_fft=round(_MEL_WINDOW_S * sampling_rate_hz),
        hop_length=hop_samples(sampling_rate_hz),
        n_mels=N_MELS,
    )
    logarithm = np.log10(np.maximum(power, 1e-10))
    return np.maximum(logarithm, logarithm.max() - _MEL_RANGE).T


def _means(columns: NDArray[np.floating[Any]], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means (w, d) of the stretches of rows of (m, d) that begin at `starts`."""
    counts = np.diff(np.append(starts, len(columns)))
    return np.add.reduceat(columns.astype(np.float64), starts, axis=0) / counts[:, None]
