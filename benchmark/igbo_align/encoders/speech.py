"""Speech encoders of `transformers`: recordings in, their frames out (docs/encoding.md)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problems import problem
from .devices import prepare_device
from .identity import EncoderIdentity, loading
from .pooling import Frames

#: What a model's extractor makes of one recording: arrays by name, without an axis for the batch.
Features = Mapping[str, NDArray[Any]]
_MASK = "attention_mask"


class SpeechEncoder(Protocol):
    """Anything that turns waveforms into vectors; the only method that a speech encoder of one's own needs."""

    def encode_speech(self, waveforms: list[NDArray[np.float32]], sampling_rate: int) -> ArrayLike:
        """Vectors (n, d) of n mono waveforms of `sampling_rate` samples a second."""
        ...


@dataclass(frozen=True)
class _Family:
    """How a kind of model is used.

    Attributes:
        part: the part of the model that encodes speech.
        held: of that part, how many of its frames hold a recording whose features hold so many (`_held_features`);
            the last argument says whether there are fewer frames than features.
        fixed: whether recordings are padded to one length, and frames of the padding count as the model's output.
    """

    part: Callable[[Any], Any]
    held: Callable[[Any, int, bool], int]
    fixed: bool = False


@dataclass(frozen=True, eq=False)
class FeatureExtractor:
    """The log-mel or waveform input of a model, made without the model, so that other processes can make it ahead."""

    extractor: Any
    fixed: bool

    def features(self, waveform: NDArray[np.float32], sampling_rate: int) -> Features:
        """Input of one recording, (samples,)."""
        # Whisper's mask is not for the model, which ignores it, but says where the recording ends.
        mask = {"return_attention_mask": True} if self.fixed else {}
        found = self.extractor(waveform, sampling_rate=sampling_rate, return_tensors="np", **mask)
        return {name: np.asarray(values[0]) for name, values in found.items()}


@dataclass(frozen=True, eq=False)
class FrameEncoder:
    """A loaded model that gives the frames of recordings."""

    model: Any
    family: _Family
    extractor: FeatureExtractor
    device: str

    def frames(self, waveform: NDArray[np.float32], sampling_rate: int, layer: int | None = None) -> tuple[Frames, int]:
        """Hidden states (t, d) of one recording, the last ones by default, and how many of them hold the recording."""
        return self.states([self.extractor.features(waveform, sampling_rate)], layer)[0]

    def layers(self, waveform: NDArray[np.float32], sampling_rate: int) -> list[Frames]:
        """Every hidden state (t, d) of one recording without padding; the first is what goes into the first layer."""
        features = self.extractor.features(waveform, sampling_rate)
        states = self._run([features], output_hidden_states=True).hidden_states
        return [rows[: self._held(features, len(rows))] for rows in (_numbers(layer)[0] for layer in states)]

    def states(self, batch: Sequence[Features], layer: int | None = None) -> list[tuple[Frames, int]]:
        """Hidden states (t, d) of each recording of a batch, and how many of them hold the recording.

        Args:
            batch: from the extractor; all of one length unless the model may be given padding (`may_pad`).
            layer: index into the model's hidden states; its output by default.
        """
        states = self._last(batch) if layer is None else self._layer(batch, layer)
        whole = max(map(length_of, batch))
        held = [self._held(features, states.shape[1] + length_of(features) - whole) for features in batch]
        if self.family.fixed:
            return list(zip(states, held, strict=True))
        return [(rows[:count], count) for rows, count in zip(states, held, strict=True)]

    def may_pad(self, features: Features) -> bool:
        """Whether padding leaves the frames as they are: not without a mask, nor before an adapter's convolutions."""
        return self.family.fixed or (_MASK in features and getattr(self.model, "adapter", None) is None)

    def _held(self, features: Features, frames: int) -> int:
        return self.family.held(self.model, _held_features(features), frames < length_of(features))

    def _last(self, batch: Sequence[Features]) -> NDArray[np.float32]:
        """The model's output, (n, t, d)."""
        return _numbers(self._run(batch).last_hidden_state)

    def _layer(self, batch: Sequence[Features], layer: int) -> NDArray[np.float32]:
        """What a layer gave, (n, t, d)."""
        states = self._run(batch, output_hidden_states=True).hidden_states
        if layer >= len(states):
            raise problem(
                "usage",
                "--layer",
                found=str(layer),
                expected=f"0 to {len(states) - 1}, the hidden states of this model",
                mend="Choose one of them, or leave it out for the model's output.",
            )
        return _numbers(states[layer])

    def _run(self, batch: Sequence[Features], **options: bool) -> Any:
        import torch

        arrays = _padded(batch, self.family.fixed)
        inputs = {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}
        cast = {name: x.to(self.model.dtype) if x.is_floating_point() else x for name, x in inputs.items()}
        with torch.inference_mode():
            return self.model(**cast, **options)


