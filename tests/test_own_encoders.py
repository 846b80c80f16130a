"""Objects of the user's own as encoders, short names of models, and text encoders of translation models."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import igbo_align as ia
import numpy as np
import pytest
from documents import blocks, page, run_snippet
from igbo_align.cli.app import run
from igbo_align.encoders.identity import resolve_encoder
from igbo_align.encoders.presets import PRESETS, expand_preset, licence_of, prompt_of
from igbo_align.encoders.text import load_text_encoder
from igbo_align.pipeline.encode_request import jobs_of


class Loudness:
    """Counts what it hears, so that calls can be counted too."""

    def __init__(self, **stated):
        self.calls = []
        for name, value in stated.items():
            setattr(self, name, value)

    def encode_speech(self, waveforms, sampling_rate):
        self.calls.append((len(waveforms), sampling_rate, max(map(len, waveforms))))
        return [[float(np.abs(w).mean()), len(w) / sampling_rate, 1.0] for w in waveforms]


class Letters:
    """Counts letters."""

    def encode_text(self, texts):
        return np.array([[len(t), t.count("e"), t.count(":") + 1.0] for t in texts])


@pytest.fixture(scope="module")
def release(corpus_folder, encoders_folder, tmp_path_factory):
    """A release with recordings."""
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(encoders_folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(folder / "cache"))
        models = ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences"]
        build = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "5", "--with-audio"]
        assert run([*build, *models, "--workers", "1", "--out", str(folder / "release")]) == 0
    return ia.load_release(folder / "release")


def test_any_object_with_the_method_is_an_encoder(release, tmp_path):
    own = Loudness()
    request = ia.EncodeRequest(own, Letters(), tmp_path / "s", prompt="query: ", cache_file=tmp_path / "c.sqlite")
    submission = ia.encode_release(request, release)
    assert own.calls == [(1, 16_000, length) for _, _, length in own.calls]
    assert len(own.calls) == len(release.ids)
    row = submission.content.text[list(submission.content.ids).index(release.ids[0])]
    text = f"query: {release.column('text')[0]}"
    assert row.tolist() == [len(text), text.count("e"), 2.0]
    card = json.loads((tmp_path / "s" / "submission.json").read_text())
    assert card["speech_encoder"]["id"] == "local/Loudness"
    assert card["speech_encoder"].get("pooling") is None
    assert card["speech_encoder"].get("revision") is None
    assert card["text_encoder"]["prompt"] == "query: "
    assert not (tmp_path / "c.sqlite").exists()  # nobody knows what such vectors depend on
    assert ia.validate(submission, release) == []


def test_an_object_that_states_its_revision_is_asked_once(release, tmp_path):
    cache = tmp_path / "c.sqlite"
    asked = []
    for out, revision in (("a", "1"), ("b", "1"), ("c", "2")):
        own = Loudness(name="me/loudness", revision=revision)
        ia.encode_release(ia.EncodeRequest(own, Letters(), tmp_path / out, cache_file=cache), release)
        asked.append(len(own.calls))
    assert asked == [15, 0, 15]
    card = json.loads((tmp_path / "c" / "submission.json").read_text())
    assert card["speech_encoder"] | {"pooling": None, "prompt": None} == {
        "id": "me/loudness", "revision": "2", "pooling": None, "prompt": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("returned", "found"),
    [(np.zeros(3), "an array of shape (3,)"), (np.zeros((2, 3)), "shape (2, 3)"), ([["x"]], "type <U1")],
    ids=["a vector", "too many rows", "no numbers"],
)
def test_what_has_a_wrong_shape_is_named(returned, found, release, tmp_path):
    class Wrong:
        def encode_text(self, texts):
            return returned

    with pytest.raises(ia.ProblemsFound, match="encode_text") as raised:
        ia.encode_release(ia.EncodeRequest(Loudness(), Wrong(), tmp_path / "s", cache_file=tmp_path / "c"), release)
    assert found in str(raised.value)
    assert "numbers of shape (1, d) for 1 input" in str(raised.value)
    assert not (tmp_path / "s").exists()


def test_own_vectors_that_are_not_finite_are_named_by_recording(release, tmp_path):
    class Silent(Loudness):
        def encode_speech(self, waveforms, sampling_rate):
            return [[np.nan, 1.0]]

    with pytest.raises(ia.ProblemsFound, match=r"encoder\.output") as raised:
        ia.encode_release(ia.EncodeRequest(Silent(), Letters(), tmp_path / "s", cache_file=tmp_path / "c"), release)
    assert len(raised.value.problems) == len(release.ids)


def test_the_snippet_of_the_documentation_runs(release, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "tones").symlink_to(release.folder, target_is_directory=True)
    (snippet,) = blocks(page("docs/encoding.md"), "python")
    found = run_snippet(snippet, "docs/encoding.md")
    assert ia.validate(found["submission"], release) == []
    assert (tmp_path / "submissions" / "me__loudness" / "1" / "submission.json").is_file()


@pytest.mark.parametrize("script", blocks(page("docs/encoding.md"), "bash"), ids=["slurm", "jobs"])
def test_scripts_of_the_documentation_are_bash_and_call_a_command_that_exists(script):
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    options = re.findall(r"--[a-z-]+", script.partition("igbo")[2].partition("encode")[2].partition("&&")[0])
    assert len(options) >= 5
    known = subprocess.run(
        [sys.executable, "-m", "igbo_align", "encode", "--help"],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
        check=True,
    )
    assert all(option in known.stdout for option in options)


# --- short names


def test_short_names_are_unique_and_become_ids():
    assert len({preset.name for preset in PRESETS}) == len({preset.id for preset in PRESETS}) == len(PRESETS)
    assert expand_preset("e5-small") == "intfloat/multilingual-e5-small"
    assert expand_preset("labse@abc") == "sentence-transformers/LaBSE@abc"
    assert expand_preset("org/model@abc") == "org/model@abc"
    assert {"minilm", "labse", "e5-small", "e5-base", "e5-large", "bge-m3", "sonar"} <= {p.name for p in PRESETS}
    assert all(preset.licence for preset in PRESETS)


def test_a_prompt_belongs_to_its_encoder_unless_another_is_asked_for():
    e5 = "intfloat/multilingual-e5-large"
    assert prompt_of(e5, "ibo") == "query: "
    assert prompt_of(e5, "ibo", "passage: ") == "passage: "
    assert prompt_of(e5, "ibo", "") is None
    assert prompt_of("org/model", "ibo") is None
    assert prompt_of("cointegrated/SONAR_200_text_encoder", "hau") == "hau_Latn"
    assert licence_of("cointegrated/SONAR_200_text_encoder") == "CC-BY-NC-4.0"
    assert licence_of("org/model") is None


def test_a_folder_under_the_id_of_a_short_name_gets_its_prompt(release, encoders_folder, tmp_path, monkeypatch):
    folder = tmp_path / "intfloat" / "multilingual-e5-small"
    folder.parent.mkdir()
    folder.symlink_to(encoders_folder / "tiny" / "sentences", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    request = ia.EncodeRequest(Loudness(), "intfloat/multilingual-e5-small", tmp_path / "s", device="cpu")
    with jobs_of(request, release.spec) as jobs:
        assert jobs.prompt == jobs.text.prompt == "query: "


def test_the_list_of_short_names_shows_licences(capsys):
    assert run(["encoders"]) == 0
    table = capsys.readouterr().out
    assert "cointegrated/SONAR_200_text_encoder" in table
    assert "CC-BY-NC-4.0" in table
    assert run(["encoders", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [item["name"] for item in listed] == [preset.name for preset in PRESETS]


def test_an_unknown_short_name_says_where_they_are_listed(capsys, tmp_path):
    command = ["encode", "--speech-encoder", "wisper", "--text-encoder", "labse", "--out", str(tmp_path / "s")]
    assert run(command) == 1
    assert "`igbo-align encoders` lists the short names" in capsys.readouterr().err


def test_a_model_without_a_config_of_transformers_is_read_by_sentence_transformers(tmp_path):
    """As static embeddings are: a table of vectors, whose mean is the text's."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "ezi": 1, "okwu": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    table = np.array([[1, 0], [3, 0], [0, 3]], np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, table)], device="cpu").save(str(tmp_path))
    found = load_text_encoder(resolve_encoder(str(tmp_path))).vectors(["ezi", "ezi okwu"], None)
    np.testing.assert_allclose(found, [[1, 0], [0.5**0.5] * 2], atol=1e-6)


