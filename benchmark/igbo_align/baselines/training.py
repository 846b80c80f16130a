"""Section 3.3 of the paper, line by line: symmetric InfoNCE with mined hard negatives, on the train pairs.

Where the paper is silent, docs/decisions/0010-baselines.md decides.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ..randomness import integers_below, permutation, raw_stream

# The first optimiser loads it, which takes longer than the training: load it here.
importlib.import_module("torch._dynamo")


@dataclass(frozen=True)
class TrainingSettings:
    """How a map is trained; the defaults are the paper's."""

    temperature: float = 0.07
    batch_size: int = 32
    mined_negatives: int = 5
    injected_negatives: int = 2
    remine_every_epochs: int = 7
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    largest_gradient_norm: float = 1.0
    epochs: int = 20


class SpeechItems(Protocol):
    """Whatever a map takes, by position: a tensor of vectors (n, d), or recordings of unequal length."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings of unequal length as speech items: a matrix of frames (t, d) each."""

    frames: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, rows: Tensor, /) -> list[Tensor]:
        return [self.frames[row] for row in rows.tolist()]


@dataclass(frozen=True, eq=False)
class TrainingPairs:
    """Speech items, unit text vectors (n, d) and text groups (n,), position by position."""

    speech: SpeechItems
    text: Tensor
    groups: Tensor

    @classmethod
    def of(cls, speech: SpeechItems, text: NDArray[np.float64], groups: NDArray[np.int64]) -> TrainingPairs:
        """From NumPy arrays; text vectors, (n, d), are scaled to unit length."""
        unit = nn.functional.normalize(torch.from_numpy(np.array(text, dtype=np.float64)), dim=-1)
        return cls(speech, unit, torch.from_numpy(np.array(groups)))


def train_map(
    mapping: nn.Module,
    train: TrainingPairs,
    settings: TrainingSettings,
    seed: int,
    zero_shot: Tensor | None = None,
    watched: TrainingPairs | None = None,
) -> dict[str, Any]:
    """Train a map in place and return its log; the last epoch is kept.

    Args:
        mapping: from speech items to unit vectors in the space of the texts.
        train: the only pairs that anything depends on.
        settings: of the training.
        seed: of the order of the batches and of the choice among mined negatives.
        zero_shot: (n, n) similarity of speech with text before any training, from which negatives are mined first;
            where there is none (unequal dimensions), the untrained map's own.
        watched: pairs whose loss is written into the log and used for nothing.
    """
    stream = raw_stream(seed, "training batches")
    optimiser = torch.optim.AdamW(
        mapping.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs)
    similarity = _similarity(mapping, train) if zero_shot is None else zero_shot
    negatives = mine_hard_negatives(similarity, train.groups, settings.mined_negatives)
    epochs, mined = [], [_mining_event(1, similarity, negatives, negatives)]
    for epoch in range(1, settings.epochs + 1):
        if epoch > 1 and (epoch - 1) % settings.remine_every_epochs == 0:
            similarity, previous = _similarity(mapping, train), negatives
            negatives = mine_hard_negatives(similarity, train.groups, settings.mined_negatives)
            mined.append(_mining_event(epoch, similarity, negatives, previous))
        learning_rate = schedule.get_last_lr()[0]
        train_loss = _train_one_epoch(mapping, train, negatives, settings, optimiser, stream)
        schedule.step()
        heldout = {} if watched is None else {"heldout_loss": watched_loss(mapping, watched, settings.temperature)}
        epochs.append({"epoch": epoch, "train_loss": train_loss, **heldout, "learning_rate": learning_rate})
    log = {"seed": seed, "settings": asdict(settings), "chance": _chance(settings, watched)}
    return log | {"mining": mined, "epochs": epochs}


def _train_one_epoch(
    mapping: nn.Module,
    train: TrainingPairs,
    negatives: Tensor,
    settings: TrainingSettings,
    optimiser: torch.optim.Optimizer,
    stream: np.random.PCG64,
) -> float:
    """One pass over the train pairs in random order; the mean loss of a pair."""
    mapping.train()
    total = 0.0
    order = torch.from_numpy(permutation(stream, len(train.groups)))
    for batch in order.split(settings.batch_size):
        injected = choose_injected(negatives[batch], settings.injected_negatives, stream)
        loss = symmetric_info_nce(mapping(train.speech[batch]), train, batch, injected, settings.temperature)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(mapping.parameters(), settings.largest_gradient_norm)
        optimiser.step()
        total += loss.item() * len(batch)
    return total / len(order)