def _numbers(states: Any) -> NDArray[np.float32]:
    return states.float().cpu().numpy()


def length_of(features: Features) -> int:
    """How long the input of a recording is; recordings of about one length make good batches."""
    return max(len(array) for array in features.values())


def _padded(batch: Sequence[Features], fixed: bool) -> Features:
    names = [name for name in batch[0] if not (fixed and name == _MASK)]
    return {name: _stacked([features[name] for features in batch]) for name in names}


def _stacked(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    longest = max(map(len, arrays))
    stacked = np.zeros((len(arrays), longest, *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[: len(array)] = array
    return stacked


def _held_features(features: Features) -> int:
    """How many of the features hold the recording and are no padding."""
    return int(features[_MASK].sum()) if _MASK in features else length_of(features)


def _whole(model: Any) -> Any:
    return model


def _whisper_encoder(model: Any) -> Any:
    return model.get_encoder()


def _speech_half(model: Any) -> Any:
    return model.speech_encoder


def _held_by_whisper(_: Any, mel_frames: int, __: bool) -> int:
    return -(-mel_frames // 2)  # its second convolution halves the frames


def _held_after_convolutions(part: Any, samples: int, _: bool) -> int:
    return int(part._get_feat_extract_output_lengths(samples))  # noqa: SLF001 - the one place that knows strides


def _held_after_adapter(part: Any, frames: int, fewer: bool) -> int:
    """Layers keep the frames; an adapter after the last of them makes them fewer."""
    if fewer:
        for step in part.adapter.layers:
            frames = (frames + 2 * (step.kernel_size // 2) - step.kernel_size) // step.stride + 1
    return frames


#: Model type of the config -> how it is used. MMS are wav2vec2; mHuBERT and AfriHuBERT are hubert.
FAMILIES = {
    "whisper": _Family(_whisper_encoder, _held_by_whisper, fixed=True),
    "wav2vec2": _Family(_whole, _held_after_convolutions),
    "hubert": _Family(_whole, _held_after_convolutions),
    "wav2vec2-bert": _Family(_whole, _held_after_adapter),
    "seamless_m4t": _Family(_speech_half, _held_after_adapter),
    "seamless_m4t_v2": _Family(_speech_half, _held_after_adapter),
}


@functools.lru_cache(maxsize=2)
def load_feature_extractor(identity: EncoderIdentity) -> FeatureExtractor:
    """Load what makes the input of a speech encoder, chosen by the model's own config.

    Raises:
        ProblemsFound: `encoder.unreadable` or `encoder.unsupported`.
    """
    from transformers import AutoConfig, AutoFeatureExtractor

    silence_libraries()
    where = identity.pinned()
    config = loading(identity.id, lambda: AutoConfig.from_pretrained(identity.location, **where))
    if config.model_type not in FAMILIES:
        raise problem(
            "encoder.unsupported",
            identity.id,
            found=f"a model of type {config.model_type}",
            expected=f"one of {', '.join(FAMILIES)}",
            mend="Encode with your own code and send the matrices with `igbo-align pack`.",
        )
    extractor = loading(identity.id, lambda: AutoFeatureExtractor.from_pretrained(identity.location, **where))
    return FeatureExtractor(extractor, FAMILIES[config.model_type].fixed)


@functools.lru_cache(maxsize=2)
def load_speech_encoder(identity: EncoderIdentity, dtype: str = "float32", device: str = "cpu") -> FrameEncoder:
    """Load a speech encoder, chosen by the model's own config; on a CPU it uses one thread.

    Args:
        identity: which one.
        dtype: that it computes in, float32 or bfloat16.
        device: as torch names it.

    Raises:
        ProblemsFound: `encoder.unreadable` or `encoder.unsupported`.
    """
    import torch
    from transformers import AutoModel

    extractor = load_feature_extractor(identity)
    prepare_device(device)

    def load() -> FrameEncoder:
        model = AutoModel.from_pretrained(identity.location, dtype=getattr(torch, dtype), **identity.pinned())
        family = FAMILIES[model.config.model_type]
        return FrameEncoder(family.part(model).eval().to(device), family, extractor, device)

    return loading(identity.id, load)


def silence_libraries() -> None:
    """Keep the progress bars and advice of transformers off the terminal; ours are enough."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
