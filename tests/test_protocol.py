"""What is frozen: specifications, drawing, the release folder and its fingerprint."""

from __future__ import annotations

import json
import shutil

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from igbo_align.files import canonical_json, sha256_of_bytes
from igbo_align.protocol.address import parse_addresses
from igbo_align.protocol.bundled_specs import spec_for, spec_names
from igbo_align.protocol.drawing import (
    draw_random_pools,
    draw_sample,
    draw_similarity_sample,
    draw_test_split,
    duration_buckets,
    hard_pools,
    text_groups,
)
from igbo_align.protocol.release import fingerprint_of
from igbo_align.protocol.spec import DIRECTIONS, POOLED_TRACKS, parse_spec

#: The demo release is data: a change of any frozen part is a new version, not an edit.
DEMO_FINGERPRINT = "feb3ff3c828abf6ba62150e64b4e6f5ddc004a067b242cfc7a489e86461e934c"


def test_official_specification_is_the_papers():
    spec = ia.load_spec("waxal-igbo")
    assert (spec.expected.records, spec.expected.kept, spec.expected.speakers) == (1911, 1343, 8)
    assert spec.source.dataset == "google/WaxalNLP"
    assert spec.source.config == "ibo_tts"
    assert len(spec.source.revision) == 40
    assert (spec.audio.min_duration_s, spec.audio.max_duration_s) == (0.5, 30.0)
    assert spec.sample.per_bucket * len(spec.sample.bucket_names) == 699
    assert spec.speech_encoder.id == "openai/whisper-tiny"
    assert spec.text_encoder.id == "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
    assert spec.pools.size == 100


def test_every_bundled_specification_is_valid():
    assert {"waxal-igbo", "demo", "custom"} <= set(spec_names())
    for name in spec_names():
        assert ia.load_spec(name).name == name


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        (["google/WaxalNLP"], "waxal-igbo"),
        (["google/WaxalNLP@main"], "waxal-igbo"),
        (["google/WaxalNLP#ibo_tts"], "waxal-igbo"),
        (["google/WaxalNLP#hau_tts"], "waxal-hausa"),
        (["google/WaxalNLP#ach_asr"], "custom"),
        (["google/fleurs"], "fleurs-igbo"),
        (["google/fleurs#yo_ng"], "custom"),
        (["google/WaxalNLP#ibo_tts", "google/fleurs#ig_ng"], "igbo-speech"),
        (["google/fleurs#ig_ng", "google/WaxalNLP#ibo_tts"], "custom"),
        (["/some/folder"], "custom"),
        ([], "custom"),
    ],
)
def test_specification_is_chosen_by_source_and_config(sources, name):
    assert spec_for(None, parse_addresses(sources), None, None).name == name


def test_fields_of_a_specification_can_be_replaced():
    changed = spec_for("demo", parse_addresses("x"), 10, 7)
    assert changed.sample.per_bucket == 10
    assert {changed.sample.seed, changed.split.seed, changed.pools.seed, changed.similarity_sample.seed} == {7}


def test_every_tts_config_of_waxal_has_a_specification():
    codes = ["ach", "ewe", "fat", "ful", "hau", "ibo", "kik", "lug", "luo", "nyn", "pcm", "swa", "twi", "yor"]
    specs = [ia.load_spec(name) for name in spec_names() if name.startswith("waxal-")]
    assert sorted(spec.source.config for spec in specs) == [f"{code}_tts" for code in codes]
    official = ia.load_spec("waxal-igbo").model_dump(mode="json")
    for spec in specs:
        assert spec.source.config == f"{spec.language}_tts"
        assert "has to be confirmed before publishing" in spec.source.licence
        changed = {"name", "language", "source", "expected"}
        document = spec.model_dump(mode="json")
        assert {name for name in official if document[name] != official[name]} <= changed
        assert document["source"]["revision"] == official["source"]["revision"]
        if spec.name != "waxal-igbo":
            assert set(document["expected"].values()) == {None}
            assert "Igbo" not in json.dumps(document)


