"""Encoders with short names: what to type, which prompt belongs to them, and under which licence they stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """An encoder that has a short name.

    Attributes:
        name: that `--speech-encoder` and `--text-encoder` take.
        id: on the Hub.
        modality: `speech` or `text`.
        dimensions: of its vectors.
        licence: of its weights, as its card said when this table was written; the card decides.
        prompt: put before every text unless the user names another; `{language}` is that of the release, ISO 639-3.
    """

    name: str
    id: str
    modality: str
    dimensions: int
    licence: str
    prompt: str | None = None


_NO_COMMERCE = "CC-BY-NC-4.0"
_NO_COMMERCE_ALIKE = "CC-BY-NC-SA-4.0"
_QUERY = "query: "  # on both sides, since a transcript is no answer to a question

#: The speech encoders of the paper and of its future work, and text encoders that differ in how much Igbo they know.
PRESETS: tuple[Preset, ...] = (
    Preset("whisper-tiny", "openai/whisper-tiny", "speech", 384, "Apache-2.0"),
    Preset("whisper-base", "openai/whisper-base", "speech", 512, "Apache-2.0"),
    Preset("whisper-small", "openai/whisper-small", "speech", 768, "Apache-2.0"),
    Preset("whisper-medium", "openai/whisper-medium", "speech", 1024, "Apache-2.0"),
    Preset("whisper-large-v3", "openai/whisper-large-v3", "speech", 1280, "Apache-2.0"),
    Preset("mms-300m", "facebook/mms-300m", "speech", 1024, _NO_COMMERCE),
    Preset("mms-1b", "facebook/mms-1b", "speech", 1280, _NO_COMMERCE),
    Preset("mhubert-147", "utter-project/mHuBERT-147", "speech", 768, _NO_COMMERCE_ALIKE),
    Preset("afrihubert", "ajesujoba/AfriHuBERT", "speech", 768, _NO_COMMERCE_ALIKE),
    Preset("w2v-bert-2.0", "facebook/w2v-bert-2.0", "speech", 1024, "MIT"),
    Preset("seamless-m4t-v2", "facebook/seamless-m4t-v2-large", "speech", 1024, _NO_COMMERCE),
    Preset("minilm", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", "text", 384, "Apache-2.0"),
    Preset("labse", "sentence-transformers/LaBSE", "text", 768, "Apache-2.0"),
    Preset("e5-small", "intfloat/multilingual-e5-small", "text", 384, "MIT", _QUERY),
    Preset("e5-base", "intfloat/multilingual-e5-base", "text", 768, "MIT", _QUERY),
    Preset("e5-large", "intfloat/multilingual-e5-large", "text", 1024, "MIT", _QUERY),
    Preset("bge-m3", "BAAI/bge-m3", "text", 1024, "MIT"),
    Preset("sonar", "cointegrated/SONAR_200_text_encoder", "text", 1024, _NO_COMMERCE, "{language}_Latn"),
)
_BY_NAME = {preset.name: preset for preset in PRESETS}
_BY_ID = {preset.id: preset for preset in PRESETS}


def expand_preset(text: str) -> str:
    """The Hub id of a short name, with the revision that was typed; everything else as it is."""
    name, at, revision = text.partition("@")
    return f"{_BY_NAME[name].id}{at}{revision}" if name in _BY_NAME else text


def prompt_of(encoder_id: str, language: str, asked: str | None = None) -> str | None:
    """The prompt that was asked for, else the one that belongs to the encoder; an empty one means none."""
    preset = _BY_ID.get(encoder_id)
    own = preset.prompt.format(language=language) if preset and preset.prompt else None
    return (own if asked is None else asked) or None


def licence_of(encoder_id: str) -> str | None:
    """The licence of an encoder that has a short name."""
    preset = _BY_ID.get(encoder_id)
    return preset.licence if preset else None
