"""Every layout of a corpus, one or several in a release, from the command to the release."""

from __future__ import annotations

import json
import shutil
import sys

import corpora
import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import FEW, SENTENCES, N, tone
from igbo_align.cli.app import run
from igbo_align.corpus.audio_table import write_audio
from igbo_align.corpus.source import open_corpus
from igbo_align.diagnostics.slices import members_of
from igbo_align.pipeline.recordings import _stored_recordings
from igbo_align.protocol.address import parse_address, parse_addresses

pytest.importorskip("torch")
ENCODERS = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]


@pytest.fixture(scope="module")
def here(encoders_folder, tmp_path_factory):
    """A folder with the encoders, to run in; one cache of vectors for the module."""
    folder = tmp_path_factory.mktemp("corpora")
    shutil.copytree(encoders_folder / "tiny", folder / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def build(here):
    """Build a release of sources with options; returns it."""

    def make(name, *options):
        assert run(["build", *FEW, *ENCODERS, "--out", str(here / name), *options]) == 0
        return ia.load_release(here / name)

    return make


def records_of(*sources, spec="custom"):
    """All records of sources by id."""
    corpus = open_corpus(parse_addresses([str(source) for source in sources]), ia.load_spec(spec))
    return {record.id: record for record in corpus.records()}


def refusal(source, capsys, *options):
    """What a build of a source says when it is refused."""
    assert run(["build", *FEW, *ENCODERS, "--source", str(source), "--out", "refused", *options]) == 1
    return said(capsys)


def said(capsys):
    """What was printed on stderr, in one line."""
    return " ".join(capsys.readouterr().err.split())


def test_fleurs_every_shard_is_read_and_ids_are_of_recordings(build, here):
    source = corpora.write_fleurs(here / "fleurs")
    release = build("fleurs-release", "--source", f"{source}#ig_ng", "--spec", "fleurs-igbo", "--with-audio")
    profile = release.manifest["profile"]
    assert (profile["records"], profile["kept"], profile["excluded"]) == (N, N, {})
    assert profile["splits"] == {"test": 5, "train": 10, "validation": 3}
    assert profile["genders"] == {"female": 9, "male": 9}
    assert profile["repeated_transcripts"] == N - len(SENTENCES)
    assert set(release.ids) <= {str(1000 + number) for number in range(N)}
    assert set(release.column("locale")) == {"ig_ng"}
    assert set(release.column("speaker_id")) == {""}
    # "Ada", "Eze" stand behind the first word of the raw transcript; the transcript itself has no capital left.
    assert set(release.column("n_capitalised")) == {2}
    assert not any("," in text for text in release.column("text"))
    groups = {}
    for name, group in zip(release.ids, release.groups, strict=True):
        groups.setdefault((int(name) - 1000) % len(SENTENCES), set()).add(int(group))
    assert all(len(held) == 1 for held in groups.values())
    assert not set(release.groups[release.is_test]) & set(release.groups[~release.is_test])
    paths = [row["path"] for row in pq.read_table(release.folder / "audio/test.parquet")["audio"].to_pylist()]
    assert all(path.endswith(".wav") for path in paths)
    assert len(release.manifest["source"]["files"]) == 9


def test_waxal_asr(build, here):
    source = corpora.write_waxal(here / "waxal")
    release = build("asr", "--source", str(source), "--config", "ach_asr")
    assert release.spec.name == "custom"
    assert release.manifest["profile"]["splits"] == {"test": 4, "train": 12, "validation": 2}
    assert set(release.column("locale")) == {"ach"}
    assert release.manifest["profile"]["speakers"] == {"s0": 6, "s1": 6, "s2": 6}
    assert set(release.ids) <= {f"ach_{number:03d}" for number in range(N)}


def test_two_kinds_of_one_language_have_to_be_told_apart(here, capsys):
    source = corpora.write_waxal(corpora.write_waxal(here / "both", "ASR"), "TTS")
    err = refusal(source, capsys)
    assert "found shards of 2 configs: 'ach_asr', 'ach_tts' expected files such as" in err
    assert "Name the config with --config." in err
    assert "of one config, here 'ach' mend" in refusal(f"{source}#ach", capsys)
    assert set(records_of(f"{source}#ach_tts")) == {f"ach_{number:03d}" for number in range(N)}
    assert "here 'lug_tts'" in refusal(f"{source}#lug_tts", capsys)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("at_root", [False, True], ids=["a table in each folder", "one table"])
def test_audiofolder(kind, at_root, build, here):
    name = f"{kind}-{at_root}"
    source = corpora.write_audiofolder(here / name, kind, at_root)
    release = build(f"release-{name}", "--source", str(source), "--with-audio")
    profile = release.manifest["profile"]
    assert (profile["records"], profile["kept"]) == (N, N)
    assert profile["splits"] == {"test": 4, "train": 14}
    assert profile["speakers"] == {"007": N}
    assert set(release.ids) <= {f"{'test' if i >= 14 else 'train'}/clips/a{i}.flac" for i in range(N)}
    audio = pa.concat_tables([pq.read_table(release.folder / "audio" / f"{s}.parquet") for s in ("train", "test")])
    assert audio["id"].to_pylist() == release.ids
    for row in audio.to_pylist():
        assert row["audio"]["bytes"] == tone(int(row["id"].rpartition("/a")[2].removesuffix(".flac")))
        assert row["audio"]["path"] == row["id"]


def test_metadata_is_text_and_nothing_outside_the_folder_is_read(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "secret.flac").write_bytes(tone(1))
    (folder / "own.flac").write_bytes(tone(2))
    (folder / "link.flac").symlink_to(tmp_path / "secret.flac")
    files = {"001": "own.flac", "2": "../secret.flac", "3": str(tmp_path / "secret.flac"), "4": "link.flac", "5": "no"}
    rows = [{"file_name": file, "text": "NA", "id": name} for name, file in files.items()]
    corpora.write_metadata(folder / "metadata.csv", rows)
    records = records_of(folder)
    assert set(records) == set(files)
    assert {record.text for record in records.values()} == {"NA"}
    assert records["001"].audio == tone(2)
    assert [records[name].audio for name in ("2", "3", "4", "5")] == [None] * 4


def test_a_config_is_a_folder_of_its_own_and_may_be_a_link(tmp_path):
    corpora.write_audiofolder(tmp_path / "elsewhere")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "mine").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    records = records_of(f"{tmp_path / 'source'}#mine")
    assert records["train/clips/a0.flac"].audio == tone(0)
    assert records["test/clips/a17.flac"].source_split == "test"


