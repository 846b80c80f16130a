"""Text encoders: any sentence-transformers model, and the encoder half of NLLB-like models such as SONAR's port."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problems import problem
from .devices import prepare_device
from .identity import EncoderIdentity, loading
from .speech import silence_libraries


class TextEncoder(Protocol):
    """Anything that turns texts into vectors; the only method that a text encoder of one's own needs."""

    def encode_text(self, texts: list[str]) -> ArrayLike:
        """Vectors (n, d) of n texts."""
        ...


class LoadedTextEncoder(Protocol):
    """A loaded model that gives vectors of texts."""

    def vectors(self, texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
        """L2-normalised vectors (n, d) of n texts that are encoded at once."""
        ...


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A sentence-transformers model; the prompt is put before every text."""

    model: Any

    def vectors(self, texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
        """L2-normalised vectors (n, d) of n texts that are encoded at once."""
        return self.model.encode(
            list(texts),
            prompt=prompt,
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        ).astype(np.float32)


@dataclass(frozen=True, eq=False)
class TranslationEncoder:
    """The encoder of a model of type m2m_100: mean over the tokens. The prompt is the language, such as `ibo_Latn`.

    So SONAR's text encoder gives its vectors (doi:10.48550/arXiv.2308.11466, section 4).
    """

    model: Any
    tokenizer: Any
    device: str

    def vectors(self, texts: Sequence[str], prompt: str | None) -> NDArray[np.float32]:
        """L2-normalised vectors (n, d) of n texts that are encoded at once.

        Raises:
            ProblemsFound: the prompt is no language of the model (`usage`).
        """
        import torch

        if prompt is None or self.tokenizer.convert_tokens_to_ids(prompt) == self.tokenizer.unk_token_id:
            raise problem(
                "usage",
                "--prompt",
                found=repr(prompt),
                expected="the code of the texts' language among this model's tokens, such as ibo_Latn",
                mend="Name it with --prompt; this model puts it before every text.",
            )
        self.tokenizer.src_lang = prompt
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            states = self.model(tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
        mask = tokens.attention_mask.unsqueeze(-1).to(states.dtype)
        means = (states * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(means, dim=1).float().cpu().numpy()


@functools.lru_cache(maxsize=2)
def load_text_encoder(identity: EncoderIdentity, device: str = "cpu") -> LoadedTextEncoder:
    """Load a text encoder, chosen by the model's own config; on a CPU it uses one thread.

    Args:
        identity: which one.
        device: as torch names it.

    Raises:
        ProblemsFound: `encoder.unreadable`.
    """
    silence_libraries()
    prepare_device(device)
    load = _translation_encoder if _model_type(identity) == "m2m_100" else _sentence_encoder
    return loading(identity.id, lambda: load(identity, device))


def _model_type(identity: EncoderIdentity) -> str | None:
    """Of the config; None for sentence-transformers models that have none of transformers."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(identity.location, **identity.pinned()).model_type
    except (OSError, ValueError, KeyError):
        return None


def _sentence_encoder(identity: EncoderIdentity, device: str) -> LoadedTextEncoder:
    from sentence_transformers import SentenceTransformer

    return SentenceEncoder(SentenceTransformer(identity.location, device=device, **identity.pinned()))


def _translation_encoder(identity: EncoderIdentity, device: str) -> LoadedTextEncoder:
    from transformers import AutoTokenizer
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100Encoder

    model: Any = M2M100Encoder.from_pretrained(identity.location, **identity.pinned())
    return TranslationEncoder(
        model.eval().to(device), AutoTokenizer.from_pretrained(identity.location, **identity.pinned()), device
    )
