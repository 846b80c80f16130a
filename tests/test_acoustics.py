"""Measures of sound on signals whose answers are known: glides, tones, pauses, noise, bursts."""

from __future__ import annotations

import io

import numpy as np
import pytest
from igbo_align.corpus.audio import UndecodableAudio
from igbo_align.corpus.pitch import HOP_S, pitch_hz, semitones
from igbo_align.pipeline.acoustics import Acoustics, AcousticsJob, acoustics_table, level_db, measure, speech_frames
from igbo_align.problems import EnvironmentProblem
from igbo_align.protocol.bundled_specs import load_spec
from scipy.stats import linregress

pytest.importorskip("librosa")
RATE = 16_000
AUDIO = load_spec("demo").audio


def voice(f0_hz, seconds):
    """A tone with five harmonics whose F0 is a number or a function of time in seconds."""
    time = np.arange(round(seconds * RATE)) / RATE
    f0 = f0_hz(time) if callable(f0_hz) else np.full(len(time), float(f0_hz))
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 6)) / 2


def noise(seconds, power, seed=0):
    """White noise of a known power."""
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * np.sqrt(power)


def heard(*parts):
    """Parts in a row, as float32 at full scale."""
    wave = np.concatenate(parts)
    return (wave / np.abs(wave).max()).astype(np.float32)


@pytest.mark.parametrize("f0_hz", [80, 120, 220, 400])
def test_a_steady_tone_has_its_frequency_and_no_range(f0_hz):
    held = measure(heard(voice(f0_hz, 1.0)), RATE)
    assert held.f0_mean_hz == pytest.approx(f0_hz, rel=0.01)  # estimates lie on a grid of a tenth of a semitone
    assert held.f0_range_semitones < 0.2
    assert abs(held.f0_slope_semitones_per_s) < 0.1


@pytest.mark.parametrize("slope", [-6.0, -2.0, 3.0])
def test_a_glide_has_its_slope_and_nine_tenths_of_its_range(slope):
    seconds = 1.5
    held = measure(heard(voice(lambda t: 200 * 2 ** (slope * t / 12), seconds)), RATE)
    assert held.f0_slope_semitones_per_s == pytest.approx(slope, abs=0.15)
    assert held.f0_range_semitones == pytest.approx(0.9 * abs(slope) * seconds, abs=0.25)


def test_the_slope_is_that_of_least_squares_through_the_voiced_frames_alone():
    wave = heard(voice(150, 0.5), np.zeros(RATE // 4), voice(lambda t: 200 + 40 * t, 0.7))
    f0 = pitch_hz(wave, RATE)
    voiced = np.isfinite(f0)
    reference = linregress(np.arange(len(f0))[voiced] * HOP_S, 12 * np.log2(f0[voiced]))
    held = measure(wave, RATE)
    assert held.f0_slope_semitones_per_s == pytest.approx(reference.slope, abs=1e-4)
    assert held.f0_mean_hz == pytest.approx(f0[voiced].mean(), abs=1e-4)
    assert semitones(np.array([220.0]))[0] - semitones(np.array([110.0]))[0] == pytest.approx(12)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6])
def test_silence_around_and_within_is_its_share(share):
    quiet = np.zeros(round(share * 4 * RATE / 3))
    held = measure(heard(quiet, voice(180, (1 - share) * 2), quiet, voice(180, (1 - share) * 2), quiet), RATE)
    assert held.silence_ratio == pytest.approx(share, abs=0.03)  # the windows at five borders are half full


def test_the_closure_of_a_stop_is_no_pause():
    closure = np.zeros(round(0.06 * RATE))
    assert measure(heard(voice(180, 0.5), closure, voice(180, 0.5)), RATE).silence_ratio == 0


@pytest.mark.parametrize("snr_db", [15, 20, 30, 40])
def test_noise_at_a_known_level_is_found(snr_db):
    speech = voice(150, 1.0)
    power = (speech**2).mean() / 10 ** (snr_db / 10)
    quiet = np.zeros(RATE)
    wave = np.concatenate([quiet, speech, quiet]) + noise(3.0, power)
    held = measure(heard(wave), RATE)
    assert held.snr_db == pytest.approx(snr_db, abs=0.7)
    assert held.silence_ratio == pytest.approx(2 / 3, abs=0.02)


def test_digital_silence_is_capped_and_noise_alone_has_no_ratio():
    assert measure(heard(np.zeros(RATE), voice(150, 1.0)), RATE).snr_db == 60
    alone = measure(heard(noise(1.5, 1.0)), RATE)
    assert alone.snr_db is None
    assert alone.silence_ratio == 0
    assert (alone.f0_mean_hz, alone.f0_slope_semitones_per_s, alone.speech_rate_per_s) == (None, None, None)


