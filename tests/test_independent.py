"""Our metrics against trec_eval, called by ir_measures, on the demo release's own pools."""

from __future__ import annotations

import igbo_align as ia
import numpy as np
import pytest
from igbo_align.metrics.exact_similarity import integer_similarity, unit_integers
from igbo_align.protocol.spec import DIRECTIONS

ir_measures = pytest.importorskip("ir_measures", reason="the test extra installs ir-measures")
OURS_AND_THEIRS = {"recall@1": "Success@1", "recall@5": "Success@5", "recall@10": "Success@10", "mrr": "RR"}


@pytest.fixture(scope="module", params=["zero-shot", "aligned"])
def vectors(request, demo):
    """Vectors at chance, and vectors that find about half of the pairs."""
    text = demo.embeddings("text")
    if request.param == "zero-shot":
        return demo.embeddings("speech"), text
    noise = np.random.default_rng(0).standard_normal(text.shape).astype(np.float32)
    return text + 0.4 * noise, text


@pytest.mark.parametrize("track", ["paper", "heldout", "full", "hard"])
def test_values_agree_with_trec_eval(track, vectors, demo, submission_of):
    scores = ia.score(submission_of(*vectors), demo)
    similarity = integer_similarity(unit_integers(vectors[0]), unit_integers(vectors[1]))
    measures = [ir_measures.parse_measure(theirs) for theirs in OURS_AND_THEIRS.values()]
    for direction, matrix in zip(DIRECTIONS, (similarity, similarity.T), strict=True):
        expected = ir_measures.calc_aggregate(measures, *qrels_and_run(track, matrix, demo, direction))
        for ours, measure in zip(OURS_AND_THEIRS, measures, strict=True):
            assert scores.tracks[track][direction][ours].value == pytest.approx(expected[measure], abs=1e-9)


def qrels_and_run(track, matrix, demo, direction):
    """As trec_eval wants them; in track `full` the other correct candidates of a text group are left out."""
    qrels, run = {}, {}
    for place, query in enumerate(demo.queries(track)):
        if track == "full":
            same = np.flatnonzero(demo.groups == demo.groups[query])
            best = same[np.argmax(matrix[query, same])]
            candidates = [c for c in range(len(matrix)) if c == best or demo.groups[c] != demo.groups[query]]
        else:
            best, candidates = query, demo.pools[track][direction][place]
        qrels[f"q{query}"] = {f"c{best}": 1}
        run[f"q{query}"] = {f"c{c}": float(matrix[query, c]) for c in candidates}
        assert_nothing_ties(run[f"q{query}"], f"c{best}")
    return qrels, run


def assert_nothing_ties(scores, correct):
    """trec_eval keeps scores as float32 and breaks their ties by name; real vectors have none with the correct one."""
    rounded = {name: np.float32(value) for name, value in scores.items()}
    assert [name for name, value in rounded.items() if value == rounded[correct]] == [correct]