#: Canonical JSON of the specifications that releases already carry: a new optional field must leave it alone.
FROZEN_SPECS = {
    "custom": "6fb3a47ae691cf26271f1ee226546b7cbfadac0a274d9fe8c071d2eac31609ab",
    "demo": "336edce7f4b52c048422f5eebff07f8abd87260b845272726c608cd170feaaf0",
    "waxal-igbo": "482da59ad9028c58eb21dc2df131e49fc9b67db1dc020605ec8dcef2f9faa241",
}


@pytest.mark.parametrize("name", FROZEN_SPECS)
def test_old_specifications_keep_their_canonical_json(name):
    assert sha256_of_bytes(canonical_json(ia.load_spec(name).model_dump(mode="json"))) == FROZEN_SPECS[name]


def test_optional_fields_are_written_only_where_they_are_set():
    document = ia.load_spec("igbo-speech").model_dump(mode="json")
    assert document["source"]["name"] == "waxal"
    assert "files" not in document["source"]
    assert document["further_sources"][0]["files"] == "{config}/{split}/*.parquet"
    assert parse_spec(json.dumps(document).encode(), "again") == ia.load_spec("igbo-speech")


@pytest.mark.parametrize("change", [{"name": None}, {"name": "waxal"}, {"name": "Two words"}, {"dataset": ""}])
def test_several_sources_need_names_of_their_own(change):
    document = ia.load_spec("igbo-speech").model_dump(mode="json")
    document["further_sources"][0] |= change
    with pytest.raises(ia.ProblemsFound, match=r"spec\.schema"):
        parse_spec(json.dumps(document).encode(), "spec.json")


@pytest.mark.parametrize(
    ("change", "code"),
    [({"unknown": 1}, "spec.schema"), ({"version": "one"}, "spec.schema"), (None, "spec.unknown")],
)
def test_bad_specifications_are_problems(change, code, tmp_path):
    path = tmp_path / "spec.json"
    if change is not None:
        path.write_text(json.dumps(ia.load_spec("demo").model_dump(mode="json") | change))
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_spec(path)
    assert caught.value.problems[0].code == code


@pytest.mark.parametrize(
    ("section", "change", "place", "expected"),
    [
        ("sample", {"bucket_names": ["short", "long"]}, "sample", "n buckets need n different names and n - 1 perce"),
        ("sample", {"bucket_names": ["a", "b", "a"]}, "sample", "n buckets need n different names and n - 1 perce"),
        ("sample", {"bucket_names": ["a", "", "b"]}, "sample/bucket_names/1", "String should have at least 1 char"),
        ("sample", {"bucket_names": []}, "sample/bucket_names", "Tuple should have at least 1 item"),
        ("sample", {"bucket_percentiles": [66.0, 33.0]}, "sample", "percentiles have to ascend"),
        ("sample", {"bucket_percentiles": [33.0, 33.0]}, "sample", "percentiles have to ascend"),
        ("sample", {"bucket_percentiles": [66.0, 166.0]}, "sample/bucket_percentiles/1", "Input should be less than"),
        ("sample", {"seed": -1}, "sample/seed", "Input should be greater than or equal to 0"),
        ("scoring", {"seed": 2**63}, "scoring/seed", "Input should be less than 9223372036854775808"),
        ("audio", {"min_duration_s": 31.0}, "audio", "min_duration_s is above max_duration_s"),
        ("text", {"normaliser": "igbo-align-text-2"}, "text/normaliser", "Input should be 'igbo-align-text-1'"),
    ],
)
def test_specifications_that_contradict_themselves_are_problems(section, change, place, expected):
    document = ia.load_spec("demo").model_dump(mode="json")
    document[section] |= change
    with pytest.raises(ia.ProblemsFound) as caught:
        parse_spec(json.dumps(document).encode(), "spec.json")
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("spec.schema", f"spec.json/{place}")
    assert problem.expected.startswith(expected)


