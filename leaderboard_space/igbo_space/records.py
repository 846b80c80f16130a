"""Rows of the board as the table and its filters need them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from igbo_align.protocol.spec import TRACKS
from igbo_align.scoring.board import Board

#: Licences that allow use, change and redistribution by everyone; as SPDX and the Hub begin their names.
_OPEN = re.compile(
    r"(apache|mit|bsd|isc|mpl|a?gpl|lgpl|cc0|cc-by(-sa)?-?\d|cc-by(-sa)?$|unlicense|openmdw)", re.IGNORECASE
)
_NOT_OPEN = re.compile(r"\b(nc|nd|noncommercial|research|proprietary)\b", re.IGNORECASE)
#: Encoder families by what their ids contain; the first word of the name for all others.
_FAMILIES = ("whisper", "wav2vec2", "mms", "w2v-bert", "hubert", "wavlm", "seamless", "xeus", "sonar", "clap")


@dataclass(frozen=True, eq=False)
class Record:
    """One system of the board.

    Attributes:
        name: its folder, `<org>__<system>/<revision>`.
        row: of the board.
        places: track -> the places that it may hold, first and last of its tie.
        unseparated: tracks in which it shares the first rank.
    """

    name: str
    row: Mapping[str, Any]
    places: Mapping[str, tuple[int, int]]
    unseparated: frozenset[str]

    @property
    def card(self) -> Mapping[str, Any]:
        """Card of the submission."""
        return self.row["card"]

    @cached_property
    def title(self) -> str:
        """`org/system`, with the revision where it is not the first."""
        system = self.card["system"]
        revision = "" if system["revision"] == "1" else f"@{system['revision']}"
        return f"{system['org']}/{system['name']}{revision}"

    @property
    def parameters(self) -> int | None:
        """Number of parameters, where the card tells."""
        return self.card["system"]["n_parameters"]

    @cached_property
    def family(self) -> str:
        """Family of the speech encoder."""
        return family_of(self.card["speech_encoder"]["id"])

    @cached_property
    def is_open(self) -> bool:
        """Whether every licence that the card names is an open one."""
        return is_open(self.card["system"]["licence"])

    @cached_property
    def haystack(self) -> str:
        """What a search looks through, lower-case."""
        card = self.card
        parts = (
            self.title,
            card["speech_encoder"]["id"],
            card["text_encoder"]["id"],
            card["alignment"]["method"],
            card["submitter"],
            card["notes"],
        )
        return "\n".join(parts).casefold()

    def estimate(self, metric: str, track: str, direction: str) -> Mapping[str, Any]:
        """Value, interval and chance of a metric; `both` averages the directions."""
        if direction != "both":
            return self.row["tracks"][track][direction][metric]
        return self.row["both_directions"][track][metric]


def records_of(board: Board) -> dict[str, Record]:
    """A record for each row, by its folder, best first in the track `heldout`."""
    places = {track: _places(board, track) for track in TRACKS}
    tied_first = {track: board.not_separable_from_first(track) for track in TRACKS}
    return {
        name: Record(
            name,
            board.rows[name],
            {track: places[track][name] for track in TRACKS},
            frozenset(track for track in TRACKS if name in tied_first[track]),
        )
        for name in board.ordered("heldout")
    }


def default_systems(records: Mapping[str, Record]) -> dict[str, str]:
    """What is compared and shown before anybody chose: the best system, and the one that follows."""
    names = [*records, *records, "", ""]
    return {"first": names[0], "second": names[1], "system": names[0]}


def _places(board: Board, track: str) -> dict[str, tuple[int, int]]:
    """First and last place of everybody's tie: three systems of rank 1 hold the places 1 to 3."""
    groups: dict[int, list[str]] = {}
    for name in board.ordered(track):
        groups.setdefault(board.rows[name]["rank"][track], []).append(name)
    places, first = {}, 1
    for rank in sorted(groups):
        last = first + len(groups[rank]) - 1
        places |= dict.fromkeys(groups[rank], (first, last))
        first = last + 1
    return places


def family_of(encoder: str) -> str:
    """Family of an encoder by its id: `openai/whisper-tiny.en` is of the family `whisper`."""
    name = encoder.rsplit("/", 1)[-1].casefold()
    known = next((family for family in _FAMILIES if family in name), None)
    return known or next(iter(re.findall(r"[^\W_]+", name)), "other")


def is_open(licence: str) -> bool:
    """Whether a licence is known to be open: named, and without a clause against commerce or change."""
    return bool(_OPEN.match(licence.strip())) and not _NOT_OPEN.search(licence)
