"""The columns of the leaderboard: heading, order, cell and value of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from igbo_align.report.markup import Html, element, joined

from .records import Record

Key = Callable[[Record, str, str], Any]
Cell = Callable[[Record, str, str], str]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        heading: for people.
        explanation: one line, shown when one points at the heading.
        key: record, track, direction -> what is sorted by and downloaded; None where there is no value.
        cell: record, track, direction -> content of the cell.
        best_is_high: whether high values come first.
        style: class of its cells.
        width: in rem, its least; what is left of the page is divided in proportion.
    """

    heading: str
    explanation: str
    key: Key
    cell: Cell
    best_is_high: bool = False
    style: str = "text"
    width: float = 6.5


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of digits; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def interval(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """The interval of an estimate."""
    return f"{estimate['low']:.{digits}f}–{estimate['high']:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign; what rounds to zero has none."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def signed_interval(value: float, low: float, high: float) -> str:
    """A difference and its interval."""
    return f"{signed(value)} [{signed(low)}, {signed(high)}]"


def millions(parameters: int | None) -> str:
    """A number of parameters as people say it."""
    if parameters is None:
        return "–"
    for unit, size in (("B", 10**9), ("M", 10**6), ("k", 10**3)):
        if parameters >= size:
            return f"{parameters / size:.3g} {unit}"
    return str(parameters)


def place_text(places: tuple[int, int]) -> str:
    """Places of a tie: `1–3`, or `4`."""
    first, last = places
    return str(first) if first == last else f"{first}–{last}"


def estimate_cell(estimate: Mapping[str, Any], digits: int = 3) -> Html:
    """A value with its interval beneath it."""
    return Html(f"{number(estimate['value'], digits)}<small>{interval(estimate, digits)}</small>")


def strip(estimate: Mapping[str, Any]) -> Html:
    """The interval of a metric from 0 to 1 as a drawing: where it lies, its value, and chance."""
    low, high, value = (100 * estimate[name] for name in ("low", "high", "value"))
    places = f"--l:{low:.1f}%;--w:{max(high - low, 1):.1f}%;--v:{value:.1f}%;--c:{100 * estimate['chance']:.1f}%"
    return Html(f'<span class="strip" aria-hidden="true" style="{places}"></span>')


def _system(record: Record, track: str, _: str) -> Html:
    # The link also works without scripts; with them the page stays as it is.
    link = element("a", record.title, href=f"?{_link(record)}", data_system=record.name)
    marks = [element("span", "≈ #1", class_="mark", title="Shares the first rank: not separable from #1")]
    marks = marks if track in record.unseparated else []
    labels = [element("span", text, class_="label") for text in record.row.get("labels", [])]
    flags = record.row["flags"]
    codes = ", ".join(dict.fromkeys(flag["code"].removeprefix("flag.") for flag in flags))
    warning = [element("span", f"⚑ {codes}", class_="flag", title="Looks too good or odd; see the system's page")]
    return joined(link, *marks, *(warning if flags else []), *labels)


def _link(record: Record) -> str:
    return urlencode({"tab": "system", "system": record.name})


def _status(record: Record, _track: str, _direction: str) -> Html:
    status = record.row["status"]
    sign = {"verified": "✓ ", "scored": ""}.get(status, "")
    return element("span", f"{sign}{status}", class_=f"badge {'verified' if status == 'verified' else 'scored'}")


def _encoder(which: str) -> tuple[Key, Cell]:
    def key(record: Record, _track: str, _direction: str) -> str:
        return record.card[which]["id"]

    def cell(record: Record, track: str, direction: str) -> str:
        org, _, name = key(record, track, direction).rpartition("/")
        return joined(clipped(name), element("small", org, class_="clip")) if org else clipped(name)

    return key, cell


def _metric(name: str, heading: str, explanation: str, *, drawn: bool = False, rank: bool = False) -> Column:
    def key(record: Record, track: str, direction: str) -> float:
        return record.estimate(name, track, direction)["value"]

    def cell(record: Record, track: str, direction: str) -> Html:
        estimate = record.estimate(name, track, direction)
        shown = estimate_cell(estimate, 1 if rank else 3)
        return joined(shown, strip(estimate)) if drawn else shown

    return Column(heading, explanation, key, cell, not rank, "number", 5.8 if drawn else 4.4 if rank else 5.4)


def _gap(record: Record) -> Mapping[str, Any]:
    return record.row["diagnostics"]["memorisation_gap"]


def _gap_cell(record: Record, _track: str, _direction: str) -> Html:
    gap = _gap(record)
    return joined(signed(gap["value"]), element("small", f"{signed(gap['low'])} to {signed(gap['high'])}"))


def clipped(text: str) -> Html:
    """Text of a stranger's length in two lines; all of it where one points at it."""
    return element("span", text, class_="clip", title=text)


def _plain(heading: str, explanation: str, get: Callable[[Record], str], width: float = 6.5) -> Column:
    return Column(heading, explanation, lambda r, *_: get(r).casefold(), lambda r, *_: clipped(get(r)), width=width)


COLUMNS: dict[str, Column] = {
    "rank": Column(
        "Rank",
        "Places by mean MRR of both directions; systems that a paired bootstrap cannot tell apart share them",
        lambda r, track, _: r.places[track],
        lambda r, track, _: place_text(r.places[track]),
        style="number",
        width=3.6,
    ),
    "system": Column("System", "Who sent what", lambda r, *_: r.title.casefold(), _system, style="system", width=9.6),
    "status": Column(
        "Status",
        "scored: recomputed from the vectors. verified: a sample was encoded again too",
        lambda r, *_: r.row["status"],
        _status,
        best_is_high=True,
        width=4.6,
    ),
    "recall@1": _metric("recall@1", "R@1", "Share of queries whose partner is found first"),
    "recall@5": _metric("recall@5", "R@5", "Share of queries whose partner is among the first five"),
    "recall@10": _metric("recall@10", "R@10", "Share of queries whose partner is among the first ten"),
    "mrr": _metric("mrr", "MRR", "Mean reciprocal rank; line: 95 % interval, tick: chance", drawn=True),
    "median_rank": _metric(
        "median_rank", "Median rank", "Half of the queries find their partner by this rank", rank=True
    ),
    "mean_rank": _metric("mean_rank", "Mean rank", "Mean rank of the partner", rank=True),
    "gap": Column(
        "Train–test gap",
        "MRR of train queries minus test queries in the track paper: what was memorised",
        lambda r, *_: _gap(r)["value"],
        _gap_cell,
        style="number",
        width=7.4,
    ),
    "speech": Column("Speech encoder", "What encodes the recordings", *_encoder("speech_encoder"), width=6),
    "text": Column("Text encoder", "What encodes the sentences", *_encoder("text_encoder"), width=6),
    "parameters": Column(
        "Parameters",
        "As the card tells",
        lambda r, *_: r.parameters,
        lambda r, *_: millions(r.parameters),
        style="number",
        width=6.3,
    ),
    "trained": _plain(
        "Trained on pairs", "Pairs of the benchmark seen in training", lambda r: r.card["alignment"]["trained_on_pairs"]
    ),
    "method": _plain("Alignment", "How the two spaces were joined", lambda r: r.card["alignment"]["method"]),
    "class": _plain(
        "Class", "Transductive systems use the other queries or candidates", lambda r: r.row.get("class", "")
    ),
    "licence": _plain("Licence", "Of the system", lambda r: r.card["system"]["licence"], 5.8),
    "submitter": _plain("Submitter", "Who sent it", lambda r: r.card["submitter"]),
    "date": Column(
        "Date",
        "Of the submission",
        lambda r, *_: r.card["created"],
        lambda r, *_: r.card["created"],
        best_is_high=True,
        style="number",
        width=5.6,
    ),
}
DEFAULT_COLUMNS = (
    "rank",
    "system",
    "status",
    "recall@1",
    "recall@5",
    "recall@10",
    "mrr",
    "median_rank",
    "gap",
    "speech",
    "text",
    "parameters",
    "licence",
    "date",
)
