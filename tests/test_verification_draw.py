"""The sample of a verification and what it proves: the draw, its probability, one side, the ladder of badges."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from igbo_align.encoders.identity import EncoderIdentity
from igbo_align.pipeline.verification import compare_side
from igbo_align.scoring import verification as receipts
from igbo_align.scoring.verification import catching_probability, draw_sample, outcome_of
from scipy.stats import hypergeom


@pytest.mark.parametrize(
    ("pairs", "sample", "replaced"), [(699, 32, 35), (699, 32, 7), (140, 1, 1), (10, 10, 1), (9, 20, 3)]
)
def test_probability_of_catching_is_hypergeometric(pairs, sample, replaced):
    expected = 1 - hypergeom.pmf(0, pairs, replaced, min(sample, pairs))
    assert catching_probability(pairs, sample, replaced) == pytest.approx(expected, abs=1e-12)


def test_probability_at_the_ends():
    assert catching_probability(699, 32, 0) == 0
    assert catching_probability(699, 32, 699) == 1
    assert catching_probability(699, 699, 1) == pytest.approx(1)
    assert receipts.catching_probabilities(699, 32)["0.05"] == pytest.approx(0.814071)


def test_the_table_of_the_documentation():
    page = (Path(__file__).parent.parent / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, flags=re.MULTILINE)
    assert [row[0] for row in rows] == ["32", "64", "128", "699"]
    for sample, *stated in rows:
        expected = [catching_probability(699, int(sample), replaced) for replaced in (7, 14, 35, 70)]
        assert [float(number) for number in stated] == [round(number, 2) for number in expected]


def test_the_stated_probability_is_how_often_draws_catch():
    ids = [str(i) for i in range(200)]
    replaced = set(ids[:10])
    caught = [bool(replaced & set(draw_sample(f"{i:064x}", ids, 20))) for i in range(2000)]
    expected = catching_probability(200, 20, 10)
    assert np.mean(caught) == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 2000))


def test_the_sample_follows_from_the_vectors_and_the_salt():
    ids = [str(i) for i in range(100)]
    sample = draw_sample("a" * 64, ids, 10)
    assert sample == draw_sample("a" * 64, ids, 10)
    assert len(set(sample)) == 10
    assert sample != draw_sample("b" * 64, ids, 10)
    assert sample != draw_sample("a" * 64, ids, 10, salt="commit")
    assert sorted(draw_sample("a" * 64, ids, 1000)) == sorted(ids)


# --- one side


def side_of(change, raw=True):
    generator = np.random.default_rng(0)
    fresh = {str(i): generator.standard_normal(8).astype(np.float32) for i in range(10)}
    submitted = {name: change(int(name), vector) for name, vector in fresh.items()}
    identity = EncoderIdentity("tests/model", "sha256:0", "x", None)
    return compare_side(identity, submitted, fresh, list(fresh), raw)


@pytest.mark.parametrize(
    ("change", "raw", "state", "agreeing"),
    [
        (lambda _, vector: 3 * vector, True, "agrees", 10),
        (lambda _, vector: vector.astype(np.float16).astype(np.float32), True, "agrees", 10),
        (lambda _, vector: vector + 0.01, True, "agrees", 10),
        (lambda i, vector: -vector if i == 4 else vector, True, "differs", 9),
        (lambda i, vector: -vector if i == 4 else vector, False, "differs", 9),
        (lambda _, vector: -vector, True, "differs", 0),
        (lambda _, vector: -vector, False, "mapped", 0),
        (lambda _, vector: vector[:4], False, "mapped", 0),
        (lambda _, vector: vector[:4], True, "differs", 0),
    ],
)
def test_a_side_agrees_differs_or_is_mapped(change, raw, state, agreeing):
    side = side_of(change, raw)
    assert (side.state, side.agreeing) == (state, agreeing)
    assert (side.lowest_cosine is None) == (len(change(0, np.ones(8))) == 4)


def test_the_ladder():
    agrees, mapped, differs = (
        side_of(change, raw=False) for change in (lambda _, v: v, lambda _, v: -v, lambda i, v: -v if i else v)
    )
    assert outcome_of({"speech": agrees, "text": agrees}) == "verified"
    assert outcome_of({"speech": mapped, "text": agrees}) == "partly verified"
    assert outcome_of({"speech": mapped, "text": mapped}) == "not verifiable"
    assert outcome_of({"speech": agrees, "text": differs}) == "rejected"