@pytest.mark.parametrize("rate_per_s", [3, 5, 7])
def test_syllables_are_counted_where_the_level_rises_and_falls(rate_per_s):
    seconds = 2.0
    time = np.arange(round(seconds * RATE)) / RATE
    envelope = 0.05 + 0.95 * (1 - np.cos(2 * np.pi * rate_per_s * time)) / 2
    held = measure(heard(voice(160, seconds) * envelope), RATE)
    assert held.speech_rate_per_s == pytest.approx(rate_per_s, rel=0.06)


def test_pauses_do_not_slow_speech_down():
    time = np.arange(2 * RATE) / RATE
    speech = voice(160, 2.0) * (0.05 + 0.95 * (1 - np.cos(2 * np.pi * 4 * time)) / 2)
    held = measure(heard(speech, np.zeros(2 * RATE)), RATE)
    assert held.silence_ratio == pytest.approx(0.5, abs=0.05)
    assert held.speech_rate_per_s == pytest.approx(4, rel=0.08)


def test_clicks_are_no_syllables():
    wave = np.zeros(2 * RATE)
    wave[:: RATE // 5] = 1.0
    assert measure(wave.astype(np.float32), RATE).speech_rate_per_s is None


def test_silence_has_nothing_but_silence():
    assert measure(np.zeros(RATE, np.float32), RATE) == Acoustics(None, None, None, None, 1.0, None)


def test_the_level_does_not_matter():
    wave = heard(voice(150, 0.6), noise(0.4, 1e-5), voice(200, 0.6))
    loud, quiet = measure(wave, RATE), measure(wave * np.float32(0.125), RATE)
    for name, value in vars(loud).items():
        assert getattr(quiet, name) == pytest.approx(value, abs=1e-3), name


def test_level_is_the_mean_power_and_pauses_are_found_by_the_naive_loop():
    wave = heard(voice(150, 0.6), np.zeros(RATE // 8), voice(150, 0.2), np.zeros(RATE // 20), voice(150, 0.3))
    level = level_db(wave, RATE, 0.025)
    hop, half = RATE // 100, RATE // 80
    middle = wave[30 * hop - half : 30 * hop + half].astype(np.float64)
    assert level[30] == pytest.approx(10 * np.log10((middle**2).mean()))
    low, expected = level < np.percentile(level, 95) - 25, np.ones(len(level), bool)
    for start in range(len(level) - 9):
        if low[start : start + 10].all():
            expected[start : start + 10] = False
    assert speech_frames(level).tolist() == expected.tolist()
    assert 0 < (~expected).sum() < 14


def wav(wave, subtype=None):
    """Encoded bytes of a waveform."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, format="WAV", subtype=subtype)
    return buffer.getvalue()


def test_a_job_gives_finite_numbers_and_the_table_nulls_where_nothing_is_known():
    job = AcousticsJob(AUDIO)
    arrays = {"a": job.vector(wav(heard(voice(200, 0.8)))), "b": job.vector(wav(np.zeros(RATE, np.float32)))}
    assert all(np.isfinite(array).all() and array.shape == (2, 6) for array in arrays.values())
    table = acoustics_table(["b", "a"], arrays).to_pylist()
    assert table[0] == {
        "id": "b",
        "f0_mean_hz": None,
        "f0_range_semitones": None,
        "f0_slope_semitones_per_s": None,
        "speech_rate_per_s": None,
        "silence_ratio": 1.0,
        "snr_db": None,
    }
    assert table[1]["f0_mean_hz"] == pytest.approx(200, rel=0.01)
    assert table[1]["snr_db"] is None


@pytest.mark.parametrize(
    "data",
    [b"no audio", b"", wav([]), wav([0.1, np.nan, 0.1], "FLOAT"), wav([np.inf, 0.1], "FLOAT")],
    ids=["other bytes", "no bytes", "no sample", "no number", "no finite number"],
)
def test_what_holds_no_sound_cannot_be_decoded(data):
    with pytest.raises(UndecodableAudio):
        AcousticsJob(AUDIO).vector(data)


def test_a_key_depends_on_the_recording_and_its_preparation():
    job = AcousticsJob(AUDIO)
    slower = AcousticsJob(AUDIO.model_copy(update={"sampling_rate_hz": 8000}))
    assert len({job.key("a"), job.key("b"), slower.key("a")}) == 3


def test_without_librosa_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "librosa", None)
    with pytest.raises(EnvironmentProblem, match=r"environment\.extra.*build"):
        AcousticsJob(AUDIO).check()
