"""The card of a submission: what produced the vectors, on what it was trained, and who says so."""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections import Counter
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..problems import Problem, ProblemsFound, printable

MAX_CARD_BYTES = 64 * 1024

#: Problems that are listed; a card of nothing but wrong fields would list thousands.
_MAX_PROBLEMS = 20
_BANNED_CATEGORIES = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
#: Letters and marks that show nothing: fillers of Hangul, blank braille, joiner of graphemes, selectors of variants.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
#: An Igbo vowel carries a dot below and a tone mark; nothing written carries more than four marks.
_MAX_MARKS = 4
_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
#: Names that Windows keeps for devices, with or without a suffix: no folder can have them there.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def _plain_text(value: str) -> str:
    marks = 0
    for character in value:
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        hidden = category in _BANNED_CATEGORIES or _INVISIBLE.match(character)
        if hidden or (category == "Zs" and character != " "):
            raise ValueError(f"text without invisible characters such as U+{ord(character):04X}")
        if marks > _MAX_MARKS:
            raise ValueError(f"at most {_MAX_MARKS} marks on one letter")
    return value


def _trimmed(value: str) -> str:
    if value != value.strip():
        raise ValueError("text without spaces at its ends")
    return value


def _https_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        plain = parts.scheme == "https" and "@" not in parts.netloc and parts.port is None
        host = parts.hostname or ""
    except ValueError:
        plain, host = False, ""
    if not plain or not _HOST.fullmatch(host) or any(label.startswith("xn--") for label in host.split(".")):
        raise ValueError("an address that starts with https:// and a host name, without user name or port")
    return value


def _day(value: str) -> str:
    try:
        dt.date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("a day of the calendar") from error
    return value


def _folder_name(value: str) -> str:
    if _DEVICES.fullmatch(value):
        raise ValueError("a name that a folder can have everywhere")
    return value


def _org_name(value: str) -> str:
    if "__" in value:
        raise ValueError("a name without `__`, which separates it from the system's in the folder's name")
    return value


_NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"
_URL_PATTERN = r"^[!#$%&*+,./0-9:;=?@A-Z_a-z~-]+$"
_DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_FINGERPRINT_PATTERN = r"^[0-9a-f]{64}$"
#: Patterns in words, for people.
_IN_WORDS = {
    _NAME_PATTERN: "1 to 64 letters (a to z), digits, '.', '_' and '-', with a letter or digit at both ends",
    _URL_PATTERN: "an address that starts with https://, without spaces, quotes, brackets or letters beyond a to z",
    _DAY_PATTERN: "a date, YYYY-MM-DD",
    _FINGERPRINT_PATTERN: "the 64 digits and letters a to f of the release's fingerprint",
}

Slug = Annotated[str, Field(pattern=_NAME_PATTERN), AfterValidator(_folder_name)]
Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_text), AfterValidator(_trimmed)]
Paragraph = Annotated[str, Field(max_length=2000), AfterValidator(_plain_text)]
Url = Annotated[str, Field(max_length=300, pattern=_URL_PATTERN), AfterValidator(_https_url)]
Day = Annotated[str, Field(pattern=_DAY_PATTERN), AfterValidator(_day)]
Fingerprint = Annotated[str, Field(pattern=_FINGERPRINT_PATTERN)]


