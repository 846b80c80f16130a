"""What a baseline may look at: the release's reference vectors, the train pairs, and recordings where they are at hand.

Whatever is fitted takes `train` alone. `test` is there for one purpose: to watch a loss that nothing depends on.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problems import problem
from ..protocol.release import Release

Vectors = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Paired vectors: `speech` (n, d_speech), `text` (n, d_text), and the number of each pair's text group, (n,)."""

    speech: Vectors
    text: Vectors
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Pairs:
        return Pairs(self.speech[rows], self.text[rows], self.groups[rows])


@dataclass(frozen=True, eq=False)
class RecordingVectors:
    """What was encoded from the recordings, in release order.

    Attributes:
        speech: name of a pooling -> (d,) vector of each recording; `frames-10hz` -> its (t, d) frames.
        text: (n, d_text) vectors of the texts.
        encoders: `speech` and `text` -> id, revision and pooling, as cards hold them.
    """

    speech: Mapping[str, Sequence[NDArray[np.float32]]]
    text: Vectors
    encoders: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything of a release that baselines use, in release order.

    Attributes:
        release: the frozen benchmark.
        pairs: the reference vectors of all pairs.
        encoded: vectors and frames that a release does not hold; None unless a baseline needs them.
    """

    release: Release
    pairs: Pairs
    encoded: RecordingVectors | None = None

    @functools.cached_property
    def train(self) -> Pairs:
        """The pairs that may be fitted on."""
        return self.pairs[~self.release.is_test]

    @functools.cached_property
    def test(self) -> Pairs:
        """The held-out pairs: their loss may be watched, nothing may depend on them."""
        return self.pairs[self.release.is_test]

    @property
    def recordings(self) -> RecordingVectors:
        """What was encoded from the recordings.

        Raises:
            ProblemsFound: nothing was (`baseline.needs_source`).
        """
        if self.encoded is None:
            raise problem(
                "baseline.needs_source",
                "--source",
                found="a release without recordings, and no --source",
                expected="the corpus that the release was built from",
                mend="Name its folder or its Hub id with --source.",
            )
        return self.encoded


def reference_inputs(release: Release) -> Inputs:
    """The release's own vectors of its reference encoders."""
    speech, text = (
        release.embeddings(modality, reference_encoder(release, modality)["id"].replace("/", "__")).astype(np.float64)
        for modality in ("speech", "text")
    )
    return Inputs(release, Pairs(speech, text, release.groups))


def reference_encoder(release: Release, modality: str) -> dict[str, Any]:
    """Id, revision and pooling of the encoder of the release's reference vectors of a modality."""
    try:
        return release.manifest["encoders"][modality]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise problem(
            "release.corrupt",
            "manifest.json",
            found=f"no reference encoder of {modality}",
            expected="the id, revision and pooling of each reference encoder",
            mend="Fetch or build the release again.",
        ) from error
