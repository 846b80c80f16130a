"""Speech encoders of `transformers`: one recording in, its frames out (PROTOCOL section 2)."""

from __future__ import annotations

import functools
from collections.abc import Callable
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


class FrameEncoder(Protocol):
    """A loaded model that gives the frames of one recording."""

    def frames(
        self, waveform: NDArray[np.float32], sampling_rate: int, layer: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Hidden states (t, d) of one recording, the last ones by default, and how many of them hold the recording."""
        ...


@dataclass(frozen=True, eq=False)
class WhisperEncoder:
    """The encoder half of a Whisper model: 30 s windows, 1,500 frames of 20 ms."""

    model: Any
    extractor: Any

    def frames(
        self, waveform: NDArray[np.float32], sampling_rate: int, layer: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Hidden states (1500, d) of one recording, and how many of them hold the recording."""
        features = self.extractor(
            waveform, sampling_rate=sampling_rate, return_tensors="pt", return_attention_mask=True
        )
        states = _hidden_states(self.model, {"input_features": features.input_features}, layer)
        mel_frames = int(features.attention_mask.sum())
        return states, -(-mel_frames // 2)


@dataclass(frozen=True, eq=False)
class UnpaddedEncoder:
    """A model that takes recordings as long as they are, so that every frame holds the recording."""

    model: Any
    extractor: Any

    def frames(
        self, waveform: NDArray[np.float32], sampling_rate: int, layer: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Hidden states (t, d) of one recording, and t."""
        features = self.extractor(waveform, sampling_rate=sampling_rate, return_tensors="pt")
        states = _hidden_states(self.model, dict(features), layer)
        return states, len(states)


def _hidden_states(model: Any, inputs: dict[str, Any], layer: int | None) -> NDArray[np.float32]:
    """Float32 states (t, d) of the only recording: the model's output, or what a layer of it gave."""
    import torch

    cast = {name: x.to(model.dtype) if x.is_floating_point() else x for name, x in inputs.items()}
    with torch.inference_mode():
        if layer is None:
            return model(**cast).last_hidden_state[0].float().numpy()
        states = model(**cast, output_hidden_states=True).hidden_states
    if layer >= len(states):
        raise problem(
            "usage",
            "--layer",
            found=str(layer),
            expected=f"0 to {len(states) - 1}, the hidden states of this model",
            mend="Choose one of them, or leave it out for the model's output.",
        )
    return states[layer][0].float().numpy()


def _whole(model: Any) -> Any:
    return model


def _whisper_encoder(model: Any) -> Any:
    return model.get_encoder()


def _speech_half(model: Any) -> Any:
    return model.speech_encoder


@dataclass(frozen=True)
class _Family:
    """How a kind of model is used: which part of it encodes speech, and how recordings are put in."""

    part: Callable[[Any], Any]
    encoder: Callable[[Any, Any], FrameEncoder]


#: Model type of the config -> how it is used. MMS are wav2vec2; mHuBERT and AfriHuBERT are hubert.
FAMILIES = {
    "whisper": _Family(_whisper_encoder, WhisperEncoder),
    "wav2vec2": _Family(_whole, UnpaddedEncoder),
    "hubert": _Family(_whole, UnpaddedEncoder),
    "wav2vec2-bert": _Family(_whole, UnpaddedEncoder),
    "seamless_m4t": _Family(_speech_half, UnpaddedEncoder),
    "seamless_m4t_v2": _Family(_speech_half, UnpaddedEncoder),
}


@functools.lru_cache(maxsize=2)
def load_speech_encoder(identity: EncoderIdentity, dtype: str = "float32") -> FrameEncoder:
    """Load a speech encoder onto one CPU thread, chosen by the model's own config; `dtype` is float32 or bfloat16.

    Raises:
        ProblemsFound: `encoder.unreadable` or `encoder.unsupported`.
    """
    import torch
    from transformers import AutoConfig, AutoFeatureExtractor, AutoModel

    silence_libraries()
    # One thread: sums over threads would depend on their number, and two processes share two cores better than this.
    torch.set_num_threads(1)
    where = {"revision": identity.hub_revision} if identity.hub_revision else {}
    config = loading(identity.id, lambda: AutoConfig.from_pretrained(identity.location, **where))
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise problem(
            "encoder.unsupported",
            identity.id,
            found=f"a model of type {config.model_type}",
            expected=f"one of {', '.join(FAMILIES)}",
            mend="Encode with your own code and send the matrices with `igbo-align pack`.",
        )

    def load() -> FrameEncoder:
        model = AutoModel.from_pretrained(identity.location, dtype=getattr(torch, dtype), **where)
        extractor = AutoFeatureExtractor.from_pretrained(identity.location, **where)
        return family.encoder(family.part(model).eval(), extractor)

    return loading(identity.id, load)


def silence_libraries() -> None:
    """Keep the progress bars and advice of transformers off the terminal; ours are enough."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
