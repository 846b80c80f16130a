"""The tonal probe: ridge against scikit-learn, features that hold pitch against noise, tiny encoders end to end."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import igbo_align as ia
import numpy as np
import pytest
import small_corpus
from igbo_align.cli.app import run
from igbo_align.corpus.audio import load_waveform
from igbo_align.corpus.pitch import pitch_hz
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.speech import load_speech_encoder
from igbo_align.probing.fitting import PENALTIES, Observed, fit, score
from igbo_align.probing.observations import (
    N_MELS,
    ObservationJob,
    log_mel,
    observed_moments,
    states_at,
)
from igbo_align.probing.probe import _observed
from igbo_align.probing.result import ProbeResult, parse_probe
from igbo_align.probing.ridge import Moments, Ridge, cross_validated

pytest.importorskip("torch")
pytest.importorskip("librosa")
RATE = 16_000


def correlated(n, d, seed=0):
    """Features of very different sizes that share directions, one of them constant."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, d)) @ generator.standard_normal((d, d)) * np.logspace(-2, 2, d) + 5
    x[:, 3] = 7.0
    return x, generator.standard_normal((n, 2)) + x[:, :1] / 3


@pytest.mark.parametrize("penalty", [1e-4, 0.1, 10.0])
def test_ridge_from_moments_is_that_of_scikit_learn_on_standardised_features(penalty):
    from sklearn.linear_model import Ridge as Reference
    from sklearn.preprocessing import StandardScaler

    x, y = correlated(90, 12)
    ours = Ridge.fit(Moments.of(x[:50], y[:50]) + Moments.of(x[50:], y[50:]), [1e-3, penalty])
    scaler = StandardScaler().fit(x)
    reference = Reference(alpha=penalty * len(x)).fit(scaler.transform(x), y)
    other = correlated(20, 12, seed=1)[0]
    other[:, 3] = 7.0
    chosen = ours.chosen(np.array([1, 1]))
    np.testing.assert_allclose(chosen.predict(other), reference.predict(scaler.transform(other)), rtol=1e-6, atol=1e-6)


def test_errors_from_moments_are_those_of_predictions():
    x, y = correlated(60, 8)
    ridge = Ridge.fit(Moments.of(x, y), PENALTIES)
    other_x, other_y = correlated(30, 8, seed=2)
    other_x[:, 3] = 7.0
    held = ridge.squared_errors(Moments.of(other_x, other_y))
    for i in range(len(PENALTIES)):
        predicted = ridge.chosen(np.array([i, i])).predict(other_x)
        np.testing.assert_allclose(held[i], ((other_y - predicted) ** 2).sum(axis=0), rtol=1e-6)


def test_cross_validation_takes_the_penalty_of_the_smallest_error_on_what_was_left_out():
    generator = np.random.default_rng(3)
    x = generator.standard_normal((120, 30))
    y = np.column_stack([x @ generator.standard_normal(30), generator.standard_normal(120)])
    parts = np.array_split(np.arange(120), 5)
    ridge, best = cross_validated([Moments.of(x[part], y[part]) for part in parts], PENALTIES)
    errors = np.zeros((len(PENALTIES), 2))
    for part in parts:
        rest = np.setdiff1d(np.arange(120), part)
        for i, penalty in enumerate(PENALTIES):
            predicted = Ridge.fit(Moments.of(x[rest], y[rest]), [penalty]).predict(x[part])
            errors[i] += ((y[part] - predicted) ** 2).sum(axis=0)
    assert best.tolist() == errors.argmin(axis=0).tolist()
    assert best[1] > best[0]  # noise wants to be shrunk
    whole = Ridge.fit(Moments.of(x, y), [PENALTIES[best[0]]])
    np.testing.assert_allclose(ridge.predict(x)[:, 0], whole.predict(x)[:, 0], rtol=1e-8)


def recordings(n, seed, feature):
    """Recordings of which each has a random contour, and features made from it."""
    generator = np.random.default_rng(seed)
    for number in range(n):
        pitch = generator.standard_normal(generator.integers(5, 30)) * 2
        noise = generator.standard_normal((len(pitch), 12))
        yield Observed(number, [feature(pitch, noise), noise], pitch, generator.permutation(pitch))


