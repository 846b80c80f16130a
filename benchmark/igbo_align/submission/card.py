"""The card of a submission: what produced the vectors, on what it was trained, and who says so."""

from __future__ import annotations

import datetime as dt
import json
import unicodedata
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..problems import Problem, ProblemsFound, printable

MAX_CARD_BYTES = 64 * 1024

_BANNED_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}


def _plain_text(value: str) -> str:
    for character in value:
        if unicodedata.category(character) in _BANNED_CATEGORIES:
            raise ValueError(f"text holds the invisible character U+{ord(character):04X}")
    return value


def _https_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme == "https" and "." in (parts.hostname or "") and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good:
        raise ValueError("expected an address that starts with https:// and holds no user name")
    return value


def _day(value: str) -> str:
    dt.date.fromisoformat(value)
    return value


Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_text)]
Paragraph = Annotated[str, Field(max_length=2000), AfterValidator(_plain_text)]
Url = Annotated[str, Field(max_length=300, pattern=r"^[!#$%&*+,./0-9:;=?@A-Z_a-z~-]+$"), AfterValidator(_https_url)]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_day)]
Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CardPart(BaseModel):
    """A part of the card: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class System(CardPart):
    """The system: a pair of encoders and whatever maps one space into the other."""

    name: Slug
    org: Slug
    revision: Slug
    url: Url | None = None
    licence: Line
    n_parameters: Annotated[int, Field(ge=0, le=10**13)] | None = None


class EncoderCard(CardPart):
    """One encoder: Hub id or description, revision, pooling over frames or tokens, prompt put before the text."""

    id: Line
    revision: Line | None = None
    pooling: Line | None = None
    prompt: Paragraph | None = None


class Alignment(CardPart):
    """How the two spaces were brought together, and which pairs were seen in doing so."""

    method: Line
    trained_on_pairs: Literal["none", "train", "all"]
    other_training_data: Paragraph = ""


class BenchmarkCard(CardPart):
    """Which frozen benchmark the vectors belong to."""

    name: Slug
    version: Line
    fingerprint: Fingerprint


class Card(CardPart):
    """The whole card, `submission.json`."""

    schema_version: Literal[1]
    system: System
    speech_encoder: EncoderCard
    text_encoder: EncoderCard
    alignment: Alignment
    submitter: Line
    created: Day
    benchmark: BenchmarkCard
    notes: Paragraph = ""

    def folder(self) -> str:
        """Where the submission belongs below `submissions/`: `<org>__<system>/<revision>`."""
        return f"{self.system.org}__{self.system.name}/{self.system.revision}"

    def as_json(self) -> dict[str, Any]:
        """The card as a JSON object, fields in the order of the schema."""
        return self.model_dump(mode="json")


def parse_card(data: bytes, where: str = "submission.json") -> Card:
    """Parse an untrusted card.

    Raises:
        ProblemsFound: every problem at once: `card.json`, `card.duplicate_key`, or one `card.schema` a field.
    """
    parse_json_object(data, where)
    try:
        return Card.model_validate_json(data)
    except ValidationError as error:
        raise ProblemsFound([_field_problem(item, where) for item in error.errors(include_url=False)]) from error


def parse_json_object(data: bytes, where: str) -> dict[str, Any]:
    """Parse untrusted JSON that must be one object without duplicate keys and of at most 64 kB."""
    if len(data) > MAX_CARD_BYTES:
        found = f"{len(data)} bytes"
        raise ProblemsFound([Problem("file.too_large", where, found, f"at most {MAX_CARD_BYTES}", "Shorten the text.")])
    duplicates: list[str] = []

    def unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in items]
        duplicates.extend(key for key in dict.fromkeys(keys) if keys.count(key) > 1)
        return dict(items)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        mend = "Write one JSON object in UTF-8; `python -m json.tool FILE` shows where it breaks."
        raise ProblemsFound([Problem("card.json", where, "something else", "one JSON object", mend)])
    if duplicates:
        raise ProblemsFound(
            [
                Problem("card.duplicate_key", where, f"the key {printable(key)} twice", "each key once", "Remove one.")
                for key in duplicates
            ]
        )
    return value


def _field_problem(error: Any, where: str) -> Problem:
    pointer = "/" + "/".join(str(part) for part in error["loc"])
    message = str(error["msg"])
    found, expected = {
        "missing": ("no such field", "the field"),
        "extra_forbidden": ("a field that the schema does not know", "only the fields of the schema"),
    }.get(error["type"], (printable(error.get("input")), message[0].lower() + message[1:]))
    mend = "Docs: submitting.md lists every field of the card."
    return Problem("card.schema", where + printable(pointer).strip("'"), found, expected, mend)
