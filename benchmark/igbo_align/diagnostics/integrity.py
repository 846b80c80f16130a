"""Signs that a score does not mean what it seems to: flags that a row carries. They reject nothing.

The right answers are public, so whoever wants to can send vectors that hold nothing but them; docs/security.md says
what no check of vectors can find. These find accidents, and gaming by people who take no trouble.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..metrics.exact_similarity import COMPONENT_SCALE, COSINE_SCALE, integer_similarity, unit_integers
from ..problems import Problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS
from .geometry import linear_cka
from .memorisation import MemorisationGap

#: Fewer distinct vectors than this share of distinct inputs: the encoder has collapsed.
_DISTINCT_SHARE = 0.95
#: Components of unit vectors that differ by less than this are taken for equal.
_DISTINCT_STEP = 1e-5
_SAME_COSINE = 0.999
_ONE_COMPONENT_SHARE = 0.999
_IMPLAUSIBLE_RECALL = 0.98
#: Debiased alignment with the reference encoders: every baseline reaches 0.4, and random vectors at most 0.023.
_UNRELATED_CKA = 0.05
#: Pairs that structure is compared on.
_SAMPLE = 192
#: Standard errors by which neighbours must beat the right answers before rows look shifted.
_SHIFT_ERRORS = 6.0

Vectors = NDArray[np.float64]


def integrity_flags(
    vectors: tuple[Vectors, Vectors] | None,
    similarities: NDArray[np.float64],
    full_recall_at_1: Mapping[str, float],
    claims_no_training: bool,
    gap: MemorisationGap,
    release: Release,
) -> tuple[Problem, ...]:
    """Every flag of a submission.

    Args:
        vectors: (n, d) `unit_integers` of speech and text in release order; None where only similarities were sent.
        similarities: (n, n), rows speech, in release order, any unit.
        full_recall_at_1: recall@1 among all pairs, by direction.
        claims_no_training: whether the card says that no pair was trained on.
        gap: MRR of train queries minus that of test queries.
        release: that was encoded.
    """
    flags = [*_shifted(similarities), *_implausible(full_recall_at_1)]
    if claims_no_training and gap.excludes_zero:
        better, worse = ("train", "test") if gap.value > 0 else ("test", "train")
        found = f"{better} queries that are found better than {worse} queries"
        expected = "no difference without training"
        mend = "Say in the card which pairs were trained on: a row is labelled for it, not punished."
        flags.append(Problem("flag.memorised", "submission.json/alignment/trained_on_pairs", found, expected, mend))
    if vectors is not None:
        speech, text = vectors
        flags += _collapsed("speech", speech, len(release.ids))
        flags += _collapsed("text", text, len(np.unique(release.groups)))
        flags += _identical_sides(speech, text)
        flags += [flag for name, side in zip(("speech", "text"), vectors, strict=True) for flag in _one_hot(name, side)]
        flags += _foreign(speech, text, release)
    return tuple(sorted(flags, key=lambda flag: (flag.code, flag.where)))


def _collapsed(where: str, vectors: Vectors, inputs: int) -> list[Problem]:
    rounded = np.rint(vectors / (COMPONENT_SCALE * _DISTINCT_STEP)).astype(np.int32)
    distinct = len({row.tobytes() for row in rounded})
    if distinct >= _DISTINCT_SHARE * inputs:
        return []
    found, expected = f"{distinct} distinct vectors", f"about {inputs}, as many as there are different inputs"
    return [Problem("flag.collapsed", where, found, expected, "Look for a constant input or a wrong pooling.")]


def _identical_sides(speech: Vectors, text: Vectors) -> list[Problem]:
    cosines = np.einsum("nd,nd->n", speech, text) / COSINE_SCALE
    if cosines.min() <= _SAME_COSINE:
        return []
    found = f"speech and text vectors with cosines of at least {_SAME_COSINE} in every pair"
    mend = "Recordings and texts of real encoders differ; check that both files were not made from the same side."
    return [Problem("flag.identical_sides", "speech, text", found, "two different encodings", mend)]


def _one_hot(where: str, vectors: Vectors) -> list[Problem]:
    shares = (vectors / COMPONENT_SCALE) ** 2
    single = shares.max(axis=1) > _ONE_COMPONENT_SHARE
    if vectors.shape[1] < 2 or single.mean() < _DISTINCT_SHARE:
        return []
    mend = "Vectors that only number the pairs hold nothing of what was said."
    return [Problem("flag.one_hot", where, "vectors with a single component", "vectors of an encoder", mend)]


def _implausible(recall: Mapping[str, float]) -> list[Problem]:
    if min(recall[direction] for direction in DIRECTIONS) < _IMPLAUSIBLE_RECALL:
        return []
    found = f"recall@1 of at least {_IMPLAUSIBLE_RECALL} in both directions among all pairs"
    mend = "Ask for verification; until then the row shows this flag."
    return [Problem("flag.implausible", "tracks/full", found, "less than the best known systems reach", mend)]


def _shifted(similarities: NDArray[np.float64]) -> list[Problem]:
    """Pairs are found at their neighbours' places: vectors and ids are off by one."""
    right = similarities.diagonal()
    for step in (-1, 1):
        places = np.arange(len(right))
        lead = similarities[places, (places + step) % len(right)] - right
        error = lead.std() / np.sqrt(len(lead))
        if error > 0 and lead.mean() > _SHIFT_ERRORS * error:
            found, expected = (
                f"text vectors that fit the pair {step:+d} rows away",
                "text vectors that fit their own id",
            )
            mend = "Check that ids and vectors were written in the same order, and that no row was skipped."
            return [Problem("flag.misaligned", "ids", found, expected, mend)]
    return []


def _foreign(speech: Vectors, text: Vectors, release: Release) -> list[Problem]:
    """Vectors that do not fit what the reference encoders see of the recordings and texts of their ids."""
    if any(not release.encoder_slugs(modality) for modality in ("speech", "text")):
        return []
    sample = np.unique(np.linspace(0, len(speech) - 1, _SAMPLE).astype(np.int64))
    by_id = np.argsort(np.array(release.ids), kind="stable")
    references = [release.embeddings(side, release.encoder_slugs(side)[0]) for side in ("speech", "text")]
    in_order, sorted_by_id = (
        [_within(unit_integers(reference[positions])) for reference in references]
        for positions in (sample, by_id[sample])
    )
    flags = []
    for where, vectors in (("speech", speech), ("text", text)):
        own = _within(vectors[sample])
        alignment, other = (_alignment(own, known) for known in (in_order, sorted_by_id))
        if other > alignment + _UNRELATED_CKA:
            found = f"an alignment of {alignment:.4f} with what the reference encoders see, {other:.4f} in order of ids"
            mend = "Rows were written sorted by id, not in release order: pack them with --ids."
            flags.append(Problem("flag.misaligned", where, found, "vectors that fit their own ids best", mend))
        elif alignment < _UNRELATED_CKA:
            found = f"an alignment of {alignment:.4f} with what the reference encoders see"
            mend = "Check ids and inputs. Vectors made from ids, or shuffled ones, look like this."
            flags.append(Problem("flag.unrelated", where, found, f"at least {_UNRELATED_CKA}", mend))
    return flags


def _alignment(own: NDArray[np.float64], known: list[NDArray[np.float64]]) -> float:
    return max(linear_cka(own, reference) or 0.0 for reference in known)


def _within(vectors: Vectors) -> NDArray[np.float64]:
    return integer_similarity(vectors, vectors) / COSINE_SCALE
