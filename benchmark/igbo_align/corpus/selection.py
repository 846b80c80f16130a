"""Which records are kept, and what the source was found to hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..files import sha256_of_bytes
from ..problems import printable
from ..protocol.spec import Audio, BenchmarkSpec
from ..submission.limits import MAX_ID_LENGTH
from .audio import UndecodableAudio, duration_s
from .layouts import Record
from .text_normalisation import TextStatistics, normalise_text, text_statistics


@dataclass(frozen=True)
class Kept:
    """A record that passed the filters, without its audio."""

    id: str
    speaker_id: str
    text: str
    locale: str
    gender: str
    source_split: str
    duration_s: float
    audio_sha256: str
    statistics: TextStatistics
    source: str = ""


@dataclass
class Selection:
    """Result of one pass over a source: `kept` in order of id, `excluded` reason -> ids, number of `records`."""

    kept: list[Kept] = field(default_factory=list)
    excluded: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    records: int = 0

    def profile(self) -> dict[str, Any]:
        """What the source holds, as the build prints it and the manifest keeps it; durations in seconds."""
        durations = np.array([item.duration_s for item in self.kept] or [0.0])
        texts = Counter(item.text for item in self.kept)
        marked = sum(item.statistics.n_tone_marks > 0 for item in self.kept)
        dotted = sum(item.statistics.n_dotted > 0 for item in self.kept)
        n = max(len(self.kept), 1)
        sources = Counter(item.source for item in self.kept if item.source)
        return {
            "records": self.records,
            "kept": len(self.kept),
            "excluded": {reason: len(ids) for reason, ids in sorted(self.excluded.items())},
            "duration_s": {
                "min": float(durations.min()),
                "median": float(np.median(durations)),
                "mean": float(durations.mean()),
                "max": float(durations.max()),
                "total": float(durations.sum()),
            },
            "speakers": dict(sorted(Counter(item.speaker_id for item in self.kept).items())),
            "genders": dict(sorted(Counter(item.gender for item in self.kept).items())),
            "splits": dict(sorted(Counter(item.source_split for item in self.kept).items())),
            "repeated_transcripts": sum(times - 1 for times in texts.values()),
            "share_with_tone_marks": marked / n,
            "share_with_dotted_letters": dotted / n,
            "mean_words": sum(item.statistics.n_words for item in self.kept) / n,
        } | ({"sources": dict(sorted(sources.items()))} if sources else {})


def select_records(records: Iterable[Record], audio: Audio) -> Selection:
    """Filter records: every one is either kept or counted under the reason for which it is not."""
    selection = Selection()
    seen: set[str] = set()
    for record in records:
        selection.records += 1
        outcome = _judge(record, audio, seen)
        if isinstance(outcome, Kept):
            seen.add(outcome.id)
            selection.kept.append(outcome)
        else:
            selection.excluded[outcome].append(printable(record.id).strip("'"))
    selection.kept.sort(key=lambda item: item.id)
    return selection


def unmet_expectations(selection: Selection, spec: BenchmarkSpec) -> list[dict[str, Any]]:
    """Counts in which the source differs from what the specification expects: name, expected, found."""
    found = {
        "records": selection.records,
        "kept": len(selection.kept),
        "speakers": len({item.speaker_id for item in selection.kept}),
    }
    expected = spec.expected.model_dump()
    return [
        {"name": name, "expected": expected[name], "found": count}
        for name, count in found.items()
        if expected[name] is not None and expected[name] != count
    ]


def _judge(record: Record, audio: Audio, seen: set[str]) -> Kept | str:
    """The kept record, or the reason against it."""
    if not isinstance(record.id, str) or not 0 < len(record.id) <= MAX_ID_LENGTH or not record.id.isprintable():
        return "invalid id"
    if record.id in seen:
        return "repeated id"
    text = normalise_text(record.text) if isinstance(record.text, str) else ""
    if not text:
        return "empty text"
    if not record.audio:
        return "no audio"
    try:
        seconds = duration_s(record.audio, audio.max_duration_s)
    except UndecodableAudio:
        return "undecodable audio"
    if seconds < audio.min_duration_s:
        return "too short"
    if seconds > audio.max_duration_s:
        return "too long"
    return Kept(
        id=record.id,
        speaker_id=record.speaker_id,
        text=text,
        locale=record.locale,
        gender=record.gender,
        source_split=record.source_split,
        duration_s=round(seconds, 6),
        audio_sha256=sha256_of_bytes(record.audio),
        statistics=text_statistics(record.cased_text or record.text, text),
        source=record.source,
    )
