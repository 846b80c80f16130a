"""The paper's future work, a "cross-attention projection": learnt attention over the frames, then a linear map.

Heads and temperature are chosen inside the train split: trained on four fifths of its text groups, judged on the
fifth. The best ones are then trained on all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..encoders.pooling import FRAMES
from ..randomness import raw_stream
from .cross_validation import FOLDS, group_folds, mean_reciprocal_rank
from .inputs import Inputs, Vectors
from .maps import AttentivePooling
from .outcome import Outcome
from .trained import fitted_numbers
from .training import Recordings, TrainingPairs, TrainingSettings, mapped, one_thread, train_map

#: No negatives are mined: the texts of a batch of 128 are candidates enough.
_TRAINING = TrainingSettings(batch_size=128, injected_negatives=0, learning_rate=1e-3, weight_decay=1e-2)


@dataclass(frozen=True)
class AttentiveSettings:
    """Attention heads, softmax temperature of the loss, width of the layer before the heads, rate of dropout."""

    heads: int
    temperature: float
    hidden: int = 32
    dropout: float = 0.2


CANDIDATES = tuple(AttentiveSettings(heads, temperature) for heads in (4, 8) for temperature in (0.07, 0.15))


@dataclass(frozen=True, eq=False)
class AttentiveMap:
    """A trained map with what it standardises frames by, (d,) each, and centres texts by, (d_text,)."""

    frame_mean: Vectors
    frame_deviation: Vectors
    text_mean: Vectors
    pooling: nn.Module
    log: dict[str, Any]

    def speech(self, recordings: Sequence[NDArray[np.floating[Any]]]) -> Vectors:
        """Vectors (n, d_text) of recordings, each (t, d) frames."""
        return mapped(self.pooling, _standardised(recordings, self.frame_mean, self.frame_deviation)).numpy()

    def fitted(self) -> dict[str, NDArray[np.float64]]:
        """Every number that was learnt, by name: statistics as above, (d,), and weights of any shape."""
        own = {name: getattr(self, name) for name in ("frame_mean", "frame_deviation", "text_mean")}
        return own | fitted_numbers(self.pooling)


@dataclass(frozen=True, eq=False)
class FramedPairs:
    """Recordings as (t, d) frames, their text vectors (n, d_text), and text groups (n,)."""

    frames: Sequence[NDArray[np.floating[Any]]]
    text: Vectors
    groups: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.bool_]) -> FramedPairs:
        kept = [self.frames[i] for i in np.flatnonzero(chosen).tolist()]
        return FramedPairs(kept, self.text[chosen], self.groups[chosen])


def attentive(inputs: Inputs, seed: int) -> Outcome:
    """The baseline: choose inside the train split, train on all of it, map every recording."""
    pairs = FramedPairs(inputs.recordings.speech[FRAMES], inputs.recordings.text, inputs.pairs.groups)
    is_test = inputs.release.is_test
    with one_thread():
        settings, rank = choose_attentive(pairs[~is_test], seed)
        fitted = fit_attentive(pairs[~is_test], settings, seed, pairs[is_test])
        speech = fitted.speech(pairs.frames)
    choices = {
        "heads": settings.heads,
        "temperature": settings.temperature,
        "MRR on the inner fifth": f"{rank:.3f}",
    }
    return Outcome(speech, pairs.text - fitted.text_mean, fitted.fitted(), choices, fitted.log)


def choose_attentive(train: FramedPairs, seed: int) -> tuple[AttentiveSettings, float]:
    """The candidate with the best mean reciprocal rank on one inner fold of whole text groups, and that rank."""
    is_inner_test = group_folds(train.groups, FOLDS) == 0
    inner, judged = train[~is_inner_test], train[is_inner_test]
    ranks = []
    for settings in CANDIDATES:
        fitted = fit_attentive(inner, settings, seed)
        text = judged.text - fitted.text_mean
        ranks.append(mean_reciprocal_rank(fitted.speech(judged.frames), text, judged.groups))
    best = int(np.argmax(ranks))
    return CANDIDATES[best], ranks[best]


def fit_attentive(
    train: FramedPairs, settings: AttentiveSettings, seed: int, watched: FramedPairs | None = None
) -> AttentiveMap:
    """Train on these pairs alone; the loss of `watched` is logged and used for nothing."""
    every_frame = np.concatenate(train.frames).astype(np.float64)
    mean, deviation = every_frame.mean(axis=0), every_frame.std(axis=0)
    deviation[deviation == 0] = 1.0
    text_mean = train.text.mean(axis=0)

    def prepared(pairs: FramedPairs) -> TrainingPairs:
        recordings = _standardised(pairs.frames, mean, deviation)
        return TrainingPairs.of(recordings, pairs.text - text_mean, pairs.groups)

    pooling = AttentivePooling(
        len(mean),
        len(text_mean),
        raw_stream(seed, "weights and dropout"),
        heads=settings.heads,
        hidden=settings.hidden,
        rate=settings.dropout,
    )
    training = replace(_TRAINING, temperature=settings.temperature)
    held = None if watched is None else prepared(watched)
    log = train_map(pooling, prepared(train), training, seed, watched=held)
    return AttentiveMap(mean, deviation, text_mean, pooling, log)


def _standardised(frames: Sequence[NDArray[np.floating[Any]]], mean: Vectors, deviation: Vectors) -> Recordings:
    return Recordings(tuple(torch.from_numpy((own - mean) / deviation) for own in frames))
