"""Recordings and texts that go in together: the vectors of one by one up to rounding, in batches of one length."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import small_corpus
import torch
from igbo_align.cli.app import run
from igbo_align.encoders import devices
from igbo_align.encoders.batching import batches, encode_in_batches
from igbo_align.encoders.encoding import each_recording, encode_texts
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.jobs import SpeechJob
from igbo_align.encoders.speech import FAMILIES, length_of, load_speech_encoder
from igbo_align.encoders.text_jobs import SentenceJob
from igbo_align.problems import ProblemsFound
from test_speech_encoders import CHECKPOINTS, RATE

SECONDS = (1.0, 2.3, 0.7, 1.0, 31.0, 0.9)


@pytest.fixture(scope="module")
def recordings():
    """Tones of several lengths, and bytes that are no audio."""
    tones = [(f"r{i}", small_corpus.tone_mp3(seconds, 200 + 30 * i)) for i, seconds in enumerate(SECONDS)]
    return [*tones[:3], ("broken", b"no audio"), *tones[3:]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "masked-mean-std, layer 1, chunk"])
def test_a_batch_gives_the_vectors_of_one_by_one(family, pooling, tmp_path, encoders_folder, recordings, demo):
    torch.manual_seed(3)
    encoder = resolve_encoder(str(CHECKPOINTS[family](tmp_path / family, encoders_folder)))
    alone = SpeechJob(encoder, pooling, demo.spec.audio)
    together = SpeechJob(encoder, pooling, demo.spec.audio, batch_size=4)
    found = dict(encode_in_batches(together, recordings, workers=1))
    assert list(found) == [name for name, _ in recordings]
    assert found.pop("broken") is None
    for name, data in recordings:
        if name in found:
            np.testing.assert_allclose(found[name], alone.vector(data), atol=2e-5)


def test_batches_hold_recordings_of_about_one_length_and_never_padding_that_counts(demo, tmp_path, encoders_folder):
    def sizes(family, limit):
        encoder = load_speech_encoder(resolve_encoder(str(CHECKPOINTS[family](tmp_path / family, encoders_folder))))
        waveforms = [np.zeros(int(RATE * seconds), np.float32) + 0.1 for seconds in (3, 1, 2, 1, 1)]
        windows = [Window(encoder.extractor.features(waveform, RATE)) for waveform in waveforms]
        return [[length_of(window.features) for window in batch] for batch in batches(windows, limit, encoder)]

    class Window:
        def __init__(self, features):
            self.features = features

    assert sizes("wav2vec2", 2) == [[RATE, RATE], [RATE], [2 * RATE], [3 * RATE]]  # no mask: never padded
    assert list(map(len, sizes("wav2vec2-bert", 2))) == [2, 2, 1]
    assert list(map(len, sizes("seamless_m4t", 2))) == [2, 1, 1, 1]  # its adapter would read the padding
    assert list(map(len, sizes("whisper", 4))) == [4, 1]


def test_workers_prepare_ahead_and_change_nothing(encoders_folder, recordings, demo):
    job = SpeechJob(resolve_encoder(str(encoders_folder / "tiny" / "whisper")), "mean", demo.spec.audio, batch_size=2)
    here, there = (dict(encode_in_batches(job, recordings, workers)) for workers in (1, 2))
    assert here.keys() == there.keys()
    for name, vector in here.items():
        np.testing.assert_array_equal(vector, there[name])


def test_texts_in_batches(encoders_folder, tmp_path):
    encoder = resolve_encoder(str(encoders_folder / "tiny" / "sentences"))
    texts = [("a", "ezi okwu"), ("b", "nri"), ("c", "ezi okwu"), ("d", "ụlọ akwụkwọ anyị"), ("e", "mmiri")]
    advanced = []
    found = [
        encode_texts(SentenceJob(encoder, "query: ", batch_size=size), texts, tmp_path / f"{size}.sqlite", done)
        for size, done in ((1, advanced.append), (3, lambda _: None))
    ]
    assert sum(advanced) == len(texts)
    for name, _ in texts:
        np.testing.assert_allclose(found[0][name], found[1][name], atol=1e-6)
    np.testing.assert_array_equal(found[0]["a"], found[0]["c"])


def test_texts_that_give_no_number_are_named_and_the_others_are_kept(tmp_path):
    class Job:
        batch_size = 2
        calls: ClassVar = []

        def key(self, text):
            return text

        def vectors(self, texts):
            self.calls.append(texts)
            return np.array([[np.nan if text == "bad" else 1.0] for text in texts], np.float32)

    texts = [("z", "bad"), ("a", "bad"), ("b", "good")]
    for _ in range(2):
        with pytest.raises(ProblemsFound) as caught:
            encode_texts(Job(), texts, tmp_path / "c.sqlite", lambda _: None)
        assert [(item.code, item.where) for item in caught.value.problems] == [
            ("encoder.output", "a"),
            ("encoder.output", "z"),
        ]
    assert Job.calls == [["bad", "good"]]


def test_what_is_encoded_together_is_never_taken_for_what_was_encoded_alone(encoders_folder, demo):
    encoder = resolve_encoder(str(encoders_folder / "tiny" / "whisper"))
    jobs = [
        SpeechJob(encoder, "mean", demo.spec.audio, device, size)
        for device, size in (("cpu", 1), ("cpu", 2), ("cuda:0", 2), ("mps", 1))
    ]
    assert len({job.key("0" * 64) for job in jobs}) == len(jobs)
    assert jobs[2].key("0") == SpeechJob(encoder, "mean", demo.spec.audio, "cuda:1", 8).key("0")
    text = resolve_encoder(str(encoders_folder / "tiny" / "sentences"))
    assert SentenceJob(text).key("x") != SentenceJob(text, batch_size=2).key("x")


def test_the_command_takes_a_batch_size_and_names_devices_that_are_there(
    corpus_folder, encoders_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(encoders_folder)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    models = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
    build = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "5", "--with-audio"]
    assert run([*build, *models, "--workers", "1", "--out", str(tmp_path / "release")]) == 0
    encode = ["encode", *models, "--release", str(tmp_path / "release"), "--workers", "1"]
    assert run([*encode, "--batch-size", "4", "--out", str(tmp_path / "submission")]) == 0
    assert "Speech: 15 recordings" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert run([*encode, "--device", "cuda", "--out", str(tmp_path / "other")]) == 2
    err = capsys.readouterr().err
    assert "--device" in err
    assert "one of auto, cpu, what torch finds on this machine" in err


def test_every_process_of_a_machine_gets_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert devices.choose_device("auto") == devices.choose_device("cuda") == "cuda:0"
    assert devices.choose_device("cpu") == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert devices.choose_device("auto") == "cuda:1"
    assert [devices.batch_size_on(name) for name in ("cpu", "cuda:0", "mps")] == [1, 16, 16]
    assert devices.batch_size_on("cuda:0", 4) == 4


def test_a_batched_run_is_kept_recording_by_recording(encoders_folder, recordings, demo, tmp_path):
    job = SpeechJob(resolve_encoder(str(encoders_folder / "tiny" / "whisper")), "mean", demo.spec.audio, batch_size=2)
    whole = [item for item in recordings if item[0] != "broken"]
    first, second = {}, {}
    each_recording(job, whole[:3], tmp_path / "c.sqlite", first.__setitem__, lambda _: None, workers=1)
    load_speech_encoder.cache_clear()
    each_recording(job, whole, tmp_path / "c.sqlite", second.__setitem__, lambda _: None, workers=1)
    assert len(second) == len(whole)
    for name, vector in first.items():
        np.testing.assert_array_equal(vector, second[name])
