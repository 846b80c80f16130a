"""How pairs of a release are named to people."""

from __future__ import annotations

from ..protocol.release import Release

_MAX_CHARACTERS = 60


def pair_names(release: Release) -> list[str]:
    """Names of the n pairs, in the order of the release.

    A name is the transcript, cut at 60 characters, or the number of words and seconds where the release leaves
    transcripts out; and the id.
    """
    known = (release.pairs.column(name).to_pylist() for name in ("text", "n_words", "duration_s"))
    return [f"{_said(*of_pair)} ({name})" for name, *of_pair in zip(release.ids, *known, strict=True)]


def _said(text: str | None, n_words: int, seconds: float) -> str:
    if text is None:
        return f"{n_words} word{'' if n_words == 1 else 's'}, {seconds:.1f} s"
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1].rstrip()}…"
