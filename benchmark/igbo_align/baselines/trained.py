"""Baselines whose map from speech vectors is trained: one training, several small maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..randomness import raw_stream
from .inputs import Inputs, Pairs
from .maps import LowRank, Projection, Standardised, TwoLayers
from .outcome import Outcome
from .training import TrainingPairs, TrainingSettings, mapped, one_thread, train_map

#: Makes an untrained map from the train speech vectors (n, d_speech), the text dimensions and a frozen stream.
MakeMap = Callable[[Tensor, int, np.random.PCG64], nn.Module]


def projection(inputs: Inputs, seed: int) -> Outcome:
    """The paper's projection (docs/baselines.md, The projection)."""
    return _outcome(new_projection, inputs, seed)


def projection_standardised(inputs: Inputs, seed: int) -> Outcome:
    """The paper's projection on standardised speech vectors."""
    return _outcome(lambda speech, d, stream: Standardised(new_projection(speech, d, stream), speech), inputs, seed)


def two_layers(inputs: Inputs, seed: int) -> Outcome:
    """Two layers with a GELU, which the paper names as future work."""
    return _outcome(lambda speech, d, stream: Standardised(TwoLayers(speech.shape[1], d, stream), speech), inputs, seed)


def low_rank(inputs: Inputs, seed: int) -> Outcome:
    """A linear map through 64 dimensions, with a third of the paper's parameters."""
    return _outcome(lambda speech, d, stream: Standardised(LowRank(speech.shape[1], d, stream), speech), inputs, seed)


def new_projection(speech: Tensor, d_text: int, stream: np.random.PCG64) -> Projection:
    """The paper's map, untrained."""
    return Projection(speech.shape[1], d_text, stream)


def fit_map(
    make_map: MakeMap, train: Pairs, seed: int, watched: Pairs | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """Train a map as section 3.3 of the paper does, and return it with its log.

    Args:
        make_map: makes the untrained map.
        train: the only pairs that anything depends on.
        seed: of the first weights, the dropout, the batches and the injected negatives.
        watched: pairs whose loss is logged and used for nothing.
    """
    pairs = _training_pairs(train)
    mapping = make_map(_tensor(train.speech), train.text.shape[1], raw_stream(seed, "weights and dropout"))
    held = None if watched is None else _training_pairs(watched)
    return mapping, train_map(mapping, pairs, TrainingSettings(), seed, zero_shot_similarity(train), held)


def zero_shot_similarity(pairs: Pairs) -> Tensor | None:
    """Cosines (n, n) of speech with text before any training; None where their dimensions differ."""
    if pairs.speech.shape[1] != pairs.text.shape[1]:
        return None
    speech, text = (nn.functional.normalize(_tensor(vectors), dim=-1) for vectors in (pairs.speech, pairs.text))
    return speech @ text.T


def fitted_numbers(mapping: nn.Module) -> dict[str, Any]:
    """Every parameter and every statistic of the train pairs in a map, by name."""
    return {name: tensor.numpy() for name, tensor in mapping.state_dict().items()}


def _outcome(make_map: MakeMap, inputs: Inputs, seed: int) -> Outcome:
    with one_thread():
        mapping, log = fit_map(make_map, inputs.train, seed, inputs.test)
        speech = mapped(mapping, _tensor(inputs.pairs.speech)).numpy()
    return Outcome(speech, inputs.pairs.text, fitted_numbers(mapping), training_log=log)


def _training_pairs(pairs: Pairs) -> TrainingPairs:
    return TrainingPairs.of(_tensor(pairs.speech), pairs.text, pairs.groups)


def _tensor(vectors: Any) -> Tensor:
    return torch.from_numpy(np.array(vectors, dtype=np.float64))
