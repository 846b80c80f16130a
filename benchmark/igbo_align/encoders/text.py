"""Text encoders: any sentence-transformers model, one text at a time, so that no batch changes a vector."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .identity import EncoderIdentity, loading
from .speech import silence_libraries


class TextEncoder(Protocol):
    """Anything that turns texts into vectors; the only method that a text encoder of one's own needs."""

    def encode_text(self, texts: list[str]) -> ArrayLike:
        """Vectors (n, d) of n texts."""
        ...


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A sentence-transformers model on one CPU thread."""

    model: Any

    def vector(self, text: str, prompt: str | None) -> NDArray[np.float32]:
        """L2-normalised vector (d,) of one text, `prompt` put before it."""
        return self.model.encode(
            text, prompt=prompt, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        ).astype(np.float32)


@functools.lru_cache(maxsize=2)
def load_text_encoder(identity: EncoderIdentity) -> SentenceEncoder:
    """Load a sentence-transformers model.

    Raises:
        ProblemsFound: `encoder.unreadable`.
    """
    import torch

    silence_libraries()
    torch.set_num_threads(1)

    def load() -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(identity.location, revision=identity.hub_revision, device="cpu")

    return SentenceEncoder(loading(identity.id, load))