class CardPart(BaseModel):
    """A part of the card: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class System(CardPart):
    """The system: a pair of encoders and whatever maps one space into the other."""

    name: Slug
    org: Annotated[Slug, AfterValidator(_org_name)]
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
    """How the two spaces were brought together, and which pairs were seen in doing so.

    Attributes:
        method: in a few words; `none`, or `none: ` and more words, says that the vectors are what the encoders return.
        trained_on_pairs: of the benchmark.
        other_training_data: whatever else was learnt from.
        transductive: the method, if vectors or similarities depend on the other queries or candidates that are scored
            (CSLS, Sinkhorn, centring or whitening over them): a class of its own.
    """

    method: Line
    trained_on_pairs: Literal["none", "train", "all"]
    other_training_data: Paragraph = ""
    transductive: Line | None = None

    @property
    def claims_no_map(self) -> bool:
        """Whether the card says that the vectors are what the encoders return."""
        return self.method.partition(":")[0].strip().lower() == "none"


class BenchmarkCard(CardPart):
    """Which frozen benchmark the vectors belong to."""

    name: Slug
    version: Line
    fingerprint: Fingerprint


class Card(CardPart):
    """The whole card, `submission.json`."""

    schema_version: Annotated[int, Field(ge=1, le=1)]
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
        return self.model_dump()


def parse_card(data: bytes, where: str = "submission.json") -> Card:
    """Parse an untrusted card.

    Raises:
        ProblemsFound: every problem at once: `card.json`, `card.duplicate_key`, or one `card.schema` a field.
    """
    fields = parse_json_object(data, where)
    try:
        return Card.model_validate(fields)
    except ValidationError as error:
        listed = error.errors(include_url=False)[:_MAX_PROBLEMS]
        raise ProblemsFound([_field_problem(item, where) for item in listed]) from error


def parse_json_object(data: bytes, where: str, max_bytes: int = MAX_CARD_BYTES) -> dict[str, Any]:
    """Parse untrusted JSON that must be one object without duplicate keys and of at most 64 kB."""
    if len(data) > max_bytes:
        found = f"{len(data)} bytes"
        raise ProblemsFound([Problem("file.too_large", where, found, f"at most {max_bytes}", "Shorten the text.")])
    duplicates: list[str] = []

    def unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(items) != len({key for key, _ in items}):
            duplicates.extend(key for key, times in Counter(key for key, _ in items).items() if times > 1)
        return dict(items)

    try:
        value, found = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=_no_number), "something else"
    except (ValueError, RecursionError) as error:
        value, found = None, _where_it_breaks(error)
    if not isinstance(value, dict):
        mend = "Write one JSON object in UTF-8; `python -m json.tool FILE` shows where it breaks."
        raise ProblemsFound([Problem("card.json", where, found, "one JSON object", mend)])
    if duplicates:
        raise ProblemsFound(
            [
                Problem("card.duplicate_key", where, f"the key {printable(key)} twice", "each key once", "Remove one.")
                for key in duplicates[:_MAX_PROBLEMS]
            ]
        )
    return value


def _where_it_breaks(error: Exception) -> str:
    """The place in the text, without the words of the exception."""
    match error:
        case json.JSONDecodeError():
            return f"no JSON at line {error.lineno}, column {error.colno}"
        case UnicodeDecodeError():
            before = error.object[: error.start].decode()
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            return f"bytes that are not UTF-8 at line {line}, column {column}"
        case _:
            return "something else"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _field_problem(error: Any, where: str) -> Problem:
    pointer = "/" + "/".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    found, expected = {
        "missing": ("no such field", "the field"),
        "extra_forbidden": ("a field that the schema does not know", "only the fields of the schema"),
        "string_pattern_mismatch": (printable(error.get("input")), _IN_WORDS.get(_pattern_of(error), "")),
    }.get(error["type"], (printable(error.get("input")), message[0].lower() + message[1:]))
    mend = "Docs: submitting.md lists every field of the card."
    if error["type"] == "extra_forbidden" and (near := get_close_matches(str(error["loc"][-1]), _fields(error), n=1)):
        mend = f"Did you mean `{near[0]}`? {mend}"
    return Problem("card.schema", where + printable(pointer).strip("'"), found, expected, mend)


def _pattern_of(error: Any) -> str:
    return error.get("ctx", {}).get("pattern", "")


def _fields(error: Any) -> list[str]:
    """Names of the fields that the part of the card has in which an error lies."""
    part: Any = Card
    for name in error["loc"][:-1]:
        part = part.model_fields[name].annotation
    return list(part.model_fields)