def test_all_problems_of_a_specification_are_told_at_once():
    document = ia.load_spec("demo").model_dump(mode="json")
    del document["audio"]
    document["pools"] |= {"size": 1, "seed": -1}
    with pytest.raises(ia.ProblemsFound) as caught:
        parse_spec(json.dumps(document).encode(), "mine.json")
    assert [(item.where, item.found) for item in caught.value.problems] == [
        ("mine.json/audio", "a missing field"),
        ("mine.json/pools/size", "a value that does not fit"),
        ("mine.json/pools/seed", "a value that does not fit"),
    ]


@pytest.mark.parametrize("cutoffs", [[], [1, 5], [5, 10]])
def test_the_recalls_that_boards_show_are_part_of_every_specification(cutoffs):
    document = ia.load_spec("demo").model_dump(mode="json")
    document["scoring"]["recall_at"] = cutoffs
    with pytest.raises(ia.ProblemsFound, match=r"scoring/recall_at: \[spec\.schema\].*boards and flags"):
        parse_spec(json.dumps(document).encode(), "spec.json")


def test_demo_fingerprint_is_frozen(demo):
    assert demo.fingerprint == DEMO_FINGERPRINT
    assert demo.spec == ia.load_spec("demo")


def test_demo_release_holds_what_it_says(demo):
    assert len(demo.ids) == 699
    assert demo.is_test.sum() == 140
    assert demo.ids == sorted(demo.ids[:559]) + sorted(demo.ids[559:])
    assert "not Igbo" in demo.spec.notice
    assert "not Igbo" in (demo.folder / "README.md").read_text()
    assert set(demo.pairs.column("text").to_pylist()) == {None}
    assert not (demo.folder / "audio").exists()
    assert sum(path.stat().st_size for path in demo.folder.rglob("*")) < 4e6
    assert demo.embeddings("speech").dtype == np.float32
    counts = np.unique(demo.column("duration_bucket").astype(str), return_counts=True)[1]
    assert counts.tolist() == [233, 233, 233]


def test_no_text_group_leaks(demo):
    assert not set(demo.groups[demo.is_test]) & set(demo.groups[~demo.is_test])
    for track, directions in demo.pools.items():
        for pools in directions.values():
            queries = demo.queries(track)
            assert pools.shape == (len(queries), 100)
            same_group = demo.groups[pools] == demo.groups[queries][:, None]
            assert (same_group.sum(axis=1) == 1).all()
            assert (pools == queries[:, None]).sum() == len(queries)
            assert all(len(set(pool)) == 100 for pool in pools.tolist())
    for pools in demo.pools["heldout"].values():
        assert demo.is_test[pools].all()
    for pool in demo.pools["hard"]["speech_to_text"]:
        assert len(set(demo.groups[pool])) == 100


def test_similarity_sample_is_500_paired_and_1500_unpaired(demo):
    sample = demo.similarity_sample
    assert sample.paired.sum() == 500
    assert (~sample.paired).sum() == 1500
    assert (sample.speech[sample.paired] == sample.text[sample.paired]).all()
    unpaired = ~sample.paired
    assert (demo.groups[sample.speech[unpaired]] != demo.groups[sample.text[unpaired]]).all()
    pairs = set(zip(sample.speech[unpaired].tolist(), sample.text[unpaired].tolist(), strict=True))
    assert len(pairs) == 1500


def copy_of(demo, tmp_path):
    shutil.copytree(demo.folder, tmp_path / "release")
    return tmp_path / "release"


@pytest.mark.parametrize(
    "file",
    ["pools/paper/speech_to_text.parquet", "pairs/test.parquet", "similarity_sample.parquet"],
)
def test_a_changed_table_does_not_have_the_fingerprint(file, demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    table = pq.read_table(folder / file)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), folder / file)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder)
    problem = caught.value.problems[0]
    assert problem.code == "release.fingerprint"
    assert DEMO_FINGERPRINT in problem.expected
    assert len(problem.found.split()[-1]) == 64


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda f: (f / "spec.json").unlink(), "release.missing"),
        (lambda f: (f / "spec.json").write_text("{"), "release.corrupt"),
        (lambda f: (f / "spec.json").write_text("{}"), "release.corrupt"),
        (lambda f: (f / "pairs" / "train.parquet").write_bytes(b"PAR1"), "release.corrupt"),
        (lambda f: (f / "pairs" / "train.parquet").unlink(), "release.corrupt"),
        (lambda f: shutil.copy(f / "similarity_sample.parquet", f / "pairs" / "train.parquet"), "release.corrupt"),
    ],
)
def test_damaged_releases_are_problems(damage, code, demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    damage(folder)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder)
    assert caught.value.problems[0].code == code
    assert str(tmp_path) not in str(caught.value)


