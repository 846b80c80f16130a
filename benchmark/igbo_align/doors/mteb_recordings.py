"""The recordings of a release as a dataset that MTEB's models read: decoded one batch at a time, as `encode` does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets import Dataset

from ..corpus.audio import load_waveform
from ..pipeline.recordings import release_recordings
from ..protocol.address import SourceTexts
from ..protocol.release import Release
from ..protocol.spec import Audio


class _Decode:
    """Turns encoded bytes into what MTEB calls an audio item; a class, so that workers can be sent it."""

    def __init__(self, audio: Audio) -> None:
        self._audio = audio

    def __call__(self, batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Decode the column `audio`, where it was asked for."""
        return {
            name: [self._item(data) for data in values] if name == "audio" else values for name, values in batch.items()
        }

    def _item(self, data: bytes) -> dict[str, Any]:
        return {"array": load_waveform(data, self._audio), "sampling_rate": self._audio.sampling_rate_hz}


def recordings_dataset(release: Release, source: SourceTexts) -> Dataset:
    """Columns `id` and `audio`, prepared as the specification says (sampling rate, peak, longest duration).

    Args:
        release: whose recordings.
        source: where they are, unless the release holds them.

    Raises:
        ProblemsFound: the recordings cannot be had (`source.*`).
    """
    found = dict(release_recordings(release, source))
    rows = Dataset.from_dict({"id": release.ids, "audio": [found[name] for name in release.ids]})
    return rows.with_transform(_Decode(release.spec.audio))
