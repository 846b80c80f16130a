"""The corpus: durations, words and speakers, as in figure 1 of the paper."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...protocol.release import Release
from ..blocks import Panel
from ..style import INK, MUTED, SPEECH, TEXT
from .axes import bin_edges, cut, legend_above

_WIDE = 15  # a range of so many times the median is drawn on a logarithmic axis


def corpus_panels(release: Release) -> list[Panel]:
    """Durations, words, and pairs by gender."""
    durations, words = release.column("duration_s"), release.column("n_words").astype(np.float64)
    speakers = len(set(release.pairs.column("speaker_id").to_pylist()))
    by_gender = Counter(str(item or "unknown") for item in release.pairs.column("gender").to_pylist())
    return [
        _histogram("corpus-duration", "Duration of recordings", durations, "seconds", SPEECH),
        _histogram("corpus-words", "Length of transcripts", words, "words", TEXT),
        Panel(
            "corpus-gender",
            "Pairs by gender",
            f"{len(durations)} pairs by {speakers} speakers.",
            lambda axes: _bars(axes, by_gender),
        ),
    ]


def _histogram(name: str, title: str, values: NDArray[np.float64], unit: str, colour: str) -> Panel:
    mean, median = float(values.mean()), float(np.median(values))
    is_wide = values.max() > _WIDE * median > 0 and values.min() > 0

    def draw(axes: Any) -> None:
        edges = bin_edges(np.log10(values)) if is_wide else bin_edges(values)
        axes.hist(values, bins=10**edges if is_wide else edges, color=colour, alpha=0.8)
        if is_wide:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.axvline(mean, color=INK, linestyle="--", linewidth=1.1, label=f"mean {mean:.1f}")
        axes.axvline(median, color=MUTED, linestyle=":", linewidth=1.3, label=f"median {median:.1f}")
        axes.set_xlabel(f"{unit}, logarithmic" if is_wide else unit)
        axes.set_ylabel("pairs")
        legend_above(axes, 2)

    caption = f"Mean {mean:.1f}, median {median:.1f}, from {values.min():.1f} to {values.max():.1f} {unit}."
    return Panel(name, title, caption, draw)


def _bars(axes: Any, counts: Counter[str]) -> None:
    names = sorted(counts)
    held = axes.barh(range(len(names)), [counts[name] for name in names], color=SPEECH, alpha=0.8, height=0.55)
    axes.bar_label(held, padding=4)
    axes.set_yticks(range(len(names)), [cut(name) for name in names])
    axes.set_xlim(0, max(counts.values()) * 1.15)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("pairs")