def test_features_that_hold_pitch_give_one_noise_and_shuffled_contours_give_nothing(demo):
    mixing = np.random.default_rng(9).standard_normal((13, 13))

    def holding(pitch, noise):
        return np.column_stack([pitch, noise]) @ mixing

    held = score(fit(recordings(120, 0, holding)), recordings(60, 1, holding), demo.spec.scoring)
    assert held.pitch[0].value > 0.999
    assert held.pitch[0].low <= held.pitch[0].value <= held.pitch[0].high
    for estimate in (held.pitch[1], *held.control):
        assert -0.05 < estimate.value < 0.02
    assert held.recordings == 60


def test_r2_is_that_of_scikit_learn_and_its_interval_that_of_a_bootstrap_over_recordings(demo):
    from sklearn.metrics import r2_score

    def noisy(pitch, noise):
        return np.column_stack([pitch + 2 * noise[:, 0], noise[:, 1:]])

    fitted, test = fit(recordings(120, 4, noisy)), list(recordings(40, 5, noisy))
    held = score(fitted, test, demo.spec.scoring)
    predictions = [fitted.maps[0].predict(item.features[0])[:, 0] for item in test]
    assert held.pitch[0].value == pytest.approx(
        r2_score(np.concatenate([item.pitch for item in test]), np.concatenate(predictions)), abs=1e-6
    )
    generator, naive = np.random.default_rng(6), []
    for _ in range(2000):
        drawn = generator.integers(0, 40, 40)
        naive.append(
            r2_score(np.concatenate([test[i].pitch for i in drawn]), np.concatenate([predictions[i] for i in drawn]))
        )
    assert [held.pitch[0].low, held.pitch[0].high] == pytest.approx(np.percentile(naive, [2.5, 97.5]), abs=0.02)


def test_pitch_that_never_varies_and_too_few_recordings_are_problems(demo):
    def level(n):
        return (Observed(i, [np.ones((9, 12), np.float32)] * 2, np.zeros(9), np.zeros(9)) for i in range(n))

    with pytest.raises(ia.ProblemsFound, match=r"source\.too_few.*varies"):
        score(fit(level(9)), level(9), demo.spec.scoring)
    with pytest.raises(ia.ProblemsFound, match=r"train.*Found 1 recordings"):
        fit(level(1))
    with pytest.raises(ia.ProblemsFound, match=r"test.*Found 1 recordings"):
        score(fit(recordings(9, 0, lambda _, noise: noise)), level(1), demo.spec.scoring)


def test_a_tenth_of_a_second_counts_where_half_of_it_is_voiced():
    f0 = np.full(60, np.nan)
    f0[[0, 1, 2, 3, 4]] = 100  # half of the first tenth
    f0[[10, 11, 12, 13]] = 100  # less than half of the second
    f0[30:50] = 100
    moments, starts = observed_moments(f0)
    assert moments.tolist() == [0, 1, 2, 3, 4, *range(30, 50)]
    assert starts.tolist() == [0, 5, 15]
    assert [part.tolist() for part in observed_moments(np.full(9, np.nan))] == [[], []]


def test_the_frame_of_a_moment_is_the_one_that_holds_it():
    states = np.arange(4)[:, None]  # four frames of a quarter of the recording each
    assert states_at(states, np.array([0, 0.24, 0.25, 0.74, 0.99, 1.0])).ravel().tolist() == [0, 0, 1, 2, 3, 3]


def test_the_spectrogram_is_whispers(encoders_folder):
    from transformers import WhisperFeatureExtractor

    wave = glide(0.8, 150, 5)
    theirs = WhisperFeatureExtractor()(wave, sampling_rate=RATE, return_tensors="np").input_features[0].T
    ours = log_mel(wave, RATE)
    inner = slice(3, 70)  # their frames at the ends see the padding to 30 s
    np.testing.assert_allclose((ours[inner] + 4) / 4, theirs[inner], atol=2e-3)


def glide(seconds, start_hz, semitones_per_s):
    """A voice whose pitch rises or falls."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(start_hz * 2 ** (semitones_per_s * time / 12)) / RATE
    return (sum(np.sin(k * phase) / k for k in range(1, 6)) / 3).astype(np.float32)


def wav(wave):
    """Encoded bytes of a waveform."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, wave, RATE, format="WAV")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def job(encoders_folder, demo):
    """Observing with the tiny Whisper."""
    return ObservationJob(resolve_encoder(str(encoders_folder / "tiny" / "whisper")), demo.spec.audio)


