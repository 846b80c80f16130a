"""Two systems side by side: is the difference real, on which queries, and in which slices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from igbo_align.diagnostics.slices import SMALL_SLICE, members_of
from igbo_align.report.markup import Html, element, joined
from igbo_align.report.pair_names import pair_names
from numpy.typing import NDArray

from .charts import Point, scatter
from .columns import signed_interval
from .labels import label
from .records import default_systems
from .source import Shown
from .tables import Line, forest, p_text, simple_table
from .view import View

_MOST_FLIPS = 15
_LEVEL = 0.05


def compare_html(shown: Shown, view: View) -> Html:
    """The comparison of a view."""
    chosen = default_systems(shown.records)
    names = [name if name in shown.records else chosen[which] for which, name in _asked(view)]
    if names[0] == names[1] or "" in names:
        return element("p", "Choose two different systems.", class_="empty")
    direction = None if view.direction == "both" else view.direction
    ranks = [shown.board.ranks(name, view.track, direction) for name in names]
    titles = [shown.records[name].title for name in names]
    queries = shown.release.queries(view.track)
    every = pair_names(shown.release)
    pairs = [every[i] for i in queries]
    where = f"track {view.track}, {label('direction.' + view.direction, view.lang)}"
    points = [Point(float(a), float(b), name) for a, b, name in zip(*ranks, pairs, strict=True)]
    highest = max(float(max(ranks[0].max(), ranks[1].max())), 10)
    drawn = element(
        "figure",
        element("h3", f"Rank of every query, {where}"),
        scatter(points, titles[0], titles[1], highest),
        element(
            "figcaption", f"● better with {titles[0]}, ■ better with {titles[1]}; grey: the same.", class_="caption"
        ),
    )
    slices = element("div", _slices(shown, view, names, titles, queries))
    return joined(
        _verdict(shown, view, names, titles, ranks),
        element("div", drawn, slices, class_="pair"),
        _flips(pairs, ranks, titles),
    )


def _asked(view: View) -> Sequence[tuple[str, str]]:
    return (("first", view.first), ("second", view.second))


def _verdict(
    shown: Shown, view: View, names: Sequence[str], titles: Sequence[str], ranks: Sequence[NDArray[np.float64]]
) -> Html:
    direction = None if view.direction == "both" else view.direction
    test = shown.board.difference(names[0], names[1], view.track, direction)
    better, worse = int((ranks[0] < ranks[1]).sum()), int((ranks[0] > ranks[1]).sum())
    first = [int((one <= 1).sum()) for one in ranks]
    gained = int(((ranks[0] <= 1) & (ranks[1] > 1)).sum())
    lost = int(((ranks[0] > 1) & (ranks[1] <= 1)).sum())
    real = test.p_two_sided < _LEVEL
    ahead = titles[0] if test.difference > 0 else titles[1]
    said = f"{ahead} is better, and the difference is real" if real else "These two cannot be told apart"
    difference = signed_interval(test.difference, test.low, test.high)
    text = (
        f"{said}: {difference} in MRR, first minus second, {p_text(test.p_two_sided)} (paired bootstrap, one test). "
        f"Of {len(ranks[0])} queries {better} are better with {titles[0]}, {worse} with {titles[1]}. "
        f"Found first: {first[0]} and {first[1]}; {gained} only by the first, {lost} only by the second."
    )
    return element("p", text, class_="finding")


def _flips(pairs: Sequence[str], ranks: Sequence[NDArray[np.float64]], titles: Sequence[str]) -> Html:
    """Queries that one system finds first and the other does not, the largest moves first."""
    flipped = np.flatnonzero((ranks[0] <= 1) != (ranks[1] <= 1))
    if not len(flipped):
        return element("p", "No query is found first by one of them and missed by the other.", class_="empty")
    moves = np.log(ranks[1][flipped] / ranks[0][flipped])
    order = flipped[np.argsort(-np.abs(moves), kind="stable")][:_MOST_FLIPS]
    rows = [
        [pairs[i], titles[0] if ranks[0][i] < ranks[1][i] else titles[1], f"{ranks[0][i]:g}", f"{ranks[1][i]:g}"]
        for i in order
    ]
    caption = (
        f"Queries that flipped: found first by one, not by the other. {len(order)} of {len(flipped)}, largest first."
    )
    headings = ["Query", "Found first by", f"rank with {titles[0]}", f"rank with {titles[1]}"]
    table = simple_table(headings, rows, labels=2, caption=caption)
    return joined(element("h3", "Queries that flipped"), table)


def _slices(shown: Shown, view: View, names: Sequence[str], titles: Sequence[str], queries: NDArray[np.int64]) -> Html:
    """Difference in MRR in every slice, with its interval."""
    direction = None if view.direction == "both" else view.direction
    lines = []
    for members in members_of(shown.release):
        chosen = members.chosen[queries]
        if not 1 < chosen.sum() < len(queries):
            continue
        test = shown.board.difference(names[0], names[1], view.track, direction, chosen)
        n = int(chosen.sum())
        mark = "few" if n < SMALL_SLICE else ""
        estimate = {"value": test.difference, "low": test.low, "high": test.high}
        numbers = signed_interval(test.difference, test.low, test.high)
        lines.append(Line(f"{members.kind.replace('_', ' ')}: {members.name} ({n})", estimate, numbers, mark))
    if not lines:
        return element("p", "The release divides its queries into no slices.", class_="empty")
    widest = max(max(abs(line.estimate["low"]), abs(line.estimate["high"])) for line in lines)
    end = max(0.1, math.ceil(widest * 10) / 10)
    caption = f"0. Right of it {titles[0]} is better. 95 % intervals, not corrected for the number of slices."
    return joined(element("h3", "Difference in MRR, by slice"), forest(lines, -end, end, 0.0, caption))
