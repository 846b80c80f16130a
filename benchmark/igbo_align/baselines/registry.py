"""The table of baselines: one record each, in the order in which they are explained and shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal

from numpy.typing import NDArray

from ..problems import problem
from .inputs import Inputs, Vectors


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a baseline makes of a release.

    Attributes:
        speech: (n, d) vectors of all recordings, in release order.
        text: (n, d) vectors of all texts.
        fitted: every number that was learnt, by name; changing test pairs changes none of them.
        choices: settings that were chosen inside the train split, and anything else worth a note.
        training_log: of a trained map, as data.
    """

    speech: Vectors
    text: Vectors
    fitted: Mapping[str, NDArray] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    training_log: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes:
        name: of the system; also of its folder.
        summary: one line for `--help`, tables and the card.
        make: from inputs and a seed to vectors.
        fits_on: which pairs it was fitted on, as the card says it.
        is_trained: whether it is trained by gradient descent, so that its seed matters and `--seeds` repeats it.
        needs_recordings: whether it looks at frames, which a release does not hold.
        needs_equal_dimensions: whether it compares speech with text before anything is learnt.
        speech_pooling: of the frames; None for the pooling of the reference vectors.
    """

    name: str
    summary: str
    make: Callable[[Inputs, int], Outcome]
    fits_on: Literal["none", "train"] = "train"
    is_trained: bool = False
    needs_recordings: bool = False
    needs_equal_dimensions: bool = False
    speech_pooling: str | None = None


def _zero_shot(inputs: Inputs, _: int) -> Outcome:
    return Outcome(inputs.pairs.speech, inputs.pairs.text)


def _centred(inputs: Inputs, _: int) -> Outcome:
    means = {"speech_mean": inputs.train.speech.mean(axis=0), "text_mean": inputs.train.text.mean(axis=0)}
    pairs = inputs.pairs
    return Outcome(pairs.speech - means["speech_mean"], pairs.text - means["text_mean"], means)


BASELINES: tuple[Baseline, ...] = (
    Baseline(
        "zero-shot", "The encoders' vectors as they are.", _zero_shot, fits_on="none", needs_equal_dimensions=True
    ),
    Baseline("centred", "Each modality minus the mean of its train vectors.", _centred, needs_equal_dimensions=True),
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
