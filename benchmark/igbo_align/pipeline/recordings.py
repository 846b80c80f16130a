"""The recordings and transcripts of a release, from itself or from the source that it was built from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..corpus.selection import Kept
from ..corpus.source import Corpus, ParquetRows, open_corpus
from ..corpus.text_normalisation import normalise_text
from ..files import sha256_of_bytes
from ..problems import problem
from ..protocol.address import SourceTexts, parse_addresses
from ..protocol.release import SPLITS, Release


def recordings_of(corpus: Corpus, kept: Sequence[Kept]) -> Iterator[tuple[str, bytes]]:
    """Id and encoded audio of chosen records, in the order of the source."""
    wanted = {item.id: item.audio_sha256 for item in kept}
    yield from matching_recordings(corpus, wanted)


def matching_recordings(corpus: Corpus, wanted: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Id and encoded audio of the records whose id and audio hash are wanted (id -> SHA-256), each once.

    Raises:
        ProblemsFound: wanted recordings are absent or differ (`source.missing`), after all others were yielded.
    """
    missing = dict(wanted)
    for record in corpus.records():
        if record.audio and record.id in missing and sha256_of_bytes(record.audio) == missing[record.id]:
            del missing[record.id]
            yield record.id, record.audio
    if missing:
        raise problem(
            "source.missing",
            "--source",
            found=f"no recording with the right bytes for {len(missing)} of {len(wanted)} pairs",
            expected="the source that the release was built from",
            mend="Name the dataset and revision that the release's manifest.json states.",
        )


def release_recordings(release: Release, source: SourceTexts) -> Iterable[tuple[str, bytes]]:
    """Id and encoded audio of every pair: from the release, or from the source that it was built from."""
    folder = release.folder / "audio"
    if folder.is_dir() and not source:
        return _stored_recordings(folder)
    wanted = dict(zip(release.ids, release.column("audio_sha256").tolist(), strict=True))
    return matching_recordings(_corpus(release, source), wanted)


def release_texts(release: Release, source: SourceTexts) -> list[tuple[str, str]]:
    """Id and normalised text of every pair: from the release, or from its source where the release leaves them out."""
    texts = release.pairs.column("text").to_pylist()
    if None not in texts:
        return list(zip(release.ids, texts, strict=True))
    wanted = set(release.ids)
    found = {r.id: normalise_text(r.text) for r in _corpus(release, source).records() if r.id in wanted and r.text}
    return [(name, found[name]) for name in release.ids]


def _corpus(release: Release, source: SourceTexts) -> Corpus:
    if not source and not all(held.revision for held in release.spec.sources):
        raise problem(
            "source.missing",
            "--source",
            found="a release without recordings, and no --source",
            expected="the corpus that the release was built from",
            mend="Name its folder or its Hub id with --source.",
        )
    several = "source" in release.pairs.column_names
    names = [held["name"] for held in release.manifest["sources"]] if several else None
    return open_corpus(parse_addresses(source), release.spec, names)


def _stored_recordings(folder: Path) -> Iterable[tuple[str, bytes]]:
    for split in SPLITS:
        for row in ParquetRows(folder / f"{split}.parquet", ["id", "audio"]):
            yield row["id"], row["audio"]["bytes"]
