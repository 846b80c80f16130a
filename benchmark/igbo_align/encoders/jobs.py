"""What is done to one recording, and the key under which the cache keeps the result."""

from __future__ import annotations

import functools
import importlib.metadata
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..corpus.audio import UndecodableAudio, load_waveform, windows_of
from ..protocol.spec import Audio
from .cache import cache_key
from .identity import EncoderIdentity
from .pooling import reduce_windows
from .settings import Settings, parse_settings
from .speech import Features, load_feature_extractor, load_speech_encoder

#: Part of every cache key: raise it when code changes a vector.
_ENCODING_VERSION = 2
#: Libraries whose next version may change the last bits of a vector.
_LIBRARIES = ("torch", "transformers", "sentence-transformers", "soundfile", "soxr")
#: Of every window of a recording, what goes into the model, and its samples.
Windows = list[tuple[Features, int]]


class RecordingJob(Protocol):
    """What is done to every recording of a set, wherever it is done."""

    @property
    def may_be_shared(self) -> bool:
        """Whether the job can be sent to worker processes."""
        ...

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's result: a hash over everything that could change it."""
        ...

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """The result for one recording's encoded bytes, (d,) or (t, d).

        Raises:
            UndecodableAudio: they cannot be decoded.
        """
        ...

    def check(self) -> None:
        """Fail with the real problem before any work is shared out."""
        ...


@dataclass(frozen=True)
class SpeechJob:
    """How recordings become vectors: the encoder, the pooling, and how the audio is prepared.

    The pooling is a line of `settings.Settings`, such as `mean` or `mean, layer 4, chunk`. With `pooling.FRAMES` a job
    keeps the frames of each recording instead, (t, d). On a CPU recordings go in one by one, on one thread; anything
    else changes the last bits and is in the key.
    """

    encoder: EncoderIdentity
    pooling: str
    audio: Audio
    device: str = "cpu"
    batch_size: int = 1

    may_be_shared = True

    @property
    def settings(self) -> Settings:
        """The pooling with everything that its line holds."""
        return parse_settings(self.pooling)

    @property
    def is_batched(self) -> bool:
        """Whether recordings go in together, or onto a GPU."""
        return bool(batched_key(self.device, self.batch_size))

    def key(self, audio_sha256: str) -> str:
        """Cache key of one recording's vector."""
        settings = self.settings
        return cache_key(
            {
                "id": self.encoder.id,
                "revision": self.encoder.revision,
                "pooling": settings.pooling,
                "dtype": settings.dtype,
                "audio": prepared_audio(self.audio),
                "audio_sha256": audio_sha256,
            }
            | versions()
            | batched_key(self.device, self.batch_size)
            | settings.beyond_defaults()
        )

    def vector(self, data: bytes) -> NDArray[np.float32]:
        """The vector (d,), or the frames (t, d), of one recording's encoded bytes."""
        settings, encoder = self.settings, load_speech_encoder(self.encoder, self.settings.dtype, self.device)
        windows = [
            (*encoder.states([features], settings.layer)[0], samples) for features, samples in self.windows(data)
        ]
        return reduce_windows(windows, settings.pooling)

    def windows(self, data: bytes) -> Windows:
        """What goes into the model, made without the model."""
        extractor = load_feature_extractor(self.encoder)
        waveform = load_waveform(data, self.audio, whole=self.settings.long_audio == "chunk")
        rate = self.audio.sampling_rate_hz
        return [(extractor.features(part, rate), len(part)) for part in windows_of(waveform, self.audio)]

    def check(self) -> None:
        """Fail here, not in a worker, if the model cannot be loaded."""
        load_speech_encoder(self.encoder, self.settings.dtype, self.device)


def prepared(job: SpeechJob, data: bytes) -> Windows | None:
    """What goes into the model; None for a recording that cannot be decoded."""
    try:
        return job.windows(data)
    except UndecodableAudio:
        return None


def batched_key(device: str, batch_size: int) -> dict[str, Any]:
    """What a key holds where inputs go in together or onto a GPU, which changes the last bits."""
    return {} if device == "cpu" and batch_size == 1 else {"device": device.partition(":")[0], "batched": True}


def prepared_audio(audio: Audio) -> dict[str, Any]:
    """What changes a waveform before an encoder sees it."""
    return audio.model_dump(include={"sampling_rate_hz", "resampler", "peak_normalise", "truncate_s"})


@functools.cache
def _version_of(library: str) -> str:
    return importlib.metadata.version(library)


def versions(*further: str) -> dict[str, Any]:
    """Of the code and the libraries that a result went through: those of encoders, and further ones by name."""
    libraries = (*_LIBRARIES, *further)
    return {"version": _ENCODING_VERSION, "libraries": {name: _version_of(name) for name in libraries}}
