"""Baselines that look at frames, end to end: recordings from the release or its source, frames from the cache."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import igbo_align as ia
import pytest
from igbo_align.cli.app import run
from igbo_align.encoders import worker_processes

ENCODERS = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]


@pytest.fixture(scope="module")
def built(encoders_folder, corpus_folder, tmp_path_factory):
    """A release of 45 pairs without recordings, in the folder of the encoders, with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(encoders_folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(tmp_path_factory.mktemp("cache")))
        # Starting processes takes longer than encoding 45 tones, and is tested where encoding is.
        patch.setattr(worker_processes, "ProcessPoolExecutor", lambda *_, **__: ThreadPoolExecutor(1))
        out = tmp_path_factory.mktemp("releases") / "release"
        command = [
            "build",
            "--config",
            "ibo",
            "--per-bucket",
            "15",
            "--source",
            str(corpus_folder),
            "--out",
            str(out),
            "--workers",
            "1",
        ]
        assert run([*command, *ENCODERS]) == 0
        yield out


@pytest.fixture(scope="module")
def made(built, corpus_folder, tmp_path_factory):
    """Both baselines, from the source."""
    out = tmp_path_factory.mktemp("made") / "out"
    command = ["baseline", "ridge-stats", "attentive", "--release", str(built), "--source", str(corpus_folder)]
    assert run([*command, "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(("name", "pooling"), [("ridge-stats", "masked-mean-std"), ("attentive", "frames-10hz")])
def test_the_card_says_which_encoder_and_pooling(made, built, name, pooling):
    release = ia.load_release(built)
    submission = ia.load_submission(made / f"baselines__{name}" / "1")
    assert ia.validate(submission, release) == []
    assert (submission.card.speech_encoder.id, submission.card.speech_encoder.pooling) == ("tiny/whisper", pooling)
    assert submission.card.speech_encoder.revision == release.manifest["encoders"]["speech"]["revision"]
    assert submission.card.alignment.trained_on_pairs == "train"


def test_naming_the_same_encoders_gives_the_same_vectors(made, built, corpus_folder, tmp_path):
    command = ["baseline", "ridge-stats", *ENCODERS, "--release", str(built), "--source", str(corpus_folder)]
    assert run([*command, "--out", str(tmp_path)]) == 0
    folders = [out / "baselines__ridge-stats" / "1" / "embeddings.parquet" for out in (made, tmp_path)]
    assert folders[0].read_bytes() == folders[1].read_bytes()


def test_without_recordings_they_are_left_out_with_a_message(built, tmp_path, capsys):
    assert run(["baseline", "--release", str(built), "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "Skipped ridge-stats" in captured.err
    assert "Skipped attentive" in captured.err
    assert "projection" in captured.out
    assert len(list(tmp_path.iterdir())) == 14


def test_encoders_of_unequal_dimensions_leave_out_what_compares_them(built, tmp_path, capsys, monkeypatch):
    from igbo_align.baselines import run as run_module
    from igbo_align.baselines.inputs import Inputs, Pairs

    inputs = run_module.reference_inputs(ia.load_release(built))
    wider = Pairs(inputs.pairs.speech[:, :10], inputs.pairs.text, inputs.pairs.groups)
    monkeypatch.setattr(run_module, "reference_inputs", lambda release: Inputs(release, wider))
    names = ["projection", "procrustes", "ridge", "cca"]
    assert run(["baseline", *names, "--release", str(built), "--out", str(tmp_path)]) == 0
    assert run(["baseline", "zero-shot", "--release", str(built), "--out", str(tmp_path)]) == 1
    assert "array.dim_mismatch" in capsys.readouterr().err
    card = json.loads((tmp_path / "baselines__projection" / "1" / "submission.json").read_text())
    assert card["notes"].startswith(f"fitted numbers: {10 * 16 + 16}")
