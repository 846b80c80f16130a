"""Maps from speech vectors into the space of text vectors: small modules, all trained by the one loop of `training`.

Every number is float64 and every draw comes from a frozen stream, so a map depends on its seed alone: not on the
number of threads, not on the kind of processor, not on torch's own generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

#: Share of the components that are set to zero while training. The paper names the layer, not the rate.
DROPOUT_RATE = 0.1


class Projection(nn.Module):
    """The paper's map f(s) = Norm(Dropout(LayerNorm(W s + b))): 384 x 384 + 384 = 147,840 trainable parameters.

    The paper's count leaves no room for a scale and a shift, so LayerNorm has no affine parameters.
    """

    def __init__(self, d_speech: int, d_text: int, stream: np.random.PCG64, rate: float = DROPOUT_RATE) -> None:
        super().__init__()
        self.linear = linear(d_speech, d_text, stream)
        self.head = Head(d_text, stream, rate)

    def forward(self, speech: Tensor) -> Tensor:
        """Unit vectors (n, d_text) of speech vectors (n, d_speech)."""
        return self.head(self.linear(speech))


class Head(nn.Module):
    """Norm(Dropout(LayerNorm(x))): how every map ends."""

    def __init__(self, d_text: int, stream: np.random.PCG64, rate: float) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(d_text, elementwise_affine=False, dtype=torch.float64)
        self.dropout = Dropout(rate, stream)

    def forward(self, vectors: Tensor) -> Tensor:
        """Unit vectors of the same shape."""
        return nn.functional.normalize(self.dropout(self.layer_norm(vectors)), dim=-1)


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014, jmlr:v15/srivastava14a) whose masks come from a frozen stream."""

    def __init__(self, rate: float, stream: np.random.PCG64) -> None:
        super().__init__()
        self.rate = rate
        self.stream = stream

    def forward(self, vectors: Tensor) -> Tensor:
        """While training, components are set to zero at the rate and the others enlarged to keep the mean."""
        if not self.training or self.rate == 0:
            return vectors
        return vectors * (uniform(self.stream, *vectors.shape) >= self.rate) / (1 - self.rate)


class Standardised(nn.Module):
    """Another map behind inputs that have mean 0 and standard deviation 1 over the train pairs."""

    mean: Tensor
    scale: Tensor

    def __init__(self, inner: nn.Module, train_speech: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("mean", train_speech.mean(dim=0))
        self.register_buffer("scale", standard_deviation(train_speech))

    def forward(self, speech: Tensor) -> Tensor:
        """Unit vectors (n, d_text) of speech vectors (n, d_speech)."""
        return self.inner((speech - self.mean) / self.scale)


class TwoLayers(nn.Module):
    """Two linear maps with a GELU between them, as wide in between as the text vectors."""

    def __init__(self, d_speech: int, d_text: int, stream: np.random.PCG64) -> None:
        super().__init__()
        self.first = linear(d_speech, d_text, stream)
        self.second = linear(d_text, d_text, stream)
        self.head = Head(d_text, stream, DROPOUT_RATE)

    def forward(self, speech: Tensor) -> Tensor:
        """Unit vectors (n, d_text) of speech vectors (n, d_speech)."""
        return self.head(self.second(nn.functional.gelu(self.first(speech))))


class LowRank(nn.Module):
    """A linear map through few dimensions: W = U V with V of `rank` rows."""

    def __init__(self, d_speech: int, d_text: int, stream: np.random.PCG64, rank: int = 64) -> None:
        super().__init__()
        self.down = linear(d_speech, min(rank, d_speech, d_text), stream)
        self.up = linear(self.down.out_features, d_text, stream)
        self.head = Head(d_text, stream, DROPOUT_RATE)

    def forward(self, speech: Tensor) -> Tensor:
        """Unit vectors (n, d_text) of speech vectors (n, d_speech)."""
        return self.head(self.up(self.down(speech)))


class AttentivePooling(nn.Module):
    """Learnt attention over frames, weighted mean and standard deviation per head, linear map.

    After attentive statistics pooling (Okabe et al. 2018, doi:10.21437/Interspeech.2018-993), with several heads.
    """

    def __init__(
        self, d_frames: int, d_text: int, stream: np.random.PCG64, *, heads: int, hidden: int, rate: float
    ) -> None:
        super().__init__()
        self.hidden = linear(d_frames, hidden, stream)
        self.scores = linear(hidden, heads, stream)
        self.dropout = Dropout(rate, stream)
        self.linear = linear(2 * heads * d_frames, d_text, stream)

    def forward(self, recordings: Sequence[Tensor]) -> Tensor:
        """Unit vectors (n, d_text) of n recordings, each a matrix of frames (t, d_frames)."""
        scores = self.scores(torch.tanh(self.hidden(torch.cat(list(recordings)))))
        lengths = [len(frames) for frames in recordings]
        parts = zip(recordings, scores.split(lengths), strict=True)
        pooled = torch.stack([attended_statistics(frames, own.softmax(dim=0)) for frames, own in parts])
        return nn.functional.normalize(self.linear(self.dropout(pooled)), dim=-1)


def attended_statistics(frames: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean and standard deviation of frames (t, d) for each head of weights (t, heads): (2 heads d,)."""
    mean = weights.T @ frames
    variance = weights.T @ (frames * frames) - mean * mean
    return torch.cat([mean, variance.clamp_min(1e-4).sqrt()]).flatten()


def linear(inputs: int, outputs: int, stream: np.random.PCG64) -> nn.Linear:
    """A linear layer with torch's usual start: weights and biases uniform within 1 / sqrt(inputs)."""
    layer = cast(nn.Linear, skip_init(nn.Linear, inputs, outputs, dtype=torch.float64))
    with torch.no_grad():
        for parameter in (layer.weight, layer.bias):
            parameter.copy_((2 * uniform(stream, *parameter.shape) - 1) / math.sqrt(inputs))
    return layer


def uniform(stream: np.random.PCG64, *shape: int) -> Tensor:
    """Uniform numbers in [0, 1), float64, from the raw stream."""
    bits = stream.random_raw(math.prod(shape)) >> np.uint64(11)
    return torch.from_numpy(bits.astype(np.float64).reshape(shape) * 2.0**-53)


def standard_deviation(rows: Tensor) -> Tensor:
    """Standard deviation of each column of (n, d), 1 where a column is constant."""
    deviation = rows.std(dim=0, correction=0)
    return torch.where(deviation > 0, deviation, torch.ones_like(deviation))


def n_trainable(mapping: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in mapping.parameters() if parameter.requires_grad)
