"""Does a submission fit a release? One small check a rule; every check returns all problems that it sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem, ProblemsFound, printable, shortened
from ..protocol.release import Release
from .card import BenchmarkCard
from .limits import MAX_DIMENSIONS, NORM_RANGE
from .reading import Embeddings, SimilarityMatrix, Submission


def validate(submission: Submission, release: Release) -> list[Problem]:
    """All problems of a submission that could be read; an empty list means that it can be scored.

    Checks of the values run only where the checks of shapes and types found nothing.
    """
    problems = check_benchmark(submission.card.benchmark, release)
    content = submission.content
    if isinstance(content, Embeddings):
        ids = {"ids": content.ids}
        shapes = check_vectors_shape(content)
        values = [] if shapes else _both(check_vectors_values, content)
    else:
        ids = {"speech_ids": content.speech_ids, "text_ids": content.text_ids}
        shapes = check_similarity_shape(content)
        values = [] if shapes else check_similarity_values(content)
    for where, found in ids.items():
        problems += check_ids(found, release.ids, where)
    return problems + shapes + values


def require_valid(submission: Submission, release: Release) -> None:
    """Raise `ProblemsFound` with every problem unless the submission is valid."""
    problems = validate(submission, release)
    if problems:
        raise ProblemsFound(problems)


def check_benchmark(card: BenchmarkCard, release: Release) -> list[Problem]:
    """The card names this very release."""
    mend = "Encode the pairs of this release, or name the release that was encoded with --release."
    expected = release.benchmark()
    if (card.name, card.version) != (expected["name"], expected["version"]):
        found = f"{card.name} {card.version}"
        where = "submission.json/benchmark"
        return [Problem("card.benchmark", where, found, f"{expected['name']} {expected['version']}", mend)]
    if card.fingerprint != release.fingerprint:
        where = "submission.json/benchmark/fingerprint"
        return [Problem("card.fingerprint", where, card.fingerprint, release.fingerprint, mend)]
    return []


def check_vectors_shape(content: Embeddings) -> list[Problem]:
    """Two axes, as many rows as ids, equal and sensible numbers of dimensions, float numbers."""
    problems = []
    for name, array in (("speech", content.speech), ("text", content.text)):
        problems += _check_float(array, name)
        if array.ndim != 2:
            found, expected = f"{array.ndim} axes", "two axes: pairs, dimensions"
            problems.append(Problem("array.shape", name, found, expected, "Send one vector for each pair."))
        elif len(array) != content.ids.size:
            hint = " The array looks transposed." if array.shape[1] == content.ids.size else ""
            mend = f"Send one row for each id.{hint}"
            problems.append(Problem("array.rows", name, f"{len(array)} rows", f"{content.ids.size} rows", mend))
        elif not 1 <= array.shape[1] <= MAX_DIMENSIONS:
            found, expected = f"{array.shape[1]} dimensions", f"1 to {MAX_DIMENSIONS}"
            problems.append(Problem("array.dim", name, found, expected, "Send pooled vectors of fewer dimensions."))
    if not problems and content.speech.shape != content.text.shape:
        found = f"{content.speech.shape[1]} dimensions of speech, {content.text.shape[1]} of text"
        mend = "Map both into one space; `igbo-align baseline ridge` shows a simple way."
        problems.append(Problem("array.dim_mismatch", "speech, text", found, "equally many", mend))
    return problems


def check_vectors_values(name: str, vectors: NDArray, ids: NDArray[np.str_]) -> list[Problem]:
    """Finite numbers, and rows that can be normalised."""
    problems = []
    rows = vectors.astype(np.float64)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        problems.append(_rows_problem("array.non_finite", name, ids[~finite], "finite numbers", "NaN or infinity"))
    norms = np.sqrt((rows * rows).sum(axis=1))
    low, high = NORM_RANGE
    bad = finite & ~((norms >= low) & (norms <= high))
    if bad.any():
        problems.append(_rows_problem("array.norm", name, ids[bad], f"norms of {low:g} to {high:g}", "a norm outside"))
    return problems


def check_similarity_shape(content: SimilarityMatrix) -> list[Problem]:
    """One row for each speech id, one column for each text id, float numbers."""
    problems = _check_float(content.similarity, "similarity")
    expected = (content.speech_ids.size, content.text_ids.size)
    if content.similarity.shape != expected:
        mend = "Send rows in the order of speech_ids and columns in the order of text_ids."
        found = f"shape {content.similarity.shape}"
        problems.append(Problem("array.rows", "similarity", found, f"shape {expected}", mend))
    return problems


def check_similarity_values(content: SimilarityMatrix) -> list[Problem]:
    """Finite numbers."""
    finite = np.isfinite(content.similarity).all(axis=1)
    if finite.all():
        return []
    bad = content.speech_ids[~finite]
    return [_rows_problem("array.non_finite", "similarity", bad, "finite numbers", "NaN or infinity")]


def check_ids(found: NDArray[np.str_], expected: Sequence[str], where: str) -> list[Problem]:
    """Every pair of the release exactly once, and nothing else; order is free."""
    if found.ndim != 1 or found.dtype.kind != "U":
        mend = "Send the ids of the release, one a row."
        return [Problem("ids.dtype", where, f"{found.ndim} axes of type {found.dtype}", "one axis of strings", mend)]
    ids, known = found.tolist(), set(expected)
    counts = Counter(ids)
    problems = []
    repeated = [i for i, times in counts.items() if times > 1]
    if repeated:
        listed = f"{len(repeated)} ids more than once: {shortened(repeated)}"
        problems.append(Problem("ids.duplicate", where, listed, "each id once", "Remove the repeated rows."))
    unknown = [i for i in counts if i not in known]
    if unknown:
        listed = f"{len(unknown)} unknown ids: {shortened(unknown)}"
        problems.append(Problem("ids.unknown", where, listed, "ids of the release", _unknown_hint(unknown, known)))
    missing = [i for i in expected if i not in counts]
    if missing:
        listed = f"no rows for {len(missing)} of {len(expected)} pairs: {shortened(missing)}"
        problems.append(Problem("ids.missing", where, listed, "a row for every pair", "Encode the missing pairs too."))
    return problems


def _both(check, content: Embeddings) -> list[Problem]:  # noqa: ANN001 - one of the two checks above
    ids = np.array([printable(i, 64).strip("'") for i in content.ids.ravel().tolist()])
    return check("speech", content.speech, ids) + check("text", content.text, ids)


def _check_float(array: NDArray, where: str) -> list[Problem]:
    if array.dtype.kind == "f" and array.dtype.itemsize in (2, 4, 8):
        return []
    mend = "Convert with `array.astype('float32')`."
    return [Problem("array.dtype", where, f"numbers of type {array.dtype}", "float16 or float32", mend)]


def _rows_problem(code: str, where: str, ids: NDArray, expected: str, what: str) -> Problem:
    mend = "Look at what the encoder returned for these pairs, and encode them again."
    return Problem(code, where, f"{what} in {len(ids)} rows: {shortened(ids.tolist())}", expected, mend)


def _unknown_hint(unknown: Sequence[str], known: set[str]) -> str:
    if all(i.strip("\0 \t\r\n\ufeff\u00a0\u200b") in known for i in unknown):
        return "They differ from ids of the release only by white space or invisible characters; remove those."
    if all(i.lower() in {k.lower() for k in known} for i in unknown):
        return "They differ from ids of the release only in capital letters; send them unchanged."
    return "Remove these rows; ids are compared exactly."
