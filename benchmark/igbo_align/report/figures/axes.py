"""Pieces that several panels share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..style import GRID, INK, MUTED, PAPER

_ROW_INCHES, _FRAME_INCHES = 0.23, 0.95
_LABEL_LENGTH = 30


@dataclass(frozen=True)
class ForestRow:
    """A line of a forest plot: `solid` where the difference is real after correction."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    colour: str
    solid: bool = True


def legend_above(axes: Any, columns: int, **options: Any) -> None:
    """A legend above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, borderaxespad=0.2, **options)


def forest_height(rows: int) -> float:
    """Inches that a forest plot of so many rows needs."""
    return _FRAME_INCHES + _ROW_INCHES * rows


def forest(axes: Any, rows: Sequence[ForestRow], xlabel: str, group: int = 0) -> None:
    """Values with intervals, one a row, the first on top; a row without a value says so.

    Args:
        axes: to draw on.
        rows: from top to bottom.
        xlabel: what the values are.
        group: a line is drawn after so many rows; 0 for none.
    """
    for place in range(group, len(rows), group) if group else ():
        axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
    for place, row in enumerate(rows):
        if row.value is None or row.low is None or row.high is None:
            axes.plot([0], [place], alpha=0)
            axes.annotate("does not vary", (0.02, place), xycoords=("axes fraction", "data"), va="center", color=MUTED)
            continue
        axes.plot([row.low, row.high], [place, place], color=row.colour, linewidth=1.4, solid_capstyle="butt")
        face = row.colour if row.solid else PAPER
        axes.plot([row.value], [place], "o", color=row.colour, markerfacecolor=face, markersize=5)
    axes.set_yticks(range(len(rows)), [cut(row.label) for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(xlabel)


def cut(label: str, limit: int = _LABEL_LENGTH) -> str:
    """A label that leaves room for the plot."""
    label = "".join(c if c.isprintable() else "?" for c in label)
    return label if len(label) <= limit else f"{label[: limit - 1]}…"


def reference_line(axes: Any, value: float, label: str | None = None, colour: str = INK, style: Any = "--") -> None:
    """A vertical line at a value that others are compared with."""
    axes.axvline(value, color=colour, linestyle=style, linewidth=1.1, label=label)


def bin_edges(*samples: NDArray[np.float64], bins: int = 40) -> NDArray[np.float64]:
    """Edges of bins, (bins + 1,), over all samples; equal numbers get a bin around them."""
    low, high = min(float(s.min()) for s in samples), max(float(s.max()) for s in samples)
    margin = max(abs(high), 1e-3) / 2 if high - low <= 1e-9 * max(abs(high), 1.0) else 0.0
    return np.linspace(low - margin, high + margin, bins + 1)
