"""Controls: systems that know nothing, or one trivial thing. What they reach, a benchmark gives away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..randomness import permutation, raw_stream
from .closed_forms import ridge_baseline
from .inputs import Inputs, Vectors
from .outcome import Outcome

_RANDOM_DIMENSIONS = 64
#: Standard deviations of a logarithm that make a radian; +-6 deviations stay within a half circle.
_DEVIATIONS_PER_RADIAN = 4.0


def random_vectors(inputs: Inputs, seed: int) -> Outcome:
    """Random vectors: must land at chance."""
    speech, text = (_uniform(seed, f"random {name}", len(inputs.pairs)) for name in ("speech", "text"))
    return Outcome(speech, text)


def random_rotation(inputs: Inputs, seed: int) -> Outcome:
    """Zero-shot with the text space turned at random: what two unrelated spaces reach by how they happen to lie.

    The orthogonal factor of a normal matrix, its signs made unique, is uniform (doi:10.1137/0717034).
    """
    d = inputs.pairs.text.shape[1]
    bits = raw_stream(seed, "random rotation").random_raw(d * d) >> np.uint64(11)
    normal = ndtri((bits.astype(np.float64) + 0.5) * 2.0**-53).reshape(d, d)
    orthogonal, triangular = np.linalg.qr(normal)
    rotation = orthogonal * np.sign(np.diag(triangular))
    return Outcome(inputs.pairs.speech, inputs.pairs.text @ rotation)


def shuffled_pairs(inputs: Inputs, seed: int) -> Outcome:
    """The vectors of a good submission, the recordings' ones in random order: must land at chance.

    Train and test pairs are permuted each among themselves, so that held-out texts meet held-out recordings.
    """
    good = ridge_baseline(inputs, seed)
    stream, order = raw_stream(seed, "shuffled pairs"), np.arange(len(inputs.pairs))
    for members in (np.flatnonzero(~inputs.release.is_test), np.flatnonzero(inputs.release.is_test)):
        order[members] = members[permutation(stream, len(members))]
    return Outcome(good.speech[order], good.text, good.fitted, good.choices)


def duration_only(inputs: Inputs, _: int) -> Outcome:
    """How long a recording lasts, against how many characters its text has: what duration alone can find.

    Both logarithms are standardised over the train pairs and become angles, so that the cosine falls with their
    difference.
    """
    is_train = ~inputs.release.is_test
    speech, speech_fit = _angles(np.log(inputs.release.column("duration_s").astype(np.float64)), is_train)
    text, text_fit = _angles(np.log1p(inputs.release.column("n_chars").astype(np.float64)), is_train)
    return Outcome(speech, text, {"log_duration": speech_fit, "log_length": text_fit})


def speaker_only(inputs: Inputs, _: int) -> Outcome:
    """The mean train text of the recording's speaker: what the voice alone can find.

    A speaker without train pairs gets the mean of all train texts.
    """
    speakers = inputs.release.column("speaker_id").astype(str)
    train_speakers = speakers[~inputs.release.is_test]
    means = {name: inputs.train.text[train_speakers == name].mean(axis=0) for name in np.unique(train_speakers)}
    overall = inputs.train.text.mean(axis=0)
    speech = np.stack([means.get(name, overall) for name in speakers])
    return Outcome(speech, inputs.pairs.text, {**means, "overall": overall})


def _uniform(seed: int, purpose: str, n: int) -> Vectors:
    bits = raw_stream(seed, purpose).random_raw(n * _RANDOM_DIMENSIONS) >> np.uint64(11)
    return (2.0 * bits.astype(np.float64) * 2.0**-53 - 1.0).reshape(n, _RANDOM_DIMENSIONS)


def _angles(values: NDArray[np.float64], is_train: NDArray[np.bool_]) -> tuple[Vectors, NDArray[np.float64]]:
    """Values (n,) as points on a half circle, (n, 2), and the mean and deviation of the train values."""
    mean, deviation = values[is_train].mean(), values[is_train].std()
    standardised = (values - mean) / (deviation if deviation > 0 else 1.0)
    angles = np.clip(standardised / _DEVIATIONS_PER_RADIAN, -np.pi / 2, np.pi / 2)
    return np.column_stack([np.cos(angles), np.sin(angles)]), np.array([mean, deviation])
