"""Small tables and lines of intervals, as HTML that reads well without colours and on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igbo_align.report.markup import Html, element, joined


@dataclass(frozen=True)
class Line:
    """One line of a forest: its label, an estimate with `value`, `low`, `high`, its numbers in words, and a mark."""

    label: str
    estimate: Mapping[str, Any]
    numbers: str
    mark: str = ""


def forest(lines: Sequence[Line], low: float, high: float, reference: float, reference_label: str) -> Html:
    """Intervals under each other on one axis, with one line of reference through all of them.

    Args:
        lines: from top to bottom.
        low: left end of the axis.
        high: right end of the axis.
        reference: where the line stands, for example chance.
        reference_label: what it is.
    """

    def place(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / (high - low)

    rows = []
    for line in lines:
        left, right, value = (place(line.estimate[name]) for name in ("low", "high", "value"))
        style = f"--l:{left:.2f}%;--w:{max(right - left, 0.4):.2f}%;--v:{value:.2f}%;--c:{place(reference):.2f}%"
        drawn = Html(f'<span class="interval" style="{style}"><i></i></span>')
        rows.append(
            element(
                "tr",
                element("th", line.label, scope="row", title=line.label),
                element("td", drawn, class_="drawn", aria_hidden="true"),
                element("td", line.numbers, class_="number"),
                element("td", line.mark, class_="marks"),
            )
        )
    shown = range(5) if low == 0 else (0, 2, 4)
    ticks = "".join(f'<span style="left:{25 * i}%">{_tick(low + (high - low) * i / 4)}</span>' for i in shown)
    axis = f'<tr class="axis"><th></th><td class="drawn"><div>{ticks}</div></td><td></td><td></td></tr>'
    legend = element("p", "┊ ", reference_label, class_="caption")
    table = Html(f'<table class="forest"><tbody>{"".join(rows)}{axis}</tbody></table>')
    return joined(element("div", table, class_="fit", tabindex="0", role="region", aria_label="Intervals"), legend)


def _tick(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def simple_table(headings: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1, caption: str = "") -> Html:
    """A table whose first columns are words and the others numbers."""
    styles = ["text" if i < labels else "number" for i in range(len(headings))]
    head = [element("th", text, scope="col", class_=style) for text, style in zip(headings, styles, strict=True)]
    body = [element("tr", *(_cell(i, text, styles[i]) for i, text in enumerate(row))) for row in rows]
    named = [element("caption", caption)] if caption else []
    table = element("table", *named, element("thead", element("tr", *head)), element("tbody", *body), class_="board")
    return element("div", table, class_="fit", tabindex="0", role="region", aria_label=caption or headings[0])


def _cell(place: int, text: str, style: str) -> Html:
    return element("th", text, scope="row", class_=style) if place == 0 else element("td", text, class_=style)


def facts(pairs: Sequence[tuple[str, str]]) -> Html:
    """Names and values, those without a value left out."""
    return element(
        "dl", *(joined(element("dt", name), element("dd", value)) for name, value in pairs if value), class_="facts"
    )


def p_text(p: float) -> str:
    """A probability as people write it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
