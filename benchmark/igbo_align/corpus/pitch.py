"""The fundamental frequency (F0) of a recording, by probabilistic YIN.

Mauch and Dixon 2014, doi:10.1109/ICASSP.2014.6853678.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..extras import imported

#: Time from one estimate to the next, in seconds. Estimate i is about the moment i * HOP_S.
HOP_S = 0.01
#: From a low man's voice to a woman's or child's in excitement, in Hz.
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
#: Two periods of the lowest frequency have to fit twice, in seconds.
_WINDOW_S = 0.064


def hop_samples(sampling_rate_hz: int) -> int:
    """Samples from one estimate to the next."""
    return round(HOP_S * sampling_rate_hz)


def pitch_hz(waveform: NDArray[np.float32], sampling_rate_hz: int) -> NDArray[np.float64]:
    """F0 in Hz every hundredth of a second, (1 + samples // hop,); NaN where the recording is not voiced.

    Args:
        waveform: mono samples.
        sampling_rate_hz: samples a second.

    Raises:
        EnvironmentProblem: librosa is not installed (`environment.extra`).
    """
    f0, voiced, _ = imported("librosa").pyin(
        waveform.astype(np.float64),
        fmin=LOWEST_HZ,
        fmax=HIGHEST_HZ,
        sr=sampling_rate_hz,
        frame_length=round(_WINDOW_S * sampling_rate_hz),
        hop_length=hop_samples(sampling_rate_hz),
    )
    return np.where(voiced, f0, np.nan)


def semitones(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies, (n,), in semitones above 1 Hz: 12 log2(f)."""
    return 12 * np.log2(hz)
