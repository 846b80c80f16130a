"""FLEURS, WAXAL's other configs and several sources by their Hub ids, typed against a stand-in on loopback."""

from __future__ import annotations

import re

import corpora
import igbo_align as ia
import numpy as np
import pytest
from hub_day import WAXAL, Typist, files_below
from igbo_align.hub.card import Publication, confirmed_licences, publication_card, responsible_ai
from igbo_align.problems import ProblemsFound
from loopback_hub import LoopbackHub, Repository

FLEURS = ("datasets", "google/fleurs")
SHARDS = {f"{split}/{number:04d}.parquet" for split in ("train", "validation", "test") for number in range(3)}
COMMANDS = {
    "fleurs": ["--source", "google/fleurs"],
    "yoruba": ["--source", "google/fleurs", "--config", "yo_ng"],
    "hausa": ["--source", "google/WaxalNLP", "--config", "hau_tts"],
    "both": ["--spec", "igbo-speech", "--per-bucket", "10"],
    "pair": ["--source", "google/fleurs#yo_ng", "--source", "google/WaxalNLP#hau_tts"],
}


#: Runs commands and prints their exit codes.
def waxal_card(*configs: str) -> bytes:
    """The front matter with which google/WaxalNLP declares its configs."""
    lines = ["---", "configs:"]
    for config in configs:
        lines += [f"- config_name: {config}_tts", "  data_files:"]
        for split in ("train", "validation", "test"):
            lines += [f"  - split: {split}", f'    path: "data/TTS/{config}/{config}-{split}-*"']
    return "\n".join([*lines, "---", ""]).encode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A hub with two configs of each dataset at the pinned revisions."""
    folder = tmp_path_factory.mktemp("sources")
    fleurs = corpora.write_fleurs(corpora.write_fleurs(folder / "fleurs", "ig_ng"), "yo_ng")
    waxal = corpora.write_waxal(corpora.write_waxal(folder / "waxal", "TTS", "ibo"), "TTS", "hau")
    repositories = {
        FLEURS: Repository(files_below(fleurs)),
        WAXAL: Repository({"README.md": waxal_card("ibo", "hau"), **files_below(waxal)}),
    }
    pins = {
        FLEURS: ia.load_spec("fleurs-igbo").source.revision,
        WAXAL: ia.load_spec("waxal-igbo").source.revision,
    }
    with LoopbackHub(repositories, pins) as running:
        yield running


@pytest.fixture(scope="module")
def typed(hub, encoders_folder, tmp_path_factory):
    """Everything built in one process with an empty home: the exit codes, the folder, and what was fetched."""
    typist = Typist(hub, tmp_path_factory.mktemp("home"))
    tiny = encoders_folder / "tiny"
    encoders = ["--speech-encoder", f"{tiny}/whisper", "--text-encoder", f"{tiny}/sentences", "--workers", "1"]
    commands = [["build", *corpora.FEW, *encoders, "--out", name, *how] for name, how in COMMANDS.items()]
    commands.append(["encode", *encoders, "--release", "both", "--out", "encoded"])
    assert typist.codes(commands) == [0] * len(commands)
    return typist.home, typist.downloads()


def release(typed, name):
    """A release that was built."""
    return ia.load_release(typed[0] / name)


def test_every_shard_of_fleurs_is_fetched_at_the_pinned_revision_and_no_other_config(typed, hub):
    held = release(typed, "fleurs")
    assert held.spec.name == "fleurs-igbo"
    source = held.manifest["source"]
    assert source == {
        "kind": "hub",
        "dataset": "google/fleurs",
        "config": "ig_ng",
        "revision": "6e07774c71e64f08cbe566129422037c2a1885c4",
    }
    fetched = re.findall(r"/datasets/google/fleurs/resolve/([0-9a-f]{40})/ig_ng/(\S+)", "\n".join(typed[1]))
    assert {file for _, file in fetched} == SHARDS
    assert {revision for revision, _ in fetched} == {source["revision"]}
    assert held.manifest["profile"]["records"] == held.manifest["profile"]["kept"] == corpora.N
    assert held.manifest["profile"]["splits"] == {"test": 5, "train": 10, "validation": 3}
    assert set(held.ids) <= {str(1000 + number) for number in range(corpora.N)}


def test_another_config_of_fleurs_needs_no_revision(typed):
    held = release(typed, "yoruba")
    assert held.spec.name == "custom"
    assert held.manifest["source"]["config"] == "yo_ng"
    assert held.manifest["source"]["revision"] == ia.load_spec("fleurs-igbo").source.revision
    assert set(held.column("locale")) == {"yo_ng"}


def test_another_config_of_waxal_has_its_own_specification(typed):
    held = release(typed, "hausa")
    assert (held.spec.name, held.spec.language) == ("waxal-hausa", "hau")
    assert held.manifest["source"]["config"] == "hau_tts"
    assert all(name.startswith("hau_") for name in held.ids)


def test_a_specification_of_several_sources_needs_no_source(typed):
    held = release(typed, "both")
    assert held.spec.name == "igbo-speech"
    assert [(item["name"], item["config"]) for item in held.manifest["sources"]] == [
        ("waxal", "ibo_tts"),
        ("fleurs", "ig_ng"),
    ]
    assert {name.split(":")[0] for name in held.ids} == set(held.column("source")) == {"waxal", "fleurs"}
    encoded = ia.load_submission(typed[0] / "encoded")
    np.testing.assert_array_equal(encoded.content.speech, held.embeddings("speech"))
    card = (held.folder / "README.md").read_text()
    assert "Source: google/WaxalNLP and google/fleurs" in card
    assert "google/fleurs ig_ng: CC-BY-4.0" in card


def test_sources_of_the_users_own_choice_are_pinned_too(typed):
    held = release(typed, "pair").manifest["sources"]
    assert [item["name"] for item in held] == ["fleurs", "waxalnlp"]
    pinned = [ia.load_spec(name).source.revision for name in ("fleurs-igbo", "waxal-hausa")]
    assert [item["revision"] for item in held] == pinned


def test_the_cards_of_these_releases_claim_nothing_of_waxal_igbo(typed):
    said = {}
    for name in COMMANDS:
        publication = Publication(release(typed, name), "tests/x", ["cc-by-4.0"])
        said[name] = publication_card(publication)
        assert set(responsible_ai(publication.release)) == set(responsible_ai(ia.load_release("demo")))
    assert not any("eight speakers" in text.lower() for text in said.values())
    assert "source_datasets:\n- google/WaxalNLP\n- google/fleurs\n" in said["both"]
    assert "language:\n- ha\n" in said["hausa"]
    assert "Several people read each sentence" in said["fleurs"]
    assert "column\n`source`" in said["pair"]
    for name in ("both", "hausa", "pair"):  # nothing of WAXAL is published before its licence is confirmed
        with pytest.raises(ProblemsFound, match=r"publish\.licence"):
            confirmed_licences(release(typed, name), [])
    assert confirmed_licences(release(typed, "fleurs"), []) == ["cc-by-4.0"]
