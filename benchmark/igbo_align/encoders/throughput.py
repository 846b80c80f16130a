"""How fast recordings were encoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Throughput:
    """What one run encoded, and how long it took from its first recording to its last.

    Attributes:
        recordings: encoded now.
        cached: that were found finished.
        audio_s: duration of the encoded recordings, in seconds.
        elapsed_s: wall-clock time, loading the model included.
    """

    recordings: int
    cached: int
    audio_s: float
    elapsed_s: float

    @property
    def recordings_per_s(self) -> float:
        """Utterances per second."""
        return self.recordings / self.elapsed_s

    @property
    def real_time_factor(self) -> float:
        """Time of encoding over duration of the audio: below 1 is faster than speech."""
        return self.elapsed_s / self.audio_s if self.audio_s else 0.0

    def __str__(self) -> str:
        """In one line for people."""
        if not self.recordings:
            return f"Speech: all {self.cached} recordings were encoded before."
        before = f", {self.cached} more were encoded before" if self.cached else ""
        return (
            f"Speech: {self.recordings} recordings ({self.audio_s:.0f} s) in {self.elapsed_s:.1f} s: "
            f"{self.recordings_per_s:.1f} recordings/s, real-time factor {self.real_time_factor:.3f}{before}."
        )
