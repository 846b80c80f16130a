"""The table of baselines: one record each, in the order in which they are explained and shown."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from ..encoders.pooling import FRAMES
from ..problems import problem
from .inputs import Inputs
from .outcome import Outcome


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes:
        name: of the system; also of its folder.
        summary: one line for tables and the card.
        recipe: `module.function` of this package, from inputs and a seed to an `Outcome`; imported when it runs.
        fits_on: which pairs it was fitted on, as the card says it.
        is_trained: whether it is trained by gradient descent: it needs torch, and `--seeds` repeats it.
        needs_equal_dimensions: whether it compares speech with text before anything is learnt.
        speech_pooling: what it needs of the recordings, which a release does not hold; None for reference vectors.
    """

    name: str
    summary: str
    recipe: str
    fits_on: Literal["none", "train"] = "train"
    is_trained: bool = False
    needs_equal_dimensions: bool = False
    speech_pooling: str | None = None

    @property
    def make(self) -> Callable[[Inputs, int], Outcome]:
        """The function that the recipe names."""
        module, _, function = self.recipe.partition(".")
        return getattr(importlib.import_module(f".{module}", __package__), function)


BASELINES: tuple[Baseline, ...] = (
    Baseline(
        "zero-shot",
        "none: the encoders' vectors as they are",
        "simple.zero_shot",
        fits_on="none",
        needs_equal_dimensions=True,
    ),
    Baseline(
        "centred", "each modality minus the mean of its train vectors", "simple.centred", needs_equal_dimensions=True
    ),
    Baseline(
        "projection",
        "the paper's projection: linear, LayerNorm, dropout, unit length; InfoNCE with mined negatives",
        "trained.projection",
        is_trained=True,
    ),
    Baseline(
        "projection-standardised",
        "the paper's projection and training, on standardised speech vectors",
        "trained.projection_standardised",
        is_trained=True,
    ),
    Baseline(
        "mlp",
        "two layers with a GELU, the paper's training, standardised speech vectors",
        "trained.two_layers",
        is_trained=True,
    ),
    Baseline(
        "low-rank",
        "a linear map of rank 64, the paper's training, standardised speech vectors",
        "trained.low_rank",
        is_trained=True,
    ),
    Baseline(
        "procrustes", "the best orthogonal map of centred speech onto centred text", "closed_forms.procrustes_baseline"
    ),
    Baseline("ridge", "ridge regression of centred text on centred speech", "closed_forms.ridge_baseline"),
    Baseline("cca", "regularised canonical correlation analysis", "closed_forms.cca_baseline"),
    Baseline(
        "ridge-stats",
        "ridge regression on the mean and standard deviation over the speech frames",
        "closed_forms.ridge_stats_baseline",
        speech_pooling="masked-mean-std",
    ),
    Baseline(
        "attentive",
        "learnt attention heads over the speech frames, weighted mean and deviation, linear map; InfoNCE",
        "attentive.attentive",
        is_trained=True,
        speech_pooling=FRAMES,
    ),
    Baseline("random", "control: random vectors", "controls.random_vectors", fits_on="none"),
    Baseline(
        "random-rotation",
        "control: the encoders' vectors, the text space turned at random",
        "controls.random_rotation",
        fits_on="none",
        needs_equal_dimensions=True,
    ),
    Baseline("shuffled-pairs", "control: `ridge` with its pairing permuted", "controls.shuffled_pairs"),
    Baseline("duration-only", "control: the recording's duration against the text's length", "controls.duration_only"),
    Baseline("speaker-only", "control: the mean train text of the recording's speaker", "controls.speaker_only"),
)


def baselines_named(names: Sequence[str]) -> list[Baseline]:
    """The baselines of these names in the order of the table; all of them when none is named.

    Raises:
        UsageProblem: no baseline has such a name (`baseline.unknown`).
    """
    known = {baseline.name: baseline for baseline in BASELINES}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise problem(
                "baseline.unknown",
                "NAME",
                found=repr(name),
                expected=f"one of {', '.join(known)}",
                mend=f"Did you mean {near[0]}?" if near else "Check the spelling.",
            )
    return [baseline for name, baseline in known.items() if name in names or not names]
