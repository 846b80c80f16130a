"""The card of a submission whose vectors are what its encoders return."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from ..corpus.text_normalisation import TEXT_VARIANTS
from ..protocol.release import Release
from .encode_request import EncodeRequest, Jobs

_VARIANT_PREFIX = "texts "


def encoding_card(request: EncodeRequest, release: Release, jobs: Jobs) -> dict[str, Any]:
    """Card of what `encode` makes; how frames are pooled is a matter of models, not of objects of the user's own."""
    speech, text = jobs.speech_side.identity, jobs.text_side.identity
    pooling = str(request.settings) if isinstance(request.speech_encoder, str) else None
    line = variant_line(request.text_variant)
    suffix = "" if line is None else f"-{request.text_variant}"
    return untrained_card(
        request.name or f"{speech.id.split('/')[-1]}-{text.id.split('/')[-1]}{suffix}",
        request.org,
        release,
        {"id": speech.id, "revision": speech.revision or None, "pooling": pooling},
        {"id": text.id, "revision": text.revision or None, "pooling": line, "prompt": jobs.prompt},
    )


def untrained_card(
    name: str, org: str, release: Release, speech_encoder: dict[str, Any], text_encoder: dict[str, Any]
) -> dict[str, Any]:
    """Card of a system whose vectors are what its encoders return; the name is made one that a card may have."""
    return {
        "schema_version": 1,
        "system": {
            "name": re.sub(r"[^A-Za-z0-9._-]", "-", name)[:64].rstrip("-._"),
            "org": org,
            "revision": "1",
            "licence": "see the encoders",
        },
        "speech_encoder": speech_encoder,
        "text_encoder": text_encoder,
        "alignment": {"method": "none", "trained_on_pairs": "none"},
        "submitter": org,
        "created": dt.datetime.now(dt.UTC).date().isoformat(),
        "benchmark": release.benchmark(),
    }


def variant_line(variant: str) -> str | None:
    """The variant as cards hold it, in the text encoder's `pooling`; texts as they are need no word."""
    return None if variant == "as-is" else f"{_VARIANT_PREFIX}{variant}"


def variant_of_card(line: str | None) -> str:
    """The inverse of `variant_line`; a line that says something else means texts as they are."""
    variant = (line or "").removeprefix(_VARIANT_PREFIX)
    return variant if variant in TEXT_VARIANTS else "as-is"
