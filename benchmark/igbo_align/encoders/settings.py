"""How frames become a vector, in one line of text: `mean, layer 4, chunk, bfloat16`.

Cards, specifications and manifests hold that line where they hold the pooling, so their schemas need no new field;
what is the default is left out, so `mean` says what it always said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..problems import problem
from .pooling import FRAMES, POOLINGS

LONG_AUDIO = ("truncate", "chunk")
DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """How frames become a vector.

    Attributes:
        pooling: a key of `POOLINGS`.
        layer: index into the model's hidden states, 0 for what goes into the first layer; None: the model's output.
        long_audio: `truncate` to the first window (the paper), or `chunk` into windows weighted by their duration.
        dtype: the encoder computes in; vectors are float32 always.
    """

    pooling: str = "mean"
    layer: int | None = None
    long_audio: str = "truncate"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Check every part (`usage`)."""
        _require("--pooling", self.pooling, (*POOLINGS, FRAMES), shown=tuple(POOLINGS))
        _require("--long-audio", self.long_audio, LONG_AUDIO)
        _require("--dtype", self.dtype, DTYPES)

    def __str__(self) -> str:
        """As cards hold it."""
        parts = [self.pooling, None if self.layer is None else f"layer {self.layer}", self.long_audio, self.dtype]
        return ", ".join(part for part in parts if part not in (None, "truncate", "float32"))

    def beyond_defaults(self) -> dict[str, object]:
        """What a cache key holds of the parts that are not at their defaults, the pooling and the dtype apart."""
        extra = {"layer": self.layer, "long_audio": self.long_audio if self.long_audio != "truncate" else None}
        return {name: value for name, value in extra.items() if value is not None}


def parse_settings(text: str) -> Settings:
    """The inverse of `str(settings)`.

    Raises:
        ProblemsFound: a part that is not known (`usage`).
    """
    pooling, *parts = text.split(", ")
    layer, long_audio, dtype = None, "truncate", "float32"
    for part in parts:
        if match := re.fullmatch(r"layer (\d{1,4})", part):
            layer = int(match[1])
        elif part in LONG_AUDIO:
            long_audio = part
        else:
            dtype = part
    return Settings(pooling, layer, long_audio, dtype)


def _require(option: str, value: str, known: tuple[str, ...], shown: tuple[str, ...] | None = None) -> None:
    if value not in known:
        expected = f"one of {', '.join(shown or known)}"
        raise problem("usage", option, found=repr(value), expected=expected, mend="Check the spelling.")
