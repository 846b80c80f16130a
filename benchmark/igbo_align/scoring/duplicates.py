"""Is a submission another one's vectors, as they are, scaled, permuted or rotated?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem
from ..protocol.release import Release
from ..submission.reading import Submission
from ..submission.writing import aligned

#: Pairs whose similarities are compared.
_SAMPLE = 96
#: Correlation of similarities above which two submissions are the same up to a rotation and rounding.
_SAME = 0.9999


def sketch(submission: Submission, release: Release) -> NDArray[np.float64]:
    """Standardised similarities of some pairs, (k,), among recordings, texts and across: what no rotation changes."""
    sample = np.unique(np.linspace(0, len(release.ids) - 1, _SAMPLE).astype(np.int64))
    numbers = aligned(submission, release)
    if isinstance(numbers, tuple):
        sides = [side[sample].astype(np.float64) for side in numbers]
        both = np.concatenate([side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides])
        values = (both @ both.T)[np.triu_indices(len(both), 1)]
    else:
        values = numbers[np.ix_(sample, sample)].astype(np.float64).ravel()
    centred = values - values.mean()
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 0 else centred


def same_as(names: Sequence[str], sketches: Sequence[NDArray[np.float64]]) -> dict[str, list[str]]:
    """For every submission the others with the same vectors, name -> names, from the (k,) sketch of each."""
    return {
        name: [
            other
            for other, theirs in zip(names, sketches, strict=True)
            if other != name and own.shape == theirs.shape and float(own @ theirs) > _SAME
        ]
        for name, own in zip(names, sketches, strict=True)
    }


def same_as_flag(others: Sequence[str]) -> list[Problem]:
    """The flag of a row whose vectors other rows have too."""
    if not others:
        return []
    found = f"the vectors of {', '.join(others[:5])}, up to rotation, scale and rounding"
    mend = "If it is the same system, it is one row; if not, ask for verification."
    return [Problem("flag.same_as", "speech, text", found, "vectors of one's own", mend)]
