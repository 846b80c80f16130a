"""`verify`: a random sample is encoded again; honest submissions pass, replaced vectors and other encoders do not."""

from __future__ import annotations

import json
import shutil

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.encoders import encoding
from igbo_align.encoders.identity import EncoderIdentity
from igbo_align.problems import ProblemsFound
from igbo_align.scoring.verification import (
    VERIFICATION_FILE,
    catching_probability,
    draw_sample,
    is_verified,
    read_verification,
)

ENCODERS = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
SAMPLE = ["--sample", "12", "--workers", "1"]


@pytest.fixture
def in_this_process(monkeypatch):
    """Recordings are encoded here: the pool of processes has tests of its own, and takes seconds to start."""

    def encode_here(job, recordings, _cache, advance, _workers):
        vectors = {name: job.vector(data) for name, data in recordings}
        advance(len(vectors))
        return vectors

    monkeypatch.setattr("igbo_align.pipeline.verification.encode_speech", encode_here)


# --- the whole way, with two tiny encoders and a corpus of tones


@pytest.fixture(scope="module")
def there(encoders_folder, corpus_folder):
    """A release with audio and an honest submission, in the folder of the encoders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(encoders_folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(encoders_folder / "verify-cache"))
        patch.setattr(encoding, "_vectors", lambda job, todo, _: ((label, job.vector(data)) for label, data in todo))
        release, honest = encoders_folder / "verify-release", encoders_folder / "local__honest" / "1"
        build = ["build", "--per-bucket", "15", "--source", str(corpus_folder), "--out", str(release), "--with-audio"]
        assert run([*build, *ENCODERS]) == 0
        assert run(["encode", *ENCODERS, "--release", str(release), "--out", str(honest), "--name", "honest"]) == 0
        patch.undo()
        patch.chdir(encoders_folder)
        yield encoders_folder


@pytest.fixture
def honest(there, tmp_path):
    folder = tmp_path / "local__honest" / "1"
    shutil.copytree(there / "local__honest" / "1", folder)
    return folder


def verified(there, folder, *options):
    return run(["verify", str(folder), "--release", str(there / "verify-release"), *SAMPLE, *options])


def rewritten(there, honest, name="cheat", change=None, **parts):
    """The honest submission with other vectors or another card."""
    release, submission = ia.load_release(there / "verify-release"), ia.load_submission(honest)
    speech, text = submission.content.speech.copy(), submission.content.text.copy()
    if change is not None:
        change(speech, text)
    fields = json.loads((honest / "submission.json").read_text())
    for part, values in parts.items():
        fields[part] |= values
    fields["system"]["name"] = name
    folder = honest.parent.parent / f"local__{name}" / "1"
    card = ia.Card.model_validate(fields)
    ia.write_submission(folder, card, ia.Embeddings(submission.content.ids, speech, text), release)
    return folder


def test_an_honest_submission_is_verified_and_its_row_says_so(there, honest, capsys):
    release = ia.load_release(there / "verify-release")
    scores = ia.score(ia.load_submission(honest), release)
    assert not is_verified(honest, scores)
    assert verified(there, honest) == 0
    printed = capsys.readouterr().out
    assert "speech: 12 of 12 vectors agree" in printed
    assert "text: 12 of 12 vectors agree" in printed
    assert "5% with 0." in printed
    assert "Verified" in printed
    held = read_verification(honest)
    assert held.outcome == "verified"
    assert held.embeddings_sha256 == scores.provenance["embeddings_sha256"]
    assert held.sample == draw_sample(held.embeddings_sha256, release.ids, 12)
    assert held.catches["0.05"] == pytest.approx(catching_probability(45, 12, 3), abs=1e-6)
    assert is_verified(honest, scores)
    board = ia.build_leaderboard(honest.parent.parent, release).as_json()
    assert [row["status"] for row in board["rows"]] == ["verified"]


@pytest.mark.usefixtures("in_this_process")
def test_the_receipt_as_json_and_again_with_a_salt(there, honest, capsys):
    assert verified(there, honest, "--json", "--salt", "0123abcd") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((honest / VERIFICATION_FILE).read_text())
    assert told["salt"] == "0123abcd"
    assert told["sample"] != draw_sample(told["embeddings_sha256"], ia.load_release(there / "verify-release").ids, 12)


@pytest.mark.usefixtures("in_this_process")
def test_replaced_vectors_are_rejected(there, honest, capsys):
    def replace(speech, text):
        speech[::3] = text[::3]

    cheat = rewritten(there, honest, change=replace)
    assert verified(there, cheat) == 1
    printed = capsys.readouterr()
    assert "Rejected" in printed.out
    assert "verify.mismatch" in printed.err
    held = read_verification(cheat)
    assert held.outcome == "rejected"
    assert held.sides["text"].state == "agrees"
    release = ia.load_release(there / "verify-release")
    assert not is_verified(cheat, ia.score(ia.load_submission(cheat), release))


@pytest.mark.usefixtures("in_this_process")
def test_swapped_rows_are_rejected(there, honest):
    def shift(speech, text):
        text[:] = np.roll(text, 1, axis=0)

    assert verified(there, rewritten(there, honest, change=shift)) == 1


@pytest.mark.usefixtures("in_this_process")
def test_a_mapped_side_is_said_to_be_unverifiable(there, honest, capsys):
    def map_speech(speech, text):
        rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((speech.shape[1],) * 2))[0]
        speech[:] = speech @ rotation

    declared = rewritten(
        there, honest, "map", map_speech, alignment={"method": "rotation", "trained_on_pairs": "train"}
    )
    assert verified(there, declared) == 0
    assert "Partly verified" in capsys.readouterr().out
    held = read_verification(declared)
    assert (held.outcome, held.sides["speech"].state, held.sides["text"].state) == (
        "partly verified",
        "mapped",
        "agrees",
    )
    release = ia.load_release(there / "verify-release")
    assert not is_verified(declared, ia.score(ia.load_submission(declared), release))
    undeclared = rewritten(there, honest, "hidden-map", map_speech)
    assert verified(there, undeclared) == 1


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize(
    ("method", "exit_code", "said"),
    [
        ("none", 1, "Rejected"),
        ("none: the encoders' vectors as they are", 1, "Rejected"),
        ("None : as they are", 1, "Rejected"),
        ("nonexistent map", 0, "Not verifiable: no vector of either side"),
    ],
)
def test_made_up_vectors_are_never_verified(method, exit_code, said, there, honest, capsys):
    def make_up(speech, text):
        stream = np.random.default_rng(1)
        speech[:], text[:] = stream.standard_normal(speech.shape), stream.standard_normal(text.shape)

    alignment = {"method": method, "trained_on_pairs": "none"}
    cheat = rewritten(there, honest, "made-up", make_up, alignment=alignment)
    assert verified(there, cheat) == exit_code
    assert said in capsys.readouterr().out
    release = ia.load_release(there / "verify-release")
    assert not is_verified(cheat, ia.score(ia.load_submission(cheat), release))


@pytest.mark.usefixtures("in_this_process")
def test_another_pooling_or_prompt_than_the_card_says(there, honest):
    assert verified(there, rewritten(there, honest, "pooled", speech_encoder={"pooling": "first"})) == 1
    assert verified(there, rewritten(there, honest, "prompted", text_encoder={"prompt": "query: "})) == 1


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"revision": "sha256:" + "0" * 64}, "verify.encoder"),
        ({"revision": None}, "verify.encoder"),
        ({"id": "../../etc"}, "verify.impossible"),
        ({"id": "an encoder of our own"}, "verify.impossible"),
        ({"id": "/etc"}, "verify.impossible"),
    ],
)
@pytest.mark.usefixtures("in_this_process")
def test_an_encoder_that_is_not_at_hand(part, code, there, honest, capsys):
    folder = rewritten(there, honest, "other", speech_encoder=part)
    assert verified(there, folder) == 1
    assert code in capsys.readouterr().err
    assert not (folder / VERIFICATION_FILE).exists()
    own_copy = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
    assert verified(there, folder, *own_copy) == 0


def test_a_commit_of_the_hub_is_what_is_loaded(monkeypatch):
    from igbo_align.pipeline import verification
    from igbo_align.submission.card import EncoderCard

    asked = []
    monkeypatch.setattr(
        verification,
        "resolve_encoder",
        lambda text: asked.append(text) or EncoderIdentity("o/m", "a" * 40, "o/m", "a" * 40),
    )
    verification._encoder(EncoderCard(id="o/m", revision="a" * 40), None, "speech_encoder")
    assert asked == [f"o/m@{'a' * 40}"]


def test_similarities_cannot_be_encoded_again(there, honest, capsys):
    release = ia.load_release(there / "verify-release")
    ids = np.array(release.ids)
    folder = honest.parent.parent / "local__matrix" / "1"
    folder.mkdir(parents=True)
    (folder / "submission.json").write_bytes((honest / "submission.json").read_bytes())
    np.savez(folder / "similarity.npz", speech_ids=ids, text_ids=ids, similarity=np.eye(len(ids), dtype=np.float32))
    assert verified(there, folder) == 1
    assert "verify.impossible" in capsys.readouterr().err


# --- receipts of other things


@pytest.mark.usefixtures("in_this_process")
def test_receipts_that_prove_nothing(there, honest):
    release = ia.load_release(there / "verify-release")
    scores = ia.score(ia.load_submission(honest), release)
    assert verified(there, honest) == 0
    good = json.loads((honest / VERIFICATION_FILE).read_text())
    assert is_verified(honest, scores)
    for change in (
        {"embeddings_sha256": "0" * 64},
        {"fingerprint": "0" * 64},
        {"outcome": "rejected"},
        {"sides": {"text": good["sides"]["text"]}},
        {"sides": good["sides"] | {"speech": good["sides"]["speech"] | {"state": "mapped"}}},
        {"schema_version": 2},
        {"extra": 1},
        {"threshold": "0.999"},
    ):
        (honest / VERIFICATION_FILE).write_text(json.dumps(good | change))
        assert not is_verified(honest, scores)
    for data in (b"", b"{", b"[]", b"\xff", b"[" * 100_000, b" " * 2**21):
        (honest / VERIFICATION_FILE).write_bytes(data)
        assert read_verification(honest) is None
    (honest / VERIFICATION_FILE).unlink()
    (honest / VERIFICATION_FILE).symlink_to("/etc/hostname")
    assert read_verification(honest) is None


@pytest.mark.usefixtures("in_this_process")
def test_a_submission_in_memory_gives_a_receipt_and_writes_none(there, honest, monkeypatch):
    from contextlib import nullcontext

    from igbo_align.pipeline.verification import VerifyRequest, mismatches, verify

    release, submission = ia.load_release(there / "verify-release"), ia.load_submission(honest)
    loose = ia.Submission(submission.card, submission.content)
    held = verify(loose, release, VerifyRequest(sample=3, workers=1), lambda *_: nullcontext(lambda _: None))
    assert held.outcome == "verified"
    assert mismatches(held) == []
    assert not (honest / VERIFICATION_FILE).exists()
    with pytest.raises(ProblemsFound, match="encoder"):
        verify(
            loose, release, VerifyRequest(sample=3, speech_encoder="no/such"), lambda *_: nullcontext(lambda _: None)
        )


# --- real recordings and real encoders


@pytest.mark.real_data
@pytest.mark.usefixtures("in_this_process")
def test_the_prompts_corpus_honest_and_with_five_percent_replaced(
    prompts, real_encoders, demo, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(real_encoders)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    encoders = demo.manifest["encoders"]
    fields = {
        "schema_version": 1,
        "system": {"name": "honest", "org": "tests", "revision": "1", "licence": "MIT"},
        "speech_encoder": {name: encoders["speech"][name] for name in ("id", "revision", "pooling")},
        "text_encoder": {name: encoders["text"][name] for name in ("id", "revision")},
        "alignment": {"method": "none", "trained_on_pairs": "none"},
        "submitter": "tests",
        "created": "2026-01-02",
        "benchmark": demo.benchmark(),
    }
    speech, text = demo.embeddings("speech"), demo.embeddings("text")
    replaced = speech.copy()
    rows = np.random.default_rng(0).choice(len(speech), 35, replace=False)
    replaced[rows] = text[rows]
    for name, vectors in (("honest", speech), ("cheat", replaced)):
        fields["system"]["name"] = name
        content = ia.Embeddings(np.array(demo.ids), vectors, text)
        ia.write_submission(tmp_path / name, ia.Card.model_validate(fields), content, demo)
    # Equal weights among other files have another hash: these copies are the verifier's own.
    copies = [f"--{side}-encoder={encoders[side]['id']}" for side in ("speech", "text")]
    command = ["verify", "--source", str(prompts), "--sample", "24", *copies]
    assert run([*command, str(tmp_path / "honest")]) == 0
    assert "speech: 24 of 24 vectors agree" in capsys.readouterr().out
    assert run([*command, str(tmp_path / "cheat")]) == 1
    printed = capsys.readouterr()
    assert f"5% with {catching_probability(699, 24, 35):.3f}" in printed.out
    assert "verify.mismatch" in printed.err
