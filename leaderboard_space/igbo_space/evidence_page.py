"""Is it real? Intervals of the systems that the filters leave, and who can be told apart from whom."""

from __future__ import annotations

from collections.abc import Sequence

from igbo_align.report.markup import Html, element, joined
from igbo_align.scoring.board import Separation

from .columns import COLUMNS, interval, number, signed_interval
from .labels import label
from .records import Record
from .source import Shown
from .tables import Line, forest, p_text
from .view import View, chosen_records

_MOST_LINES = 40
_MOST_TESTED = 16
_LEVEL = 0.05


def evidence_html(shown: Shown, view: View) -> Html:
    """Forest plot of a metric, and the matrix of tests."""
    ordered = chosen_records(shown.records, view.with_(sort=view.metric, reverse=False))
    if not ordered:
        return element("p", "No system fits the filters of the leaderboard. Remove some of them there.", class_="empty")
    parts = [_verdict(shown, view, ordered), _forest(view, ordered)]
    if len(ordered) > 1:
        parts.append(_matrix(shown, view, ordered[:_MOST_TESTED], len(ordered)))
    return joined(*parts)


def _verdict(shown: Shown, view: View, ordered: Sequence[Record]) -> Html:
    first = shown.board.ordered(view.track)[0]
    tied = [record.title for record in shown.records.values() if view.track in record.unseparated]
    best = shown.records[first].title
    text = (
        f"Nobody can say which of these is the best in the track {view.track}: {', '.join(tied)}."
        if tied
        else f"{best} is separable from every other system in the track {view.track}."
    )
    below = sum(_touches_chance(record, view) for record in ordered)
    if below:
        text += f" {below} of {len(ordered)} systems shown cannot be told from chance by their interval."
    return element("p", text, class_="finding")


def _touches_chance(record: Record, view: View) -> bool:
    estimate = record.estimate(view.metric, view.track, view.direction)
    return estimate["low"] <= estimate["chance"]


def _forest(view: View, ordered: Sequence[Record]) -> Html:
    lines = []
    for record in ordered[:_MOST_LINES]:
        estimate = record.estimate(view.metric, view.track, view.direction)
        mark = "≈ #1" if view.track in record.unseparated else "≈ chance" if _touches_chance(record, view) else ""
        lines.append(Line(record.title, estimate, f"{number(estimate['value'])} [{interval(estimate)}]", mark))
    chance = ordered[0].estimate(view.metric, view.track, view.direction)["chance"]
    heading = COLUMNS[view.metric].heading
    title = element("h3", f"{heading}, track {view.track}, {label('direction.' + view.direction, view.lang)}")
    drawn = forest(lines, 0.0, 1.0, chance, f"chance: {number(chance)}. Lines: 95 % bootstrap intervals over queries.")
    rest = len(ordered) - len(lines)
    more = [element("p", f"The first {_MOST_LINES} are drawn; {rest} more have lower values.", class_="caption")]
    return joined(title, drawn, *(more if rest else []))


def _matrix(shown: Shown, view: View, records: Sequence[Record], total: int) -> Html:
    names = [record.name for record in records]
    tests = {}
    for test in shown.board.separations(names, view.track):
        tests[test.first, test.second] = (test, 1)
        tests[test.second, test.first] = (test, -1)
    head = [element("th", str(i + 1), scope="col", title=record.title) for i, record in enumerate(records)]
    rows = []
    for i, record in enumerate(records):
        cells = [
            _cell(*tests[record.name, other], records, i, j) if i != j else element("td", "", class_="self")
            for j, other in enumerate(names)
        ]
        rows.append(element("tr", element("th", f"{i + 1}  {record.title}", scope="row"), *cells))
    table = element(
        "table", element("thead", element("tr", element("td", ""), *head)), element("tbody", *rows), class_="matrix"
    )
    note = (
        f"Row against column: ▲ better, ▼ worse, · not separable at {_LEVEL}. Paired bootstrap of the mean reciprocal "
        f"rank of both directions, {len(names) * (len(names) - 1) // 2} tests, corrected by Holm over exactly these."
    )
    if total > len(names):
        note += f" The first {len(names)} of {total} systems are tested here; filters choose others."
    region = element("div", table, class_="fit", tabindex="0", role="region", aria_label="Pairwise tests")
    return joined(element("h3", "Who can be told apart"), region, element("p", note, class_="caption"))


def _cell(test: Separation, sign: int, records: Sequence[Record], row: int, column: int) -> Html:
    difference = sign * test.difference
    real = test.p_holm < _LEVEL
    symbol, style = ("▲", "better") if difference > 0 else ("▼", "worse")
    if not real:
        symbol, style = "·", "open"
    low, high = sorted((sign * test.low, sign * test.high))
    text = (
        f"{records[row].title} minus {records[column].title}: {signed_interval(difference, low, high)}, "
        f"{p_text(test.p_holm)} after Holm"
    )
    words = {"better": "better", "worse": "worse", "open": "not separable"}[style]
    return element(
        "td",
        element("span", symbol, aria_hidden="true"),
        element("span", words, class_="unseen"),
        class_=style,
        title=text,
    )
