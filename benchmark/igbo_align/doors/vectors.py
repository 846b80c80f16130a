"""Metrics of plain matrices: row i of speech belongs to row i of text. What the `evaluate` module calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..metrics.full_ranking import count_rows, prepare, standings
from ..metrics.ranking import Standings
from ..problems import Problem, ProblemsFound, problem
from ..protocol.bundled_specs import load_spec
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, require_track
from ..submission.reading import Embeddings
from ..submission.validation import check_ids, check_vectors_shape, check_vectors_values
from ..submission.writing import order_of
from ..tracks.estimation import metric_estimates, metric_values, standings_in
from ..tracks.similarity import similarity_of

#: Names the specification whose cut-offs and resamples hold where no release is named.
_OFFICIAL = "waxal-igbo"
_NO_MATRIX = "Send one list of floats for each pair, all equally long, such as a NumPy array (n, d) of float32."


def score_vectors(
    speech: ArrayLike,
    text: ArrayLike,
    release: Release | None = None,
    track: str = "full",
    *,
    ids: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    intervals: bool = False,
) -> dict[str, float]:
    """Every metric in both directions, exactly as `score` computes them.

    Args:
        speech: (n, d) vectors of any length.
        text: (n, d); row i belongs to row i of `speech`.
        release: whose pools, test pairs and text groups are used. None: every row is ranked among all rows.
        track: `paper`, `heldout`, `full` or `hard`; all but `full` need a release.
        ids: (n,) pairs of the release, in the order of the rows; release order by default.
        groups: (n,) text group of each row where there is no release: members of one group share a text.
        intervals: add the ends of the bootstrap intervals, `..._low` and `..._high`.

    Returns:
        `speech_to_text_recall@1`, ..., `text_to_speech_median_rank` -> value.

    Raises:
        ProblemsFound: everything that is wrong with the vectors, ids or options.
    """
    content = checked_vectors(speech, text, release, ids)
    held = _among_all(content, groups, track) if release is None else _in_release(content, release, track, groups)
    scoring = (release.spec if release else load_spec(_OFFICIAL)).scoring
    scores: dict[str, float] = {}
    for direction, of_direction in zip(DIRECTIONS, held, strict=True):
        if not intervals:
            scores |= {f"{direction}_{name}": value for name, value in metric_values(of_direction, scoring).items()}
            continue
        for name, estimate in metric_estimates(of_direction, scoring).items():
            ends = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
            scores |= {f"{direction}_{name}{end}": value for end, value in ends.items()}
    return scores


def checked_vectors(
    speech: Any, text: Any, release: Release | None = None, ids: Sequence[str] | None = None
) -> Embeddings:
    """Anything that looks like two matrices as float32 in release order, checked as submissions are.

    Raises:
        ProblemsFound: all problems of types, shapes and ids; where there are none, of the numbers.
    """
    matrices = {"speech": _matrix(speech, "speech"), "text": _matrix(text, "text")}
    if len(matrices["speech"]) == 0:
        raise problem("array.rows", "speech", found="no rows", expected="at least one pair", mend=_NO_MATRIX)
    if ids is not None:
        names = np.array([str(name) for name in ids], dtype=np.str_)
    else:
        names = np.array(release.ids if release else [str(row) for row in range(len(matrices["speech"]))])
    content = Embeddings(names, **matrices)
    problems = [*check_vectors_shape(content), *(check_ids(names, release.ids, "ids") if release else [])]
    problems = problems or _check_values(content)
    if problems:
        raise ProblemsFound(problems)
    order = order_of(names, release.ids) if release else slice(None)
    speech32, text32 = (matrix[order].astype(np.float32) for matrix in matrices.values())
    return Embeddings(names[order], speech32, text32)


def _check_values(content: Embeddings) -> list[Problem]:
    vectors: Mapping[str, NDArray[Any]] = {"speech": content.speech, "text": content.text}
    return [item for name, rows in vectors.items() for item in check_vectors_values(name, rows, content.ids)]


def _matrix(values: Any, where: str) -> NDArray[Any]:
    """An array of whatever was given; whole numbers become floats, because people type them."""
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists; tensors of other devices and types
        raise problem(
            "array.shape", where, found="values that make no matrix", expected="two axes (n, d)", mend=_NO_MATRIX
        ) from error
    if array.ndim != 2:
        raise problem(
            "array.shape", where, found=f"{array.ndim} axes", expected="two axes: pairs, dimensions", mend=_NO_MATRIX
        )
    return array.astype(np.float32) if array.dtype.kind in "iu" else array


def _among_all(content: Embeddings, groups: ArrayLike | None, track: str) -> tuple[Standings, Standings]:
    if require_track(track) != "full":
        raise _option("track", f"the track {track!r} without a release", "a release, whose pools the track uses")
    try:
        corpus = prepare(content.speech, content.text, groups)
    except ValueError as error:  # vectors were checked: it can only be the groups
        raise _option("groups", str(error), "one text group a row") from error
    counts = count_rows(corpus, slice(0, len(corpus)))
    return standings(corpus, counts.by_speech, counts.by_text)


def _in_release(
    content: Embeddings, release: Release, track: str, groups: ArrayLike | None
) -> tuple[Standings, Standings]:
    require_track(track)
    if groups is not None:
        raise _option("groups", "text groups beside a release", "one of the two: a release has its own text groups")
    values = similarity_of((content.speech, content.text)).values
    first, second = DIRECTIONS
    return standings_in(values, track, first, release), standings_in(values.T, track, second, release)


def _option(name: str, found: str, expected: str) -> ProblemsFound:
    return problem("usage", name, found=found, expected=expected, mend="See the documentation of the options.")
