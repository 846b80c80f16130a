"""Ranks by brute force in integers, and vectors with planted ties and near ties."""

from __future__ import annotations

import math

import numpy as np

DTYPES = (np.float16, np.float32, np.float64)


def integer_rows(vectors):
    """Rows as Python would scale and round them, int64."""
    rows = []
    for row in np.asarray(vectors, dtype=np.float64).tolist():
        norm = math.sqrt(math.fsum(x * x for x in row))
        rows.append([round(x / norm * 2**25) for x in row])
    return np.array(rows, dtype=np.int64)


def brute_force(speech, text):
    """Ranks of both directions, every pair compared as integers, and the gaps between the pairs and their limits."""
    similarity = integer_rows(speech) @ integer_rows(text).T
    correct = similarity.diagonal()
    gaps = [matrix - correct[:, None] for matrix in (similarity, similarity.T)]
    return [1 + (gap > 0).sum(axis=1) + ((gap == 0).sum(axis=1) - 1) / 2 for gap in gaps], gaps


def assert_equal_ranks(found, expected):
    np.testing.assert_array_equal(found.speech_to_text, expected[0])
    np.testing.assert_array_equal(found.text_to_speech, expected[1])


def planted(stream, n, d, dtype):
    """Vectors where some rows are equal and some differ by one unit in components that hardly count."""
    speech, text = stream.standard_normal((2, n, d)).astype(dtype)
    # Components of about one unit of 2**-25: a step of one unit in the other vector moves the product by one unit.
    speech[:, 0] = np.linalg.norm(speech.astype(np.float64), axis=1) * stream.integers(-2, 3, n) * 2.0**-25
    for copy in range(n // 3):
        source, target = stream.integers(0, n, 2)
        text[target] = text[source]
        if copy % 2:
            text[target, 0] += np.linalg.norm(text[target].astype(np.float64)) * 2.0**-25
        if copy % 5 == 0:
            speech[target] = speech[source]
    return speech, text
