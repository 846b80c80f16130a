"""Encoding shared by the processes of `accelerate launch`: each takes every n-th recording, the first one writes.

They share nothing but the cache of vectors. A recording encoded by any process has the same bytes, so the result does
not depend on how many there were, nor on which of them were killed on the way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cores import allowed_cores
from ..metrics.sharding import Place
from ..problems import ProblemsFound, problem
from ..progress import Report
from .cache import VectorCache
from .encoding import encode_speech
from .jobs import RecordingJob

#: The first process waits as long as the others go on; after this long without a new vector it does their work.
PATIENCE_S = 180.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Share:
    """This process's part of encoding one set of recordings.

    Attributes:
        place: which of the processes this is.
        name: of the set, the same in all processes, such as a release's fingerprint.
    """

    place: Place
    name: str

    def marker(self, job: RecordingJob, rank: int) -> str:
        """Key under which a process says that it has done what it could."""
        return job.key(f"share {rank} of {self.place.size} of {self.name}")

    def encode(
        self,
        job: RecordingJob,
        recordings: Callable[[], Iterable[tuple[str, bytes]]],
        cache_file: Path,
        report: Report,
        workers: int | None,
    ) -> None:
        """Encode this process's recordings into the cache; the first process then waits for the others.

        A recording that cannot be encoded is left to the first process, which names it.
        """
        try:
            encode_speech(job, self._mine(recordings()), cache_file, report, workers or self._workers())
        except ProblemsFound as problems:
            if any(item.code != "encoder.output" for item in problems.problems):
                raise
        cache = VectorCache(cache_file)
        try:
            cache.put(self.marker(job, self.place.rank), np.ones(1, np.float32))
            if self.place.rank == 0:
                self._wait(job, cache)
        finally:
            cache.close()

    def _mine(self, recordings: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        for number, recording in enumerate(recordings):
            if number % self.place.size == self.place.rank:
                yield recording

    def _workers(self) -> int:
        """This process's share of the cores of its machine."""
        local = os.environ.get("LOCAL_WORLD_SIZE", "")
        return max(1, allowed_cores() // (int(local) if local.isdecimal() and int(local) else self.place.size))

    def _wait(self, job: RecordingJob, cache: VectorCache) -> None:
        others = {self.marker(job, rank) for rank in range(1, self.place.size)}
        seen, since = len(cache), time.monotonic()
        while others := {key for key in others if cache.get(key) is None}:
            if (now := len(cache)) != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE_S:
                return
            time.sleep(_LOOK_EVERY_S)


def place_of_this_process() -> Place:
    """From RANK and WORLD_SIZE.

    Raises:
        ProblemsFound: they make no sense (`usage`).
    """
    try:
        return Place.from_environment()
    except ValueError as error:
        raise problem(
            "usage",
            "RANK and WORLD_SIZE",
            found=str(error).partition(", found ")[2],
            expected="whole numbers with 0 <= RANK < WORLD_SIZE, as `accelerate launch` sets them",
            mend="Unset both, or set both.",
        ) from error
