"""Encoders of the user's own: any object with `encode_speech` or `encode_text`, one input at a time, in this process.

An object may state its `name` (`org/model`) and `revision`; the name goes into the card. With a revision, which has to
change with everything that changes a vector, finished vectors are kept like those of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.audio import load_waveform
from ..problems import problem
from ..protocol.spec import Audio
from .cache import cache_key
from .identity import EncoderIdentity
from .jobs import prepared_audio, versions
from .speech import SpeechEncoder
from .text import TextEncoder
from .text_jobs import text_key


def own_identity(encoder: object) -> EncoderIdentity:
    """What an object says of itself; an empty revision where it states none."""
    name = str(getattr(encoder, "name", f"local/{type(encoder).__name__}"))
    return EncoderIdentity(name, str(getattr(encoder, "revision", "") or ""), name, None)


@dataclass(frozen=True, eq=False)
class OwnSpeechJob:
    """Recordings through an object of the user's own, one by one, in this process.

    With `chunk` it gets the whole waveform and not its first window.
    """

    encoder: SpeechEncoder
    identity: EncoderIdentity
    audio: Audio
    long_audio: str

    may_be_shared = False

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's vector."""
        own = {"own": [self.identity.id, self.identity.revision], "long_audio": self.long_audio}
        return cache_key(own | {"audio": prepared_audio(self.audio), "audio_sha256": audio_sha256} | versions())

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """The vector of one recording, (d,).

        Raises:
            ProblemsFound: what the object returned has a wrong shape (`encoder.output`).
        """
        waveform = load_waveform(data, self.audio, whole=self.long_audio == "chunk")
        return own_rows(self.encoder.encode_speech([waveform], self.audio.sampling_rate_hz), 1, "encode_speech")[0]

    def check(self) -> None:
        """Nothing has to be loaded: the object is there."""


@dataclass(frozen=True, eq=False)
class OwnTextJob:
    """Texts through an object of the user's own, one by one."""

    encoder: TextEncoder
    identity: EncoderIdentity
    prompt: str | None = None
    batch_size: int = 1

    def key(self, text: str) -> str:
        """Cache key of one text's vector."""
        own = {"own": [self.identity.id, self.identity.revision], "prompt": self.prompt}
        return cache_key(own | text_key(text) | versions())

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (n, d) of n texts, the prompt put before each.

        Raises:
            ProblemsFound: what the object returned has a wrong shape (`encoder.output`).
        """
        prompted = [f"{self.prompt or ''}{text}" for text in texts]
        return own_rows(self.encoder.encode_text(prompted), len(prompted), "encode_text")


def own_rows(returned: Any, n: int, method: str) -> NDArray[np.float32]:
    """What an encoder of the user's own returned for n inputs, as (n, d) float32.

    Raises:
        ProblemsFound: it is no such array (`encoder.output`).
    """
    array = np.asarray(returned)
    if array.ndim != 2 or len(array) != n or array.dtype.kind not in "fiu":
        raise problem(
            "encoder.output",
            method,
            found=f"an array of shape {array.shape} and type {array.dtype}",
            expected=f"numbers of shape ({n}, d) for {n} input{'s'[: n != 1]}",
            mend="Return one row for every input.",
        )
    return np.ascontiguousarray(array, dtype=np.float32)
