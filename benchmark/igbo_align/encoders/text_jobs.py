"""What is done to texts, and the key under which the cache keeps the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..corpus.text_normalisation import NORMALISER
from ..files import sha256_of_bytes
from .cache import cache_key
from .identity import EncoderIdentity
from .jobs import batched_key, versions
from .text import load_text_encoder


class TextJob(Protocol):
    """How texts become vectors."""

    @property
    def batch_size(self) -> int:
        """Texts that are encoded at once."""
        ...

    def key(self, text: str) -> str:
        """Cache key of one text's vector: a hash over everything that could change it."""
        ...

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors (n, d) of n texts."""
        ...


@dataclass(frozen=True)
class SentenceJob:
    """Texts through a model; one by one on a CPU, where batches would change the last bits."""

    encoder: EncoderIdentity
    prompt: str | None = None
    device: str = "cpu"
    batch_size: int = 1

    def key(self, text: str) -> str:
        """Cache key of one text's vector."""
        held = {"id": self.encoder.id, "revision": self.encoder.revision, "prompt": self.prompt}
        return cache_key(held | text_key(text) | versions() | batched_key(self.device, self.batch_size))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised vectors (n, d) of n texts."""
        return load_text_encoder(self.encoder, self.device).vectors(texts, self.prompt)


def text_key(text: str) -> dict[str, Any]:
    """What a key holds of a text."""
    return {"normaliser": NORMALISER, "text_sha256": sha256_of_bytes(text.encode())}
