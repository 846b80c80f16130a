"""`build` and `encode`, end to end on a small corpus: every record is kept or counted, and the release is whole."""

from __future__ import annotations

import json
import shutil

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_corpus
from igbo_align.cli.app import run

BUILD = ["build", "--config", "ibo", "--per-bucket", "15", "--workers", "1"]


@pytest.fixture(scope="module")
def in_encoders_folder(encoders_folder):
    """Run in the folder of the encoders, so that `tiny/whisper` is both a path and an id, with an empty cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(encoders_folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(encoders_folder / "cache"))
        yield encoders_folder


ENCODERS = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]


@pytest.fixture(scope="module")
def built(in_encoders_folder, corpus_folder):
    """A release of 45 pairs with audio, and where it is."""
    out = in_encoders_folder / "release"
    assert run([*BUILD, *ENCODERS, "--source", str(corpus_folder), "--out", str(out), "--with-audio"]) == 0
    return out


def test_every_record_is_kept_or_counted(built):
    manifest = json.loads((built / "manifest.json").read_text())
    profile = manifest["profile"]
    assert profile["excluded"] == small_corpus.BAD_RECORDS
    assert profile["records"] == profile["kept"] + sum(profile["excluded"].values()) == 71
    assert manifest["excluded_ids"]["undecodable audio"] == ["ibo_0900", "ibo_0901"]
    assert profile["repeated_transcripts"] >= 6
    assert 0 < profile["share_with_tone_marks"] < profile["share_with_dotted_letters"] <= 1
    assert profile["speakers"] == {f"speaker-{i}": 15 for i in range(4)}


def test_release_is_balanced_split_by_group_and_loads(built):
    release = ia.load_release(built)
    assert len(release.ids) == 45
    buckets, counts = np.unique(release.column("duration_bucket").astype(str), return_counts=True)
    assert dict(zip(buckets, counts, strict=True)) == {"long": 15, "medium": 15, "short": 15}
    assert release.is_test.sum() == 9
    assert not set(release.groups[release.is_test]) & set(release.groups[~release.is_test])
    texts = release.column("text").tolist()
    assert len(set(texts)) == release.groups.max() + 1
    assert all(text == text.lower() for text in texts)
    assert release.embeddings("speech").shape == release.embeddings("text").shape == (45, 16)
    assert release.encoder_slugs("speech") == ["tiny__whisper"]
    np.testing.assert_allclose(np.linalg.norm(release.embeddings("speech"), axis=1), 1, rtol=1e-6)


def test_files_are_those_of_the_manifest(built):
    manifest = json.loads((built / "manifest.json").read_text())
    files = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert {"audio/train.parquet", "pools/hard/text_to_speech.parquet", "README.md"} <= files
    assert manifest["encoders"]["speech"]["id"] == "tiny/whisper"
    assert manifest["encoders"]["speech"]["revision"].startswith("sha256:")


def test_the_same_command_gives_the_same_bytes_with_another_number_of_workers(
    built, in_encoders_folder, corpus_folder, monkeypatch
):
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(in_encoders_folder / "other-cache"))
    out = in_encoders_folder / "again"
    command = [*BUILD, *ENCODERS, "--source", str(corpus_folder), "--out", str(out), "--with-audio", "--workers", "1"]
    assert run(command) == 0
    for path in built.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (out / path.relative_to(built)).read_bytes(), path.name


def test_existing_release_is_never_overwritten(built, corpus_folder, capsys):
    assert run([*BUILD, *ENCODERS, "--source", str(corpus_folder), "--out", str(built)]) == 1
    assert "folder.exists" in capsys.readouterr().err


def test_unexpected_counts_are_said_loudly(in_encoders_folder, corpus_folder, tmp_path, capsys):
    spec = ia.load_spec("waxal-igbo").model_dump(mode="json")
    spec["sample"]["per_bucket"] = 15
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    out = tmp_path / "release"
    command = [
        "build",
        *ENCODERS,
        "--source",
        str(corpus_folder),
        "--out",
        str(out),
        "--spec",
        str(tmp_path / "spec.json"),
        "--workers",
        "1",
    ]
    assert run(command) == 0
    err = capsys.readouterr().err
    assert "UNEXPECTED: the specification counts 1911 records, this source has 71." in err
    assert "UNEXPECTED: the specification counts 1343 kept, this source has 60." in err
    assert "UNEXPECTED: the specification counts 8 speakers, this source has 4." in err
    unmet = json.loads((out / "manifest.json").read_text())["unmet_expectations"]
    assert [item["name"] for item in unmet] == ["records", "kept", "speakers"]


def test_encode_gives_the_vectors_of_the_release(built, in_encoders_folder, tmp_path):
    out = tmp_path / "submission"
    assert run(["encode", *ENCODERS, "--workers", "1", "--release", str(built), "--out", str(out)]) == 0
    release, submission = ia.load_release(built), ia.load_submission(out)
    np.testing.assert_array_equal(submission.content.speech, release.embeddings("speech"))
    np.testing.assert_array_equal(submission.content.text, release.embeddings("text"))
    assert submission.card.folder() == "local__whisper-sentences/1"
    assert run(["validate", str(out), "--release", str(built)]) == 0


def test_texts_without_diacritics_are_a_row_of_their_own(built, in_encoders_folder, tmp_path, capsys):
    plain, stripped = tmp_path / "plain", tmp_path / "stripped"
    command = ["encode", *ENCODERS, "--workers", "1", "--release", str(built), "--out"]
    assert run([*command, str(plain)]) == 0
    assert run([*command, str(stripped), "--text-variant", "ascii"]) == 0
    before, after = ia.load_submission(plain), ia.load_submission(stripped)
    assert after.card.text_encoder.pooling == "texts ascii"
    assert after.card.folder() == "local__whisper-sentences-ascii/1"
    np.testing.assert_array_equal(before.content.speech, after.content.speech)
    texts = ia.load_release(built).column("text")
    changed = (before.content.text != after.content.text).any(axis=1)
    assert changed.any()
    assert not changed[[text.isascii() for text in texts]].any()
    assert run(["compare", str(plain), str(stripped), "--release", str(built)]) == 0
    assert run([*command, str(tmp_path / "x"), "--text-variant", "upside-down"]) == 2
    assert "one of as-is, no-tone, no-dots, ascii" in capsys.readouterr().err


def test_encode_takes_recordings_and_transcripts_from_the_source_where_the_release_has_none(
    built, in_encoders_folder, corpus_folder, tmp_path, capsys
):
    bare, out = tmp_path / "bare", tmp_path / "submission"
    command = [*BUILD, *ENCODERS, "--source", str(corpus_folder), "--out", str(bare), "--no-text"]
    assert run(command) == 0
    assert set(ia.load_release(bare).pairs.column("text").to_pylist()) == {None}
    assert ia.load_release(bare).fingerprint == ia.load_release(built).fingerprint
    capsys.readouterr()
    assert run(["encode", *ENCODERS, "--workers", "1", "--release", str(bare), "--out", str(out)]) == 1
    assert "source.missing" in capsys.readouterr().err
    command = [
        "encode",
        *ENCODERS,
        "--workers",
        "1",
        "--release",
        str(bare),
        "--out",
        str(out),
        "--source",
        str(corpus_folder),
    ]
    assert run([*command, "--pooling", "masked-mean-std", "--prompt", "query: "]) == 1
    assert "array.dim_mismatch" in capsys.readouterr().err
    assert not out.exists()


def test_encode_refuses_recordings_that_are_not_those_of_the_release(built, corpus_folder, tmp_path, capsys):
    other = tmp_path / "corpus"
    records = small_corpus.good_records()
    records[3]["audio"]["bytes"] = small_corpus.tone_mp3(0.66, 999)
    small_corpus.write_shard(other / "ibo-train-00000-of-00001.parquet", records)
    command = [
        "encode",
        *ENCODERS,
        "--workers",
        "1",
        "--release",
        str(built),
        "--out",
        str(tmp_path / "s"),
        "--source",
        str(other),
    ]
    code = run(command)
    in_release = "ibo_0003" in ia.load_release(built).ids
    assert code == (1 if in_release else 0)
    if in_release:
        assert "no recording with the right bytes for 1 of 45 pairs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        (lambda t: t.drop_columns(["text"]), "source.column", "no column text"),
        (lambda t: t.set_column(2, "text", pa.array(range(len(t)))), "source.column", "a column of type"),
        (lambda t: t.set_column(5, "audio", pa.array(["x"] * len(t))), "source.column", "a column of type"),
    ],
    ids=["absent column", "wrong type of text", "wrong type of audio"],
)
def test_wrong_columns_are_named(change, code, text, corpus_folder, tmp_path, capsys, in_encoders_folder):
    shard = next(corpus_folder.rglob("ibo-test-*.parquet"))
    pq.write_table(change(pq.read_table(shard)), tmp_path / "ibo-test-00000-of-00001.parquet")
    assert run([*BUILD, *ENCODERS, "--source", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    err = capsys.readouterr().err
    assert code in err
    assert text in err
    assert "Traceback" not in err


def test_damaged_shard_too_few_records_and_missing_folder_are_problems(
    corpus_folder, tmp_path, capsys, in_encoders_folder
):
    broken = tmp_path / "broken"
    shutil.copytree(corpus_folder, broken)
    shard = next(broken.rglob("ibo-validation-*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-100])
    cases = {
        ("--source", str(broken), "--per-bucket", "15"): "source.unreadable",
        ("--source", str(corpus_folder), "--per-bucket", "21"): "source.too_few",
        ("--source", str(tmp_path / "nowhere"), "--per-bucket", "15"): "source.missing",
        ("--source", "google/WaxalNLP", "--revision", "main", "--per-bucket", "15"): "source.revision",
    }
    for arguments, code in cases.items():
        expected = 1
        assert run(["build", "--config", "ibo", *ENCODERS, *arguments, "--out", str(tmp_path / "out")]) == expected
        assert code in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_source_without_a_usable_record_says_what_was_wrong_with_each(in_encoders_folder, tmp_path, capsys):
    silent = [small_corpus.record(number, "ezi okwu", None) for number in range(3)]
    for records, reasons in (
        ([*silent, small_corpus.record(9, "", small_corpus.tone_mp3(1.0, 300))], "4 (1 empty text, 3 no audio)"),
        ([], "0 (none at all)"),
    ):
        small_corpus.write_shard(tmp_path / "corpus" / "ibo-train-00000-of-00001.parquet", records)
        assert run([*BUILD, *ENCODERS, "--source", str(tmp_path / "corpus"), "--out", str(tmp_path / "out")]) == 1
        assert (
            f"source.too_few --source found no usable record among {reasons} "
            "expected recordings with transcripts mend Check the source."
        ) in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_unknown_encoders_are_problems(corpus_folder, tmp_path, capsys, in_encoders_folder):
    command = [*BUILD, "--source", str(corpus_folder), "--out", str(tmp_path / "out")]
    assert run([*command, "--speech-encoder", "./nowhere", "--text-encoder", "tiny/sentences"]) == 1
    assert "no folder of this name" in capsys.readouterr().err
    assert run([*command, "--speech-encoder", "tiny/bert", "--text-encoder", "tiny/sentences"]) == 1
    assert "a model of type bert" in capsys.readouterr().err


def test_datasets_loads_every_config_of_a_release(built):
    import datasets

    pairs = datasets.load_dataset(str(built), "pairs", split="test")
    assert len(pairs) == 9
    vectors = datasets.load_dataset(str(built), "speech_tiny__whisper", split="train").with_format("numpy")
    assert vectors["embedding"][:].shape == (36, 16)
    pools = datasets.load_dataset(str(built), "pools_paper")
    assert set(pools) == {"speech_to_text", "text_to_speech"}
