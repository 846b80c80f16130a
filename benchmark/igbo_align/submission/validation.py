"""Does a submission fit a release? One small check a rule; every check returns all problems that it sees."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problems import Problem, ProblemsFound, shortened
from ..protocol.release import Release
from .card import BenchmarkCard
from .limits import MAX_DIMENSIONS, MAX_SIMILARITY, NORM_RANGE
from .reading import Content, Embeddings, SimilarityMatrix, Submission


def validate(submission: Submission, release: Release) -> list[Problem]:
    """All problems of a submission in memory - card, ids and arrays; an empty list means that it can be scored.

    The checks are those of the intake, which stops after the first stage that finds any: what a stranger sent is
    touched no further, while somebody who packs arrays of their own wants to know everything.
    """
    content, benchmark = submission.content, submission.card.benchmark
    return [
        *check_benchmark(benchmark, release),
        *check_all_ids(content, release),
        *check_arrays(content),
    ]


def require_valid(submission: Submission, release: Release) -> None:
    """Raise `ProblemsFound` with every problem unless the submission is valid."""
    problems = validate(submission, release)
    if problems:
        raise ProblemsFound(problems)


def check_arrays(content: Content) -> list[Problem]:
    """Types and shapes; where these are right, the numbers."""
    if isinstance(content, Embeddings):
        return check_vectors_shape(content) or [
            *check_vectors_values("speech", content.speech, content.ids.ravel()),
            *check_vectors_values("text", content.text, content.ids.ravel()),
        ]
    return check_similarity_shape(content) or check_similarity_values(content)


def check_all_ids(content: Content, release: Release) -> list[Problem]:
    """The ids of every axis."""
    if isinstance(content, Embeddings):
        return check_ids(content.ids, release.ids, "ids")
    found = {"speech_ids": content.speech_ids, "text_ids": content.text_ids}
    return [item for where, ids in found.items() for item in check_ids(ids, release.ids, where)]


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
        problems += _check_float(array, name) + _check_matrix(array, content.ids.size, name)
    if not problems and content.speech.shape != content.text.shape:
        found = f"{content.speech.shape[1]} dimensions of speech, {content.text.shape[1]} of text"
        mend = "Map both into one space; `igbo-align baseline ridge` shows a simple way."
        problems.append(Problem("array.dim_mismatch", "speech, text", found, "equally many", mend))
    return problems


def check_vectors_values(name: str, vectors: NDArray[Any], ids: NDArray[np.str_]) -> list[Problem]:
    """Finite numbers, and rows that can be normalised, in (n, d) vectors of (n,) ids."""
    problems = []
    rows = vectors.astype(np.float64)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        problems.append(_rows_problem("array.non_finite", name, ids[~finite], "finite numbers", "NaN or infinity"))
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow is a norm outside
        norms = np.sqrt((rows * rows).sum(axis=1))
    bad = finite & ~((norms >= NORM_RANGE[0]) & (norms <= NORM_RANGE[1]))
    if bad.any():
        problems.append(_norms_problem(name, ids, norms, bad))
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
    """Finite numbers, none so large that float32 could not tell it from the next."""
    problems = []
    numbers = content.similarity.astype(np.float64)
    finite = np.isfinite(numbers)
    large = (finite & (np.abs(numbers) > MAX_SIMILARITY)).any(axis=1)
    bad, ids = ~finite.all(axis=1), content.speech_ids.ravel()
    if bad.any():
        problems.append(_rows_problem("array.non_finite", "similarity", ids[bad], "finite numbers", "NaN or infinity"))
    if large.any():
        expected = f"numbers of at most {MAX_SIMILARITY:g}"
        problems.append(_rows_problem("array.range", "similarity", ids[large], expected, "larger ones"))
    return problems


def check_ids(found: NDArray[np.str_], expected: Sequence[str], where: str) -> list[Problem]:
    """Every pair of the release exactly once among (n,) ids, and nothing else; order is free."""
    if found.ndim != 1 or found.dtype.kind != "U":
        mend = "Send the ids of the release, one a row."
        return [Problem("ids.dtype", where, f"{found.ndim} axes of type {found.dtype}", "one axis of strings", mend)]
    counts, known = Counter(found.tolist()), set(expected)
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


def _check_float(array: NDArray[Any], where: str) -> list[Problem]:
    if array.dtype.kind == "f" and array.dtype.itemsize in (2, 4, 8):
        return []
    mend = "Convert with `array.astype('float32')`."
    return [Problem("array.dtype", where, f"numbers of type {array.dtype}", "float16 or float32", mend)]


def _check_matrix(array: NDArray[Any], rows: int, where: str) -> list[Problem]:
    if array.ndim != 2:
        found, expected = f"{array.ndim} axes", "two axes: pairs, dimensions"
        return [Problem("array.shape", where, found, expected, "Send one vector for each pair.")]
    if len(array) != rows:
        hint = " The array looks transposed." if array.shape[1] == rows else ""
        mend = f"Send one row for each id.{hint}"
        return [Problem("array.rows", where, f"{len(array)} rows", f"{rows} rows", mend)]
    if not 1 <= array.shape[1] <= MAX_DIMENSIONS:
        found, expected = f"{array.shape[1]} dimensions", f"1 to {MAX_DIMENSIONS}"
        return [Problem("array.dim", where, found, expected, "Send pooled vectors of fewer dimensions.")]
    return []


def _rows_problem(code: str, where: str, ids: NDArray[np.str_], expected: str, what: str) -> Problem:
    mend = "Look at what the encoder returned for these pairs, and encode them again."
    return Problem(code, where, f"{what} in {len(ids)} rows: {shortened(ids.tolist())}", expected, mend)


def _norms_problem(name: str, ids: NDArray[np.str_], norms: NDArray[np.float64], bad: NDArray[np.bool_]) -> Problem:
    """`array.norm`: the norms that were found, and in which rows; zeros are no matter of scale."""
    lowest, highest = f"{norms[bad].min():.3g}", f"{norms[bad].max():.3g}"
    found = f"a norm of {lowest}" if lowest == highest else f"norms of {lowest} to {highest}"
    count = int(bad.sum())
    where = f"in {count} row{'s'[: count != 1]}, first row {np.flatnonzero(bad)[0]} (counted from 0)"
    zeros = "Look at what the encoder returned for these pairs: a vector of zeros has no direction."
    mend = "Scale the vectors, for example each to unit length." if norms[bad].all() else zeros
    low, high = NORM_RANGE
    listed = f"{found} {where}: {shortened(ids[bad].tolist())}"
    return Problem("array.norm", name, listed, f"norms of {low:g} to {high:g}", mend)


def _unknown_hint(unknown: Sequence[str], known: set[str]) -> str:
    for change, hint in _HINTS:
        changed = {change(name) for name in known}
        if all(change(name) in changed for name in unknown):
            return hint
    return "Ids are compared exactly: remove these rows, or name the release that was encoded with --release."


_INVISIBLE = "\0 \t\r\n\ufeff\u00a0\u200b"
_HINTS: tuple[tuple[Callable[[str], str], str], ...] = (
    (
        lambda name: name.strip(_INVISIBLE),
        "They differ from ids of the release only by white space or invisible characters; remove those.",
    ),
    (str.lower, "They differ from ids of the release only in capital letters; send them unchanged."),
    (
        lambda name: unicodedata.normalize("NFKC", name),
        "They differ from ids of the release only in how Unicode composes characters; send them unchanged.",
    ),
    (
        lambda name: name.removeprefix("b'").removesuffix("'"),
        "They look like printed bytes; decode them with `.decode()`.",
    ),
    (
        lambda name: re.sub(r"[0-9]+", lambda digits: digits[0].lstrip("0") or "0", name),
        "They differ from ids of the release only in leading zeros; keep ids as strings.",
    ),
)
