"""The receipt of a verification, and what it proves: `verification.json` beside the embeddings.

The badges of a row: `reported` (a figure of a paper) < `scored` (recomputed from the vectors) < `verified` (a sample of
the vectors came out of the encoders again).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..files import readable_json, sha256_of_bytes, write_text
from ..problems import ProblemsFound
from ..randomness import permutation, raw_stream
from ..submission.reading import read_regular_file
from .scores import Scores

VERIFICATION_FILE = "verification.json"
#: Cosine from which two encodings of one input on different machines are the same.
SAME_COSINE = 0.999
#: Shares of replaced vectors for which a receipt tells how likely its sample would have caught them.
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MAX_BYTES = 2**20

Outcome = Literal["verified", "partly verified", "not verifiable", "rejected"]


class Part(BaseModel):
    """A part of the receipt: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Side(Part):
    """One modality: `agrees`, `differs`, or `mapped` where no vector is an encoder's own, as the card declares.

    Attributes:
        encoder: id.
        revision: that was used.
        state: what was found.
        agreeing: vectors with a cosine of at least the threshold.
        lowest_cosine: over the sample; None where dimensions differ.
        differing: ids whose vectors differ, at most twenty.
    """

    encoder: str
    revision: str
    state: Literal["agrees", "differs", "mapped"]
    agreeing: Annotated[int, Field(ge=0)]
    lowest_cosine: float | None
    differing: list[str]


class Verification(Part):
    """The whole receipt.

    Attributes:
        fingerprint: of the release.
        embeddings_sha256: of what was verified; a changed submission is no longer verified.
        outcome: `verified` where both sides agree.
        sample: ids, in the order of the draw.
        pairs: that the sample was drawn from.
        salt: what the draw depends on besides the submission.
        catches: share of replaced vectors -> probability that a sample of this size holds at least one.
        sides: by modality.
        package_version: of what verified.
    """

    schema_version: Annotated[int, Field(ge=1, le=1)]
    fingerprint: str
    embeddings_sha256: str
    outcome: Outcome
    threshold: float
    sample: list[str]
    pairs: int
    salt: str
    catches: dict[str, float]
    sides: dict[str, Side]
    package_version: str


def draw_sample(embeddings_sha256: str, ids: list[str], size: int, salt: str = "") -> list[str]:
    """Ids to re-encode: drawn from the hash of the very vectors, so that neither side chooses them.

    Somebody who changes a bit of one vector draws another sample, and may try until it misses what was replaced. A
    `salt` that became known after the submission (the hash of the commit that merged it) takes that away.
    """
    seed = int(sha256_of_bytes(f"{embeddings_sha256} {salt}".encode())[:15], 16)
    order = permutation(raw_stream(seed, "verification"), len(ids))
    return [ids[i] for i in order[:size]]


def catching_probability(pairs: int, sample: int, replaced: int) -> float:
    """Probability that a sample without replacement holds at least one of the replaced pairs (hypergeometric)."""
    missed = 1.0
    for i in range(min(sample, pairs)):
        missed *= max(pairs - replaced - i, 0) / (pairs - i)
    return 1.0 - missed


def catching_probabilities(pairs: int, sample: int) -> dict[str, float]:
    """The same for `SHARES` of the pairs, rounded up to whole pairs and to six digits."""
    return {f"{share:g}": round(catching_probability(pairs, sample, -int(-share * pairs // 1)), 6) for share in SHARES}


def outcome_of(sides: Mapping[str, Side]) -> Outcome:
    """Verified where both sides agree, rejected where one differs, partly verified where one of them is mapped."""
    states = {side.state for side in sides.values()}
    if "differs" in states:
        return "rejected"
    if "agrees" not in states:
        return "not verifiable"
    return "verified" if states == {"agrees"} else "partly verified"


def write_verification(folder: Path, verification: Verification) -> None:
    """Write the receipt into a submission folder, crash-safe; an older one is replaced."""
    write_text(folder / VERIFICATION_FILE, readable_json(verification.model_dump(mode="json")))


def read_verification(folder: Path) -> Verification | None:
    """The receipt in a folder; None where there is none, or where it is not one."""
    path = folder / VERIFICATION_FILE
    if not os.path.lexists(path):
        return None
    try:
        return Verification.model_validate(json.loads(read_regular_file(path, _MAX_BYTES)))
    except (ProblemsFound, ValidationError, ValueError, RecursionError):
        return None


def is_verified(folder: Path, scores: Scores) -> bool:
    """Whether the folder holds a receipt of verification of these very vectors on this very release."""
    held = read_verification(folder)
    return (
        held is not None
        and held.outcome == "verified"
        and outcome_of(held.sides) == "verified"
        and set(held.sides) == {"speech", "text"}
        and held.embeddings_sha256 == scores.provenance["embeddings_sha256"]
        and held.fingerprint == scores.release.fingerprint
    )