def test_any_parquet_files(build, here):
    source = corpora.write_parquet(here / "plain[1]")  # the name is no pattern
    release = build("plain", "--source", str(source))
    assert set(release.ids) <= {f"take{number}" for number in range(N)}
    assert release.manifest["profile"]["splits"] == {"train": N}
    assert set(release.column("gender")) == set(release.column("locale")) == {""}


def test_parquet_ids_may_be_numbers_and_bad_ones_are_counted(build, here):
    ids = [*range(N - 2), 3, None]
    source = corpora.write_parquet(here / "numbers", id=ids, gender=["m"] * N, locale=["ig"] * N, speaker_id=[7] * N)
    release = build("numbered", "--source", str(source))
    assert release.manifest["profile"]["excluded"] == {"invalid id": 1, "repeated id": 1}
    assert set(release.ids) <= {str(number) for number in range(N - 2)}
    assert set(release.column("speaker_id")) == {"7"}


def test_recordings_without_a_name_are_counted(tmp_path):
    source = corpora.write_parquet(tmp_path, audio=[{"bytes": tone(i), "path": None} for i in range(N)])
    assert set(records_of(source)) == {None}


def test_splits_are_those_that_datasets_infers(tmp_path):
    corpora.write_parquet(tmp_path / "data", "train.parquet")
    corpora.write_parquet(tmp_path / "data", "dev.parquet", id=[f"dev{i}" for i in range(N)])
    assert {record.source_split for record in records_of(tmp_path).values()} == {"train", "validation"}


