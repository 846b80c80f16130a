"""What each layer of the speech encoder holds of the pitch contour."""

from __future__ import annotations

from typing import Any

from ...probing.result import ProbeResult
from ..blocks import Panel
from ..style import CHANCE, INK, SPEECH, TEXT
from .axes import legend_above


def probe_panel(result: ProbeResult) -> Panel:
    """R² of every layer with its interval; the spectrogram and shuffled contours as references."""

    def draw(axes: Any) -> None:
        places = [item.layer for item in result.layers]
        shares = [item.r2 for item in result.layers]
        values = [share.value for share in shares]
        errors = [[s.value - s.low for s in shares], [s.high - s.value for s in shares]]
        reference = result.log_mel.r2
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.axhspan(reference.low, reference.high, color=TEXT, alpha=0.15, linewidth=0)
        axes.axhline(reference.value, color=TEXT, linestyle="--", linewidth=1.3, label="log-mel spectrogram")
        axes.errorbar(places, values, errors, fmt="o-", color=SPEECH, markersize=4, capsize=2, label="hidden state")
        control = [item.control.value for item in result.layers]
        axes.plot(places, control, "x:", color=CHANCE, markersize=4, label="shuffled contours")
        axes.set_xlabel("layer")
        axes.set_ylabel("R² of pitch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(top=1.0)
        legend_above(axes, 2)

    caption = (
        f"{result.speech_encoder.id}: linear probes fitted on {result.train.recordings} train recordings, scored on "
        f"{result.test.recordings} test recordings, with 95 % intervals. Layer 0 goes into the first layer."
    )
    return Panel("probe", "Pitch read off each layer", caption, draw, 3.1)
