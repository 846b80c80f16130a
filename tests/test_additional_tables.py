"""What a build knows of every pair beyond the protocol: text statistics and acoustics, and what diagnostics make of them."""

from __future__ import annotations

import dataclasses
import json
import unicodedata

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_corpus
from hypothesis import given
from hypothesis import strategies as st
from igbo_align.cli.app import run
from igbo_align.corpus.audio import load_waveform
from igbo_align.corpus.text_normalisation import TEXT_VARIANTS, normalise_text, skeleton, text_statistics, text_variant
from igbo_align.corpus.text_statistics import count_syllabic_nasals, text_statistics_table
from igbo_align.diagnostics.minimal_pairs import minimal_rivals, score_minimal_pairs
from igbo_align.diagnostics.predictors import predictor_values
from igbo_align.hub.card import Publication
from igbo_align.hub.publishing import _is_part, release_files
from igbo_align.metrics.retrieval import expected_rank
from igbo_align.pipeline.acoustics import AcousticsJob, measure
from igbo_align.report.blocks import Table
from igbo_align.report.evidence import gather_alone
from igbo_align.report.sections import submission_document
from scipy import stats


@pytest.mark.parametrize(
    ("text", "nasals"),
    [
        ("mba", 1), ("nne", 1), ("mma", 1), ("mmiri", 1), ("nri", 1), ("ndị", 1), ("nkem", 2), ("ǹkem̀", 2), ("ḿbà", 1),
        ("kpamkpam", 2), ("Nnamdi", 2), ("mmadụ", 1), ("ọdụm", 1), ("mwepụ", 1), ("mgbe", 1), ("nkwụ", 1), ("nwa", 0),
        ("nwoke", 0), ("nwanyị", 0), ("anya", 0), ("anyị", 0), ("nyere m ego", 1), ("nnwa", 1), ("nnyocha", 1),
        ("maka", 0), ("amara", 0), ("ọnụ", 0), ("ezinụlọ", 0), ("Igbo", 0), ("akwụkwọ", 0), ("m", 1), ("ahụrụ m n'anya", 2),
        ("ṅụọ", 0), ("aṅụ", 0), ("ṅkịta", 1), ("n̄ụọ", 0), ("n̄dụ", 1), ("Ọ́nụ̄ Ṅụọ", 0), ("", 0), ("2 x", 0),
    ],
)  # fmt: skip
def test_syllabic_nasals_of_igbo_words_counted_by_hand(text, nasals):
    assert count_syllabic_nasals(normalise_text(text)) == nasals
    assert count_syllabic_nasals(unicodedata.normalize("NFD", normalise_text(text))) == nasals


def test_a_tone_on_a_nasal_makes_it_a_syllable_even_before_a_vowel():
    assert count_syllabic_nasals(normalise_text("ńa m̀a na ma")) == 2


def test_statistics_of_texts_by_hand():
    texts = [normalise_text(text) for text in ("Ákwá ọ́nụ̄ ṅụọ nne", "àkwà", "akwa", "ezi û ǒ", "nne")]
    table = text_statistics_table(list("abcde"), texts, "ibo").to_pydict()
    assert table == {
        "id": ["a", "b", "c", "d", "e"],
        "n_words": [4, 1, 1, 3, 1],
        "n_acute": [3, 0, 0, 0, 0],
        "n_grave": [0, 2, 0, 0, 0],
        "n_macron": [1, 0, 0, 0, 0],
        "n_contour_marks": [0, 0, 0, 2, 0],
        "n_dotted_vowels": [4, 0, 0, 0, 0],
        "n_dotted_n": [1, 0, 0, 0, 0],
        "n_syllabic_nasals": [1, 0, 0, 0, 1],
        "skeleton_group": ["s0000", "s0001", "s0001", "s0002", "s0003"],
    }
    foreign = text_statistics_table(list("abcde"), texts, "eng+ita")
    assert foreign.column("n_syllabic_nasals").null_count == 5
    assert text_statistics_table(["a"], ["nne"], "und").column("n_syllabic_nasals").to_pylist() == [1]


@given(st.text(alphabet="akwuọụịṅnm\u0300\u0301\u0302\u0304\u030c\u0323\u0307 'xy2", max_size=30))
def test_kinds_of_marks_add_up_and_no_variant_leaves_a_skeleton(text):
    normalised = normalise_text(text)
    row = text_statistics_table(["a"], [normalised], "ibo").to_pylist()[0]
    held = text_statistics(text, normalised)
    kinds = ("n_acute", "n_grave", "n_macron", "n_contour_marks")
    assert sum(row[kind] for kind in kinds) == held.n_tone_marks
    assert row["n_words"] == held.n_words
    if normalised:
        assert {skeleton(text_variant(normalised, name)) for name in TEXT_VARIANTS[:3]} == {skeleton(normalised)}
    assert skeleton(skeleton(normalised)) == skeleton(normalised)


