"""Baselines: each against an independent formula, none able to look at test pairs, all reproducible to the byte."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg
from baseline_inputs import N_TEST, N, synthetic_inputs
from igbo_align.baselines.closed_forms import cca, procrustes, ridge
from igbo_align.baselines.controls import duration_only, random_rotation, shuffled_pairs, speaker_only
from igbo_align.baselines.cross_validation import choose_setting, group_folds, mean_reciprocal_rank
from igbo_align.baselines.inputs import Inputs, reference_inputs
from igbo_align.baselines.registry import BASELINES, baselines_named
from igbo_align.cli.app import run
from igbo_align.encoders.pooling import reduce_windows, slow_frames
from igbo_align.problems import ProblemsFound
from sklearn.linear_model import Ridge

FITTED = [baseline for baseline in BASELINES if baseline.fits_on == "train"]
TRAIN_ROWS = np.arange(N - N_TEST)


def cosines(speech, text):
    speech, text = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (speech, text))
    return speech @ text.T


@pytest.mark.parametrize("baseline", FITTED, ids=lambda baseline: baseline.name)
def test_changing_test_pairs_changes_no_fitted_parameter(baseline):
    first, second = (baseline.make(synthetic_inputs(test_seed), 42) for test_seed in (0, 1))
    assert first.fitted
    assert first.fitted.keys() == second.fitted.keys()
    for name, numbers in first.fitted.items():
        assert np.array_equal(numbers, second.fitted[name]), name
    assert dict(first.choices) == dict(second.choices)
    if baseline.name != "shuffled-pairs":  # its train rows are permuted among themselves all the same
        assert np.allclose(first.speech[TRAIN_ROWS], second.speech[TRAIN_ROWS], atol=1e-12)
    assert not np.allclose(first.speech[N - N_TEST :], second.speech[N - N_TEST :])


@pytest.mark.parametrize("baseline", [item for item in BASELINES if item.is_trained], ids=lambda item: item.name)
def test_the_watched_loss_changes_with_test_pairs_and_the_train_loss_does_not(baseline):
    logs = [baseline.make(synthetic_inputs(test_seed), 42).training_log for test_seed in (0, 1)]
    losses = {key: [[epoch[key] for epoch in log["epochs"]] for log in logs] for key in ("train_loss", "heldout_loss")}
    assert losses["train_loss"][0] == losses["train_loss"][1]
    assert losses["heldout_loss"][0] != losses["heldout_loss"][1]


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_every_baseline_gives_one_vector_of_one_space_for_each_pair(baseline):
    outcome = baseline.make(synthetic_inputs(), 42)
    assert outcome.speech.shape == outcome.text.shape == (N, outcome.speech.shape[1])
    assert np.isfinite(outcome.speech).all()
    assert np.linalg.norm(outcome.speech, axis=1).min() > 0
    assert (outcome.training_log is not None) == baseline.is_trained


def test_the_table_names_each_baseline_once():
    names = [baseline.name for baseline in BASELINES]
    assert len(set(names)) == len(names)
    assert [b.name for b in baselines_named(["ridge", "zero-shot"])] == ["zero-shot", "ridge"]
    assert len(baselines_named([])) == len(names)
    with pytest.raises(ProblemsFound, match="Did you mean ridge") as caught:
        baselines_named(["rigde"])
    assert caught.value.problems[0].code == "baseline.unknown"
    assert caught.value.exit_code == 2


def test_ridge_equals_scikit_learn():
    pairs = synthetic_inputs().train
    maps = ridge(pairs, 0.3)
    gram = np.cov(pairs.speech.T, bias=True) * len(pairs)
    reference = Ridge(alpha=0.3 * np.trace(gram) / len(gram)).fit(pairs.speech, pairs.text)
    speech, text = maps(pairs.speech, pairs.text)
    assert np.allclose(speech + pairs.text.mean(axis=0), reference.predict(pairs.speech))
    assert np.allclose(text, pairs.text - pairs.text.mean(axis=0))


def test_procrustes_equals_scipy():
    pairs = synthetic_inputs().train
    rotation, _ = scipy.linalg.orthogonal_procrustes(
        pairs.speech - pairs.speech.mean(axis=0), pairs.text - pairs.text.mean(axis=0)
    )
    assert np.allclose(procrustes(pairs).speech_matrix, rotation)


def test_cca_equals_the_generalised_eigenvalue_problem():
    pairs, strengths = synthetic_inputs().train, (0.1, 0.5)
    x, y = pairs.speech - pairs.speech.mean(axis=0), pairs.text - pairs.text.mean(axis=0)
    cross = x.T @ y
    ridge_x = x.T @ x + strengths[0] * np.trace(x.T @ x) / 12 * np.eye(12)
    ridge_y = y.T @ y + strengths[1] * np.trace(y.T @ y) / 12 * np.eye(12)
    squares, directions = scipy.linalg.eigh(cross @ np.linalg.solve(ridge_y, cross.T), ridge_x)
    correlations = np.sqrt(squares)
    of_text = np.linalg.solve(ridge_y, cross.T) @ directions / correlations
    expected = cosines(x @ directions * correlations, y @ of_text * correlations)
    assert np.allclose(cosines(*cca(pairs, strengths)(pairs.speech, pairs.text)), expected)


def test_folds_hold_whole_text_groups():
    groups = np.repeat(np.arange(40), np.arange(40) % 3 + 1)
    folds = group_folds(groups, 5)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == group])) == 1 for group in range(40))


def test_cross_validation_prefers_the_strength_that_generalises():
    train = synthetic_inputs().train
    chosen, rank = choose_setting([1e-3, 1e6], ridge, train)
    assert chosen == 1e-3
    assert 0.5 < rank <= 1


def test_mean_reciprocal_rank_does_not_count_equal_texts_as_wrong():
    speech, text = np.eye(3)[[0, 1, 2]], np.eye(3)[[1, 0, 2]]
    assert mean_reciprocal_rank(speech, text, np.arange(3)) < 1
    assert mean_reciprocal_rank(speech, text, np.array([0, 0, 1])) == 1


def test_shuffled_pairs_land_at_chance_on_average(demo):
    """One permutation of 140 pairs may miss chance by luck; the mean of many may not."""
    from igbo_align.metrics.exact_similarity import integer_similarity, unit_integers
    from igbo_align.metrics.ranking import pool_standings
    from igbo_align.metrics.retrieval import recall_at_k

    inputs = reference_inputs(demo)
    recalls = []
    for seed in range(2):
        outcome = shuffled_pairs(inputs, seed)
        similarity = integer_similarity(unit_integers(outcome.speech), unit_integers(outcome.text))
        standings = pool_standings(similarity, demo.queries("paper"), demo.pools["paper"]["speech_to_text"])
        recalls.append(recall_at_k(standings, 1).mean())
    assert abs(np.mean(recalls) - 0.01) < 4 * np.sqrt(0.01 * 0.99 / (2 * 699))


def test_shuffling_keeps_train_and_test_apart():
    inputs = synthetic_inputs()
    good, shuffled = baselines_named(["ridge"])[0].make(inputs, 1), shuffled_pairs(inputs, 1)
    for rows in (TRAIN_ROWS, np.arange(N - N_TEST, N)):
        assert {tuple(row) for row in good.speech[rows]} == {tuple(row) for row in shuffled.speech[rows]}
    assert not np.array_equal(good.speech, shuffled.speech)


def test_a_random_rotation_keeps_angles_among_texts():
    inputs = synthetic_inputs()
    outcome = random_rotation(inputs, 3)
    assert np.allclose(outcome.text @ outcome.text.T, inputs.pairs.text @ inputs.pairs.text.T)
    assert not np.allclose(outcome.text, inputs.pairs.text)


def test_duration_only_finds_the_nearest_length():
    outcome = duration_only(synthetic_inputs(), 0)
    similarity = cosines(outcome.speech, outcome.text)
    assert np.diag(similarity).mean() > similarity.mean() + 0.01


def test_speaker_only_knows_nothing_but_the_speaker():
    inputs = synthetic_inputs()
    outcome = speaker_only(inputs, 0)
    assert len(np.unique(outcome.speech, axis=0)) == 3  # two speakers, and one without train pairs


@pytest.mark.parametrize("n", [1, 4, 5, 6, 12])
def test_slow_frames_are_means_of_five(n):
    frames = np.random.default_rng(n).standard_normal((20, 3)).astype(np.float32)
    slow = slow_frames(frames, n)
    expected = [frames[start : min(start + 5, n)].mean(axis=0) for start in range(0, n, 5)]
    assert np.allclose(slow, expected, atol=1e-6)
    assert slow.dtype == np.float32
    assert np.array_equal(reduce_windows([(frames, n, 1)], "frames-10hz"), slow)
    assert reduce_windows([(frames, n, 1)], "mean").shape == (3,)


def test_a_named_baseline_without_recordings_is_a_problem(tmp_path, capsys):
    assert run(["baseline", "ridge-stats", "attentive", "--out", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert errors.count("baseline.needs_source") == 2
    assert "--source" in errors
    with pytest.raises(ProblemsFound, match="needs_source"):
        Inputs(None, None).recordings  # noqa: B018


def test_a_named_baseline_without_torch_is_a_problem_of_the_environment(tmp_path, capsys, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    assert run(["baseline", "zero-shot", "projection", "--out", str(tmp_path)]) == 4
    assert (
        "environment.extra projection found no torch expected the extra `baselines` mend "
        "Install it: pip install 'igbo-align[baselines]'."
    ) in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
    assert run(["baseline", "ridge-stats", "projection", "--out", str(tmp_path)]) == 1


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"encoders": {"text": {}}}', '{"encoders": []}'])
def test_a_manifest_without_reference_encoders_is_a_problem(text, demo, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ProblemsFound) as caught:
        reference_inputs(dataclasses.replace(demo, folder=tmp_path))
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("release.corrupt", "manifest.json")
    assert problem.found == "no reference encoder of speech"
    assert problem.expected == "the id, revision and pooling of each reference encoder"
    assert problem.mend == "Fetch or build the release again."


def test_existing_folders_are_never_overwritten(tmp_path, capsys):
    assert run(["baseline", "zero-shot", "--out", str(tmp_path)]) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run(["baseline", "zero-shot", "centred", "--out", str(tmp_path)]) == 1
    assert "folder.exists" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_unknown_baseline_is_wrong_usage(tmp_path, capsys):
    assert run(["baseline", "zeroshot", "--out", str(tmp_path)]) == 2
    assert "Did you mean zero-shot?" in capsys.readouterr().err


REPRODUCED = ("projection", "procrustes", "ridge", "cca", "random-rotation", "duration-only")
#: Prints, for each baseline, a hash of the numbers that its files hold.
HASHES = """
import sys, igbo_align as ia
from igbo_align.baselines import closed_forms
from igbo_align.baselines.inputs import reference_inputs
from igbo_align.baselines.registry import baselines_named
from igbo_align.baselines.run import submitted_vectors, log_text
from igbo_align.files import sha256_of_bytes
# Two strengths are enough to choose from: threads that share busy cores are slow.
closed_forms.CCA_STRENGTHS, closed_forms.RIDGE_STRENGTHS = closed_forms.CCA_STRENGTHS[:2], (0.01, 0.1)
release = ia.load_release("demo")
inputs = reference_inputs(release)
for baseline in baselines_named(sys.argv[1:]):
    outcome = baseline.make(inputs, 42)
    vectors = submitted_vectors(outcome, release)
    log = log_text(outcome.training_log or {}).encode()
    print(sha256_of_bytes(vectors.speech.tobytes() + vectors.text.tobytes() + log + repr(outcome.choices).encode()))