def symmetric_info_nce(
    projected: Tensor, pairs: TrainingPairs, batch: Tensor, injected: Tensor, temperature: float
) -> Tensor:
    """Mean of the losses of both directions.

    Speech to text: 32 speech queries against 96 texts, the 32 of the batch and then the 64 injected ones.
    Text to speech: 32 text queries against the 32 recordings of the batch.

    Args:
        projected: (b, d) unit vectors of the batch's speech.
        pairs: the texts and their groups.
        batch: (b,) positions of the batch.
        injected: (b, k) positions of the injected negatives.
        temperature: of the softmax.
    """
    candidates = torch.cat([batch, injected.flatten()])
    logits = projected @ pairs.text[candidates].T / temperature
    correct = torch.arange(len(batch))
    # A text equal to the query's own is a correct answer: it must not count as a negative.
    same_text = pairs.groups[batch][:, None] == pairs.groups[candidates][None, :]
    same_text[correct, correct] = False
    logits = logits.masked_fill(same_text, -math.inf)
    in_batch = logits[:, : len(batch)]
    return (cross_entropy(logits, correct) + cross_entropy(in_batch.T, correct)) / 2


def mine_hard_negatives(similarity: Tensor, groups: Tensor, count: int) -> Tensor:
    """The most similar wrong texts of each recording, (n, count) positions, hardest first.

    Args:
        similarity: (n, n), row = recording, column = text, of the train pairs alone.
        groups: (n,) text group of each pair; no text of the recording's own group is a negative.
        count: how many.
    """
    wrong = similarity.masked_fill(groups[:, None] == groups[None, :], -math.inf)
    return wrong.argsort(dim=1, descending=True, stable=True)[:, :count]


def choose_injected(negatives: Tensor, count: int, stream: np.random.PCG64) -> Tensor:
    """`count` different ones of each row's mined negatives (b, mined), at random: (b, count)."""
    keys = integers_below(stream, 2**31, negatives.numel()).reshape(negatives.shape)
    chosen = torch.from_numpy(np.argsort(keys, axis=1, kind="stable")[:, :count].copy())
    return negatives.gather(1, chosen)


def watched_loss(mapping: nn.Module, pairs: TrainingPairs, temperature: float) -> float:
    """Symmetric InfoNCE of all pairs at once, without injected negatives and without dropout."""
    everyone = torch.arange(len(pairs.groups))
    nothing = everyone[:0, None]
    with torch.no_grad():
        return symmetric_info_nce(mapped(mapping, pairs.speech), pairs, everyone, nothing, temperature).item()


def mapped(mapping: nn.Module, speech: SpeechItems, block: int = 64) -> Tensor:
    """The map of all speech items without dropout, (n, d_text), computed in blocks."""
    mapping.eval()
    with torch.no_grad():
        return torch.cat([mapping(speech[rows]) for rows in torch.arange(len(speech)).split(block)])


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch use one thread: sums over threads would depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _similarity(mapping: nn.Module, pairs: TrainingPairs) -> Tensor:
    return mapped(mapping, pairs.speech) @ pairs.text.T


def _mining_event(epoch: int, similarity: Tensor, negatives: Tensor, previous: Tensor) -> dict[str, Any]:
    """What mining before an epoch found: mean similarity of the negatives, and the share that is new."""
    kept = (negatives[:, :, None] == previous[:, None, :]).any(dim=2)
    new_share = 1.0 if negatives is previous else 1.0 - kept.double().mean().item()
    mean = similarity.gather(1, negatives).mean().item()
    return {"before_epoch": epoch, "mean_similarity": mean, "new_share": new_share}


def _chance(settings: TrainingSettings, watched: TrainingPairs | None) -> dict[str, float]:
    """Loss of a map that tells nothing apart: the logarithms of the numbers of candidates."""
    n_texts = settings.batch_size * (1 + settings.injected_negatives)
    chance = {"train_loss": (math.log(n_texts) + math.log(settings.batch_size)) / 2}
    return chance if watched is None else chance | {"heldout_loss": math.log(len(watched.groups))}
