"""Measures of how a recording sounds: pitch, rate, pauses and noise, as `acoustics.parquet` holds them.

They are rough and robust, for failure analysis: does a system fail on fast, noisy or level speech?
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..corpus.audio import load_waveform
from ..corpus.pitch import HOP_S, hop_samples, pitch_hz, semitones
from ..encoders.cache import cache_key
from ..encoders.jobs import prepared_audio, versions
from ..extras import imported
from ..protocol.spec import Audio

#: Part of every cache key and of the manifest: raise it when code changes a number.
MEASURE_VERSION = 1
#: A frame so far below the level of speech is silent (de Jong and Wempe 2009), in dB.
_BELOW_SPEECH_DB = 25.0
#: Noise varies by less than this around its level, in dB.
_ABOVE_NOISE_DB = 6.0
#: Speech and noise of levels closer than this cannot be told apart, in dB.
_LEAST_CONTRAST_DB = 9.0
#: The closure of a stop is shorter than this, a pause is longer, in seconds.
_SHORTEST_PAUSE_S = 0.1
#: Less voice than this has no contour, in seconds.
_LEAST_VOICE_S = 0.1
#: Two syllables have a dip of at least so much between them (de Jong and Wempe 2009), in dB.
_DIP_DB = 2.0
_LEVEL_WINDOW_S, _SYLLABLE_WINDOW_S = 0.025, 0.064
#: Silence beyond this is the file's, not the room's, in dB.
_LARGEST_SNR_DB, _LEAST_POWER = 60.0, 1e-10
_DECIMALS = 4


@dataclass(frozen=True)
class Acoustics:
    """Measures of one recording; None where there is nothing to measure.

    Attributes:
        f0_mean_hz: mean F0 of the voiced frames.
        f0_range_semitones: from their 5th to their 95th percentile.
        f0_slope_semitones_per_s: of the least-squares line through them.
        speech_rate_per_s: syllable nuclei a second of speech, pauses left out: voiced peaks of the level with dips of
            2 dB between them (de Jong and Wempe 2009, doi:10.3758/BRM.41.2.385).
        silence_ratio: share of the recording in pauses of at least 0.1 s, at its ends too; in [0, 1].
        snr_db: power of speech, the noise taken off, over that of the pauses; at most 60 dB.
    """

    f0_mean_hz: float | None
    f0_range_semitones: float | None
    f0_slope_semitones_per_s: float | None
    speech_rate_per_s: float | None
    silence_ratio: float
    snr_db: float | None


_NAMES = tuple(field.name for field in fields(Acoustics))


@dataclass(frozen=True)
class AcousticsJob:
    """Measuring recordings, as a job that is cached and shared by processes; `audio` says how they are prepared."""

    audio: Audio

    may_be_shared = True

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's measures."""
        what = {"measure": "acoustics", "measure_version": MEASURE_VERSION, "of": audio_sha256}
        return cache_key(what | {"audio": prepared_audio(self.audio)} | versions("librosa", "scipy"))

    def check(self) -> None:
        """Fail before any worker starts if librosa is not installed (`environment.extra`)."""
        imported("librosa")

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """The measures of one recording's encoded bytes, (2, 6): the numbers, and whether each is known."""
        held = measure(load_waveform(data, self.audio), self.audio.sampling_rate_hz)
        numbers = [getattr(held, name) for name in _NAMES]
        return np.array([[x or 0.0 for x in numbers], [x is not None for x in numbers]], dtype=np.float32)


def acoustics_table(ids: Sequence[str], measured: Mapping[str, NDArray[np.float32]]) -> pa.Table:
    """One row a pair: `id` and a float32 column for each measure, null where it is not known.

    Args:
        ids: of the pairs, in release order.
        measured: id -> (2, measures) array of `AcousticsJob.vector`.
    """
    numbers, known = np.stack([measured[name] for name in ids], axis=1)
    columns = {name: pa.array(numbers[:, i], pa.float32(), mask=known[:, i] == 0) for i, name in enumerate(_NAMES)}
    return pa.table({"id": ids} | columns)


