"""`ia.Projection`: the paper's map on a release and on matrices of one's own."""

from __future__ import annotations

import json

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.baselines.inputs import reference_inputs
from igbo_align.baselines.trained import projection


@pytest.fixture(scope="module")
def own_vectors():
    """Speech of 512 dimensions, text of 768, linearly related."""
    generator = np.random.default_rng(0)
    speech = generator.standard_normal((96, 512))
    return speech, speech @ generator.standard_normal((512, 768)) / 20


@pytest.fixture(scope="module")
def own_projection(own_vectors):
    return ia.Projection.fit_matrices(*own_vectors)


def test_fit_is_the_baseline(demo):
    fitted = ia.Projection.fit(demo)
    assert fitted.n_parameters == 147_840
    baseline = projection(reference_inputs(demo), 42)
    assert np.allclose(fitted.transform(demo.embeddings("speech")), baseline.speech, atol=1e-5)
    assert fitted.training_log == baseline.training_log
    assert fitted.fitted_to["benchmark"] == demo.benchmark()
    assert fitted.fitted_to["n_pairs"] == 559


def test_any_dimensions(own_projection, own_vectors):
    speech, text = own_vectors
    vectors = own_projection.transform(speech)
    assert vectors.shape == (96, 768)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert own_projection.n_parameters == 512 * 768 + 768
    assert ia.rank_all(vectors, text).speech_to_text.mean() < 3


def test_equal_texts_are_no_negatives_by_default(own_vectors):
    speech, text = own_vectors[0][:40], np.repeat(own_vectors[1][:20], 2, axis=0)
    default = ia.Projection.fit_matrices(speech, text)
    explicit = ia.Projection.fit_matrices(speech, text, groups=np.repeat(np.arange(20), 2))
    assert np.array_equal(default.weight, explicit.weight)
    apart = ia.Projection.fit_matrices(speech, text, groups=np.arange(40))
    assert not np.array_equal(default.weight, apart.weight)


def test_save_and_load_give_the_same_vectors(own_projection, own_vectors, tmp_path):
    own_projection.save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    loaded = ia.Projection.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(own_vectors[0]), own_projection.transform(own_vectors[0]))
    assert loaded.fitted_to == own_projection.fitted_to
    with pytest.raises(ia.ProblemsFound, match=r"folder\.exists"):
        own_projection.save(tmp_path / "model")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"not tensors"), "file.corrupt"),
        (lambda folder: (folder / "model.safetensors").unlink(), "file.corrupt"),
        (lambda folder: (folder / "config.json").write_text("[]"), "file.corrupt"),
        (lambda folder: [path.unlink() for path in folder.iterdir()] and folder.rmdir(), "folder.missing"),
    ],
)
def test_damaged_folders_are_problems(own_projection, tmp_path, damage, code):
    own_projection.save(tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(ia.ProblemsFound) as caught:
        ia.Projection.load(tmp_path / "model")
    assert caught.value.problems[0].code == code


def test_wrong_tensors_are_a_problem(own_projection, tmp_path):
    from safetensors.numpy import save_file

    own_projection.save(tmp_path / "model")
    save_file({"weight": np.zeros((3, 2)), "bias": np.zeros(4)}, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ia.ProblemsFound, match=r"file\.corrupt"):
        ia.Projection.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("speech", "text", "groups"),
    [
        (np.ones((4, 2)), np.ones((3, 2)), None),
        (np.ones((4, 2)), np.ones((4, 2)), np.ones(3)),
        (np.ones(4), np.ones((4, 2)), None),
        (np.full((4, 2), np.nan), np.ones((4, 2)), None),
        (np.ones((0, 2)), np.ones((0, 2)), None),
    ],
)
def test_matrices_that_do_not_fit_are_refused(speech, text, groups):
    with pytest.raises(ValueError, match="expected"):
        ia.Projection.fit_matrices(speech, text, groups=groups)


def test_transform_refuses_other_dimensions(own_projection):
    with pytest.raises(ValueError, match=r"\(n, 512\)"):
        own_projection.transform(np.ones((2, 384)))


def test_push_uploads_a_repository_with_a_card(own_projection, monkeypatch):
    pushed = {}

    def push_model(folder, repository, *, private):
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        pushed.update(files=files, repository=repository, private=private)
        return "https://huggingface.co/me/projection/commit/1"

    monkeypatch.setattr("igbo_align.hub.push_model", push_model)
    assert own_projection.push_to_hub("me/projection", private=True).startswith("https://")
    assert (pushed["repository"], pushed["private"]) == ("me/projection", True)
    card = pushed["files"]["README.md"].decode()
    assert card.startswith("---\nlibrary_name: igbo-align\n")
    assert 'snapshot_download("me/projection")' in card
    assert "393,984 parameters" in card
    assert json.loads(pushed["files"]["config.json"])["d_text"] == 768


def test_push_without_a_hub_is_a_problem_of_the_environment(own_projection):
    with pytest.raises(ia.EnvironmentProblem) as caught:
        own_projection.push_to_hub("me/projection")
    assert caught.value.problems[0].code == "environment.hub"
