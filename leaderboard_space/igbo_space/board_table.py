"""The leaderboard as an HTML table, and as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from igbo_align.files import readable_json
from igbo_align.report.markup import Html, element, joined
from igbo_align.scoring.leaderboard import reported_rows

from .columns import COLUMNS, Column, number
from .labels import label
from .records import Record
from .source import Shown
from .view import View, chosen_records

#: Metrics of which chance and the paper have a number.
_MEASURED = ("recall@1", "recall@5", "recall@10", "mrr", "median_rank", "mean_rank")


def board_html(shown: Shown, view: View) -> Html:
    """The table of a view, the line above it, and the paper's own figures below it."""
    if not shown.records:
        return element("p", "The board is empty: nobody has submitted yet.", class_="empty")
    found = chosen_records(shown.records, view)
    total = len(shown.records)
    count = f"{total} systems" if len(found) == total else f"{len(found)} of {total} systems"
    what = f"{count}, track {view.track}, {label('direction.' + view.direction)}. {_track_in_words(shown, view.track)}"
    caption = element("p", what, class_="caption", role="status")
    nobody = element("p", "No system fits these filters. Remove some of them.", class_="empty")
    return joined(caption, _table(found, view, shown) if found else nobody, _reported(view))


def _track_in_words(shown: Shown, track: str) -> str:
    row = next(iter(shown.records.values())).row["tracks"][track]["speech_to_text"]
    n, pool = row["n"], row["pool"]
    return {
        "paper": f"{n} queries, pools of {pool}; train pairs are among them.",
        "heldout": f"{n} queries that nobody may train on, pools of {pool}.",
        "full": f"{n} queries, all {pool} candidates.",
        "hard": f"{n} queries, pools of the {pool - 1} most similar texts and the right one.",
    }[track]


def _table(found: Sequence[Record], view: View, shown: Shown) -> Html:
    """Rows of one grid each, so that a browser lays out only those in sight: a long board stays quick.

    The roles keep it a table for those who hear it.
    """
    columns = [(name, COLUMNS[name]) for name in view.columns]
    head = "".join(_heading(name, column, view) for name, column in columns)
    rows = [_row(record, columns, view) for record in found]
    rows.insert(_place_of_chance(found, view), _chance(columns, view, shown))
    widths = [column.width for _, column in columns]
    style = f"--columns:{' '.join(f'minmax({w}rem,{w}fr)' for w in widths)};min-width:{sum(widths)}rem"
    table = (
        f'<table class="board rows" role="table" aria-rowcount="{len(rows) + 1}" style="{style}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>'
    )
    return Html(f'<div class="scroll" tabindex="0" role="region" aria-label="Leaderboard">{table}</div>')


def _heading(name: str, column: Column, view: View) -> Html:
    sorted_by = name == view.sort
    descending = column.best_is_high != view.reverse
    arrow = element("span", ("↓" if descending else "↑") if sorted_by else "", class_="arrow", aria_hidden="true")
    button = element("button", column.heading, arrow, type="button", data_sort=name, title=column.explanation)
    state = ("descending" if descending else "ascending") if sorted_by else None
    return element("th", button, scope="col", role="columnheader", class_=column.style, aria_sort=state)


def _row(record: Record, columns: Sequence[tuple[str, Column]], view: View) -> str:
    cells = []
    for name, column in columns:
        content = joined(column.cell(record, view.track, view.direction))
        tag = 'th scope="row" role="rowheader"' if name == "system" else 'td role="cell"'
        cells.append(f'<{tag} class="{column.style}">{content}</{tag[:2]}>')
    return f'<tr role="row">{"".join(cells)}</tr>'


def _place_of_chance(found: Sequence[Record], view: View) -> int:
    """Chance stands where it would be sorted, so that one sees who is below it; at the end where it has no value."""
    if view.sort not in _MEASURED:
        return len(found)
    higher_first = COLUMNS[view.sort].best_is_high != view.reverse
    for i, record in enumerate(found):
        estimate = record.estimate(view.sort, view.track, view.direction)
        if (estimate["value"] < estimate["chance"]) == higher_first and estimate["value"] != estimate["chance"]:
            return i
    return len(found)


