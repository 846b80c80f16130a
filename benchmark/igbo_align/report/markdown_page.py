"""A document as Markdown beside PNG and SVG files, for repositories and papers."""

from __future__ import annotations

import html
import re

from .blocks import Block, Document, Heading, Panel, Panels, Paragraph, Table
from .markup import visible

FIGURES_FOLDER = "figures"
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")


def markdown_page(document: Document, footer: str) -> str:
    """The page; figures are expected in `figures/<name>.png` and `.svg`."""
    parts = [f"# {escaped(document.title)}", escaped(document.subtitle)]
    if document.notice:
        parts.append(f"> {escaped(document.notice)}")
    parts += [_block(block) for block in document.blocks]
    return "\n\n".join([*parts, "---", escaped(footer)]) + "\n"


def escaped(text: str) -> str:
    """Text on one line that Markdown and HTML take literally."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(visible(text).split()), quote=False))


def _block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {escaped(text)}"
        case Paragraph(text):
            return escaped(text)
        case Table():
            return _table(block)
        case Panels(panels):
            return "\n\n".join(_figure(panel) for panel in panels)


def _figure(panel: Panel) -> str:
    path, title = f"{FIGURES_FOLDER}/{panel.name}", escaped(panel.title)
    return f"**{title}**\n\n![{title}]({path}.png)\n\n{escaped(panel.caption)} ([SVG]({path}.svg))"


def _table(table: Table) -> str:
    marks = [":--" if i < table.labels else "--:" for i in range(len(table.columns))]
    lines = [table.columns, *table.rows]
    written = [f"| {' | '.join(escaped(cell) for cell in line)} |" for line in lines]
    written.insert(1, f"| {' | '.join(marks)} |")
    return f"{escaped(table.caption)}\n\n" + "\n".join(written)
