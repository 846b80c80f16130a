"""How much a trained system's scores depend on its seed: `seeds.json`, beside the embeddings of the first seed.

The other seeds' vectors are not kept, so this is the one part of a row that is stated and not recomputed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..problems import Problem, ProblemsFound
from ..protocol.spec import DIRECTIONS, TRACKS
from ..submission.reading import read_regular_file
from .scores import Scores, rounded

SEEDS_FILE = "seeds.json"
_MAX_BYTES = 64 * 1024
_METRICS = ("recall@1", "recall@10", "mrr")

Share = Annotated[float, Field(ge=0, le=1)]


def _complete(tracks: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if set(tracks) != set(TRACKS) or any(set(metrics) != set(_METRICS) for metrics in tracks.values()):
        raise ValueError(f"expected the tracks {', '.join(TRACKS)}, each with {', '.join(_METRICS)}")
    return tracks


class Part(BaseModel):
    """A part of the file: unknown fields and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Spread(Part):
    """A metric over seeds, both directions averaged: mean, sample standard deviation, and the value of each seed."""

    mean: Share
    spread: Share
    values: Annotated[list[Share], Field(min_length=2, max_length=100)]


class SeedSpread(Part):
    """The whole file: the seeds, and the spread of every metric in every track."""

    schema_version: Literal[1]
    seeds: Annotated[list[int], Field(min_length=2, max_length=100)]
    tracks: Annotated[dict[str, dict[str, Spread]], AfterValidator(_complete)]


def spread_over_seeds(scores: Mapping[int, Scores]) -> SeedSpread:
    """Mean and spread of the main metrics over the scores of at least two seeds, seed -> scores."""
    tracks = {
        track: {
            metric: _spread([_mean_of_directions(item, track, metric) for item in scores.values()])
            for metric in _METRICS
        }
        for track in TRACKS
    }
    return SeedSpread.model_validate(rounded({"schema_version": 1, "seeds": list(scores), "tracks": tracks}))


def read_seeds(folder: Path) -> SeedSpread | None:
    """The spread that a submission states; None where it states none.

    Raises:
        ProblemsFound: the file is not what `spread_over_seeds` gives (`file.corrupt`, `file.not_regular` and the like).
    """
    path = folder / SEEDS_FILE
    if not os.path.lexists(path):
        return None
    try:
        return SeedSpread.model_validate_json(read_regular_file(path, _MAX_BYTES))
    except ValidationError as error:
        found = f"{error.error_count()} fields that are missing, unknown or wrong"
        expected, mend = "the file that `igbo-align baseline --seeds` writes", "Make it again, or remove it."
        raise ProblemsFound([Problem("file.corrupt", SEEDS_FILE, found, expected, mend)]) from error


def _mean_of_directions(scores: Scores, track: str, metric: str) -> float:
    return sum(scores.tracks[track][direction][metric].value for direction in DIRECTIONS) / len(DIRECTIONS)


def _spread(values: Sequence[float]) -> dict[str, float | list[float]]:
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return {"mean": mean, "spread": math.sqrt(variance), "values": list(values)}
