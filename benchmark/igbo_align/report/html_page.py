"""A document as one HTML file: figures inline, no script, no font, no request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

from .blocks import Block, Document, Heading, Panel, Panels, Paragraph, Table
from .markup import Html, element
from .style import Drawing, inline_svg, style_variables

#: The browser refuses everything that is not in the file itself.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_WITH_INTERVAL = re.compile(r"(?P<value>\S+) (?P<interval>\[\S+, \S+\])")
_LONG_LABEL = 28


def html_page(document: Document, drawings: Mapping[str, Drawing], footer: str) -> str:
    """The page; `drawings` holds every panel by name."""
    head = element(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Html('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        element("title", document.title),
        Html(f"<style>{_style()}</style>"),
    )
    parts = [element("h1", document.title), element("p", document.subtitle, class_="subtitle")]
    if document.notice:
        parts.append(element("p", document.notice, class_="notice"))
    parts += [_block(block, drawings) for block in document.blocks]
    body = element("body", element("main", *parts, element("footer", footer)))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _style() -> str:
    page = (resources.files("igbo_align.report") / "page.css").read_text(encoding="utf-8")
    light, dark = f":root{{{style_variables(dark=False)}}}", f":root{{{style_variables(dark=True)}}}"
    return f"{light}@media screen and (prefers-color-scheme:dark){{{dark}}}{page}"


def _block(block: Block, drawings: Mapping[str, Drawing]) -> Html:
    match block:
        case Heading(text):
            return element("h2", text)
        case Paragraph(text, kind):
            return element("p", text, class_=None if kind == "text" else kind)
        case Table():
            return _table(block)
        case Panels(panels):
            return element("div", *(_figure(panel, drawings[panel.name]) for panel in panels), class_="panels")


def _figure(panel: Panel, drawing: Drawing) -> Html:
    picture = element("div", Html(inline_svg(drawing.svg, panel.name)), role="img", aria_label=panel.caption)
    return element("figure", element("h3", panel.title), picture, element("figcaption", panel.caption))


def _table(table: Table) -> Html:
    head = element(
        "tr",
        *(
            element("th", name, scope="col", class_="label" if i < table.labels else None)
            for i, name in enumerate(table.columns)
        ),
    )
    rows = (
        element(
            "tr",
            *(_label(cell) if i < table.labels else _value(cell) for i, cell in enumerate(row)),
            class_="faint" if number in table.faint else None,
        )
        for number, row in enumerate(table.rows)
    )
    body = element("tbody", *rows)
    grid = element("table", element("thead", head), body, aria_label=table.caption)
    scrolling = element("div", grid, class_="table", role="region", aria_label=table.caption, tabindex="0")
    return element("div", element("p", table.caption, class_="caption"), scrolling)


def _label(cell: str) -> Html:
    return element("td", cell, class_="label" if len(cell) > _LONG_LABEL else "label short")


def _value(cell: str) -> Html:
    """A number; its interval stands below it, which keeps tables narrow."""
    match = _WITH_INTERVAL.fullmatch(cell)
    if match is None:
        return element("td", cell)
    return element("td", match["value"], element("span", match["interval"], class_="interval"))
