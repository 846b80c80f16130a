"""What a baseline may look at: the release's reference vectors, the train pairs, and recordings where they are at hand.

Whatever is fitted takes `train` alone. `test` is there for one purpose: to watch a loss that nothing depends on.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoders.cache import default_cache_file
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

    def __getitem__(self, rows: NDArray) -> Pairs:
        return Pairs(self.speech[rows], self.text[rows], self.groups[rows])


@dataclass(frozen=True)
class Sources:
    """Where recordings come from and what encodes them; needed only by baselines that look at frames.

    Attributes:
        source: folder or Hub id of the corpus; None for the release's own audio.
        speech_encoder: Hub id or folder; None for the release's reference encoder.
        text_encoder: Hub id or folder; None for the release's reference vectors.
        workers: processes that encode.
        cache_file: of encoded vectors.
    """

    source: str | None = None
    speech_encoder: str | None = None
    text_encoder: str | None = None
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)

    def has_recordings(self, release: Release) -> bool:
        """Whether recordings are at hand: from the source, or in the release."""
        return self.source is not None or (release.folder / "audio").is_dir()


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything of a release that baselines use, in release order.

    Attributes:
        release: the frozen benchmark.
        pairs: the reference vectors of all pairs.
    """

    release: Release
    pairs: Pairs

    @functools.cached_property
    def train(self) -> Pairs:
        """The pairs that may be fitted on."""
        return self.pairs[~self.release.is_test]

    @functools.cached_property
    def test(self) -> Pairs:
        """The held-out pairs: their loss may be watched, nothing may depend on them."""
        return self.pairs[self.release.is_test]


def reference_inputs(release: Release) -> Inputs:
    """The release's own vectors of its reference encoders."""
    vectors = [release.embeddings(modality, _reference_slug(release, modality)) for modality in ("speech", "text")]
    return Inputs(release, Pairs(*(held.astype(np.float64) for held in vectors), release.groups))


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


def _reference_slug(release: Release, modality: str) -> str:
    return reference_encoder(release, modality)["id"].replace("/", "__")
