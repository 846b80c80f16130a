"""MTEB's tasks, cached vectors through MTEB's own evaluator, and MTEB's models on the way back."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.cli.app import run
from igbo_align.protocol.spec import DIRECTIONS, TRACKS

mteb = importlib.import_module("mteb") if os.environ.get("CI") else pytest.importorskip("mteb")

from igbo_align.doors.mteb_scores import mteb_scores, rows_scores  # noqa: E402
from igbo_align.doors.mteb_tasks import IgboAlignS2T, IgboAlignT2S  # noqa: E402
from mteb.models.abs_encoder import AbsEncoder  # noqa: E402
from mteb.models.model_implementations import MODEL_REGISTRY  # noqa: E402
from mteb.models.model_meta import ModelMeta  # noqa: E402

SUBMISSIONS = Path(__file__).resolve().parent.parent / "submissions"
RANDOM = "mteb/baseline-random-encoder"


def baseline(name: str) -> ia.Submission:
    return ia.load_submission(SUBMISSIONS / f"baselines__{name}" / "1")


@pytest.fixture(scope="module")
def ridge(demo):
    """MTEB's scores and ours of a learnt baseline."""
    submission = baseline("ridge")
    return mteb_scores(submission, demo), ia.score(submission, demo)


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_evaluator_of_mteb_finds_our_numbers(ridge, track, direction):
    theirs, ours = ridge[0][track][direction], ridge[1].tracks[track][direction]
    for k in (1, 5, 10):
        assert theirs[f"unrounded_recall_at_{k}"] == pytest.approx(ours[f"recall@{k}"].value, abs=1e-6)
        assert theirs[f"hit_rate_at_{k}"] == pytest.approx(ours[f"recall@{k}"].value, abs=5.1e-6)  # five decimals
    assert theirs["mrr_at_1000"] == pytest.approx(ours["mrr"].value, abs=1e-6)
    assert theirs["tied_queries"] == 0


def test_ties_are_counted_and_their_expectation_is_ours(demo):
    submission = baseline("speaker-only")
    theirs = mteb_scores(submission, demo, ["heldout"])["heldout"]["text_to_speech"]
    ours = ia.score(submission, demo).tracks["heldout"]["text_to_speech"]
    assert theirs["tied_queries"] == ours.n
    assert theirs["unrounded_recall_at_10"] != pytest.approx(ours["recall@10"].value, abs=1e-6)
    for k in (1, 5, 10):
        assert theirs[f"expected_recall_at_{k}"] == pytest.approx(ours[f"recall@{k}"].value, abs=1e-6)
    assert theirs["expected_mrr"] == pytest.approx(ours["mrr"].value, abs=1e-6)


def test_two_matrices_without_a_release():
    random = np.random.default_rng(3)
    text = random.standard_normal((60, 16)).astype(np.float32)
    speech = text + random.standard_normal((60, 16)).astype(np.float32)
    ranks = ia.rank_all(speech, text).speech_to_text
    assert rows_scores(speech, text)["recall_at_5"] == pytest.approx((ranks <= 5).mean(), abs=5.1e-6)


def test_the_tasks_say_what_they_are(demo):
    for task, category, first in ((IgboAlignS2T, "a2t", "audio"), (IgboAlignT2S, "t2a", "text")):
        metadata = task.metadata
        assert (metadata.name, metadata.type, metadata.category) == (task.__name__, "Any2AnyRetrieval", category)
        assert metadata.modalities[0] == first
        assert metadata.eval_langs == ["ibo-Latn"]
    of_demo = IgboAlignS2T(demo, ["heldout"]).metadata
    assert of_demo.eval_langs == ["eng-Latn", "ita-Latn"]
    assert "not Igbo" in of_demo.description
    assert of_demo.dataset["revision"] == demo.fingerprint[:40]
    with pytest.raises(ia.UsageProblem, match="papers"):
        IgboAlignS2T(demo, ["papers"])


