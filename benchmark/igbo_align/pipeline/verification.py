"""`verify`: do the vectors of a submission come out of the encoders that its card names? A random sample tells.

Only what the encoders return themselves can be compared. Vectors behind a learnt map cannot be recomputed from the
card: such a side is reported as mapped, and the submission stays `scored` however well its other side agrees.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..corpus.text_normalisation import text_variant
from ..encoders.encoding import encode_speech, encode_texts
from ..encoders.identity import EncoderIdentity, resolve_encoder
from ..encoders.jobs import SpeechJob
from ..encoders.settings import parse_settings
from ..encoders.text_jobs import SentenceJob
from ..extras import ENCODING, require_libraries
from ..problems import Problem, ProblemsFound, problem, shortened
from ..progress import Progress
from ..protocol.address import SourceTexts
from ..protocol.release import Release
from ..scoring.verification import (
    SAME_COSINE,
    Side,
    Verification,
    catching_probabilities,
    draw_sample,
    outcome_of,
    write_verification,
)
from ..submission.card import EncoderCard
from ..submission.reading import Embeddings, Submission
from ..submission.writing import aligned, content_sha256
from .encode_card import variant_of_card
from .recordings import release_recordings, release_texts

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_LISTED = 20
Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify with.

    Attributes:
        sample: pairs to re-encode.
        source: where the recordings are, unless the release holds them.
        salt: something that nobody knew when the submission was made; see `draw_sample`.
        speech_encoder: the verifier's own copy of the encoder, instead of the one that the card's id finds.
        text_encoder: the same for text.
        workers: processes that encode.
    """

    sample: int = 32
    source: SourceTexts = None
    salt: str = ""
    speech_encoder: str | None = None
    text_encoder: str | None = None
    workers: int | None = None


def verify(submission: Submission, release: Release, request: VerifyRequest, progress: Progress) -> Verification:
    """Re-encode a random sample, compare, and write the receipt into the submission's folder.

    Args:
        submission: valid, read from a folder.
        release: that it fits.
        request: what to verify with.
        progress: opens a progress bar.

    Raises:
        ProblemsFound: `verify.impossible` or `verify.encoder`; or problems of the source and the encoders.
        EnvironmentProblem: the extra `build` is not installed (`environment.extra`).
    """
    if not isinstance(submission.content, Embeddings):
        raise _impossible("a similarity matrix", "vectors, which encoders can be asked for again")
    require_libraries("verify", *ENCODING)
    speech, text = aligned(submission, release)
    sha256 = content_sha256(submission, release)
    sample = draw_sample(sha256, release.ids, request.sample, request.salt)
    card = submission.card
    encoders = {
        "speech": _encoder(card.speech_encoder, request.speech_encoder, "speech_encoder"),
        "text": _encoder(card.text_encoder, request.text_encoder, "text_encoder"),
    }
    fresh = _encoded(submission, release, request, sample, encoders, progress)
    raw = card.alignment.claims_no_map
    submitted = {"speech": _by_id(speech, release), "text": _by_id(text, release)}
    sides = {name: compare_side(encoders[name], submitted[name], fresh[name], sample, raw) for name in encoders}
    verification = Verification(
        schema_version=1,
        fingerprint=release.fingerprint,
        embeddings_sha256=sha256,
        outcome=outcome_of(sides),
        threshold=SAME_COSINE,
        sample=sample,
        pairs=len(release.ids),
        salt=request.salt,
        catches=catching_probabilities(len(release.ids), len(sample)),
        sides=sides,
        package_version=__version__,
    )
    if submission.folder is not None:
        write_verification(submission.folder, verification)
    return verification


