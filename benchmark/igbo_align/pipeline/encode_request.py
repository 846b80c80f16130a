"""What `encode` is asked to do, and the encoders that this names: models by id, or objects of the user's own."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..encoders.cache import default_cache_file
from ..encoders.devices import batch_size_on, choose_device
from ..encoders.identity import EncoderIdentity, resolve_encoder
from ..encoders.jobs import RecordingJob, SpeechJob
from ..encoders.own_jobs import OwnSpeechJob, OwnTextJob, own_identity
from ..encoders.presets import prompt_of
from ..encoders.settings import Settings
from ..encoders.speech import SpeechEncoder
from ..encoders.text import TextEncoder
from ..encoders.text_jobs import SentenceJob, TextJob
from ..extras import ENCODING, require_libraries
from ..protocol.address import SourceTexts
from ..protocol.spec import BenchmarkSpec


@dataclass(frozen=True)
class EncodeRequest:
    """What to encode with.

    Attributes:
        speech_encoder: Hub id, folder or short name, or an object with `encode_speech`.
        text_encoder: Hub id, folder or short name, or an object with `encode_text`.
        out: the new submission folder.
        source: where the recordings are, several as in the build; by default the release's own audio, else what the
            specification names.
        pooling: of the speech frames.
        layer: whose hidden states are pooled; the model's output by default.
        long_audio: `truncate` or `chunk`.
        dtype: `float32` or `bfloat16`.
        prompt: put before every text; by default the one that belongs to the text encoder, an empty one for none.
        text_variant: `as-is`, or the diacritics that are taken from every text: `no-tone`, `no-dots` or `ascii`.
        name: of the system; made from the encoders by default.
        org: who submits.
        workers: processes that encode, or that prepare recordings for a GPU.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        batch_size: inputs that are encoded at once; by default 1 on a CPU and 16 elsewhere.
        cache_file: of encoded vectors.
    """

    speech_encoder: str | SpeechEncoder
    text_encoder: str | TextEncoder
    out: str | Path
    source: SourceTexts = None
    pooling: str = "mean"
    layer: int | None = None
    long_audio: str = "truncate"
    dtype: str = "float32"
    prompt: str | None = None
    text_variant: str = "as-is"
    name: str | None = None
    org: str = "local"
    workers: int | None = None
    device: str = "auto"
    batch_size: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)

    @property
    def settings(self) -> Settings:
        """How frames become a vector."""
        return Settings(self.pooling, self.layer, self.long_audio, self.dtype)


@dataclass(frozen=True)
class Side:
    """One modality of a request: its encoder, where finished vectors are, and whether other processes see these."""

    identity: EncoderIdentity
    cache_file: Path
    is_shared: bool = True


@dataclass(frozen=True)
class Jobs:
    """The work of a request: both sides, and what is done to every recording and text."""

    speech_side: Side
    text_side: Side
    speech: RecordingJob
    text: TextJob
    prompt: str | None


@contextmanager
def jobs_of(request: EncodeRequest, spec: BenchmarkSpec) -> Generator[Jobs]:
    """The work of a request. Vectors of objects that state no revision are kept until it ends and no longer.

    Raises:
        ProblemsFound: an encoder cannot be found, or there is no such device.
        EnvironmentProblem: the extra `build` is not installed (`environment.extra`).
    """
    require_libraries("encode", *ENCODING)
    device = choose_device(request.device)
    size = batch_size_on(device, request.batch_size)
    with ExitStack() as stack:
        speech_side, text_side = (
            _side(encoder, request.cache_file, stack) for encoder in (request.speech_encoder, request.text_encoder)
        )
        prompt = prompt_of(text_side.identity.id, spec.language, request.prompt)
        yield Jobs(
            speech_side,
            text_side,
            SpeechJob(speech_side.identity, str(request.settings), spec.audio, device, size)
            if isinstance(request.speech_encoder, str)
            else OwnSpeechJob(request.speech_encoder, speech_side.identity, spec.audio, request.long_audio),
            SentenceJob(text_side.identity, prompt, device, size)
            if isinstance(request.text_encoder, str)
            else OwnTextJob(request.text_encoder, text_side.identity, prompt),
            prompt,
        )


def _side(encoder: str | SpeechEncoder | TextEncoder, cache_file: Path, stack: ExitStack) -> Side:
    if isinstance(encoder, str):
        return Side(resolve_encoder(encoder), cache_file)
    identity = own_identity(encoder)
    if identity.revision:
        return Side(identity, cache_file)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="igbo-align-encode-"))
    return Side(identity, Path(folder) / cache_file.name, is_shared=False)
