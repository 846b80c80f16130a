"""What a report is made of, before it is HTML or Markdown. Text in blocks is plain; the writers escape it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

#: A cell of a table: plain text. Numbers are formatted before.
Cell = str


@dataclass(frozen=True)
class Heading:
    """A section starts."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `kind` is `text`, `note` (small), `notice` (a warning) or `finding` (for hurried readers)."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table: a caption, columns, and rows of as many cells; the first `labels` columns are text, the others numbers.

    Cells in `strong` (row, column) are emphasised, rows in `faint` are set back.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    labels: int = 1
    faint: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Panel:
    """One small figure.

    Attributes:
        name: of its files, unique in a report: letters, digits and hyphens.
        title: above the figure.
        caption: below it; also what a screen reader says.
        draw: draws on a matplotlib `Axes`.
        height: of the figure in inches; the width is the same for all, so that they fit a phone.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Any], None]
    height: float = 2.9


@dataclass(frozen=True)
class Panels:
    """Figures side by side where there is room."""

    panels: Sequence[Panel]


Block = Heading | Paragraph | Table | Panels


@dataclass(frozen=True)
class Document:
    """A whole report: title, a line below it, a warning if the data need one, and blocks."""

    title: str
    subtitle: str
    notice: str
    blocks: Sequence[Block]

    def panels(self) -> list[Panel]:
        """All figures in order."""
        return [panel for block in self.blocks if isinstance(block, Panels) for panel in block.panels]