def test_observations_are_naive_means_of_what_stands_at_each_voiced_moment(job, demo):
    data = wav(np.concatenate([glide(0.45, 120, 8), np.zeros(RATE // 4, np.float32), glide(0.33, 200, -6)]))
    wave = load_waveform(data, demo.spec.audio)
    f0, mel = pitch_hz(wave, RATE), log_mel(wave, RATE)
    encoder = load_speech_encoder(job.encoder)
    last, speech = encoder.frames(wave, RATE)
    layers = encoder.layers(wave, RATE)
    assert [states.shape for states in layers] == [(speech, 16)] * 2
    for number, states in enumerate(layers):
        np.testing.assert_array_equal(states, encoder.frames(wave, RATE, layer=number)[0][:speech])
    np.testing.assert_array_equal(layers[-1], last[:speech])
    rows = []
    for tenth in range(len(f0) // 10 + 1):
        voiced = [i for i in range(10 * tenth, min(10 * tenth + 10, len(f0))) if np.isfinite(f0[i])]
        if len(voiced) >= 5:
            pitch = np.mean([12 * np.log2(f0[i]) for i in voiced])
            at = [min(int(i / 100 / (len(wave) / RATE) * speech), speech - 1) for i in voiced]
            rows.append([pitch, *mel[voiced].mean(axis=0), *(x for s in layers for x in s[at].mean(axis=0))])
    held = job.vector(data)
    assert held.shape == (len(rows), 1 + N_MELS + 2 * 16)
    assert 6 <= len(rows) <= 9
    np.testing.assert_allclose(held, np.array(rows) - np.mean(rows, axis=0), rtol=1e-4, atol=1e-4)
    assert job.widths() == [16, 16]
    assert job.vector(wav(np.zeros(RATE, np.float32))).shape == (0, 1 + N_MELS + 32)


@pytest.fixture(scope="module")
def release(encoders_folder, tmp_path_factory):
    """A small release of glides with its recordings."""
    folder = tmp_path_factory.mktemp("probe")
    generator = np.random.default_rng(0)
    records = [
        small_corpus.record(
            number,
            f"ezi {number}",
            wav(glide(0.7 + 0.02 * number, generator.uniform(100, 220), generator.uniform(-10, 10))),
        )
        for number in range(24)
    ]
    small_corpus.write_shard(folder / "corpus" / "ibo-train-00000-of-00001.parquet", records)
    tiny = encoders_folder / "tiny"
    models = ["--speech-encoder", str(tiny / "whisper"), "--text-encoder", str(tiny / "sentences")]
    command = ["build", "--source", str(folder / "corpus"), "--per-bucket", "8", "--with-audio", "--workers", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache"))
        assert run([*command, *models, "--out", str(folder / "release")]) == 0
    return folder / "release"


def test_a_tiny_encoder_end_to_end_and_from_the_cache_the_same_bytes(
    release, encoders_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    command = ["probe", "--release", str(release), "--speech-encoder", str(encoders_folder / "tiny" / "whisper")]
    assert run([*command, "--workers", "1", "--out", str(tmp_path / "probe.json"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((tmp_path / "probe.json").read_text())
    loaded = ia.load_release(release)
    result = parse_probe((tmp_path / "probe.json").read_bytes(), "probe.json", loaded)
    assert result.benchmark.fingerprint == loaded.fingerprint
    assert result.speech_encoder.id == "local/whisper"
    assert [item.layer for item in result.layers] == [0, 1]
    assert (result.train.recordings, result.test.recordings) == (19, 5)
    assert result.train.observations > 19 * 5
    assert result.log_mel.r2.value > 0.3  # glides of five harmonics: bands follow pitch
    assert result.log_mel.control.value < 0.1
    for item in (result.log_mel, *result.layers):
        assert item.r2.low <= item.r2.value <= item.r2.high <= 1
    monkeypatch.setattr(ObservationJob, "vector", None)  # nothing is computed twice
    assert run([*command, "--out", str(tmp_path / "again.json")]) == 0
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "probe.json").read_bytes()
    shown = capsys.readouterr().out
    assert "log-mel spectrogram" in shown
    assert f"{result.layers[1].r2.value:.3f}" in shown


def test_a_cache_that_loses_what_it_was_given_is_a_problem(release, encoders_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("igbo_align.probing.probe.each_recording", lambda *_: None)
    command = ["probe", "--release", str(release), "--speech-encoder", str(encoders_folder / "tiny" / "whisper")]
    assert run([*command, "--workers", "1"]) == 4
    assert (
        f"environment.cache {ia.load_release(release).ids[0]} found no observations of this recording, though they "
        "were just made expected a cache that keeps what is put into it mend Run the same command again."
    ) in " ".join(capsys.readouterr().err.split())


def test_recordings_without_voice_are_left_out(demo):
    """Of the first three, the second is silent."""
    hashes = demo.column("audio_sha256").tolist()
    rows = {hashes[i]: np.arange(3.0 * n).reshape(n, 3).astype(np.float32) for i, n in enumerate((4, 0, 2))}
    job, advanced = SimpleNamespace(key=str), []
    seen = list(_observed(job, rows, demo, np.arange(699) < 3, [1, 1], advanced.append))
    assert [item.group for item in seen] == demo.groups[[0, 2]].tolist()
    assert [item.pitch.tolist() for item in seen] == [[0, 3, 6, 9], [0, 3]]
    assert [[kind.ravel().tolist() for kind in item.features] for item in seen] == [
        [[1, 4, 7, 10], [2, 5, 8, 11]],
        [[1, 4], [2, 5]],
    ]
    assert advanced == [1, 1, 1]


def test_without_out_a_probe_is_only_shown(demo, monkeypatch, tmp_path, capsys):
    result = parse_probe(json.dumps(a_result(demo)).encode(), "probe.json", demo)
    monkeypatch.setattr("igbo_align.probing.probe.probe", lambda *_: result)
    monkeypatch.chdir(tmp_path)
    assert run(["probe", "--speech-encoder", "whisper-tiny"]) == 0
    assert "log-mel spectrogram" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_recordings_have_to_be_at_hand(encoders_folder, capsys):
    assert run(["probe", "--release", "demo", "--speech-encoder", str(encoders_folder / "tiny" / "whisper")]) == 1
    assert "a release without recordings, and no --source" in capsys.readouterr().err


def test_a_recording_that_cannot_be_decoded_is_named_and_the_others_are_kept(job, tmp_path):
    from igbo_align.encoders.cache import VectorCache
    from igbo_align.encoders.encoding import each_recording

    found = {}
    items = [("good", wav(glide(0.6, 150, 3))), ("bad", b"broken")]
    with pytest.raises(ia.ProblemsFound, match=r"bad: \[encoder\.output\]"):
        each_recording(job, items, tmp_path / "v.sqlite", found.__setitem__, lambda _: None, 1)
    assert set(found) == {"good"}
    cache = VectorCache(tmp_path / "v.sqlite")
    assert len(cache) == 1
    cache.close()


def a_result(demo, **changes):
    """The document of a probe of the demo release."""
    share = {"value": 0.5, "low": 0.4, "high": 0.6}
    reading = {"r2": share, "penalty": 0.1, "control": {"value": -0.01, "low": -0.02, "high": 0.0}}
    return {
        "schema_version": 1,
        "benchmark": demo.benchmark(),
        "speech_encoder": {"id": "openai/whisper-tiny.en", "revision": "x"},
        "target": "pitch",
        "train": {"recordings": 10, "observations": 100},
        "test": {"recordings": 5, "observations": 50},
        "log_mel": reading,
        "layers": [reading | {"layer": 0}, reading | {"layer": 1}],
    } | changes


def test_what_is_written_is_what_is_read(demo):
    document = a_result(demo)
    parsed = parse_probe(json.dumps(document).encode(), "probe.json", demo)
    assert ProbeResult.model_validate_json(parsed.model_dump_json()) == parsed
    assert parsed.model_dump(mode="json") == document


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"schema_version": 2}, "first at schema_version"),
        ({"layers": []}, "first at layers"),
        ({"more": 1}, "first at more"),
        ({"target": "x" * 201}, "first at target"),
        ({"benchmark": {"name": "demo", "version": "1.0", "fingerprint": "f" * 64}}, "fingerprint 'ffff"),
    ],
)
def test_a_file_that_is_no_probe_of_this_release_is_a_problem(changes, found, demo):
    with pytest.raises(ia.ProblemsFound, match=r"probe\.unreadable") as caught:
        parse_probe(json.dumps(a_result(demo, **changes)).encode(), "probe.json", demo)
    assert found in str(caught.value)
    with pytest.raises(ia.ProblemsFound, match="the document"):
        parse_probe(b"{", "probe.json", demo)