def measure(waveform: NDArray[np.float32], sampling_rate_hz: int) -> Acoustics:
    """Every measure of a recording, rounded to four decimals.

    Args:
        waveform: (samples,) mono; their level does not matter.
        sampling_rate_hz: samples a second.

    Raises:
        EnvironmentProblem: librosa is not installed (`environment.extra`).
    """
    f0 = pitch_hz(waveform, sampling_rate_hz)
    level = level_db(waveform, sampling_rate_hz, _LEVEL_WINDOW_S)
    is_speech = speech_frames(level)
    mean, span, slope = _contour(f0)
    rate = _speech_rate(level_db(waveform, sampling_rate_hz, _SYLLABLE_WINDOW_S), f0, is_speech)
    silence = round(1 - float(is_speech.mean()), _DECIMALS)
    return Acoustics(
        f0_mean_hz=_rounded(mean),
        f0_range_semitones=_rounded(span),
        f0_slope_semitones_per_s=_rounded(slope),
        speech_rate_per_s=_rounded(rate),
        silence_ratio=silence,
        snr_db=_rounded(_snr(level, is_speech)),
    )


def level_db(waveform: NDArray[np.float32], sampling_rate_hz: int, window_s: float) -> NDArray[np.float64]:
    """Mean power of (samples,) in windows around the moments of `pitch_hz`, in dB, at least -100, (moments,)."""
    rms = imported("librosa").feature.rms(
        y=waveform.astype(np.float64),
        frame_length=round(window_s * sampling_rate_hz),
        hop_length=hop_samples(sampling_rate_hz),
    )[0]
    return 10 * np.log10(np.maximum(rms**2, _LEAST_POWER))


def speech_frames(level: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which frames are no pause, (t,).

    A pause is at least 0.1 s long, 25 dB below the level of speech (the 95th percentile) or, in noise, at most 6 dB
    above that of the noise (the 5th). Levels that differ by less than 9 dB are speech throughout.
    """
    from scipy.ndimage import binary_opening

    floor, speech = np.percentile(level, [5, 95])
    if speech <= 10 * math.log10(_LEAST_POWER):
        return np.zeros(len(level), dtype=bool)
    if speech - floor < _LEAST_CONTRAST_DB:
        return np.ones(len(level), dtype=bool)
    is_low = level < max(speech - _BELOW_SPEECH_DB, floor + _ABOVE_NOISE_DB)
    return np.logical_not(binary_opening(is_low, np.ones(round(_SHORTEST_PAUSE_S / HOP_S), dtype=bool)))


def _contour(f0: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Mean in Hz, range in semitones and slope in semitones a second of the voiced frames."""
    voiced = np.flatnonzero(np.isfinite(f0))
    if len(voiced) * HOP_S < _LEAST_VOICE_S:
        return None, None, None
    heights = semitones(f0[voiced])
    low, high = np.percentile(heights, [5, 95])
    slope = np.polyfit(voiced * HOP_S, heights, 1)[0]
    return float(f0[voiced].mean()), float(high - low), float(slope)


def _speech_rate(level: NDArray[np.float64], f0: NDArray[np.float64], is_speech: NDArray[np.bool_]) -> float | None:
    from scipy.signal import find_peaks

    voiced = np.isfinite(f0)
    if not (voiced & is_speech).any():
        return None
    peaks, _ = find_peaks(level, height=np.percentile(level, 95) - _BELOW_SPEECH_DB, prominence=_DIP_DB)
    return float((voiced & is_speech)[peaks].sum() / (is_speech.sum() * HOP_S))


def _snr(level: NDArray[np.float64], is_speech: NDArray[np.bool_]) -> float | None:
    """The median of the pauses, so that words that fade into them do not count as noise."""
    if is_speech.all() or not is_speech.any():
        return None
    power = 10 ** (level / 10)
    noise = float(np.median(power[~is_speech]))
    speech = float(power[is_speech].mean()) - noise
    return min(10 * math.log10(speech / noise), _LARGEST_SNR_DB)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