def test_pools_are_the_frozen_ones(demo):
    task = IgboAlignT2S(demo)
    task.load_data()
    heldout = task.dataset["default"]["heldout"]
    assert list(heldout["queries"]["id"]) == [demo.ids[i] for i in demo.queries("heldout")]
    assert [len(pool) for pool in heldout["top_ranked"].values()] == [100] * len(demo.queries("heldout"))
    assert all(query in pool for query, pool in heldout["top_ranked"].items())
    assert task.dataset["default"]["full"]["top_ranked"] is None
    task.load_data()  # as MTEB does before each evaluation
    assert task.dataset["default"]["heldout"] is heldout


def test_a_release_without_recordings_is_refused_to_a_model_that_would_hear_them(demo):
    model = mteb.get_model(RANDOM)
    with pytest.raises(ia.ProblemsFound, match=r"source\.missing"):
        mteb_scores(model, demo, ["heldout"])


def test_similarities_alone_are_refused(demo, make_card):
    matrix = ia.SimilarityMatrix(np.array(demo.ids), np.array(demo.ids), np.eye(len(demo.ids), dtype=np.float32))
    with pytest.raises(ia.ProblemsFound, match=r"array\.shape"):
        mteb_scores(ia.Submission(make_card(), matrix), demo, ["heldout"])


class TinyModel(AbsEncoder):
    """Hears loudness and length, reads lengths and letters: enough to be deterministic and not constant."""

    def __init__(self, *_arguments, **_options):
        self.mteb_model_meta = MODEL_REGISTRY["tests/tiny"]

    def encode(self, inputs, *, task_metadata, prompt_type=None, **_options):
        import torch

        rows = []
        for batch in inputs:
            if "audio" in task_metadata.get_modalities(prompt_type):
                waves = [item["array"] for item in batch["audio"]]
                assert {item["sampling_rate"] for item in batch["audio"]} == {16_000}
                rows += [[np.abs(wave).mean(), len(wave) / 16_000, wave.std(), 1.0] for wave in waves]
            else:
                rows += [[len(text), text.count(" "), text.count("a"), 1.0] for text in batch["text"]]
        return torch.tensor(np.array(rows, dtype=np.float32), dtype=torch.bfloat16)


@pytest.fixture
def tiny_model(monkeypatch):
    """`TinyModel` in MTEB's registry, as any model is that MTEB knows."""
    fields = {
        "name": "tests/tiny",
        "revision": "7",
        "modalities": ["audio", "text"],
        "loader": TinyModel,
        "license": "mit",
        "n_parameters": 12,
        "training_datasets": {"FleursA2TRetrieval"},
    }
    monkeypatch.setitem(MODEL_REGISTRY, "tests/tiny", ModelMeta.create_empty(fields))
    monkeypatch.setattr(ModelMeta, "_check_requirements", lambda _self: None)  # it decodes no sound with torchaudio
    return "tests/tiny"


