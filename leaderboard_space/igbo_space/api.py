"""The board for programs: three functions, as endpoints of the API and as tools of MCP."""

from __future__ import annotations

from typing import Any

from .board_table import board_values
from .records import Record
from .source import Shown, Source
from .view import parse_view

_NOT_TOLD = {"per_query", "diagnostics"}


class Api:
    """Reads the board, and nothing else."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def list_systems(self, track: str = "heldout", direction: str = "both", search: str = "") -> dict[str, Any]:
        """List the systems of the leaderboard, best first, with every metric and its 95 % interval.

        Args:
            track: paper, heldout, full or hard.
            direction: both, speech_to_text or text_to_speech.
            search: words that the name, encoders, submitter or notes must hold.
        """
        shown = self.source.shown()
        view = parse_view({"track": track, "direction": direction, "search": search})
        document = {"benchmark": shown.board.document["benchmark"], "notice": shown.board.document.get("notice")}
        return document | {"track": view.track, "direction": view.direction, "systems": board_values(shown, view)}

    def get_system(self, submission: str) -> dict[str, Any]:
        """Tell everything about one system: card, scores of all tracks, flags, provenance and memorisation gap.

        Args:
            submission: its folder `<org>__<system>/<revision>`, or its title `org/system`.
        """
        record = _found(self.source.shown(), submission)
        if record is None:
            return _unknown(submission)
        held = {name: part for name, part in record.row.items() if name not in _NOT_TOLD}
        return held | {"memorisation_gap": record.row["diagnostics"]["memorisation_gap"]}

    def compare_systems(self, first: str, second: str, track: str = "heldout") -> dict[str, Any]:
        """Compare two systems by a paired bootstrap of the mean reciprocal rank: is the difference real?

        Args:
            first: folder or title of a system.
            second: of the other; differences are first minus second.
            track: paper, heldout, full or hard.
        """
        shown = self.source.shown()
        records = [_found(shown, name) for name in (first, second)]
        for name, record in zip((first, second), records, strict=True):
            if record is None:
                return _unknown(name)
        names = [record.name for record in records if record is not None]
        chosen = parse_view({"track": track}).track
        (test,) = shown.board.separations(names, chosen)
        return vars(test) | {"track": chosen, "separable": test.p_holm < 0.05}


def _found(shown: Shown, name: str) -> Record | None:
    named = shown.records.get(str(name))
    return named or next((record for record in shown.records.values() if record.title == name), None)


def _unknown(name: str) -> dict[str, Any]:
    return {"error": f"No system is called {str(name)[:100]!r}. list_systems lists all."}