@pytest.fixture
def train_alone():
    """A specification that wants the train split alone."""
    spec = ia.load_spec("custom")
    return spec.model_copy(update={"source": spec.source.model_copy(update={"splits": ("train",)})})


def test_splits_that_a_specification_does_not_want_are_left_alone(train_alone, tmp_path):
    corpora.write_audiofolder(tmp_path / "metadata", at_root=True)
    corpora.write_parquet(tmp_path / "tables", "train.parquet")
    corpora.write_parquet(tmp_path / "tables", "test.parquet", id=[f"test{i}" for i in range(N)])
    (tmp_path / "tables" / "train.txt").write_text("notes")
    found = {
        name: [
            record.source_split for record in open_corpus([parse_address(str(tmp_path / name))], train_alone).records()
        ]
        for name in ("metadata", "tables")
    }
    assert found == {"metadata": ["train"] * 14, "tables": ["train"] * N}


def problem_of(address, spec):
    """Why a source is not opened."""
    with pytest.raises(ia.ProblemsFound) as caught:
        open_corpus([parse_address(address)], spec)
    (problem,) = caught.value.problems
    return vars(problem)


def test_a_dataset_of_other_splits_names_those_it_has(train_alone, monkeypatch):
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: {"validated": None, "other": None})
    assert problem_of(f"org/name@{'0' * 40}", train_alone) == {
        "code": "source.missing",
        "where": "org/name",
        "found": "only the splits 'other', 'validated'",
        "expected": "one of train",
        "mend": "Name the splits to read in a specification, and it with --spec.",
    }


def test_a_known_dataset_of_many_configs_needs_one():
    assert problem_of("google/fleurs", ia.load_spec("custom")) == {
        "code": "source.missing",
        "where": "--config",
        "found": "no config",
        "expected": "one of google/fleurs, such as ig_ng",
        "mend": "Name it: --source org/name#config.",
    }


