"""Our metrics against ranx, an independent implementation, on the demo release's own pools."""

from __future__ import annotations

import numpy as np
import pytest
from igbo_align.metrics.exact_similarity import integer_similarity, unit_integers
from igbo_align.protocol.spec import DIRECTIONS

OURS_AND_RANX = {"recall@1": "hit_rate@1", "recall@5": "hit_rate@5", "recall@10": "hit_rate@10", "mrr": "mrr"}


@pytest.fixture(scope="module", params=["zero-shot", "aligned"])
def vectors(request, demo):
    """Vectors at chance, and vectors that find about half of the pairs."""
    text = demo.embeddings("text")
    if request.param == "zero-shot":
        return demo.embeddings("speech"), text
    noise = np.random.default_rng(0).standard_normal(text.shape).astype(np.float32)
    return text + 0.15 * noise, text


@pytest.mark.parametrize("track", ["paper", "heldout", "full", "hard"])
def test_values_agree_with_ranx(track, vectors, demo, submission_of):
    ranx = pytest.importorskip("ranx", reason="the test extra installs ranx")
    import igbo_align as ia

    scores = ia.score(submission_of(*vectors), demo)
    similarity = integer_similarity(unit_integers(vectors[0]), unit_integers(vectors[1]))
    for direction, matrix in zip(DIRECTIONS, (similarity, similarity.T), strict=True):
        qrels, run = ranx_input(track, matrix, demo, direction)
        expected = ranx.evaluate(ranx.Qrels(qrels), ranx.Run(run), list(OURS_AND_RANX.values()))
        for ours, theirs in OURS_AND_RANX.items():
            assert scores.tracks[track][direction][ours].value == pytest.approx(expected[theirs], abs=1e-9)


def ranx_input(track, matrix, demo, direction):
    """Qrels and run as ranx wants them; in track `full` the other correct candidates of a text group are left out."""
    qrels, run = {}, {}
    for place, query in enumerate(demo.queries(track)):
        if track == "full":
            same = np.flatnonzero(demo.groups == demo.groups[query])
            best = same[np.argmax(matrix[query, same])]
            candidates = [c for c in range(len(matrix)) if c == best or demo.groups[c] != demo.groups[query]]
        else:
            best, candidates = query, demo.pools[track][direction][place]
        qrels[f"q{query}"] = {f"c{best}": 1}
        run[f"q{query}"] = break_ties_in_favour({f"c{c}": float(matrix[query, c]) for c in candidates}, f"c{best}")
    return qrels, run


def break_ties_in_favour(scores, correct):
    """Exact ties would be broken arbitrarily by ranx; real vectors have none across text groups."""
    ties = [name for name, value in scores.items() if value == scores[correct] and name != correct]
    assert not ties
    return scores
