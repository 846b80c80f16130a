"""Layer, long audio and number format: in the card, in the cache key, and the paper's way when left out."""

from __future__ import annotations

import json

import igbo_align as ia
import numpy as np
import pytest
import small_corpus
from igbo_align.cli.app import run
from igbo_align.corpus.audio import load_waveform, windows_of
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.jobs import SpeechJob
from igbo_align.encoders.pooling import pool_windows
from igbo_align.encoders.settings import Settings, parse_settings
from igbo_align.encoders.speech import FAMILIES, load_speech_encoder
from test_speech_encoders import CHECKPOINTS, RATE


@pytest.mark.parametrize(
    "text",
    ["mean", "max, layer 0", "masked-mean, layer 12, chunk", "first, bfloat16", "mean, layer 3, chunk, bfloat16"],
)
def test_a_line_of_settings_comes_back_as_it_was(text):
    assert str(parse_settings(text)) == text


def test_defaults_are_left_out():
    assert str(Settings("mean", None, "truncate", "float32")) == "mean"
    assert parse_settings("mean") == Settings()


@pytest.mark.parametrize("text", ["median", "mean, float16", "mean, layer -1", "mean, layers 3", "", "mean,chunk"])
def test_what_is_not_known_is_a_problem(text):
    with pytest.raises(ia.ProblemsFound, match="usage"):
        parse_settings(text)


def test_every_setting_has_its_own_cache_key(demo, encoders_folder):
    encoder = resolve_encoder(str(encoders_folder / "tiny" / "whisper"))
    lines = ["mean", "mean, layer 0", "mean, layer 1", "mean, chunk", "mean, bfloat16", "max", "mean, layer 1, chunk"]
    keys = {SpeechJob(encoder, line, demo.spec.audio).key("0" * 64) for line in lines}
    assert len(keys) == len(lines)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_its_layers_and_computes_in_bfloat16(family, tmp_path, encoders_folder):
    import torch

    torch.manual_seed(1)
    encoder = resolve_encoder(str(CHECKPOINTS[family](tmp_path, encoders_folder)))
    waveform = np.sin(np.arange(RATE) / 20).astype(np.float32)
    loaded = load_speech_encoder(encoder)
    frames, speech = loaded.frames(waveform, RATE)
    lower, held = loaded.frames(waveform, RATE, layer=0)
    adapter = family.startswith("seamless")  # after the last layer, it makes the frames fewer
    assert (len(lower) > len(frames)) == adapter
    assert held == (len(lower) if adapter else speech)
    assert adapter or not np.array_equal(lower, frames)
    layers = loaded.layers(waveform, RATE)
    assert len(layers) == 2
    np.testing.assert_array_equal(layers[0], lower[:held])
    np.testing.assert_array_equal(layers[1], frames[:speech])
    with pytest.raises(ia.ProblemsFound, match="--layer"):
        loaded.frames(waveform, RATE, layer=99)
    half, _ = load_speech_encoder(encoder, "bfloat16").frames(waveform, RATE)
    assert half.dtype == np.float32
    assert not np.array_equal(half, frames)
    a, b = half.mean(axis=0), frames.mean(axis=0)
    # Random weights amplify rounding; real ones are held to 0.999 in bench/encoding_throughput.py.
    assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.9


def test_windows_weigh_as_long_as_they_are(demo):
    rate = demo.spec.audio.sampling_rate_hz
    assert [len(w) for w in windows_of(np.zeros(30 * rate, np.float32), demo.spec.audio)] == [30 * rate]
    assert [len(w) for w in windows_of(np.zeros(70 * rate, np.float32), demo.spec.audio)] == [30 * rate] * 2 + [
        10 * rate
    ]
    assert [len(w) for w in windows_of(np.zeros(30 * rate + 9, np.float32), demo.spec.audio)] == [30 * rate]
    assert [len(w) for w in windows_of(np.zeros(9, np.float32), demo.spec.audio)] == [9]
    windows = [(np.array([[1.0, 0.0]], np.float32), 1, 30), (np.array([[0.0, 1.0]], np.float32), 1, 10)]
    np.testing.assert_allclose(pool_windows(windows, "mean"), np.array([3, 1]) / np.sqrt(10), rtol=1e-6)


def test_chunks_differ_only_where_recordings_are_long(demo, encoders_folder):
    encoder = resolve_encoder(str(encoders_folder / "tiny" / "whisper"))
    truncating, chunking = (SpeechJob(encoder, line, demo.spec.audio) for line in ("mean", "mean, chunk"))
    short, long = small_corpus.tone_mp3(1.0, 300), small_corpus.tone_mp3(33.0, 300)
    assert np.array_equal(truncating.vector(short), chunking.vector(short))
    assert not np.array_equal(truncating.vector(long), chunking.vector(long))
    assert len(load_waveform(long, demo.spec.audio)) == 30 * RATE
    assert len(load_waveform(long, demo.spec.audio, whole=True)) > 32 * RATE


def test_the_card_says_how_and_a_layer_too_high_is_named(corpus_folder, encoders_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(encoders_folder)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    models = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
    build = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "5", "--with-audio"]
    assert run([*build, *models, "--out", str(tmp_path / "release")]) == 0
    encode = ["encode", *models, "--release", str(tmp_path / "release"), "--workers", "1"]
    how = ["--layer", "1", "--long-audio", "chunk", "--dtype", "bfloat16", "--pooling", "masked-mean"]
    assert run([*encode, *how, "--out", str(tmp_path / "submission")]) == 0
    card = json.loads((tmp_path / "submission" / "submission.json").read_text())
    assert card["speech_encoder"]["pooling"] == "masked-mean, layer 1, chunk, bfloat16"
    capsys.readouterr()
    assert run([*encode, "--layer", "7", "--out", str(tmp_path / "other")]) in (1, 2)
    assert "--layer" in capsys.readouterr().err
    assert run([*encode, "--dtype", "float16", "--out", str(tmp_path / "other")]) in (1, 2)
    assert "float16" in capsys.readouterr().err
