"""Speech encoders of `transformers`: one recording in, its frames out (PROTOCOL section 2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problems import problem
from .identity import EncoderIdentity, loading


class SpeechEncoder(Protocol):
    """Anything that turns waveforms into vectors; the only method that a speech encoder of one's own needs."""

    def encode_speech(self, waveforms: list[NDArray[np.float32]], sampling_rate: int) -> ArrayLike:
        """Vectors (n, d) of n mono waveforms of `sampling_rate` samples a second."""
        ...


@dataclass(frozen=True, eq=False)
class WhisperEncoder:
    """The encoder half of a Whisper model: 30 s windows, 1,500 frames of 20 ms."""

    model: Any
    extractor: Any

    def frames(self, waveform: NDArray[np.float32], sampling_rate: int) -> tuple[NDArray[np.float32], int]:
        """Last hidden states (1500, d) of one recording, and how many of them hold the recording."""
        import torch

        features = self.extractor(
            waveform, sampling_rate=sampling_rate, return_tensors="pt", return_attention_mask=True
        )
        with torch.inference_mode():
            states = self.model(features.input_features).last_hidden_state[0].numpy()
        mel_frames = int(features.attention_mask.sum())
        return states, -(-mel_frames // 2)


@functools.lru_cache(maxsize=2)
def load_speech_encoder(identity: EncoderIdentity) -> WhisperEncoder:
    """Load a speech encoder onto one CPU thread in float32, chosen by the model's own config.

    Raises:
        ProblemsFound: `encoder.unreadable` or `encoder.unsupported`.
    """
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

    silence_libraries()
    # One thread: sums over threads would depend on their number, and two processes share two cores better than this.
    torch.set_num_threads(1)
    where = {"revision": identity.hub_revision} if identity.hub_revision else {}

    def load() -> tuple[Any, Any, Any]:
        config = AutoConfig.from_pretrained(identity.location, **where)
        if config.model_type != "whisper":
            return config, None, None
        model = AutoModel.from_pretrained(identity.location, dtype=torch.float32, **where)
        return config, model.get_encoder().eval(), AutoFeatureExtractor.from_pretrained(identity.location, **where)

    config, model, extractor = loading(identity.id, load)
    if model is None:
        raise problem(
            "encoder.unsupported",
            identity.id,
            found=f"a model of type {config.model_type}",
            expected="whisper",
            mend="Encode with your own code and send the matrices with `igbo-align pack`.",
        )
    return WhisperEncoder(model, extractor)


def silence_libraries() -> None:
    """Keep the progress bars and advice of transformers off the terminal; ours are enough."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
