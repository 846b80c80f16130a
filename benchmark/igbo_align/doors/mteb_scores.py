"""Scores by MTEB's own evaluator: of submissions on the frozen pools, and of any two matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mteb
import numpy as np
from numpy.typing import NDArray

from ..protocol.address import SourceTexts
from ..protocol.release import Release
from ..protocol.spec import TRACKS
from ..submission.reading import Submission
from .mteb_tasks import IgboAlignS2T, IgboAlignT2S, RowsTask
from .mteb_vectors import StoredVectors, submission_model

_TASKS = (IgboAlignS2T, IgboAlignT2S)


def mteb_scores(
    model: Any, release: Release, tracks: Sequence[str] = TRACKS, source: SourceTexts = None
) -> dict[str, dict[str, Mapping[str, float]]]:
    """Run both tasks: track -> direction -> MTEB's scores and those of `IgboAlignS2T`.

    Args:
        model: any MTEB model that takes audio and text, or a submission.
        release: the benchmark.
        tracks: to evaluate.
        source: where recordings and texts are, unless the release holds them; submissions need none.

    Raises:
        ProblemsFound: problems of the submission, or recordings or texts that are missing (`source.missing`).
    """
    chosen = submission_model(model, release) if isinstance(model, Submission) else model
    tasks = [task(release, tracks, source) for task in _TASKS]
    found = {task.direction: _evaluated(chosen, task) for task in tasks}
    return {track: {direction: scores[track][0] for direction, scores in found.items()} for track in tracks}


def rows_scores(speech: NDArray[Any], text: NDArray[Any]) -> Mapping[str, float]:
    """MTEB's scores of speech among all texts, (n, d) each, row i belonging to row i; cosines are MTEB's own."""
    vectors = {"query": np.asarray(speech), "document": np.asarray(text)}
    model = StoredVectors([str(i) for i in range(len(speech))], vectors, exact=False)
    return _evaluated(model, RowsTask(len(speech)))["test"][0]


def _evaluated(model: Any, task: Any) -> Any:
    result = mteb.evaluate(
        model, task, cache=None, co2_tracker=False, show_progress_bar=False, overwrite_strategy="always"
    )
    return result.task_results[0].scores
