"""What a baseline makes of a release: vectors of all pairs, and everything that was learnt on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from .inputs import Vectors


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a baseline makes of a release.

    Attributes:
        speech: (n, d) vectors of all recordings, in release order.
        text: (n, d) vectors of all texts.
        fitted: every number that was learnt, by name; changing test pairs changes none of them.
        choices: what was chosen inside the train split, for the card's notes.
        training_log: of a trained map, as data.
    """

    speech: Vectors
    text: Vectors
    fitted: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)
    training_log: Mapping[str, Any] | None = None