@pytest.fixture(scope="module")
def with_audio(encoders_folder, corpus_folder):
    """A small release with recordings and texts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(encoders_folder)
        patch.setenv("IGBO_ALIGN_CACHE", str(encoders_folder / "mteb-cache"))
        out = encoders_folder / "mteb-release"
        command = ["build", "--source", str(corpus_folder), "--config", "ibo", "--per-bucket", "15", "--with-audio"]
        command += ["--speech-encoder", "tiny/whisper", "--text-encoder", "tiny/sentences", "--out", str(out)]
        assert run([*command, "--workers", "1"]) == 0
    return out


def test_a_model_of_mteb_makes_a_submission_with_the_scores_that_mteb_gives_it(tiny_model, with_audio, tmp_path):
    release, out = ia.load_release(with_audio), tmp_path / "submission"
    assert run(["encode", "--mteb-model", tiny_model, "--release", str(with_audio), "--out", str(out)]) == 0
    submission = ia.load_submission(out)
    card = json.loads((out / "submission.json").read_text())
    assert card["system"] == {
        "name": "tiny",
        "org": "local",
        "revision": "1",
        "url": None,
        "licence": "mit",
        "n_parameters": 12,
    }
    assert card["speech_encoder"]["revision"] == "7"
    assert card["alignment"]["other_training_data"] == "FleursA2TRetrieval"
    ours = ia.score(submission, release)
    theirs = mteb_scores(mteb.get_model(tiny_model), release, ["heldout", "full"])
    for track, directions in theirs.items():
        for direction, scores in directions.items():
            held = ours.tracks[track][direction]
            # MTEB computes cosines in float32, so that a query with nearly tied candidates may differ.
            assert scores["expected_mrr"] == pytest.approx(held["mrr"].value, abs=0.02)


def test_a_real_model_of_mteb_runs_on_the_tasks(with_audio, monkeypatch):
    # Its collator imports torchaudio for resampling alone, and these recordings have its rate; the builds of torchaudio
    # on the package index load only beside a torch for GPUs.
    monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
    for kind in ("audio", "image", "video"):
        place = f"mteb.models.model_implementations.random_baseline.requires_{kind}_dependencies"
        monkeypatch.setattr(place, lambda: None, raising=False)
    result = mteb.evaluate(
        mteb.get_model(RANDOM),
        [IgboAlignS2T(with_audio, ["paper"]), IgboAlignT2S(with_audio, ["paper"])],
        cache=None,
        co2_tracker=False,
        show_progress_bar=False,
    )
    assert [item.task_name for item in result.task_results] == ["IgboAlignS2T", "IgboAlignT2S"]
    assert all(0 <= item.get_score() <= 1 for item in result.task_results)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"modalities": ["text"]}, "encoder.unsupported"),
        ({"loader": None}, "encoder.unreadable"),
        ({"loader": lambda *_a, **_k: 1 / 0}, "encoder.unreadable"),
    ],
)
def test_a_model_that_cannot_be_used_is_a_problem(tiny_model, with_audio, tmp_path, changes, code, monkeypatch, capsys):
    meta = MODEL_REGISTRY[tiny_model].model_copy(update=changes)
    monkeypatch.setitem(MODEL_REGISTRY, tiny_model, meta)
    out = tmp_path / "submission"
    assert run(["encode", "--mteb-model", tiny_model, "--release", str(with_audio), "--out", str(out)]) == 1
    assert code in capsys.readouterr().err
    assert not out.exists()


def test_output_that_is_no_matrix_is_a_problem(tiny_model, with_audio, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(TinyModel, "encode", lambda *_a, **_k: [1, 2])
    out = tmp_path / "submission"
    assert run(["encode", "--mteb-model", tiny_model, "--release", str(with_audio), "--out", str(out)]) == 1
    assert "encoder.output" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--mteb-model", "a/b", "--speech-encoder", "c/d"],
        ["--speech-encoder", "c/d"],
        [],
        ["--mteb-model", "a/b", "--prompt", "query: "],
    ],
)
def test_encoders_are_named_in_one_way(options, tmp_path, capsys):
    assert run(["encode", *options, "--out", str(tmp_path / "x")]) == 2
    assert "--mteb-model" in capsys.readouterr().err


def test_a_package_that_the_model_needs_is_named(with_audio, tmp_path, monkeypatch, capsys, tiny_model):
    def check(_self):
        raise ImportError("Model tests/tiny is missing required dependencies: ears.\nYou can install it.")

    monkeypatch.setattr(ModelMeta, "_check_requirements", check)
    out = tmp_path / "submission"
    assert run(["encode", "--mteb-model", tiny_model, "--release", str(with_audio), "--out", str(out)]) == 4
    error = capsys.readouterr().err
    assert "found     Model tests/tiny is missing required dependencies: ears.\n" in error
    assert "pip install 'mteb[audio]'" in error
    assert not out.exists()


def test_without_mteb_the_extra_is_named(with_audio, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mteb", None)
    out = tmp_path / "submission"
    assert run(["encode", "--mteb-model", "a/b", "--release", str(with_audio), "--out", str(out)]) == 4
    assert (
        "environment.extra --mteb-model found no mteb expected the extra `mteb` mend "
        "Install it: pip install 'igbo-align[mteb]'."
    ) in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_the_documented_snippet_runs(monkeypatch, capsys):
    monkeypatch.chdir(SUBMISSIONS.parent)
    page = (SUBMISSIONS.parent / "docs" / "doors.md").read_text(encoding="utf-8")
    snippet = page.split("<!-- test: mteb -->\n```python\n")[1].split("```")[0]
    exec(compile(snippet, "docs/doors.md", "exec"), {})
    assert 0.5 < float(capsys.readouterr().out) < 0.7  # ridge, held out
