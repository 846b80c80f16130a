"""Hub ids, typed as on the real Hub, against a stand-in on loopback: the real clients fetch, pin and cache."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import igbo_align as ia
import pytest
from hub_day import MINILM, PUBLISHED, SYSTEMS, WHISPER, Typist, evening, files_below, official_hub
from loopback_hub import Repository

FEW = ("--per-bucket", "15", "--workers", "1")


@pytest.fixture(scope="module")
def hub(corpus_folder, encoders_folder):
    """A hub with the small corpus and the small encoders under the official names."""
    tiny = encoders_folder / "tiny"
    with official_hub(files_below(corpus_folder), tiny / "whisper", tiny / "sentences") as running:
        yield running


@pytest.fixture(scope="module")
def typed(hub, tmp_path_factory):
    """Type a command in a process of its own, with an empty home that is kept between commands."""
    return Typist(hub, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def built(typed):
    """The official specification, built from its Hub ids with fewer pairs."""
    done = typed("build", "--source", "google/WaxalNLP", *FEW, "--with-audio", "--out", "release")
    assert done.returncode == 0, done.stderr
    return done, typed.home / "release"


def test_the_official_specification_builds_from_its_hub_ids(built, hub):
    done, folder = built
    release = ia.load_release(folder)
    assert release.spec.name == "waxal-igbo"
    source = release.manifest["source"]
    assert source["kind"] == "hub"
    assert source["revision"] == ia.load_spec("waxal-igbo").source.revision
    assert release.manifest["encoders"]["speech"] == {
        "id": "openai/whisper-tiny",
        "revision": hub.commit(WHISPER),
        "pooling": "mean",
        "dtype": "float32",
    }
    assert release.encoder_slugs("text") == ["sentence-transformers__paraphrase-multilingual-MiniLM-L12-v2"]
    assert "UNEXPECTED: the specification counts 1911 records, this source has 71." in done.stderr


def test_a_second_build_downloads_nothing(built, typed, hub):
    done = typed("build", "--source", "google/WaxalNLP", *FEW, "--with-audio", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert typed.downloads() == []
    assert files_below(typed.home / "again") == files_below(typed.home / "release")


def test_the_folder_and_the_hub_give_one_release(built, typed, corpus_folder, encoders_folder):
    encoders = [
        f"--{kind}-encoder={encoders_folder}/tiny/{name}"
        for kind, name in (("speech", "whisper"), ("text", "sentences"))
    ]
    spec = ["--spec", "waxal-igbo", "--config", "ibo", *FEW]
    done = typed("build", "--source", str(corpus_folder), *spec, *encoders, "--out", "from-folder")
    assert done.returncode == 0, done.stderr
    assert ia.load_release(typed.home / "from-folder").fingerprint == ia.load_release(built[1]).fingerprint


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--revision", "0" * 40], "environment.hub", 4),
        (["--config", "no_such_config"], "environment.hub", 4),
        (["--speech-encoder", "openai/no-such-model"], "encoder.unreadable", 1),
    ],
)
def test_what_the_hub_does_not_have_is_a_problem(arguments, code, exit_code, typed):
    done = typed("build", "--source", "google/WaxalNLP", *FEW, "--out", "nothing", *arguments)
    assert done.returncode == exit_code
    assert code in done.stderr
    assert "Traceback" not in done.stderr
    assert not (typed.home / "nothing").exists()


def test_a_release_is_loaded_by_its_hub_id_and_found_again_offline(built, typed, hub):
    hub.repositories["datasets", "tests/waxal-igbo"] = Repository(files_below(built[1]))
    commit = hub.commit(("datasets", "tests/waxal-igbo"))
    code = (
        "import json, sys, igbo_align as ia\n"
        f"release = ia.load_release('tests/waxal-igbo@{commit}')\n"
        "json.dump([release.fingerprint, release.embeddings('speech').shape], sys.stdout)"
    )
    expected = [ia.load_release(built[1]).fingerprint, [45, 16]]
    for offline in ("0", "1"):
        assert typed.code(code, HF_HUB_OFFLINE=offline) == expected


@pytest.fixture(scope="module")
def published(built, typed):
    """Commit of the published release, and the board that the maintainer saw."""
    commit = evening(typed, "release")
    return commit, json.loads((typed.home / "leaderboard.json").read_bytes())


def test_the_maintainers_day_ends_in_a_published_benchmark(published, hub):
    repository = hub.repositories["datasets", PUBLISHED]
    card = repository.files["README.md"].decode()
    assert "license: cc-by-4.0" in card
    assert "| 1 | " in card
    assert "google/WaxalNLP" in card
    assert json.loads(repository.files["leaderboard.json"]) == published[1]


def test_audio_is_a_config_of_its_own(published, typed):
    found = typed.code(
        "import json, datasets\n"
        f"held = datasets.load_dataset('{PUBLISHED}', 'audio', revision='{published[0]}')['test']\n"
        "held = held.cast_column('audio', datasets.Audio(decode=False))\n"
        "print(json.dumps([held['id'][:], min(len(row['bytes']) for row in held['audio'])]))"
    )
    release = ia.load_release(typed.home / "release")
    assert found[0] == [name for name, test in zip(release.ids, release.is_test, strict=True) if test]
    assert found[1] > 1000


def review(typed, revision, number, name):
    """What `docs/maintaining.md` says to type before a pull request is merged."""
    pull_request = ("--revision", f"refs/pr/{number}", "--include", "submissions/*", "--local-dir", "review")
    typed.run(str(Path(sys.executable).with_name("hf")), "download", PUBLISHED, "--repo-type", "dataset", *pull_request)
    folder, of = f"review/submissions/{name}", ("--release", revision)
    typed.succeed("validate", folder, *of)
    typed.succeed("score", folder, *of, "--check", f"{folder}/scores.json")
    if name.startswith("baselines__zero-shot"):
        typed.succeed("verify", folder, *of, "--source", "google/WaxalNLP", "--sample", "2", "--workers", "1")
    board = json.loads(typed.succeed("leaderboard", "--from-hub", f"{PUBLISHED}@refs/pr/{number}", *of, "--json"))
    assert name in {row["submission"] for row in board["rows"]}


def test_a_day_of_reviews_ends_in_the_board_of_what_was_merged(published, typed, hub):
    commit, board = published
    revision = f"{PUBLISHED}@{commit}"
    repository = hub.repositories["datasets", PUBLISHED]
    for name in SYSTEMS:
        typed.succeed("submit", f"submissions/baselines__{name}/1", "--release", revision, "--repo", PUBLISHED)
    for number, name in enumerate(SYSTEMS, start=1):
        review(typed, revision, number, f"baselines__{name}/1")
        repository.merge(number)
    command = ("leaderboard", "--from-hub", PUBLISHED, "--release", revision, "--json")
    assert json.loads(typed.succeed(*command)) == board
    assert json.loads(typed.succeed(*command, HF_HUB_OFFLINE="1")) == board
    assert hub.requests == []
    publish = ("publish", "release", "--repo", PUBLISHED, "--licence", "cc-by-4.0")
    assert "unchanged" in typed.succeed(*publish, "--submissions", "submissions")
    assert "unchanged" in typed.succeed(*publish, "--from-hub", PUBLISHED)


@pytest.fixture(scope="module")
def offline_commands(published, typed):
    """What somebody does with a published release, after it was fetched once; `{release}` is its Hub id."""
    revision = f"{PUBLISHED}@{published[0]}"
    typed.code(
        "import json, datasets, igbo_align as ia\n"
        f"datasets.load_dataset('{PUBLISHED}', 'pairs', revision='{published[0]}')\n"
        f"print(json.dumps(ia.load_release('{revision}').fingerprint))"
    )
    (ridge, zero_shot), of = (
        (f"submissions/baselines__{name}/1" for name in ("ridge", "zero-shot")),
        ("--release", revision),
    )
    encoders = ("--speech-encoder", WHISPER[1], "--text-encoder", MINILM[1])
    return [
        ("build", "--source", "google/WaxalNLP", *FEW, "--out", "offline-release"),
        ("encode", *of, *encoders, "--workers", "1", "--out", "offline-encoded"),
        ("baseline", "procrustes", *of, "--out", "offline-submissions"),
        ("validate", ridge, *of),
        ("score", ridge, *of, "--json"),
        ("compare", ridge, zero_shot, *of),
        ("report", ridge, *of, "--out", "offline.html"),
        ("leaderboard", "submissions", *of),
        ("verify", zero_shot, *of, "--sample", "2", "--workers", "1"),
        ("publish", revision, "--repo", PUBLISHED, "--licence", "cc-by-4.0", "--dry-run"),
        ("eval-results", ridge, *of),
    ]


def test_everything_but_publish_and_submit_works_offline(offline_commands, published, typed, hub):
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    assert typed.codes(offline_commands, **offline) == [0] * len(offline_commands)
    assert hub.requests == []
    count = f"len(datasets.load_dataset('{PUBLISHED}', 'pairs', revision='{published[0]}')['test'])"
    assert typed.code(f"import json, datasets\nprint(json.dumps({count}))", **offline) == 9
    assert hub.requests == []
