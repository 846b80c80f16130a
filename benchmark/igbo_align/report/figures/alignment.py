"""How similar pairs are: the heat map, paired against unpaired cosines, and hubs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics.neighbours import nearest
from ...protocol.spec import DIRECTIONS
from ..blocks import Panel
from ..evidence import Evidence, first_pairs
from ..style import BEFORE, CHANCE, DIRECTION_COLOURS, DIRECTION_LABELS, INK, SPEECH
from .axes import bin_edges, legend_above

_SHOWN_PAIRS = 60
_SHADES = "cividis"  # even steps of lightness, also for readers who do not see red and green apart


def heat_map_panels(evidence: Evidence) -> list[Panel]:
    """Similarities of 60 recordings with their 60 texts: the first train pairs, and the first held-out ones."""
    is_test = evidence.release.is_test
    chosen = {"train": np.flatnonzero(~is_test)[:_SHOWN_PAIRS], "held-out": np.flatnonzero(is_test)[:_SHOWN_PAIRS]}
    return [
        Panel(
            f"heat-map-{name}",
            f"Similarity, first {len(pairs)} {name} pairs",
            "Rows recordings, columns texts; a light diagonal means that pairs are found. The paper shows its first 60 "
            "pairs, which are mostly those that its projection was trained on.",
            lambda axes, pairs=pairs: _draw_heat_map(axes, first_pairs(evidence, pairs)),
            3.9,
        )
        for name, pairs in chosen.items()
    ]


def _draw_heat_map(axes: Any, matrix: NDArray[np.float64]) -> None:
    low, high = (float(end) for end in np.percentile(matrix, [1, 99.5]))
    image = axes.imshow(matrix, cmap=_SHADES, vmin=low, vmax=max(high, low + 1e-3), interpolation="nearest")
    axes.grid(visible=False)
    axes.set_xlabel("text")
    axes.set_ylabel("recording")
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85)
    bar.outline.set_visible(False)
    bar.set_label("similarity")


def distribution_panel(evidence: Evidence) -> Panel:
    """Paired against unpaired similarities of the frozen sample, as in figure 5 of the paper, with both t-tests."""
    sample, tests = evidence.release.similarity_sample, evidence.scores.similarity
    values = evidence.similarity.integers[sample.speech, sample.text] / evidence.similarity.scale
    groups = {"paired": values[sample.paired], "unpaired": values[~sample.paired]}

    def draw(axes: Any) -> None:
        edges = bin_edges(values)
        for (name, held), colour in zip(groups.items(), (SPEECH, BEFORE), strict=True):
            weights = np.full(len(held), 100 / len(held))
            axes.hist(held, bins=edges, weights=weights, color=colour, alpha=0.65, label=f"{name}, n = {len(held)}")
            axes.axvline(float(held.mean()), color=colour, linewidth=1.8)
            axes.axvline(float(held.mean()), color=INK, linewidth=0.8, linestyle="--")
        axes.set_xlabel("similarity")
        axes.set_ylabel("% of the sample")
        legend_above(axes, 2)

    means = f"Mean {tests.paired_mean:.4f} paired, {tests.unpaired_mean:.4f} unpaired."
    tested = (
        f"{_test('Welch', tests.welch)}; {_test('Student, as in the paper', tests.student)}; permutation of pairs: "
    )
    return Panel(
        "paired-unpaired",
        "Paired and unpaired similarity",
        f"{means} One-sided tests: {tested}p = {tests.permutation_p:.2g}.",
        draw,
    )


def _test(name: str, test: Any) -> str:
    if test.t is None:
        return f"{name}: undefined, similarities do not vary"
    return f"{name}: t = {test.t:.2f}, df = {test.df:.0f}, {_p(test.p)}"


def _p(p: float) -> str:
    """Tests far into the tail are shown as they are: the paper prints 2.81e-54. Below all floats there is only 0."""
    return f"p = {p:.3g}" if p > 0 else "p < 1e-300"


def hubs_panel(evidence: Evidence) -> Panel:
    """How often each candidate is among the ten nearest, sorted, against chance."""
    integers = evidence.similarity.integers
    matrices = dict(zip(DIRECTIONS, (integers, integers.T), strict=True))
    occurrence = {name: np.sort(nearest(matrix).weights.sum(axis=0))[::-1] for name, matrix in matrices.items()}

    def draw(axes: Any) -> None:
        from scipy.stats import binom

        n = len(integers)
        places = np.arange(1, n + 1)
        for direction, counts in occurrence.items():
            label = f"{DIRECTION_LABELS[direction]}"
            axes.plot(places, counts, color=DIRECTION_COLOURS[direction], label=label)
        chance = binom.isf((places - 0.5) / n, n, min(10, n) / n)
        axes.plot(places, chance, color=CHANCE, linestyle="--", linewidth=1.2, label="chance")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("candidates, most frequent first")
        axes.set_ylabel("queries with it in their top 10")
        axes.set_ylim(bottom=0)
        legend_above(axes, 3, columnspacing=1.2)

    caption = (
        "A steep left end means hubs: a few candidates that are near every query. Chance: ten candidates at random."
    )
    return Panel("hubs", "Hubs", caption, draw)
