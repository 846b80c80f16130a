"""The training of section 3.3: parameter count, mining, losses, curriculum, figure."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
import torch
from baseline_inputs import synthetic_inputs
from igbo_align.baselines.figure import draw_training_log
from igbo_align.baselines.inputs import reference_inputs
from igbo_align.baselines.maps import AttentivePooling, Dropout, Projection, n_trainable
from igbo_align.baselines.trained import fit_map, new_projection, projection, zero_shot_similarity
from igbo_align.baselines.training import (
    TrainingPairs,
    TrainingSettings,
    choose_injected,
    mine_hard_negatives,
    one_thread,
    symmetric_info_nce,
)
from igbo_align.problems import EnvironmentProblem
from igbo_align.randomness import raw_stream


@pytest.fixture(scope="module")
def demo_projection(demo):
    """The projection baseline on the demo release."""
    return projection(reference_inputs(demo), 42)


def test_the_projection_has_the_papers_parameters(demo_projection):
    assert n_trainable(Projection(384, 384, raw_stream(0, "test"))) == 147_840
    assert sum(array.size for array in demo_projection.fitted.values()) == 147_840


def test_the_settings_are_the_papers():
    settings = TrainingSettings()
    assert (settings.temperature, settings.batch_size, settings.epochs) == (0.07, 32, 20)
    assert (settings.mined_negatives, settings.injected_negatives, settings.remine_every_epochs) == (5, 2, 7)
    assert (settings.learning_rate, settings.weight_decay, settings.largest_gradient_norm) == (3e-4, 1e-4, 1.0)


def test_negatives_are_mined_anew_before_epochs_8_and_15_and_the_loss_spikes(demo_projection):
    log = demo_projection.training_log
    assert [event["before_epoch"] for event in log["mining"]] == [1, 8, 15]
    assert [item["epoch"] for item in log["epochs"]] == list(range(1, 21))
    losses = {item["epoch"]: item["train_loss"] for item in log["epochs"]}
    assert losses[8] > losses[7] + 0.1
    assert losses[15] > losses[14] + 0.1
    assert losses[9] < losses[8]
    assert losses[16] < losses[15]
    assert log["chance"]["train_loss"] == pytest.approx((math.log(96) + math.log(32)) / 2)
    assert log["chance"]["heldout_loss"] == pytest.approx(math.log(140))


def test_the_learning_rate_is_annealed_along_a_cosine(demo_projection):
    rates = [item["learning_rate"] for item in demo_projection.training_log["epochs"]]
    assert rates == pytest.approx([3e-4 * (1 + math.cos(math.pi * epoch / 20)) / 2 for epoch in range(20)])


def test_mining_takes_the_most_similar_texts_of_other_groups():
    similarity = torch.tensor([[0.9, 0.8, 0.7, 0.1], [0.5, 0.9, 0.6, 0.7], [0.1, 0.2, 0.9, 0.3], [0.4, 0.3, 0.2, 0.9]])
    groups = torch.tensor([0, 0, 1, 2])
    assert mine_hard_negatives(similarity.double(), groups, 2).tolist() == [[2, 3], [3, 2], [3, 1], [0, 1]]


def test_mining_sees_train_texts_alone_and_never_the_own_group(demo):
    train = reference_inputs(demo).train
    similarity = zero_shot_similarity(train)
    assert similarity.shape == (559, 559)
    negatives = mine_hard_negatives(similarity, torch.from_numpy(train.groups), 5).numpy()
    assert negatives.shape == (559, 5)
    assert not (train.groups[negatives] == train.groups[:, None]).any()


def test_injected_negatives_are_different_ones_of_the_mined():
    negatives = torch.arange(50).reshape(10, 5)
    drawn = [choose_injected(negatives, 2, raw_stream(seed, "test")) for seed in range(40)]
    for chosen in drawn:
        assert chosen.shape == (10, 2)
        assert (chosen // 5 == torch.arange(10)[:, None]).all()
        assert (chosen[:, 0] != chosen[:, 1]).all()
    assert len(torch.unique(torch.stack(drawn))) == 50


def test_the_loss_is_the_mean_of_32_by_96_and_32_by_32_cross_entropies():
    generator = np.random.default_rng(0)
    text = generator.standard_normal((120, 8))
    groups = np.concatenate([[5, 5], np.arange(10, 128)])
    pairs = TrainingPairs.of(torch.zeros(120, 8), text, groups)
    projected = torch.nn.functional.normalize(torch.from_numpy(generator.standard_normal((32, 8))), dim=-1)
    batch, injected = torch.arange(32), torch.arange(32, 96).reshape(32, 2)
    found = symmetric_info_nce(projected, pairs, batch, injected, 0.07).item()

    unit = text / np.linalg.norm(text, axis=1, keepdims=True)
    logits = projected.numpy() @ unit[:96].T / 0.07
    losses = []
    for i in range(32):
        rivals = [j for j in range(96) if j == i or groups[j] != groups[i]]
        assert len(rivals) == (95 if i < 2 else 96)
        losses.append(np.log(np.exp(logits[i, rivals]).sum()) - logits[i, i])
        rivals = [j for j in range(32) if j == i or groups[j] != groups[i]]
        losses.append(np.log(np.exp(logits[rivals, i]).sum()) - logits[i, i])
    assert found == pytest.approx(np.mean(losses))


def test_the_map_is_norm_of_dropout_of_layer_norm_of_a_linear_map():
    mapping = Projection(5, 4, raw_stream(1, "test"), rate=0.0)
    speech = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 5)))
    linear = speech.numpy() @ mapping.linear.weight.detach().numpy().T + mapping.linear.bias.detach().numpy()
    normed = (linear - linear.mean(axis=1, keepdims=True)) / np.sqrt(linear.var(axis=1, keepdims=True) + 1e-5)
    expected = normed / np.linalg.norm(normed, axis=1, keepdims=True)
    assert np.allclose(mapping(speech).detach().numpy(), expected)


def test_dropout_keeps_the_mean_and_only_acts_while_training():
    dropout = Dropout(0.1, raw_stream(0, "test"))
    ones = torch.ones(200, 200, dtype=torch.float64)
    dropped = dropout.train()(ones)
    assert (dropped == 0).double().mean().item() == pytest.approx(0.1, abs=0.005)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout.eval()(ones), ones)


def test_attention_does_not_depend_on_the_other_recordings():
    mapping = AttentivePooling(6, 4, raw_stream(0, "test"), heads=2, hidden=3, rate=0.2).eval()
    generator = np.random.default_rng(0)
    recordings = [torch.from_numpy(generator.standard_normal((length, 6))) for length in (1, 7, 3)]
    together = mapping(recordings)
    alone = torch.cat([mapping([recording]) for recording in recordings])
    assert torch.allclose(together, alone, atol=1e-12)


def test_threads_and_torchs_own_seed_change_nothing_and_are_left_alone():
    train = synthetic_inputs().train
    fitted = []
    before = torch.get_num_threads()
    try:
        for threads, seed in ((1, 0), (2, 1)):
            torch.set_num_threads(threads)
            torch.manual_seed(seed)
            state = torch.get_rng_state()
            with one_thread():
                mapping, _ = fit_map(new_projection, train, 42)
            assert torch.get_num_threads() == threads
            assert torch.equal(torch.get_rng_state(), state)
            fitted.append([parameter.detach().numpy().tobytes() for parameter in mapping.parameters()])
    finally:
        torch.set_num_threads(before)
    assert fitted[0] == fitted[1]


def test_seeds_differ():
    train = synthetic_inputs().train
    first, second = (fit_map(new_projection, train, seed)[0].linear.weight for seed in (1, 2))
    assert not torch.equal(first, second)


def test_the_log_is_drawn(demo_projection, tmp_path):
    pytest.importorskip("matplotlib")
    draw_training_log(json.loads(json.dumps(demo_projection.training_log)), tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_a_log_of_fit_matrices_is_drawn_without_held_out_losses(demo_projection, tmp_path):
    """Nothing is held out there."""
    pytest.importorskip("matplotlib")
    log = json.loads(json.dumps(demo_projection.training_log))
    draw_training_log(log, tmp_path / "both.png")
    for epoch in log["epochs"]:
        del epoch["heldout_loss"]
    draw_training_log(log, tmp_path / "train.png")
    assert (tmp_path / "train.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "train.png").read_bytes() != (tmp_path / "both.png").read_bytes()


def test_without_matplotlib_the_log_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(EnvironmentProblem) as caught:
        draw_training_log({}, tmp_path / "curve.png")
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("environment.extra", "matplotlib")
    assert (problem.found, problem.expected) == ("no matplotlib", "the extra `report`")
    assert problem.mend == "Install it: pip install 'igbo-align[report]'."
