"""The encoders' vectors as they are, and with their means removed."""

from __future__ import annotations

from .inputs import Inputs
from .outcome import Outcome


def zero_shot(inputs: Inputs, _: int) -> Outcome:
    """The paper's zero-shot: nothing is learnt."""
    return Outcome(inputs.pairs.speech, inputs.pairs.text)


def centred(inputs: Inputs, _: int) -> Outcome:
    """Each modality minus the mean of its train vectors, which closes the modality gap and nothing else."""
    speech_mean, text_mean = inputs.train.speech.mean(axis=0), inputs.train.text.mean(axis=0)
    fitted = {"speech_mean": speech_mean, "text_mean": text_mean}
    return Outcome(inputs.pairs.speech - speech_mean, inputs.pairs.text - text_mean, fitted)
