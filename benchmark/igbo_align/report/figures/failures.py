"""Which pairs fail: properties against rank and similarity, slices, and two systems query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...diagnostics.predictors import ACOUSTICS_FILE, PREDICTORS, predictor_values
from ...diagnostics.slices import Slice
from ...metrics.retrieval import expected_rank
from ...protocol.spec import DIRECTIONS
from ..blocks import Panel
from ..evidence import Evidence
from ..probability import LEVEL, p_equals
from ..style import CHANCE, DIRECTION_COLOURS, DIRECTION_LABELS, GOOD, INK, MUTED, PAPER, SPEECH, TEXT
from .axes import ForestRow, cut, forest, forest_height, legend_above, reference_line

_OUTCOMES: Mapping[str, tuple[str, str]] = {
    f"rank_{direction}": (f"rank, {DIRECTION_LABELS[direction]}", DIRECTION_COLOURS[direction])
    for direction in DIRECTIONS
} | {"paired_similarity": ("paired similarity", GOOD)}
_KINDS = {"speaker_id": "speaker", "duration_bucket": "duration", "capitalised words": "capitals"}
_SPREAD = 10  # a property that spans so many times its median is drawn on a logarithmic axis
#: Slices that a figure shows; a table holds all of them.
_SHOWN_SLICES = 40


def failure_panels(evidence: Evidence) -> list[Panel]:
    """Figure 6 of the paper: duration against rank, words against similarity, rank by gender; then sound."""
    release, track = evidence.release, evidence.failure_track
    queries = release.queries(track)
    paired = evidence.similarity.paired[queries]
    ranks = expected_rank(evidence.scores.tracks[track]["speech_to_text"].standings)
    words = release.column("n_words").astype(np.float64)[queries]
    genders = np.array([str(item or "unknown") for item in release.pairs.column("gender").to_pylist()])[queries]
    return [
        _scatter(evidence, "duration_s", release.column("duration_s")[queries], "rank_speech_to_text", ranks),
        _scatter(evidence, "n_words", words, "paired_similarity", paired),
        Panel(
            "rank-by-gender",
            "Rank by gender",
            f"Rank in track {track}, speech to text; lower is better. Boxes: quartiles; whiskers: 5th to 95th "
            "percentile.",
            lambda axes: _draw_boxes(axes, genders, ranks),
        ),
        *(
            _scatter(evidence, predictor.name, values[queries], "rank_speech_to_text", ranks)
            for predictor, values in predictor_values(release).items()
            if predictor.file == ACOUSTICS_FILE
        ),
    ]


def _scatter(evidence: Evidence, predictor: str, x: NDArray[np.float64], outcome: str, y: NDArray[np.float64]) -> Panel:
    held = next(
        item for item in evidence.failures.correlations if (item.predictor, item.outcome) == (predictor, outcome)
    )
    label = next(item.label for item in PREDICTORS if item.name == predictor)
    known = x[np.isfinite(x)]
    is_wide = known.min() > 0 and known.max() > _SPREAD * np.median(known)

    def draw(axes: Any) -> None:
        axes.plot(x, y, "o", color=_OUTCOMES[outcome][1], markersize=2.6, alpha=0.45, markeredgewidth=0)
        if is_wide:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel(f"{label}, logarithmic" if is_wide else label)
        axes.set_ylabel(_OUTCOMES[outcome][0])

    if held.r is None:
        found = "Pearson's r is undefined: one of the two does not vary."
    else:
        found = f"Pearson's r = {held.r:+.2f} [{held.low:+.2f}, {held.high:+.2f}], corrected {p_equals(held.p_holm)}."
    if held.n < len(x):
        found += f" Measured in {held.n} of {len(x)} pairs."
    title = f"{label[0].upper()}{label[1:]} and {_OUTCOMES[outcome][0]}"
    return Panel(f"failure-{predictor.replace('_', '-')}", title, found, draw)


def _draw_boxes(axes: Any, groups: NDArray[np.str_], ranks: NDArray[np.float64]) -> None:
    names = sorted(set(groups.tolist()))
    held = axes.boxplot(
        [ranks[groups == name] for name in names],
        whis=(5, 95),
        showfliers=False,
        widths=0.5,
        patch_artist=True,
        medianprops={"color": INK, "linewidth": 1.5},
        whiskerprops={"color": MUTED},
        capprops={"color": MUTED},
    )
    for box in held["boxes"]:
        box.set(facecolor=SPEECH, alpha=0.55, edgecolor=MUTED)
    labels = [f"{cut(name, 18)}, n = {(groups == name).sum()}" for name in names]
    axes.set_xticks(range(1, len(names) + 1), labels)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("rank")


def correlations_panel(evidence: Evidence) -> Panel:
    """Every property with every outcome, with intervals."""
    held = evidence.failures.correlations
    known = [predictor for predictor in PREDICTORS if any(item.predictor == predictor.name for item in held)]
    rows = [
        ForestRow(predictor.label, item.r, item.low, item.high, _OUTCOMES[item.outcome][1], _is_real(item.p_holm))
        for predictor in known
        for item in held
        if item.predictor == predictor.name
    ]
    labelled = [row if i % len(_OUTCOMES) == 1 else _unlabelled(row) for i, row in enumerate(rows)]

    def draw(axes: Any) -> None:
        forest(axes, labelled, "Pearson's r", len(_OUTCOMES))
        reference_line(axes, 0)
        for label, colour in _OUTCOMES.values():
            axes.plot([], [], "o-", color=colour, markersize=5, label=label)
        legend_above(axes, 1)

    caption = (
        "95 % bootstrap intervals. Filled: different from 0 after Holm's correction over all of them. A negative r "
        "with rank, or a positive r with similarity, means that more of the property makes pairs easier."
    )
    return Panel("correlations", "What goes with failure", caption, draw, forest_height(len(rows)) * 0.78 + 0.5)


def _unlabelled(row: ForestRow) -> ForestRow:
    return ForestRow("", row.value, row.low, row.high, row.colour, row.solid)


def _is_real(p_holm: float | None) -> bool:
    return p_holm is not None and p_holm < LEVEL


def slices_panel(evidence: Evidence) -> Panel:
    """Mean reciprocal rank of every slice as a forest plot."""
    track = evidence.failure_track
    slices = evidence.failures.slices[:_SHOWN_SLICES]
    overall, chance = (float(np.mean(values)) for values in _overall(evidence, track))
    rows = [_slice_row(item) for item in slices]

    def draw(axes: Any) -> None:
        forest(axes, rows, f"MRR in track {track}, both directions averaged")
        reference_line(axes, overall, f"all queries, {overall:.3f}")
        reference_line(axes, chance, f"chance, {chance:.3f}", CHANCE, ":")
        legend_above(axes, 2)

    caption = (
        "95 % bootstrap intervals. Filled: ranks differ from those of all other queries after Holm's correction. * "
        "fewer than 30 queries: read with care."
    )
    return Panel("slices", "Slices", caption, draw, forest_height(len(rows)) + 0.2)


def _slice_row(item: Slice) -> ForestRow:
    label = f"{cut(f'{_KINDS.get(item.kind, item.kind)}: {item.name}', 27)}{' *' if item.small else ''}"
    return ForestRow(label, item.mrr.value, item.mrr.low, item.mrr.high, SPEECH, _is_real(item.p_holm))


def _overall(evidence: Evidence, track: str) -> tuple[list[float], list[float]]:
    held = [evidence.scores.tracks[track][direction]["mrr"] for direction in DIRECTIONS]
    return [item.value for item in held], [item.chance or 0.0 for item in held]


def flips_panel(names: Sequence[str], ranks: Sequence[NDArray[np.float64]], track: str) -> Panel:
    """Rank of every query with two systems, (n,) each."""

    def draw(axes: Any) -> None:
        first, second = ranks
        highest = max(float(first.max()), float(second.max()), 2.0)
        axes.plot([1, highest], [1, highest], color=MUTED, linewidth=1)
        for chosen, colour, label in (
            (first < second, SPEECH, f"{cut(names[0], 22)} better"),
            (first > second, TEXT, f"{cut(names[1], 22)} better"),
            (first == second, CHANCE, "equal"),
        ):
            marks = {"markersize": 3, "alpha": 0.55, "markeredgewidth": 0}
            axes.plot(first[chosen], second[chosen], "o", color=colour, **marks)
            axes.plot([], [], "o", color=colour, markersize=4, label=f"{label}: {int(chosen.sum())}")
        axes.set(
            xscale="log", yscale="log", xlabel=f"rank with {cut(names[0])}", ylabel=f"rank with {cut(names[1], 22)}"
        )
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_facecolor(PAPER)
        legend_above(axes, 1)

    caption = "One point a query, mean rank of both directions. Below the line the second system is better."
    return Panel(f"flips-{track}", f"Query by query, track {track}", caption, draw, 3.9)