def assert_corrupt(caught, where, found):
    """The one problem of a release that has to be fetched again."""
    (problem,) = caught.value.problems
    assert (problem.code, problem.where, problem.found) == ("release.corrupt", where, found)
    assert problem.expected == "the files of a complete release"
    assert problem.mend == "Fetch or build the release again."


@pytest.mark.parametrize(
    ("file", "rename"),
    [("similarity_sample.parquet", {"paired": "pair"}), ("pools/hard/text_to_speech.parquet", {"query-id": "query"})],
)
def test_tables_with_other_columns_are_a_problem(file, rename, demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    pq.write_table(pq.read_table(folder / file).rename_columns(rename), folder / file)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder)
    assert_corrupt(caught, "pairs, pools or similarity sample", "columns of other names or types")


def state_fingerprint(folder, demo):
    """Write the fingerprint of what a changed folder holds into it."""
    sample = pq.read_table(folder / "similarity_sample.parquet")
    pools = {
        track: {name: pq.read_table(folder / "pools" / track / f"{name}.parquet") for name in DIRECTIONS}
        for track in POOLED_TRACKS
    }
    spec = json.loads((folder / "spec.json").read_text())
    spec["fingerprint"] = fingerprint_of(demo.spec, demo.pairs, pools, sample)
    (folder / "spec.json").write_text(json.dumps(spec))


def test_a_sample_of_unknown_pairs_is_a_problem_even_under_its_own_fingerprint(demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    sample = pq.read_table(folder / "similarity_sample.parquet")
    sample = sample.set_column(0, "speech-id", [["nobody", *sample["speech-id"].to_pylist()[1:]]])
    pq.write_table(sample, folder / "similarity_sample.parquet")
    state_fingerprint(folder, demo)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder)
    assert_corrupt(caught, "pools or similarity sample", "ids that are not among the pairs")


def test_pools_of_several_sizes_are_a_problem_even_under_their_own_fingerprint(demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    path = folder / "pools" / "hard" / "text_to_speech.parquet"
    pools = pq.read_table(path)
    lists = pools["corpus-ids"].to_pylist()
    lists[1].append(lists[0].pop())  # as many ids in all
    pq.write_table(pools.set_column(1, "corpus-ids", [lists]), path)
    state_fingerprint(folder, demo)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder)
    assert_corrupt(caught, "pools", "pools of several sizes, or empty ones")


NO_VECTORS = "no columns `id` and `embedding` with vectors of one length"


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda t: t.take([1, 0, *range(2, len(t))]), "other ids than those of the pairs"),
        (lambda t: t.slice(1), "other ids than those of the pairs"),
        (lambda t: t.drop_columns("id"), NO_VECTORS),
        (lambda t: t.drop_columns("embedding"), NO_VECTORS),
        (lambda t: t.set_column(1, "embedding", [[[1.0], *[[1.0, 2.0]] * (len(t) - 1)]]), NO_VECTORS),
        (lambda t: t.set_column(1, "embedding", [[[1.0], [1.0] * 3, *[[1.0, 2.0]] * (len(t) - 2)]]), NO_VECTORS),
        (lambda t: t.set_column(1, "embedding", [[[]] * len(t)]), NO_VECTORS),
        (lambda t: t.set_column(1, "embedding", [pa.nulls(len(t), pa.list_(pa.float32()))]), NO_VECTORS),
        (lambda t: t.set_column(1, "embedding", [["x"] * len(t)]), NO_VECTORS),
    ],
    ids=["swapped", "fewer pairs", "no ids", "no vectors", "two lengths", "same sum", "empty", "nulls", "texts"],
)
def test_damaged_embeddings_are_a_problem(damage, found, demo, tmp_path):
    folder = copy_of(demo, tmp_path)
    (slug,) = demo.encoder_slugs("speech")
    for split in ("train", "test"):
        path = folder / "embeddings" / "speech" / slug / f"{split}.parquet"
        pq.write_table(damage(pq.read_table(path)), path)
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.load_release(folder).embeddings("speech")
    assert_corrupt(caught, f"embeddings/speech/{slug}", found)


