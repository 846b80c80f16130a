"""The demo release, rebuilt from Debian's recordings with PyPI's encoders: same fingerprint, same vectors.

Both are fetched once and cached. Without a network the tests are skipped with the reason; in CI they fail instead.
"""

from __future__ import annotations

import io
import itertools

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.corpus.source import open_corpus
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.jobs import SpeechJob
from igbo_align.pipeline.recordings import matching_recordings
from igbo_align.protocol.address import parse_addresses

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def encoders(real_encoders):
    """Whisper tiny.en and all-MiniLM-L6-v2; the working directory is their folder, so that their ids are paths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(real_encoders)
        yield real_encoders


def test_rebuilding_the_demo_gives_the_same_fingerprint(prompts, encoders_folder, tmp_path, monkeypatch, demo):
    """Other encoders are used here: the fingerprint is over pairs and pools, not over vectors."""
    monkeypatch.chdir(encoders_folder)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    command = ["build", "--source", str(prompts), "--spec", "demo", "--no-text", "--out", str(tmp_path / "release")]
    assert (
        run([*command, "--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences", "--workers", "1"]) == 0
    )
    rebuilt = ia.load_release(tmp_path / "release")
    assert rebuilt.fingerprint == demo.fingerprint
    assert rebuilt.manifest["unmet_expectations"] == []
    assert rebuilt.manifest["profile"] == demo.manifest["profile"]


def test_the_demo_vectors_are_those_of_the_real_encoders(prompts, encoders, demo, tmp_path):
    chosen = list(range(0, 699, 70))
    corpus = open_corpus(parse_addresses(str(prompts)), demo.spec)
    wanted = {demo.ids[i]: demo.column("audio_sha256")[i] for i in chosen}
    job = SpeechJob(resolve_encoder("openai/whisper-tiny.en"), "mean", demo.spec.audio)
    stored = demo.embeddings("speech")
    for name, data in matching_recordings(corpus, wanted):
        vector = job.vector(data)
        assert float(vector @ stored[demo.ids.index(name)]) == pytest.approx(1, abs=1e-6)
    manifest = demo.manifest["encoders"]["speech"]
    assert (manifest["id"], manifest["pooling"]) == ("openai/whisper-tiny.en", "mean")


def test_encode_with_real_encoders_is_the_zero_shot_row(prompts, encoders, demo, tmp_path, monkeypatch):
    """The text side alone, with real weights and real transcripts: the release's own vectors."""
    from igbo_align.encoders.encoding import encode_texts
    from igbo_align.encoders.text_jobs import SentenceJob
    from igbo_align.pipeline.recordings import release_texts

    texts = release_texts(demo, str(prompts))[::50]
    identity = resolve_encoder("sentence-transformers/all-MiniLM-L6-v2")
    vectors = encode_texts(SentenceJob(identity), texts, tmp_path / "vectors.sqlite", lambda _: None)
    stored = dict(zip(demo.ids, demo.embeddings("text"), strict=True))
    for name, vector in vectors.items():
        assert float(np.dot(vector, stored[name])) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("model", "dimensions"), [("whisper-tiny.en", 384), ("whisper-base", 512)])
def test_real_weights_give_what_a_plain_loop_of_transformers_gives(model, dimensions, prompts, real_whispers, demo):
    """One clip at a time: librosa decodes, then features, encoder in float32, mean, length one."""
    import librosa
    import torch
    from transformers import WhisperFeatureExtractor, WhisperModel

    folder = real_whispers / "openai" / model
    records = open_corpus(parse_addresses(str(prompts)), demo.spec).records()
    clips = [record.audio for record in itertools.islice(records, 0, 40, 13)]
    encoder, extractor = WhisperModel.from_pretrained(folder).get_encoder().eval(), WhisperFeatureExtractor()
    for clip in clips:
        waveform, _ = librosa.load(io.BytesIO(clip), sr=16_000)
        features = extractor(
            waveform / np.abs(waveform).max(), sampling_rate=16_000, return_tensors="pt"
        ).input_features
        with torch.inference_mode():
            plain = encoder(features).last_hidden_state.mean(dim=1)[0].numpy()
        for line, least in (("mean", 0.999999), ("mean, bfloat16", 0.999)):
            vector = SpeechJob(resolve_encoder(str(folder)), line, demo.spec.audio).vector(clip)
            assert vector.shape == (dimensions,)
            assert float(vector @ plain) / np.linalg.norm(plain) >= least