#: The best-known minimal pairs of Igbo: cry, cloth, egg, bed; two that differ in a dot; others that have no rival.
WORDS = ["ákwá", "ákwà", "àkwá", "àkwà", "ọkụ", "oku", "mmiri", "nne", "nwa", "nri", "ezi okwu", "anyị abịa"]


@pytest.fixture(scope="module")
def typed(encoders_folder, tmp_path_factory):
    """A folder with a corpus of these words, and a function that builds releases of it."""
    root = tmp_path_factory.mktemp("additional")
    records = [
        small_corpus.record(number, word, small_corpus.tone_mp3(0.6 + 0.03 * number, 120 + 20 * number))
        for number, word in enumerate(WORDS)
    ]
    small_corpus.write_shard(root / "corpus" / "ibo-train-00000-of-00001.parquet", records)
    tiny = encoders_folder / "tiny"
    models = ["--speech-encoder", str(tiny / "whisper"), "--text-encoder", str(tiny / "sentences")]
    command = ["build", "--source", str(root / "corpus"), "--per-bucket", "4", "--workers", "1", *models, "--out"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IGBO_ALIGN_CACHE", str(root / "cache"))
        yield root, lambda name, *options: run([*command, str(root / name), *options])


@pytest.fixture(scope="module")
def built(typed):
    """A release without transcripts, with acoustics."""
    root, build = typed
    assert build("release", "--no-text", "--acoustics") == 0
    return root / "release"


def word_of(name):
    """The word of a pair, by its id."""
    return WORDS[int(name.removeprefix("ibo_"))]


def test_text_statistics_are_those_of_the_transcripts_in_release_order(built):
    release = ia.load_release(built)
    assert set(release.pairs.column("text").to_pylist()) == {None}
    table = pq.read_table(built / "text_statistics.parquet")
    words = [normalise_text(word_of(name)) for name in release.ids]
    assert table.equals(text_statistics_table(release.ids, words, "und"))
    assert not {str(value) for row in table.to_pylist() for value in row.values()} & set(words)


def test_minimal_pairs_are_found_in_a_release_without_transcripts(built, make_card):
    release = ia.load_release(built)
    of_skeleton = {}
    for i, name in enumerate(release.ids):
        of_skeleton.setdefault(skeleton(normalise_text(word_of(name))), []).append(i)
    expected = {(i, j) for held in of_skeleton.values() for i in held for j in held if i != j}
    assert len(expected) == 4 * 3 + 2
    assert {tuple(choice) for choice in minimal_rivals(release).tolist()} == expected
    generator = np.random.default_rng(0)
    speech, text = generator.standard_normal((2, 12, 6)).astype(np.float32)
    submission = ia.Submission(make_card(release), ia.Embeddings(np.array(release.ids), speech, text))
    held = ia.score(submission, release).diagnostics
    assert (held.minimal_pairs.n_pairs, held.minimal_pairs.n_choices) == (6, 14)
    cosines = (speech / np.linalg.norm(speech, axis=1)[:, None]) @ (text / np.linalg.norm(text, axis=1)[:, None]).T
    right = np.mean([cosines[i, i] > cosines[i, j] for i, j in expected])
    assert held.minimal_pairs.correct["speech_to_text"].value == pytest.approx(right)
    assert held.as_json(release.ids)["minimal_pairs"] == held.minimal_pairs.as_json()
    sliced = next(item for item in held.failures["paper"].slices if item.kind == "minimal pairs")
    assert sliced.n == 6


def test_choices_between_minimal_pairs_by_hand(demo):
    """Three pairs of one skeleton, six choices a direction; 5 against 5 is half right."""
    similarity = np.array([[5, 3, 5], [7, 6, 2], [0, 1, 4]])
    rivals = np.array([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)])
    matrices = {"speech_to_text": similarity, "text_to_speech": similarity.T}
    held = score_minimal_pairs(rivals, matrices, demo.spec.scoring).as_json()
    assert (held["n_pairs"], held["n_choices"]) == (3, 6)
    assert {name: item["value"] for name, item in held["correct"].items()} == {
        "speech_to_text": 4.5 / 6,
        "text_to_speech": 4 / 6,
    }
    wilson = stats.binomtest(4, 6).proportion_ci(0.95, "wilson")
    assert held["correct"]["text_to_speech"] == {
        "value": 4 / 6,
        "low": pytest.approx(wilson.low),
        "high": pytest.approx(wilson.high),
        "chance": 0.5,
    }