def test_unknown_embeddings_name_those_that_are_there(demo):
    with pytest.raises(ia.ProblemsFound, match=r"openai__whisper-tiny\.en"):
        demo.embeddings("speech", "openai__whisper-large")


def test_a_missing_release_says_what_is_accepted(tmp_path):
    with pytest.raises(ia.ProblemsFound, match=r"no such folder; expected `demo`, the folder of a release"):
        ia.load_release(tmp_path / "nothing")
    with pytest.raises(ia.EnvironmentProblem, match="no answer from the Hub"):
        ia.load_release("nobody/nothing")


durations = st.lists(st.floats(0.5, 30), min_size=30, max_size=120)


@settings(max_examples=30)
@given(durations=durations, seed=st.integers(0, 1000))
def test_sample_takes_equally_many_from_each_bucket(durations, seed):
    sample = ia.load_spec("demo").sample.model_copy(update={"per_bucket": 3, "seed": seed})
    buckets = duration_buckets(durations, sample)
    if np.bincount(buckets, minlength=3).min() < 3:
        with pytest.raises(ia.ProblemsFound, match=r"source\.too_few"):
            draw_sample(buckets, sample)
        return
    chosen = draw_sample(buckets, sample)
    assert np.bincount(buckets[chosen]).tolist() == [3, 3, 3]
    assert (np.diff(chosen) > 0).all()
    assert (chosen == draw_sample(buckets, sample)).all()


@settings(max_examples=50)
@given(data=st.data(), n=st.integers(10, 150))
def test_split_is_by_group_and_near_the_fraction(data, n):
    groups = text_groups(data.draw(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=n, max_size=n)))
    buckets = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    split = ia.load_spec("demo").split
    is_test = draw_test_split(groups, buckets, split)
    assert not set(groups[is_test]) & set(groups[~is_test])
    largest = int(np.bincount(groups).max())
    assert abs(int(is_test.sum()) - round(n * 0.2)) <= largest / 2 + 1


def test_split_is_exact_where_groups_allow():
    groups, buckets = np.arange(699), np.repeat([0, 1, 2], 233)
    is_test = draw_test_split(groups, buckets, ia.load_spec("demo").split)
    assert is_test.sum() == 140
    assert sorted(np.bincount(buckets[is_test]).tolist()) == [46, 47, 47]


@given(data=st.data(), n=st.integers(4, 40), size=st.integers(2, 50))
def test_random_pools_hold_the_query_and_no_group_mate(data, n, size):
    groups = np.array(data.draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)))
    pools = draw_random_pools(np.arange(n), groups, size, 42, "test")
    assert pools.shape[1] <= size
    for query, pool in enumerate(pools):
        assert query in pool
        assert (groups[pool] == groups[query]).sum() == 1
        assert len(set(pool.tolist())) == len(pool)


def test_hard_pools_take_the_most_similar_other_texts():
    similarity = np.array([[1.0, 0.9, 0.1, 0.9], [0.9, 1, 0.2, 1], [0.1, 0.2, 1, 0.2], [0.9, 1, 0.2, 1]])
    groups = np.array([0, 1, 2, 1])
    pools = hard_pools(similarity, groups, 2)
    assert pools.tolist() == [[0, 1], [0, 1], [1, 2], [0, 3]]


def test_similarity_sample_takes_all_pairs_where_there_are_few():
    sample = ia.load_spec("demo").similarity_sample
    paired, unpaired = draw_similarity_sample(np.array([0, 1, 2, 2]), sample)
    assert paired.tolist() == [0, 1, 2, 3]
    assert len(unpaired) == 4 * 4 - (1 + 1 + 4)