def test_without_datasets_the_extra_is_named(tmp_path, monkeypatch):
    corpora.write_parquet(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert problem_of(str(tmp_path), ia.load_spec("custom")) == {
        "code": "environment.extra",
        "where": "datasets",
        "found": "no datasets",
        "expected": "the extra `build`",
        "mend": "Install it: pip install 'igbo-align[build]'.",
    }


def test_columns_that_fit_no_layout_are_told_what_each_would_need(tmp_path, capsys, here):
    source = corpora.write_parquet(tmp_path, sentence=None, caption=["x"] * N)
    assert (
        "no column text or transcription or sentence or transcript among 'audio', 'caption' expected the columns of "
        "one layout: WAXAL TTS (id, speaker_id, text, locale, gender, audio); WAXAL ASR (id, speaker_id, "
        "transcription, language, gender, audio); FLEURS (transcription, lang_id, gender, audio); audiofolder "
        "(file_name, text or transcription or sentence or transcript); parquet (audio, text or transcription or "
        "sentence or transcript) mend Rename the columns, or choose a config that has them."
    ) in refusal(source, capsys)


def test_folders_without_a_corpus_or_with_several_are_named(tmp_path, capsys, here):
    (tmp_path / "empty").mkdir()
    assert "found no parquet shards expected parquet files" in refusal(tmp_path / "empty", capsys)
    corpora.write_fleurs(corpora.write_fleurs(tmp_path / "two", "ig_ng", 1), "yo_ng", 1)
    assert "found folders of 2 configs: 'ig_ng', 'yo_ng'" in refusal(tmp_path / "two", capsys)
    assert "a folder 'ha_ng' inside the source" in refusal(f"{tmp_path / 'two'}#ha_ng", capsys)


@pytest.fixture(scope="module")
def two(here):
    """Two corpora whose ids and recordings collide."""
    return (
        corpora.write_waxal(here / "Two WAXAL", "TTS", "ibo"),
        corpora.write_parquet(here / "mine", id=[f"ibo_{number:03d}" for number in range(N)]),
    )


@pytest.fixture(scope="module")
def joined(two, build):
    """A release of both."""
    return build("joined", "--source", f"{two[0]}#ibo", "--source", str(two[1]), "--per-bucket", "10")


def test_two_sources_in_one_release(joined, two):
    profile = joined.manifest["profile"]
    assert (profile["records"], profile["excluded"]) == (2 * N, {})
    assert profile["sources"] == {"mine": N, "two-waxal": N}
    sources = joined.column("source")
    assert set(sources) == {"mine", "two-waxal"}
    assert all(name.startswith(f"{source}:ibo_") for name, source in zip(joined.ids, sources, strict=True))
    assert "source" not in joined.manifest
    held = joined.manifest["sources"]
    assert [(item["name"], item["dataset"]) for item in held] == [("two-waxal", "Two WAXAL"), ("mine", "mine")]
    assert all(item["revision"].startswith("sha256:") for item in held)
    slices = {(item.kind, item.name): item.chosen for item in members_of(joined)}
    np.testing.assert_array_equal(slices["source", "mine"], sources == "mine")


def test_two_sources_are_encoded_and_verified(joined, two, here, capsys):
    order = ["--source", f"{two[0]}#ibo", "--source", str(two[1])]
    command = ["encode", *ENCODERS, "--workers", "1", "--release", str(joined.folder)]
    assert run([*command, *order, "--out", "encoded"]) == 0
    submission = ia.load_submission(here / "encoded")
    np.testing.assert_array_equal(submission.content.speech, joined.embeddings("speech"))
    np.testing.assert_array_equal(submission.content.text, joined.embeddings("text"))
    own = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences", "--sample", "3", "--workers", "1"]
    assert run(["verify", "encoded", "--release", str(joined.folder), *order, *own]) == 0
    assert "Verified" in capsys.readouterr().out
    assert run([*command, *order[:2], "--out", "half"]) == 2
    assert "found 1 sources expected 2: two-waxal, mine mend Repeat --source" in said(capsys)
    assert run([*command, *order[2:], *order[:2], "--out", "swapped"]) == 1
    assert "no recording with the right bytes" in said(capsys)


def test_a_release_of_one_source_has_no_column_of_sources(build, two):
    release = build("alone", "--source", str(two[1]))
    assert "source" not in release.pairs.column_names
    assert not any(item.kind == "source" for item in members_of(release))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--source", "a/b", "--source", "c/d", "--config", "x"], "found --config with 2 sources"),
        (["--source", "a/b", "--source", "c/d", "--revision", "x"], "found --revision with 2 sources"),
        (["--source", "a/b#x", "--config", "y"], "found 'y', where --source says 'x'"),
        ([], "found no source"),
        (["--source", "a/b", "--spec", "igbo-speech"], "expected 2: google/WaxalNLP ibo_tts, google/fleurs ig_ng"),
        (["--source", "a/b", "--source", "c/d", "--spec", "waxal-igbo"], "expected 1: google/WaxalNLP ibo_tts"),
    ],
)
def test_sources_that_make_no_sense_are_wrong_usage(options, text, capsys, here):
    assert run(["build", *FEW, *ENCODERS, "--out", "nonsense", *options]) == 2
    assert text in said(capsys)


