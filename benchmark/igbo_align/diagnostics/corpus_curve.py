"""The metrics of a whole corpus of any size, and what smaller random pools of it would give."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics.ranking import Standings
from ..metrics.retrieval import expected_rank
from .pool_size import POOL_SIZES, expected_metrics

_CUTOFFS = (1, 5, 10)
_NAMES = (*(f"recall@{k}" for k in _CUTOFFS), "mrr", "mean_rank")


def corpus_curve(standings: Standings) -> list[dict[str, Any]]:
    """Mean metrics at every pool size, the last being all candidates, where the median rank is given too.

    Args:
        standings: among all candidates.
    """
    largest = int(standings.candidates.max())
    pools = [*(size for size in (*POOL_SIZES, 1000) if size < largest), largest]
    means = expected_metrics(standings, pools, _CUTOFFS).mean(axis=0)
    points = [
        {"pool": pool} | dict(zip(_NAMES, row.tolist(), strict=True)) for pool, row in zip(pools, means, strict=True)
    ]
    points[-1]["median_rank"] = float(np.median(expected_rank(standings)))
    return points