def compare_side(encoder: EncoderIdentity, submitted: Vectors, fresh: Vectors, sample: list[str], raw: bool) -> Side:
    """One modality of a sample: does every submitted vector agree with the one that was encoded again?

    Args:
        encoder: that encoded again.
        submitted: id -> (d,).
        fresh: id -> (e,), of the ids of the sample at least.
        sample: ids.
        raw: whether the card says that vectors are what the encoders return.
    """
    cosines = {name: _cosine(submitted[name], fresh[name]) for name in sample}
    differing = [name for name, cosine in cosines.items() if not (cosine is not None and cosine >= SAME_COSINE)]
    known = [cosine for cosine in cosines.values() if cosine is not None]
    mapped = len(differing) == len(sample) and not raw
    state = "mapped" if mapped else "differs" if differing else "agrees"
    return Side(
        encoder=encoder.id,
        revision=encoder.revision,
        state=state,
        agreeing=len(sample) - len(differing),
        lowest_cosine=round(min(known), 6) if len(known) == len(sample) else None,
        differing=[] if mapped else differing[:_MAX_LISTED],
    )


def mismatches(verification: Verification) -> list[Problem]:
    """A problem for every side whose vectors differ; none where nothing contradicts the card."""
    size = len(verification.sample)
    mend = "Submit the vectors that these encoders return, or name the encoders and the map that made them."
    return [
        Problem(
            "verify.mismatch",
            name,
            f"{size - side.agreeing} of {size} vectors that differ: {shortened(side.differing)}",
            f"a cosine of at least {verification.threshold} with what {side.encoder} returns",
            mend,
        )
        for name, side in verification.sides.items()
        if side.state == "differs"
    ]


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> float | None:
    if left.shape != right.shape:
        return None
    a, b = left.astype(np.float64), right.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def _by_id(vectors: NDArray[np.float32], release: Release) -> Vectors:
    return dict(zip(release.ids, vectors, strict=True))


def _encoded(
    submission: Submission,
    release: Release,
    request: VerifyRequest,
    sample: list[str],
    encoders: Mapping[str, EncoderIdentity],
    progress: Progress,
) -> dict[str, Vectors]:
    """Vectors of the sample, encoded now: with a cache of their own, since an old one may be what is to be checked."""
    card, wanted = submission.card, set(sample)
    job = SpeechJob(encoders["speech"], str(parse_settings(card.speech_encoder.pooling or "mean")), release.spec.audio)
    recordings = ((name, data) for name, data in release_recordings(release, request.source) if name in wanted)
    variant, written = variant_of_card(card.text_encoder.pooling), release_texts(release, request.source)
    texts = [(name, text_variant(text, variant)) for name, text in written if name in wanted]
    with tempfile.TemporaryDirectory(prefix="igbo-align-verify-") as folder:
        cache = Path(folder) / "vectors.sqlite"
        with progress("Encoding speech again", len(sample)) as advance:
            speech = encode_speech(job, recordings, cache, advance, request.workers)
        with progress("Encoding text again", len(sample)) as advance:
            text = encode_texts(SentenceJob(encoders["text"], card.text_encoder.prompt), texts, cache, advance)
    return {"speech": speech, "text": text}


def _encoder(card: EncoderCard, own_copy: str | None, where: str) -> EncoderIdentity:
    """The encoder that a stranger's card names: an id of the Hub's form, at the very revision, and never a path."""
    if own_copy is not None:
        return resolve_encoder(own_copy)
    if not _HUB_ID.fullmatch(card.id):
        raise _impossible(f"the encoder {card.id!r}", "an encoder `org/model` that anybody can load", where)
    pinned = card.revision is not None and _COMMIT.fullmatch(card.revision)
    encoder = resolve_encoder(f"{card.id}@{card.revision}" if pinned else card.id)
    if encoder.revision != card.revision:
        raise problem(
            "verify.encoder",
            f"submission.json/{where}/revision",
            found=f"revision {card.revision} in the card, {encoder.revision} at hand",
            expected="the same revision: a commit of the Hub, or the hash that `encode` writes for a folder",
            mend="Fetch that revision, or name your own copy of the encoder if you know it to be the same.",
        )
    return encoder


def _impossible(found: str, expected: str, where: str = "submission") -> ProblemsFound:
    return problem(
        "verify.impossible",
        where,
        found=found,
        expected=expected,
        mend="Such a submission keeps the badge `scored`; docs/security.md says what that means.",
    )