"""


@pytest.fixture(scope="session")
def hashes():
    """Hashes of the same baselines made by two processes side by side: with one thread, and with two."""
    processes = []
    for threads in ("1", "2"):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", HASHES, *REPRODUCED]
        processes.append(subprocess.Popen(command, env=os.environ | limits, stdout=subprocess.PIPE, text=True))
    return [process.communicate()[0].split() for process in processes]


@pytest.mark.parametrize("name", REPRODUCED)
def test_two_runs_give_the_same_bytes_on_one_thread_and_on_two(hashes, name):
    names = [baseline.name for baseline in baselines_named(REPRODUCED)]
    first, second = (dict(zip(names, printed, strict=True)) for printed in hashes)
    assert first[name] == second[name]


def test_two_runs_write_the_same_files(tmp_path):
    for out in ("first", "second"):
        assert run(["baseline", "low-rank", "--out", str(tmp_path / out)]) == 0
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / out / "baselines__low-rank" / "1").iterdir()}
        for out in ("first", "second")
    )
    assert first.keys() == {"submission.json", "embeddings.parquet", "scores.json", "training_log.json"}
    assert first == second


def test_several_seeds_are_summarised_beside_the_first(tmp_path):
    assert run(["baseline", "low-rank", "--seeds", "2", "--out", str(tmp_path)]) == 0
    folder = tmp_path / "baselines__low-rank" / "1"
    seeds = json.loads((folder / "seeds.json").read_text())
    scores = json.loads((folder / "scores.json").read_text())
    assert seeds["seeds"] == [42, 43]
    mrr = seeds["tracks"]["heldout"]["mrr"]
    directions = scores["tracks"]["heldout"].values()
    assert mrr["values"][0] == pytest.approx(np.mean([held["mrr"]["value"] for held in directions]))
    assert mrr["values"][0] != mrr["values"][1]
    assert mrr["spread"] == pytest.approx(np.std(mrr["values"], ddof=1))
    assert run(["leaderboard", str(tmp_path), "--out", str(tmp_path / "board.json")]) == 0
    board = json.loads((tmp_path / "board.json").read_text())
    assert board["rows"][0]["seeds"] == seeds
