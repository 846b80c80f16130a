"""What a reader looks at, as the address of the page holds it: a link reproduces the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from igbo_align.protocol.spec import DIRECTIONS, TRACKS

from .columns import COLUMNS, DEFAULT_COLUMNS
from .labels import LANGUAGES
from .records import Record

TABS = ("board", "real", "compare", "system", "try", "about")
STATUSES = ("reported", "scored", "verified")
TRAINED = ("any", "none", "train", "all")
#: Name -> smallest and largest number of parameters, in millions.
SIZES = {"any": None, "up to 100 M": (0, 100), "100 M to 1 B": (100, 1000), "over 1 B": (1000, float("inf"))}
METRICS = ("mrr", "recall@1", "recall@5", "recall@10")
_MAX_TEXT = 200
_LIMIT = 50


@dataclass(frozen=True)
class View:
    """Everything that can be chosen. Empty tuples do not restrict; `first` and `second` are compared."""

    tab: str = "board"
    track: str = "heldout"
    direction: str = "both"
    search: str = ""
    status: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    trained: str = "any"
    open: bool = False
    size: str = "any"
    sort: str = "mrr"
    reverse: bool = False
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    metric: str = "mrr"
    first: str = ""
    second: str = ""
    system: str = ""
    lang: str = "en"

    def query(self) -> str:
        """The view as the part of an address after `?`, without what is as it is by default."""
        return urlencode({name: _as_text(value) for name, value in asdict(self).items() if value != _DEFAULTS[name]})

    def with_(self, **changes: Any) -> View:
        """The view with some of it changed; what is not known is as if it had not been said."""
        return parse_view({name: _as_text(value) for name, value in (asdict(self) | changes).items()})


_CHOICES: Mapping[str, Sequence[str]] = {
    "tab": TABS,
    "track": TRACKS,
    "direction": ("both", *DIRECTIONS),
    "status": STATUSES,
    "trained": TRAINED,
    "size": tuple(SIZES),
    "sort": tuple(COLUMNS),
    "columns": tuple(COLUMNS),
    "metric": METRICS,
    "lang": LANGUAGES,
}
_DEFAULTS = {field.name: field.default for field in fields(View)}
NAMES = tuple(_DEFAULTS)


def parse_view(query: Mapping[str, str]) -> View:
    """A view from the query of an address; what is unknown or damaged is left as it is by default."""
    found = {}
    for name in NAMES:
        if isinstance(text := query.get(name), str):
            found[name] = _parsed(name, text)
    return replace(View(), **{name: value for name, value in found.items() if value is not None})


def _parsed(name: str, text: str) -> Any:
    default, choices = _DEFAULTS[name], _CHOICES.get(name)
    if isinstance(default, bool):
        return text == "1"
    if isinstance(default, tuple):
        parts = [part for part in text.split(",")[:_LIMIT] if part and (not choices or part in choices)]
        return tuple(dict.fromkeys(parts)) or None
    if choices is not None:
        return text if text in choices else None
    return text[:_MAX_TEXT]


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(value) if isinstance(value, tuple | list) else str(value)


def chosen_records(records: Mapping[str, Record], view: View) -> list[Record]:
    """Records that pass the filters, in the order of the view; what has no value comes last in any order."""
    column = COLUMNS[view.sort]
    found = [record for record in records.values() if _passes(record, view)]
    keyed = [(column.key(record, view.track, view.direction), record) for record in found]
    highest_first = column.best_is_high != view.reverse  # those that are equal stay in the order of the board
    known = sorted((item for item in keyed if item[0] is not None), key=lambda item: item[0], reverse=highest_first)
    return [record for _, record in known] + [record for key, record in keyed if key is None]


def _passes(record: Record, view: View) -> bool:
    trained = record.card["alignment"]["trained_on_pairs"]
    return (
        (not view.search.strip() or all(word in record.haystack for word in view.search.casefold().split()))
        and (not view.status or record.row["status"] in view.status)
        and (not view.family or record.family in view.family)
        and view.trained in ("any", trained)
        and (not view.open or record.is_open)
        and _fits(record.parameters, SIZES[view.size])
    )


def _fits(parameters: int | None, size: tuple[float, float] | None) -> bool:
    if size is None:
        return True
    return parameters is not None and size[0] * 1e6 < parameters <= size[1] * 1e6