def test_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd@name#x").mkdir()
    read = [
        parse_address(text)
        for text in ("org/name", "org/name@rev", "org/name#c", "org/name@rev#c", "odd@name#x", ".#c")
    ]
    assert [(item.place, item.config, item.revision) for item in read] == [
        ("org/name", None, None),
        ("org/name", None, "rev"),
        ("org/name", "c", None),
        ("org/name", "c", "rev"),
        ("odd@name#x", None, None),
        (".", "c", None),
    ]


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["google/WaxalNLP#ibo_tts", "google/fleurs#ig_ng"], ["waxalnlp", "fleurs"]),
        (["google/fleurs#ig_ng", "google/fleurs#yo_ng"], ["ig_ng", "yo_ng"]),
        (["a/Fleurs", "b/fleurs"], ["fleurs-1", "fleurs-2"]),
        (["a/ụ", "b/x: y"], ["source", "x-y"]),
        (["a/" + "x" * 40, "b/" + "x" * 40], ["x" * 21 + "-1", "x" * 21 + "-2"]),
    ],
)
def test_names_of_sources_are_short_printable_and_different(sources, names):
    from igbo_align.protocol.address import source_names

    assert source_names(parse_addresses(sources)) == names


def test_recordings_are_written_in_the_order_of_the_pairs_in_bounded_groups(tmp_path, monkeypatch):
    ids = [f"r{number}" for number in range(N)]
    pairs = pa.table({"id": ids, "split": ["train"] * 15 + ["test"] * 3})
    recordings = [(name, tone(number)) for number, name in enumerate(ids)]
    write_audio(tmp_path / "whole", pairs, recordings[::-1])
    limit = 4 * max(len(data) for _, data in recordings)
    monkeypatch.setattr("igbo_align.corpus.audio_table._GROUP_BYTES", limit)
    write_audio(tmp_path / "parts", pairs, recordings[::2] + recordings[1::2])
    for split, expected in (("train", ids[:15]), ("test", ids[15:])):
        whole, parts = (pq.ParquetFile(tmp_path / name / f"{split}.parquet") for name in ("whole", "parts"))
        assert whole.num_row_groups == 1
        assert parts.read().equals(whole.read())
        assert whole.read()["id"].to_pylist() == expected
        assert [row["bytes"] for row in whole.read()["audio"].to_pylist()] == [dict(recordings)[n] for n in expected]
        for number in range(parts.num_row_groups):
            held = parts.read_row_group(number)["audio"].to_pylist()
            assert sum(len(row["bytes"]) for row in held) <= limit
    assert pq.ParquetFile(tmp_path / "parts/train.parquet").num_row_groups == 3
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"train.parquet", "test.parquet"}
    assert json.dumps([row["path"] for row in pq.read_table(tmp_path / "whole/test.parquet")["audio"].to_pylist()]) == (
        '["r15.flac", "r16.flac", "r17.flac"]'
    )


@pytest.mark.parametrize("rows_a_group", [8, 160], ids=["many row groups", "one row group"])
def test_reading_holds_a_few_recordings_at_a_time(rows_a_group, tmp_path):
    """Twenty mebibytes that cannot be compressed, from a source and from the recordings of a release."""
    generator, one = np.random.default_rng(1), 2**17
    audio = [{"bytes": generator.bytes(one), "path": f"{number}.mp3"} for number in range(160)]
    table = pa.table({"id": [str(n) for n in range(160)], "text": ["x"] * 160, "audio": audio})
    (tmp_path / "audio").mkdir()
    for name in ("train", "test"):
        pq.write_table(table, tmp_path / "audio" / f"{name}.parquet", row_group_size=rows_a_group, write_batch_size=8)
    del table, audio
    readers = (
        (record.audio for record in open_corpus([parse_address(str(tmp_path))], ia.load_spec("custom")).records()),
        (data for _, data in _stored_recordings(tmp_path / "audio")),
    )
    for reader in readers:
        before, held, n = pa.total_allocated_bytes(), 0, 0
        for data in reader:
            assert len(data) == one
            held, n = max(held, pa.total_allocated_bytes() - before), n + 1
        assert n == 320
        assert held < 160 * one / 2
