"""Baselines just made, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Table

from ..baselines.run import Made
from ..protocol.spec import DIRECTIONS

_ARROWS = {"speech_to_text": "S→T", "text_to_speech": "T→S"}


def made_table(made: Sequence[Made]) -> Table:
    """R@1 and MRR on the held-out pairs, the memorisation gap, and the seconds that fitting took."""
    table = Table(title="Baselines, track heldout", box=SIMPLE, title_style="bold", title_justify="left")
    table.add_column("baseline")
    for name in (
        *(f"R@1 {_ARROWS[direction]}" for direction in DIRECTIONS),
        "MRR",
        "over seeds",
        "train-test gap",
        "fitted in s",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for item in made:
        recalls = [item.scores.tracks["heldout"][direction]["recall@1"].value for direction in DIRECTIONS]
        numbers = [f"{number:.3f}" for number in (*recalls, item.scores.mean_mrr("heldout"))]
        gap = f"{item.scores.memorisation_gap.value:+.3f}"
        table.add_row(item.baseline.name, *numbers, _spread(item), gap, f"{item.fit_s:.2f}")
    return table


def _spread(item: Made) -> str:
    """Mean and standard deviation of the MRR over seeds."""
    if item.seeds is None:
        return ""
    spread = item.seeds.tracks["heldout"]["mrr"]
    return f"{spread.mean:.3f} ± {spread.spread:.3f}"