def _chance(columns: Sequence[tuple[str, Column]], view: View, shown: Shown) -> Html:
    some = next(iter(shown.records.values()))
    cells = []
    for name, column in columns:
        text = label("chance") if name == "system" else ""
        if name in _MEASURED:
            chance = some.estimate(name, view.track, view.direction)["chance"]
            text = number(chance, 1 if name.endswith("rank") else 3)
        attributes = {"scope": "row", "role": "rowheader"} if name == "system" else {"role": "cell"}
        cells.append(element("th" if name == "system" else "td", text, class_=column.style, **attributes))
    return element("tr", *cells, class_="chance", role="row")


def _reported(view: View) -> Html:
    """The paper's figures, apart: another release, not recomputed, without intervals."""
    rows = [row for row in reported_rows() if row["track"] == view.track]
    if not rows or (view.status and "reported" not in view.status):
        return Html()
    head = [element("th", text, scope="col", class_="number") for text in ("R@1", "R@5", "R@10", "MRR", "Median rank")]
    body = [
        element(
            "tr",
            element("th", row["system"], scope="row", class_="system"),
            element("td", element("span", "reported", class_="badge reported")),
            *(element("td", text, class_="number") for text in _reported_cells(row["directions"], view.direction)),
        )
        for row in rows
    ]
    title = element("h3", "Reported by the paper, not recomputed")
    note = element(
        "p",
        f"{rows[0]['source']}. Release {rows[0]['benchmark']}, {rows[0]['n']} pairs: these figures belong to other "
        "recordings than the rows above, have no intervals, and are never ranked.",
        class_="caption",
    )
    corner = joined(element("th", "System", scope="col", class_="system"), element("th", "Status", scope="col"))
    table = element("table", element("thead", element("tr", corner, *head)), element("tbody", *body), class_="board")
    return element("section", title, note, element("div", table, class_="scroll"), class_="of-paper")


def _reported_cells(directions: Mapping[str, Mapping[str, float]], direction: str) -> list[str]:
    wanted = list(directions.values()) if direction == "both" else [directions[direction]]
    names = ("recall@1", "recall@5", "recall@10", "mrr", "median_rank")
    means = {name: sum(held[name] for held in wanted) / len(wanted) for name in names}
    return [number(means[name], 1 if name.endswith("rank") else 3) for name in names]


def board_values(shown: Shown, view: View) -> list[dict[str, Any]]:
    """Every column of the chosen systems, in the order of the view, as plain values; metrics with their intervals."""
    return [_values(record, view) for record in chosen_records(shown.records, view)]


def _values(record: Record, view: View) -> dict[str, Any]:
    first, last = record.places[view.track]
    values: dict[str, Any] = {"submission": record.name, "rank": record.row["rank"][view.track]}
    values |= {"first_place": first, "last_place": last, "status": record.row["status"]}
    for name in _MEASURED:
        estimate = record.estimate(name, view.track, view.direction)
        values |= {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}
    gap, card = record.row["diagnostics"]["memorisation_gap"], record.card
    values |= {"memorisation_gap": gap["value"], "gap_low": gap["low"], "gap_high": gap["high"]}
    return values | {
        "speech_encoder": card["speech_encoder"]["id"],
        "text_encoder": card["text_encoder"]["id"],
        "alignment": card["alignment"]["method"],
        "trained_on_pairs": card["alignment"]["trained_on_pairs"],
        "n_parameters": record.parameters,
        "licence": card["system"]["licence"],
        "submitter": card["submitter"],
        "created": card["created"],
        "flags": " ".join(flag["code"] for flag in record.row["flags"]),
    }


def board_csv(shown: Shown, view: View) -> str:
    """The chosen systems as CSV; text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    rows = board_values(shown, view)
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _no_formula(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def board_json(shown: Shown, view: View) -> str:
    """The chosen systems as JSON, with what they are of."""
    return readable_json(
        {
            "benchmark": shown.board.document["benchmark"],
            "source": shown.source,
            "track": view.track,
            "direction": view.direction,
            "rows": board_values(shown, view),
        }
    )


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
