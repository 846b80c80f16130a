"""What `build` is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..encoders.cache import default_cache_file
from ..protocol.address import SourceTexts
from ..protocol.spec import BenchmarkSpec


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        source: folders or Hub dataset ids; None for what the specification names.
        out: the new release folder.
        spec: the specification.
        config: config of a single source; by default the specification's for its own dataset.
        revision: commit of a single Hub dataset; by default the specification's.
        speech_encoder: Hub id or folder; by default the specification's.
        text_encoder: Hub id or folder; by default the specification's.
        with_audio: keep the recordings in the release.
        with_text: keep the transcripts in the release.
        with_acoustics: measure pitch, rate, pauses and noise of every recording.
        workers: processes that encode; by default as many as there are cores.
        cache_file: of encoded vectors.
    """

    source: SourceTexts
    out: Path
    spec: BenchmarkSpec
    config: str | None = None
    revision: str | None = None
    speech_encoder: str | None = None
    text_encoder: str | None = None
    with_audio: bool = False
    with_text: bool = True
    with_acoustics: bool = False
    workers: int | None = None
    cache_file: Path = field(default_factory=default_cache_file)
