"""`manifest.json` of a release: where everything came from."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..corpus.selection import Selection
from ..corpus.source import Corpus
from ..encoders.identity import EncoderIdentity
from ..encoders.settings import parse_settings
from ..encoders.text_jobs import SentenceJob
from .acoustics import MEASURE_VERSION
from .build_request import BuildRequest

_LIBRARIES = ("numpy", "pyarrow", "datasets", "soundfile", "soxr", "torch", "transformers", "sentence-transformers")
_SOUND_LIBRARIES = ("librosa", "scipy")


@dataclass(frozen=True)
class Provenance:
    """What a build found and used."""

    corpus: Corpus
    selection: Selection
    profile: dict[str, Any]
    unmet: list[dict[str, Any]]
    speech_encoder: EncoderIdentity
    text_job: SentenceJob


def release_manifest(request: BuildRequest, made: Provenance) -> dict[str, Any]:
    """The manifest without fingerprint and hashes of the files, which are written after this is known."""
    spec, prompt = request.spec, made.text_job.prompt
    speech_pooling, text_pooling = spec.speech_encoder.pooling, spec.text_encoder.pooling
    text_entry = _encoder_entry(made.text_job.encoder, text_pooling, "float32")
    return {
        "schema_version": 1,
        "package_version": __version__,
        **made.corpus.provenance,
        "profile": made.profile,
        "excluded_ids": dict(sorted(made.selection.excluded.items())),
        "unmet_expectations": made.unmet,
        "encoders": {
            "speech": _encoder_entry(made.speech_encoder, speech_pooling, parse_settings(speech_pooling).dtype),
            "text": text_entry | ({"prompt": prompt} if prompt else {}),
        },
        "with_text": request.with_text,
        "with_audio": request.with_audio,
        "acoustics": {"version": MEASURE_VERSION} if request.with_acoustics else None,
        "libraries": {name: importlib.metadata.version(name) for name in _libraries(request)},
    }


def _libraries(request: BuildRequest) -> tuple[str, ...]:
    return (*_LIBRARIES, *_SOUND_LIBRARIES) if request.with_acoustics else _LIBRARIES


def _encoder_entry(encoder: EncoderIdentity, pooling: str, dtype: str) -> dict[str, str]:
    return {"id": encoder.id, "revision": encoder.revision, "pooling": pooling, "dtype": dtype}
