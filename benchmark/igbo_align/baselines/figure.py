"""A training log drawn as the paper's figure 3: the loss of every epoch, and where negatives were mined anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..files import write_atomically
from ..problems import problem


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
    lines = (("train_loss", "train", "tab:blue", "o-"), ("heldout_loss", "held out, only watched", "tab:orange", "s--"))
    for key, label, colour, style in lines:
        losses = [item[key] for item in log["epochs"] if key in item]
        if losses:
            axes.plot(epochs, losses, style, color=colour, label=label, markersize=4)
            axes.axhline(log["chance"][key], color=colour, linewidth=0.8, linestyle=":")
            axes.annotate("chance", (epochs[-1], log["chance"][key]), color=colour, ha="right", va="bottom", fontsize=8)
    for event in log["mining"][1:]:
        axes.axvline(event["before_epoch"], color="0.6", linewidth=0.8, zorder=0)
        axes.annotate(
            "negatives mined anew",
            (event["before_epoch"], 0.02),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="right",
            va="bottom",
            fontsize=8,
            color="0.4",
        )
    axes.set(xlabel="epoch", ylabel="symmetric InfoNCE loss", xticks=epochs[::2])
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png", dpi=150))


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise problem(
            "environment.extra",
            "matplotlib",
            found="no library for drawing",
            expected="the extra `report`",
            mend="Install it: pip install 'igbo-align[report]'.",
        ) from error
    return Figure(figsize=(7, 4), layout="constrained")
