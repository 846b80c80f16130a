"""The report of two systems: which queries flipped, and is the difference real?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..diagnostics.slices import SMALL_SLICE
from ..metrics.retrieval import expected_rank, recall_at_k
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.comparison import TrackComparison, compare, slice_differences
from ..scoring.scores import Scores
from .blocks import Block, Document, Heading, Panels, Paragraph, Table
from .evidence import COMPARED_TRACKS, Evidence
from .figures.failures import flips_panel
from .probability import LEVEL, p_text
from .style import DIRECTION_LABELS
from .tables import headline_table
from .words import listed

_SHOWN_FLIPS = 15
_CUTOFFS = (1, 10)


def comparison_document(first: Evidence, second: Evidence) -> Document:
    """Everything about two submissions to one release.

    Raises:
        ProblemsFound: they are of different benchmarks (`scores.mismatch`).
    """
    tracks = compare(first.scores, second.scores)
    names = [first.name, second.name]
    release = first.release
    blocks: list[Block] = [
        *(Paragraph(text, "finding") for text in _findings(names, tracks)),
        Heading("Is the difference real?"),
        _differences(names, tracks),
        Panels(
            [flips_panel(names, [_ranks(item.scores, track) for item in (first, second)], track) for track in TRACKS]
        ),
        Heading("Where do they differ?"),
        *_slices(names, first, second),
        Heading("Which queries flipped"),
        _counts(names, first, second),
        *(table for track in COMPARED_TRACKS for table in _flips(track, first, second)),
        *(block for item in (first, second) for block in (Heading(item.name), headline_table(item.scores))),
    ]
    title = f"{names[0]} and {names[1]}"
    return Document(title, f"{release.spec.name} {release.spec.version}, query by query", release.spec.notice, blocks)


def _findings(names: list[str], tracks: dict[str, TrackComparison]) -> list[str]:
    better = {sign: [] for sign in (1, -1, 0)}
    for track, item in tracks.items():
        real = item.p_holm < LEVEL
        better[(1 if item.mrr.difference > 0 else -1) if real else 0].append(track)
    sentences = []
    if better[1]:
        sentences.append(f"{names[0]} is better than {names[1]} in {_tracks(better[1])}.")
    if better[-1]:
        sentences.append(f"{names[1]} is better than {names[0]} in {_tracks(better[-1])}.")
    if better[0]:
        sentences.append(f"In {_tracks(better[0])} the two cannot be told apart.")
    return [" ".join(sentences) + " Mean reciprocal rank, paired bootstrap, Holm's correction over the tracks."]


def _tracks(names: list[str]) -> str:
    return f"track {names[0]}" if len(names) == 1 else f"the tracks {listed(names)}"


def _differences(names: list[str], tracks: dict[str, TrackComparison]) -> Table:
    rows = [
        [
            track,
            f"{item.mrr.difference:+.4f} [{item.mrr.low:+.4f}, {item.mrr.high:+.4f}]",
            p_text(item.p_holm),
            str(item.first_better),
            str(item.second_better),
            str(item.n - item.first_better - item.second_better),
        ]
        for track, item in tracks.items()
    ]
    columns = ["track", "difference in MRR [95 %]", "p, corrected", "first better", "second better", "equal"]
    return Table(f"{names[0]} (first) minus {names[1]} (second), both directions averaged.", columns, rows)


def _slices(names: list[str], first: Evidence, second: Evidence) -> list[Block]:
    found = slice_differences(first.scores, second.scores, "heldout")
    if not found:
        return [Paragraph("The release divides its held-out pairs into no slices.")]
    rows = [
        [
            item.kind.replace("_id", "").replace("_", " "),
            item.name,
            f"{item.n}{' (small)' if item.n < SMALL_SLICE else ''}",
            f"{item.mrr.difference:+.4f} [{item.mrr.low:+.4f}, {item.mrr.high:+.4f}]",
            p_text(item.p_holm),
        ]
        for item in found
    ]
    caption = (
        f"Track heldout: {names[0]} (first) minus {names[1]} (second) in each slice, both directions averaged. Paired "
        "bootstrap; p corrected by Holm over the slices."
    )
    faint = frozenset(i for i, item in enumerate(found) if item.n < SMALL_SLICE)
    return [Table(caption, ["by", "slice", "queries", "difference in MRR [95 %]", "p, corrected"], rows, 2, faint)]


def _counts(names: list[str], first: Evidence, second: Evidence) -> Table:
    """Queries whose answer entered or left the first 1 and 10, ties counted by their share."""
    rows = []
    for track in TRACKS:
        for direction in DIRECTIONS:
            for k in _CUTOFFS:
                a, b = (recall_at_k(item.scores.tracks[track][direction].standings, k) for item in (first, second))
                only_a, only_b = float((a * (1 - b)).sum()), float((b * (1 - a)).sum())
                both = float((a * b).sum())
                counts = (both, only_a, only_b, len(a) - both - only_a - only_b)
                rows.append([track, DIRECTION_LABELS[direction], f"first {k}", *(f"{count:.4g}" for count in counts)])
    columns = ["track", "direction", "answer among the", "both", "first only", "second only", "neither"]
    return Table(f"Queries answered by {names[0]} (first) and {names[1]} (second).", columns, rows, labels=3)


def _flips(track: str, first: Evidence, second: Evidence) -> list[Table]:
    """The queries that gained and lost most, by the ratio of their ranks."""
    ranks = [_ranks(item.scores, track) for item in (first, second)]
    queries = first.release.queries(track)
    gained = np.log(ranks[0] / ranks[1])
    tables = []
    for winner, other, gain in ((second, first, gained), (first, second, -gained)):
        chosen = [i for i in np.argsort(-gain, kind="stable")[:_SHOWN_FLIPS] if gain[i] > 0]
        rows = [[first.pair_names[queries[i]], f"{ranks[0][i]:.4g}", f"{ranks[1][i]:.4g}"] for i in chosen]
        caption = f"Track {track}: what {winner.name} finds better than {other.name}, largest ratio of ranks first."
        if rows:
            tables.append(Table(caption, ["query", f"rank with {first.name}", f"rank with {second.name}"], rows))
    return tables


def _ranks(scores: Scores, track: str) -> NDArray[np.float64]:
    return np.mean([expected_rank(scores.tracks[track][name].standings) for name in DIRECTIONS], axis=0)
