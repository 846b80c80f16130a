"""A training log drawn as the paper's figure 3: the loss of every epoch, and where negatives were mined anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..extras import imported
from ..files import write_atomically

#: Key in the log, what to call the line, its colour and its marker.
_LINES = (
    ("train_loss", "train", "tab:blue", "o"),
    ("heldout_loss", "held out (watched, never used)", "tab:orange", "s"),
)


def draw_training_log(log: Mapping[str, Any], path: Path) -> None:
    """Draw losses by epoch as a PNG.

    Args:
        log: from `training_log.json` or `Projection.training_log`.
        path: of the PNG.

    Raises:
        EnvironmentProblem: matplotlib is not installed (`environment.extra`).
    """
    figure = _figure()
    axes = figure.add_subplot()
    epochs = [item["epoch"] for item in log["epochs"]]
    for key, label, colour, marker in _LINES:
        losses = [item[key] for item in log["epochs"] if key in item]
        if losses:
            axes.plot(epochs, losses, marker=marker, markersize=4, color=colour)
            axes.axhline(log["chance"][key], color=colour, linewidth=0.8, linestyle=":")
            for text, height in ((label, losses[-1]), ("chance", log["chance"][key])):
                _write(axes, text, (epochs[-1], height), color=colour, ha="right")
    for event in log["mining"][1:]:
        axes.axvline(event["before_epoch"], color="0.7", linewidth=0.8, zorder=0)
        place = (event["before_epoch"] + 0.1, 0.01)
        _write(axes, "negatives\nmined anew", place, color="0.4", xycoords=("data", "axes fraction"))
    axes.set(xlabel="epoch", ylabel="symmetric InfoNCE loss", xticks=epochs)
    axes.margins(y=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=150))


def _write(axes: Any, text: str, place: tuple[float, float], **style: Any) -> None:
    """Small text just above a place."""
    axes.annotate(text, place, xytext=(0, 3), textcoords="offset points", va="bottom", fontsize=8, **style)


def _figure() -> Any:
    return imported("matplotlib.figure").Figure(figsize=(7, 4), layout="constrained")