@pytest.fixture
def with_table(demo, tmp_path):
    """The demo release with another table of text statistics, or with none."""

    def make(table=None):
        if table is not None:
            pq.write_table(table, tmp_path / "text_statistics.parquet")
        return dataclasses.replace(demo, folder=tmp_path)

    return make


def test_recordings_of_one_text_are_no_rivals_of_each_other(demo, with_table):
    first = next(i for i, group in enumerate(demo.groups) if (demo.groups == group).sum() == 2)
    _, second = np.flatnonzero(demo.groups == demo.groups[first])
    other = int(np.flatnonzero(demo.groups != demo.groups[first])[0])
    skeletons = [str(i) for i in range(699)]
    skeletons[first] = skeletons[second] = skeletons[other] = "s"
    release = with_table(pa.table({"id": demo.ids, "skeleton_group": skeletons}))
    expected = {(first, other), (second, other), (other, first), (other, second)}
    assert {tuple(choice) for choice in minimal_rivals(release).tolist()} == expected


def test_a_release_without_skeletons_has_no_minimal_pairs(demo, with_table):
    for release in (with_table(), with_table(pa.table({"id": demo.ids}))):
        assert minimal_rivals(release).shape == (0, 2)
        assert score_minimal_pairs(minimal_rivals(release), {}, demo.spec.scoring) is None


NO_PARQUET = "no readable parquet file with a column `id`"
NO_TEXTS = pa.Array.from_buffers(pa.string(), 699, pa.array([b"\xff"] * 699).buffers())  # no UTF-8


@pytest.mark.parametrize(
    ("damage", "where", "found"),
    [
        (lambda t: t.drop_columns("id"), "text_statistics.parquet", NO_PARQUET),
        (lambda t: t.set_column(0, "id", NO_TEXTS), "text_statistics.parquet", NO_PARQUET),
        (lambda t: t.append_column("x", NO_TEXTS), "text_statistics.parquet", NO_PARQUET),
        (lambda t: t.slice(1), "text_statistics.parquet", "other ids than those of the pairs"),
        (lambda t: t.take([1, 0, *range(2, 699)]), "text_statistics.parquet", "other ids than those of the pairs"),
        (lambda t: t.drop_columns("n_syllabic_nasals"), "n_syllabic_nasals", "no numeric column of this name"),
        (
            lambda t: t.drop_columns("n_syllabic_nasals").append_column("n_syllabic_nasals", [["two"] * 699]),
            "n_syllabic_nasals",
            "no numeric column of this name",
        ),
    ],
    ids=["no ids", "ids that are no text", "other bytes", "a pair less", "swapped", "a column less", "words"],
)
def test_a_damaged_table_is_a_problem(damage, where, found, demo, with_table):
    release = with_table(damage(pq.read_table(demo.folder / "text_statistics.parquet")))
    with pytest.raises(ia.ProblemsFound) as caught:
        predictor_values(release)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where, problem.found) == ("release.corrupt", where, found)
    assert problem.expected == "the files of a complete release"
    assert problem.mend == "Fetch or build the release again."


def test_a_table_that_is_no_parquet_is_a_problem(with_table):
    release = with_table()
    (release.folder / "acoustics.parquet").write_bytes(b"PAR1")
    with pytest.raises(ia.ProblemsFound) as caught:
        predictor_values(release)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where, problem.found) == ("release.corrupt", "acoustics.parquet", NO_PARQUET)


def test_acoustics_are_those_of_each_recording(built, typed):
    root, _ = typed
    release = ia.load_release(built)
    table = pq.read_table(built / "acoustics.parquet")
    assert table.column("id").to_pylist() == release.ids
    assert {str(field.type) for field in table.schema} == {"string", "float"}
    shard = pq.read_table(next((root / "corpus").glob("*.parquet"))).to_pylist()
    audio = {row["id"]: row["audio"]["bytes"] for row in shard}
    for row in table.to_pylist()[:3]:
        held = measure(load_waveform(audio[row["id"]], release.spec.audio), 16_000)
        assert row == {"id": row["id"]} | {n: v if v is None else np.float32(v) for n, v in vars(held).items()}
    pitch = dict(zip(table.column("id").to_pylist(), table.column("f0_mean_hz").to_pylist(), strict=True))
    for name, hz in pitch.items():
        assert hz == pytest.approx(120 + 20 * int(name.removeprefix("ibo_")), rel=0.02)


