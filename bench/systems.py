"""What is compared: ours, the bare product, and what people would otherwise run on the same vectors.

Each system is a function (speech, text) -> {metric: value} for speech queries; every one of them normalises the
vectors itself. Ours ranks both directions in that time, the peers one. A system imports what it needs inside, so that
the time of its imports can be told apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Metrics = dict[str, float]

#: The metrics that all systems know; none of them needs more than the ten best candidates.
CUTOFFS = (1, 5, 10)


def ours(speech: Vectors, text: Vectors) -> Metrics:
    """igbo_align.rank_all, both directions."""
    import igbo_align as ia

    ranks = ia.rank_all(speech, text).speech_to_text
    recalls = {f"recall@{k}": float((ranks <= k).mean()) for k in CUTOFFS}
    return recalls | {"mrr@10": float(np.where(ranks <= 10, 1 / ranks, 0).mean())}


def product(speech: Vectors, text: Vectors) -> Metrics:
    """The bare float32 product, what any exact ranking must do at least."""
    _ = speech @ text.T
    return {}


def blocked_product(speech: Vectors, text: Vectors) -> Metrics:
    """The same product in blocks that overwrite each other, so that no time goes into fetching memory."""
    rows, columns = 2048, 8192
    memory = np.empty(min(rows, len(speech)) * min(columns, len(text)), dtype=np.float32)
    for i in range(0, len(speech), rows):
        for j in range(0, len(text), columns):
            left, right = speech[i : i + rows], text[j : j + columns]
            np.matmul(left, right.T, out=memory[: len(left) * len(right)].reshape(len(left), len(right)))
    return {}


def sentence_transformers(speech: Vectors, text: Vectors) -> Metrics:
    """sentence-transformers' InformationRetrievalEvaluator."""
    from sentence_transformers import util
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    names = [str(i) for i in range(len(speech))]
    evaluator = InformationRetrievalEvaluator(
        dict(zip(names, names, strict=True)),
        dict(zip(names, names, strict=True)),
        {name: {name} for name in names},
        mrr_at_k=[10],
        ndcg_at_k=[10],
        accuracy_at_k=list(CUTOFFS),
        precision_recall_at_k=list(CUTOFFS),
        map_at_k=[100],
        score_functions={"cosine": util.cos_sim},
        main_score_function="cosine",
        write_csv=False,
    )
    found = evaluator(_Stored(speech, text))
    recalls = {f"recall@{k}": found[f"cosine_accuracy@{k}"] for k in CUTOFFS}
    return recalls | {"mrr@10": found["cosine_mrr@10"]}


class _Stored:
    """The part of a SentenceTransformer that the evaluator asks: vectors are there, texts are their row numbers."""

    similarity_fn_name = "cosine"
    model_card_data = SimpleNamespace(set_evaluation_metrics=lambda *_: None)

    def __init__(self, queries: Vectors, documents: Vectors) -> None:
        import torch

        self._queries, self._documents = torch.from_numpy(queries), torch.from_numpy(documents)

    def encode_query(self, sentences: list[str], **_: object) -> object:
        return self._queries[[int(name) for name in sentences]]

    def encode_document(self, sentences: list[str], **_: object) -> object:
        return self._documents[[int(name) for name in sentences]]


def ranx(speech: Vectors, text: Vectors) -> Metrics:
    """The library ranx on the 100 best candidates of each query, found with NumPy."""
    from ranx import Qrels, Run, evaluate

    scores, best = _best(speech, text, 100)
    names = np.array([str(i) for i in range(len(speech))])
    qrels = Qrels({name: {name: 1} for name in names.tolist()})
    run = Run(
        {
            name: dict(zip(names[row].tolist(), values.tolist(), strict=True))
            for name, row, values in zip(names.tolist(), best, scores, strict=True)
        }
    )
    found = evaluate(qrels, run, [*(f"recall@{k}" for k in CUTOFFS), "mrr@10"])
    return {name: float(value) for name, value in found.items()}


def torchmetrics(speech: Vectors, text: Vectors) -> Metrics:
    """RetrievalRecall and RetrievalMRR of torchmetrics on all pairs."""
    import torch
    from torchmetrics.retrieval import RetrievalMRR, RetrievalRecall

    n = len(speech)
    scores = torch.from_numpy(_normalised(speech) @ _normalised(text).T).ravel()
    # It sets scores below zero to 0 where the target is 0; shifted, the order is the same.
    scores += 2
    correct, queries = torch.eye(n, dtype=torch.bool).ravel(), torch.arange(n).repeat_interleave(n)
    metrics = {f"recall@{k}": RetrievalRecall(top_k=k) for k in CUTOFFS} | {"mrr@10": RetrievalMRR(top_k=10)}
    return {name: float(metric(scores, correct, indexes=queries)) for name, metric in metrics.items()}


def mteb(speech: Vectors, text: Vectors) -> Metrics:
    """mteb.evaluate on a retrieval task of these vectors."""
    from igbo_align.doors.mteb_scores import rows_scores

    scores = rows_scores(speech, text)
    return {f"recall@{k}": scores[f"recall_at_{k}"] for k in CUTOFFS} | {"mrr@10": scores["mrr_at_10"]}


def _normalised(vectors: Vectors) -> Vectors:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _best(speech: Vectors, text: Vectors, k: int) -> tuple[Vectors, NDArray[np.int64]]:
    scores = _normalised(speech) @ _normalised(text).T
    best = np.argpartition(-scores, min(k, len(text) - 1), axis=1)[:, :k]
    return np.take_along_axis(scores, best, axis=1), best


@dataclass(frozen=True)
class System:
    """One row of the table.

    Attributes:
        name: as people know it.
        run: ranks and returns metrics.
        package: distribution that must be installed; None for what is always there.
        module: what is imported to run it.
        bytes_a_pair: memory that grows with the square of the corpus; 0 where none does.
    """

    name: str
    run: Callable[[Vectors, Vectors], Metrics]
    package: str | None = None
    module: str | None = None
    bytes_a_pair: int = 0


OURS, PRODUCT = "igbo-align", "product"
SYSTEMS = (
    System(PRODUCT, blocked_product),
    System("product, all kept", product, bytes_a_pair=4),
    System(OURS, ours, "igbo-align", "igbo_align.metrics.full_ranking"),
    System("MTEB", mteb, "mteb", "mteb"),
    System("sentence-transformers", sentence_transformers, "sentence-transformers", "sentence_transformers"),
    System("ranx", ranx, "ranx", "ranx", bytes_a_pair=16),
    System("torchmetrics", torchmetrics, "torchmetrics", "torchmetrics", bytes_a_pair=60),
)
