"""How figures look: colours that follow the reader's light or dark page, text as outlines, nothing random."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..extras import imported
from .blocks import Panel

#: Role -> (colour on a light page, on a dark page). Figures are drawn in the light colours; in HTML each becomes a
#: variable of the page. The colours of data differ in lightness too, for readers who see hues differently.
COLOURS = {
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#656d76", "#9aa4af"),
    "grid": ("#d9dee3", "#343b44"),
    "paper": ("#fffffe", "#0f141a"),
    "speech": ("#0a5fb4", "#62aef7"),
    "text": ("#c2570c", "#f5a15c"),
    "chance": ("#7a828b", "#8b949e"),
    "good": ("#1a7f4b", "#4cc38a"),
    "bad": ("#bf2330", "#ff8080"),
    "before": ("#b9c0c8", "#59636e"),
}
INK, MUTED, GRID, PAPER, SPEECH, TEXT, CHANCE, GOOD, BAD, BEFORE = (light for light, _ in COLOURS.values())
#: Colour of each direction, after what is asked with.
DIRECTION_COLOURS = {"speech_to_text": SPEECH, "text_to_speech": TEXT}
DIRECTION_LABELS = {"speech_to_text": "speech → text", "text_to_speech": "text → speech"}

WIDTH_INCHES = 4.6
_PNG_DPI = 200
_NARROW = 1e-5
_SETTINGS: Any = {  # matplotlib has a type of its own for these names
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.parse_math": False,  # a speaker may be called $x$
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",  # outlines: the same on every machine, no font is fetched
    "svg.hashsalt": "igbo-align",  # ids in the file do not depend on the clock
}


@dataclass(frozen=True)
class Drawing:
    """A drawn panel: `svg` in light colours, `png` bytes where they were asked for."""

    svg: str
    png: bytes | None


def draw_panel(panel: Panel, with_png: bool) -> Drawing:
    """Draw a panel as SVG, and as PNG too.

    Raises:
        EnvironmentProblem: matplotlib is not installed (`environment.extra`).
    """
    with _matplotlib() as figure_class:
        figure = figure_class(figsize=(WIDTH_INCHES, panel.height), layout="constrained")
        axes = figure.add_subplot()
        panel.draw(axes)
        _widen_points(axes)
        svg, png = io.StringIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None, "Title": panel.title})
        if with_png:
            figure.savefig(png, format="png", dpi=_PNG_DPI, metadata={"Software": None})
    return Drawing(svg.getvalue(), png.getvalue() if with_png else None)


def _widen_points(axes: Any) -> None:
    """Give axes on which all numbers are equal up to rounding a range that can be labelled."""
    for name, limits, set_limits in (("x", axes.get_xlim(), axes.set_xlim), ("y", axes.get_ylim(), axes.set_ylim)):
        middle = sum(limits) / 2
        is_linear = getattr(axes, f"{name}axis").get_scale() == "linear"
        if is_linear and abs(limits[1] - limits[0]) < _NARROW * max(1.0, abs(middle)):
            set_limits(middle - 0.05, middle + 0.05)


@contextmanager
def _matplotlib() -> Generator[Any]:
    figure = imported("matplotlib.figure", "report").Figure
    mpl = imported("matplotlib", "report")
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as a box, not as a warning
        yield figure


def inline_svg(svg: str, prefix: str) -> str:
    """An SVG for the inside of a page: page colours, ids of its own, as wide as the room allows.

    Args:
        svg: from `draw_panel`.
        prefix: put before every id, so that figures of one page do not share them.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    body = re.sub(r'<svg[^>]*?(viewBox="[^"]+")[^>]*>', r'<svg \1 aria-hidden="true" focusable="false">', body, count=1)
    for name, (light, _) in COLOURS.items():
        body = body.replace(light, f"var(--{name})")
    return body


def style_variables(dark: bool) -> str:
    """The colours as CSS variables."""
    return "".join(f"--{name}:{pair[dark]};" for name, pair in COLOURS.items())