def test_correlations_use_what_was_measured(built, make_card):
    release = ia.load_release(built)
    generator = np.random.default_rng(1)
    speech, text = generator.standard_normal((2, 12, 6)).astype(np.float32)
    scores = ia.score(ia.Submission(make_card(release), ia.Embeddings(np.array(release.ids), speech, text)), release)
    ranks = expected_rank(scores.tracks["paper"]["speech_to_text"].standings)
    table = pq.read_table(built / "acoustics.parquet")
    held = {(item.predictor, item.outcome): item for item in scores.diagnostics.failures["paper"].correlations}
    for name in ("f0_mean_hz", "speech_rate_per_s"):
        values = np.array(table.column(name).to_pylist(), float)
        known = np.isfinite(values)
        assert held[name, "rank_speech_to_text"].r == pytest.approx(stats.pearsonr(values[known], ranks[known])[0])
    nasals = held["syllabic_nasal_density", "rank_speech_to_text"]
    shares = [count_syllabic_nasals(word_of(n)) / len(word_of(n).split()) for n in release.ids]
    assert nasals.r == pytest.approx(stats.pearsonr(shares, ranks)[0])


def test_a_report_shows_minimal_pairs_and_measures_of_sound(built, make_card, tmp_path):
    release = ia.load_release(built)
    generator = np.random.default_rng(2)
    speech, text = generator.standard_normal((2, 12, 6)).astype(np.float32)
    ia.write_submission(
        tmp_path / "tests__test" / "1", make_card(release), ia.Embeddings(np.array(release.ids), speech, text), release
    )
    document = submission_document(gather_alone(tmp_path / "tests__test" / "1", release))
    tables = [block for block in document.blocks if isinstance(block, Table)]
    minimal = next(table for table in tables if table.caption.startswith("Minimal pairs"))
    assert "6 pairs have a rival that differs from them in tone marks or dots alone" in minimal.caption
    assert "14 choices" in minimal.caption
    named = {panel.name for panel in document.panels()}
    assert {"failure-f0-range-semitones", "failure-speech-rate-per-s", "failure-silence-ratio"} <= named
    assert "failure-snr-db" not in named  # tones without a pause have no noise to compare with
    assert any("pitch range in semitones" in row for table in tables for row in table.rows)


def test_predictors_that_are_known_of_no_pair_are_left_out(demo, built):
    names = [predictor.name for predictor in predictor_values(ia.load_release(built))]
    assert "syllabic_nasal_density" in names
    assert "syllabic_nasal_density" not in [predictor.name for predictor in predictor_values(demo)]  # it is not Igbo


def test_they_are_in_the_manifest_the_card_and_load_dataset_but_not_in_the_fingerprint(built, typed):
    import datasets

    root, build = typed
    manifest = json.loads((built / "manifest.json").read_text())
    assert {"text_statistics.parquet", "acoustics.parquet"} <= set(manifest["files"])
    assert manifest["acoustics"] == {"version": 1}
    assert {"librosa", "scipy"} <= set(manifest["libraries"])
    for config, column in (("text_statistics", "skeleton_group"), ("acoustics", "snr_db")):
        rows = datasets.load_dataset(str(built), config, split="full")
        assert len(rows) == 12
        assert column in rows.column_names
    assert build("plain") == 0
    plain = root / "plain"
    assert not (plain / "acoustics.parquet").exists()
    assert "acoustics" not in (plain / "README.md").read_text()
    assert json.loads((plain / "manifest.json").read_text())["acoustics"] is None
    assert ia.load_release(plain).fingerprint == ia.load_release(built).fingerprint
    published = release_files(Publication(ia.load_release(built), "tests/x", ["mit"]))
    assert published["acoustics.parquet"] == (built / "acoustics.parquet").read_bytes()
    assert b"acoustics/full" in published["croissant.json"]
    assert "acoustics.parquet" in json.loads(published["manifest.json"])["files"]
    assert _is_part("acoustics.parquet")  # removed from the Hub where a newer release has none


def test_what_was_measured_once_is_not_measured_again(built, typed, monkeypatch):
    root, build = typed
    monkeypatch.setattr(AcousticsJob, "vector", None)
    assert build("again", "--no-text", "--acoustics") == 0
    for path in built.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (root / "again" / path.relative_to(built)).read_bytes(), path.name
