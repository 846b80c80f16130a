"""Cached vectors as an MTEB model, so that MTEB's own evaluator scores them.

This module imports mteb; nothing that scores imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mteb.models.abs_encoder import AbsEncoder
from mteb.models.model_meta import ModelMeta
from numpy.typing import NDArray

from ..metrics.exact_similarity import COSINE_SCALE, integer_similarity, unit_integers
from ..protocol.release import Release
from ..submission.reading import Embeddings, Submission
from ..submission.validation import require_valid
from ..submission.writing import aligned

Vectors = NDArray[Any]


class StoredVectors(AbsEncoder):
    """Looks vectors up by the ids of MTEB's rows.

    Cosines are exact (docs/protocol.md, Metrics) unless `exact` is off: then MTEB computes them, in float32.
    """

    def __init__(
        self, ids: Sequence[str], vectors: dict[str, Vectors], name: str = "igbo-align/stored", *, exact: bool = True
    ) -> None:
        """Keep what will be asked for.

        Args:
            ids: (n,) of the rows.
            vectors: modality, or `query` and `document`, -> (n, d).
            name: of the model in MTEB's results.
            exact: compare as the protocol says.
        """
        self._rows = {identity: row for row, identity in enumerate(ids)}
        self._vectors = {kind: unit_integers(rows) if exact else rows for kind, rows in vectors.items()}
        self._exact = exact
        meta: dict[str, Any] = {"name": name, "revision": "1", "modalities": ["audio", "text"]}
        self.mteb_model_meta = ModelMeta.create_empty(meta)

    def encode(self, inputs: Any, *, task_metadata: Any = None, prompt_type: Any = None, **_: Any) -> Vectors:
        """Vectors (n, d) of a loader whose batches hold `id`."""
        modality = task_metadata.get_modalities(prompt_type)[0]
        known = self._vectors
        kind = prompt_type.value if prompt_type.value in known else "speech" if modality == "audio" else "text"
        return known[kind][[self._rows[identity] for batch in inputs for identity in batch["id"]]]

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines (n, m): exact, or MTEB's own."""
        if not self._exact:
            return super().similarity(embeddings1, embeddings2)
        return integer_similarity(np.asarray(embeddings1), np.asarray(embeddings2)) / COSINE_SCALE


def submission_model(submission: Submission, release: Release) -> StoredVectors:
    """A submission as an MTEB model.

    Raises:
        ProblemsFound: every problem of the submission, or it holds only similarities (`array.shape`).
    """
    from ..problems import problem

    require_valid(submission, release)
    if not isinstance(submission.content, Embeddings):
        raise problem(
            "array.shape",
            "similarity",
            found="a matrix of similarities",
            expected="vectors of both modalities, which MTEB can compare",
            mend="Score it with `igbo-align score`.",
        )
    speech, text = aligned(submission, release)
    system = submission.card.system
    return StoredVectors(release.ids, {"speech": speech, "text": text}, f"{system.org}/{system.name}")
