"""Hub ids, typed as on the real Hub, against a stand-in on loopback: the real clients fetch, pin and cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import igbo_align as ia
import pytest
from loopback_hub import LoopbackHub, Repository

WAXAL = ("datasets", "google/WaxalNLP")
WHISPER = ("models", "openai/whisper-tiny")
MINILM = ("models", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2")
#: The front matter with which google/WaxalNLP declares the config.
CARD = """---
configs:
- config_name: ibo_tts
  data_files:
  - split: train
    path: "data/TTS/ibo/ibo-train-*"
  - split: validation
    path: "data/TTS/ibo/ibo-validation-*"
  - split: test
    path: "data/TTS/ibo/ibo-test-*"
---
"""


def files_below(folder: Path) -> dict[str, bytes]:
    """Path -> bytes of every file of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def hub(corpus_folder, encoders_folder):
    """A hub with the official source at its pinned revision, filled with the small corpus, and both encoders."""
    waxal = Repository({"README.md": CARD.encode(), **files_below(corpus_folder)})
    models = {
        WHISPER: Repository(files_below(encoders_folder / "tiny" / "whisper")),
        MINILM: Repository(files_below(encoders_folder / "tiny" / "sentences")),
    }
    pinned = ia.load_spec("waxal-igbo").source.revision
    with LoopbackHub({WAXAL: waxal, **models}, {WAXAL: pinned}) as running:
        yield running


@pytest.fixture(scope="module")
def typed(hub, tmp_path_factory):
    """Type a command in a process of its own, with an empty home that is kept between commands."""
    home = tmp_path_factory.mktemp("home")

    def run(*arguments, **environment):
        variables = os.environ | hub.environment(home / "hf") | {"IGBO_ALIGN_CACHE": str(home / "cache")} | environment
        hub.requests.clear()
        command = [sys.executable, "-m", "igbo_align", *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=home)

    run.home = home
    return run


@pytest.fixture(scope="module")
def built(typed):
    """The official specification, built from its Hub ids with fewer pairs."""
    done = typed("build", "--source", "google/WaxalNLP", "--per-bucket", "15", "--out", "release")
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
    done = typed("build", "--source", "google/WaxalNLP", "--per-bucket", "15", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert not [line for line in hub.requests if line.startswith("GET") and "/resolve/" in line]
    assert files_below(typed.home / "again") == files_below(typed.home / "release")


def test_the_folder_and_the_hub_give_one_release(built, typed, corpus_folder, encoders_folder):
    encoders = [
        f"--{kind}-encoder={encoders_folder}/tiny/{name}"
        for kind, name in (("speech", "whisper"), ("text", "sentences"))
    ]
    spec = ["--spec", "waxal-igbo", "--config", "ibo", "--per-bucket", "15"]
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
    done = typed("build", "--source", "google/WaxalNLP", "--per-bucket", "15", "--out", "nothing", *arguments)
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
        variables = os.environ | hub.environment(typed.home / "hf") | {"HF_HUB_OFFLINE": offline}
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == expected


def test_the_maintainers_day_ends_in_a_published_benchmark(built, typed, hub):
    """After `build`: baselines, the board, publication once the licence is named, and the board from what is there."""
    assert typed("baseline", "zero-shot", "ridge", "--release", "release", "--out", "submissions").returncode == 0
    board = typed("leaderboard", "submissions", "--release", "release", "--json")
    assert board.returncode == 0, board.stderr
    publish = ["publish", "release", "--repo", "tests/igbo-align", "--submissions", "submissions"]
    refused = typed(*publish)
    assert refused.returncode == 1
    assert "publish.licence" in refused.stderr
    assert hub.requests == []
    done = typed(*publish, "--licence", "cc-by-4.0", "--json")
    assert done.returncode == 0, done.stderr
    commit = json.loads(done.stdout)["tests/igbo-align"]["commit"]
    published = hub.repositories["datasets", "tests/igbo-align"]
    card = published.files["README.md"].decode()
    assert "license: cc-by-4.0" in card
    assert "| 1 | " in card
    assert "google/WaxalNLP" in card
    revision = f"tests/igbo-align@{commit}"
    for name in ("ridge", "zero-shot"):
        folder = f"submissions/baselines__{name}/1"
        sent = typed("submit", folder, "--release", revision, "--repo", "tests/igbo-align")
        assert sent.returncode == 0, sent.stderr
    for number in list(published.pull_requests):
        published.merge(number)
    again = typed("leaderboard", "--from-hub", "tests/igbo-align", "--release", revision, "--json")
    assert again.stdout == board.stdout
    hub.requests.clear()
    offline = typed(
        "leaderboard", "--from-hub", "tests/igbo-align", "--release", revision, "--json", HF_HUB_OFFLINE="1"
    )
    assert offline.stdout == board.stdout
    assert hub.requests == []
    assert "unchanged" in typed(*publish, "--licence", "cc-by-4.0").stdout