# --- translation models


@pytest.fixture(scope="module")
def translation_model(tmp_path_factory):
    """A tiny encoder of type m2m_100 with the tokenizer of NLLB, as SONAR's port is stored."""
    import torch
    from transformers import M2M100Config, NllbTokenizer
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100Encoder

    folder = tmp_path_factory.mktemp("sonar")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz'ịọụ▁"]
    tokenizer = NllbTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sides = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads")}
    config = M2M100Config(vocab_size=len(tokenizer), d_model=16, encoder_ffn_dim=16, pad_token_id=1, **sides)
    M2M100Encoder(config).save_pretrained(folder)
    return load_text_encoder(resolve_encoder(str(folder)))


def test_the_language_is_the_prompt_and_padding_changes_nothing(translation_model):
    together = translation_model.vectors(["ezi okwu", "nri"], "ibo_Latn")
    alone = np.vstack([translation_model.vectors([text], "ibo_Latn") for text in ("ezi okwu", "nri")])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-6)
    english = translation_model.vectors(["ezi okwu"], "eng_Latn")
    assert not np.allclose(english, alone[:1], atol=1e-4)
    tokens = translation_model.tokenizer(["nri"]).input_ids[0]
    assert translation_model.tokenizer.convert_ids_to_tokens(tokens)[0] == "eng_Latn"


def test_the_mean_is_over_the_tokens_by_definition(translation_model):
    import torch

    translation_model.tokenizer.src_lang = "ibo_Latn"
    tokens = translation_model.tokenizer(["nri"], return_tensors="pt")
    with torch.inference_mode():
        states = translation_model.model(**{name: tokens[name] for name in ("input_ids", "attention_mask")})[0][0]
    mean = states.mean(dim=0).numpy()
    np.testing.assert_allclose(
        translation_model.vectors(["nri"], "ibo_Latn")[0], mean / np.linalg.norm(mean), atol=1e-6
    )


@pytest.mark.parametrize("prompt", [None, "Igbo"])
def test_a_language_that_the_model_does_not_have_is_a_problem(translation_model, prompt):
    with pytest.raises(ia.UsageProblem, match=r"--prompt.*the code of the texts' language among this model's tokens"):
        translation_model.vectors(["nri"], prompt)
