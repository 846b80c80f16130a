"""How well pairs are found: metrics with intervals and chance, pool sizes, corrections, baselines, training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...protocol.spec import DIRECTIONS, TRACKS
from ...scoring.scores import Scores
from ...statistics.estimates import Estimate
from ..blocks import Panel
from ..evidence import Comparison, Evidence, TrainingLog
from ..probability import LEVEL
from ..style import BAD, BEFORE, CHANCE, DIRECTION_COLOURS, DIRECTION_LABELS, GOOD, INK, MUTED, SPEECH, TEXT
from .axes import ForestRow, forest, forest_height, legend_above, reference_line

_BAR_METRICS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr": "MRR"}
_LINE_STYLES = ("-", "--", ":")


def benchmark_panels(evidence: Evidence) -> list[Panel]:
    """Bars with intervals and chance lines in every track, as in figure 4 of the paper; zero-shot beside them."""
    reference = next((item for item in evidence.baselines if item.name.endswith("/zero-shot")), None)
    beside = reference.scores if reference else None
    grey = f" Grey: {reference.name}." if reference else ""
    caption = f"Bars: {evidence.name}, with 95 % intervals. Lines: chance.{grey}"
    return [
        Panel(
            f"benchmark-{track}",
            f"Track {track}",
            caption,
            lambda axes, track=track: _draw_bars(axes, evidence.scores, beside, track),
        )
        for track in TRACKS
    ]


def _draw_bars(axes: Any, scores: Scores, beside: Scores | None, track: str) -> None:
    names = [name for name in _BAR_METRICS if name in scores.tracks[track][DIRECTIONS[0]].estimates]
    centres = np.arange(len(names))
    width = 0.2 if beside else 0.38
    offset = -1.5 * width if beside else -0.5 * width
    for direction in DIRECTIONS:
        if beside:
            label = "zero-shot" if direction == DIRECTIONS[0] else None
            _bars(axes, centres + offset, [beside.tracks[track][direction][n] for n in names], width, BEFORE, label)
            offset += width
        held = [scores.tracks[track][direction][name] for name in names]
        _bars(axes, centres + offset, held, width, DIRECTION_COLOURS[direction], DIRECTION_LABELS[direction])
        offset += width
    chance = [
        np.mean([scores.tracks[track][direction][name].chance or 0 for direction in DIRECTIONS]) for name in names
    ]
    axes.hlines(chance, centres - 0.45, centres + 0.45, color=INK, linewidth=1.4, label="chance", zorder=4)
    axes.set_xticks(centres, [_BAR_METRICS[name] for name in names])
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(bottom=0)
    legend_above(axes, 4, columnspacing=1.0, handlelength=1.2)


def _bars(axes: Any, places: Any, held: Sequence[Estimate], width: float, colour: str, label: str | None) -> None:
    values = np.array([item.value for item in held])
    errors = [
        values - [min(item.low, item.value) for item in held],
        [max(item.high, item.value) for item in held] - values,
    ]
    axes.bar(places, values, width * 0.92, color=colour, label=label)
    axes.errorbar(places, values, errors, fmt="none", ecolor=INK, elinewidth=1.0, capsize=2)


def pool_panels(evidence: Evidence) -> list[Panel]:
    """Expected recall at every pool size, in both directions."""
    return [
        Panel(
            f"pool-size-{direction.replace('_', '-')}",
            f"Recall by pool size, {DIRECTION_LABELS[direction]}",
            "Expected over all random pools, computed from ranks among all candidates; bands are 95 % intervals, thin "
            "lines chance.",
            lambda axes, direction=direction: _draw_pool_sizes(axes, evidence, direction),
        )
        for direction in DIRECTIONS
    ]


def _draw_pool_sizes(axes: Any, evidence: Evidence, direction: str) -> None:
    curve = evidence.scores.diagnostics.pool_size[direction]
    sizes, colour = [point.pool for point in curve], DIRECTION_COLOURS[direction]
    names = [name for name in curve[0].estimates if name.startswith("recall@")]
    for name, style in zip(names, _LINE_STYLES, strict=False):
        held = [point.estimates[name] for point in curve]
        label = name.replace("recall", "R")
        axes.plot(sizes, [item.value for item in held], style, color=colour, marker="o", markersize=3.5, label=label)
        axes.fill_between(sizes, [item.low for item in held], [item.high for item in held], color=colour, alpha=0.14)
        axes.plot(sizes, [item.chance or 0 for item in held], style, color=CHANCE, linewidth=0.9)
    axes.plot([], [], color=CHANCE, linewidth=0.9, label="chance")
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("candidates in the pool")
    axes.set_ylim(-0.02, 1.02)
    legend_above(axes, 4, columnspacing=1.2, handlelength=2.2)


def variants_panel(evidence: Evidence) -> Panel:
    """What CSLS and centring would add to the mean reciprocal rank."""
    colours = {"csls": SPEECH, "centred": TEXT}
    variants = evidence.scores.diagnostics.variants
    rows = [
        ForestRow(
            f"{track}, {name.upper() if name == 'csls' else name}", gain.value, gain.low, gain.high, colours[name]
        )
        for track in TRACKS
        for name, variant in variants.items()
        for gain in [variant.mrr_gain[track]]
    ]

    def draw(axes: Any) -> None:
        forest(axes, rows, "gain in MRR, both directions averaged")
        reference_line(axes, 0)

    caption = "Paired 95 % intervals; right of the line the correction helps. Both look at all vectors, at no pairing."
    return Panel("variants", "CSLS and mean-centring", caption, draw, forest_height(len(rows)))


def baselines_panel(baselines: Sequence[Comparison], track: str) -> Panel:
    """The submission minus every baseline."""
    rows = []
    for item in baselines:
        verdict = item.verdicts[track]
        held, solid = verdict.difference, verdict.p_holm < LEVEL
        colour = MUTED if not solid else GOOD if held.difference > 0 else BAD
        rows.append(
            ForestRow(item.name.removeprefix("baselines/"), held.difference, held.low, held.high, colour, solid)
        )

    def draw(axes: Any) -> None:
        forest(axes, rows, "difference in MRR, both directions averaged")
        reference_line(axes, 0)

    caption = (
        "Submission minus baseline, paired 95 % intervals. Filled: separable after Holm's correction over all "
        "baselines and both tracks. Hollow: not separable."
    )
    return Panel(f"baselines-{track}", f"Against baselines, track {track}", caption, draw, forest_height(len(rows)))


def training_panel(log: TrainingLog) -> Panel:
    """Losses by epoch, as in figure 3 of the paper."""
    lines = {"train_loss": ("train", SPEECH, "-"), "heldout_loss": ("held out, only watched", TEXT, "--")}

    def draw(axes: Any) -> None:
        for name, values in log.losses.items():
            label, colour, style = lines[name]
            axes.plot(log.epochs, values, style, color=colour, marker="o", markersize=3, label=label)
            if name in log.chance:
                axes.axhline(log.chance[name], color=colour, linewidth=0.9, linestyle=":")
        for i, epoch in enumerate(log.mined_before):
            axes.axvline(epoch, color=MUTED, linewidth=0.9, label="negatives mined anew" if i == 0 else None)
        if log.chance:
            axes.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="loss under chance")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        legend_above(axes, 2)

    return Panel(
        "training", "Loss by epoch", "Losses from the log beside the submission; stated, not recomputed.", draw, 3.1
    )
