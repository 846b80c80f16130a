"""Intervals of proportions."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(proportion: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion in [0, 1] over n trials (doi:10.1080/01621459.1927.10502953).

    It stays honest where the bootstrap of all zeros or all ones collapses to a point.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    shrink = 1 + z * z / n
    centre = (proportion + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)
