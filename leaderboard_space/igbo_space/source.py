"""Where the board comes from: the Hub dataset of a release, a local file, or the snapshot beside the app."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from igbo_align.hub import load_release
from igbo_align.hub.loading import hub_file
from igbo_align.problems import ProblemsFound
from igbo_align.protocol.release import Release
from igbo_align.scoring.board import Board, read_board

from .records import Record, records_of

BOARD_FILE = "leaderboard.json"
SNAPSHOT = Path(__file__).parent.parent / BOARD_FILE
#: Written by `igbo-align publish --space`: the dataset that the Space shows.
PUBLISHED = SNAPSHOT.with_name("settings.json")
#: Seconds after which a board of the Hub is looked at again, when somebody opens the page.
_FRESH_S = 600


@dataclass(frozen=True)
class Settings:
    """What is shown: a release (`demo`, a folder or a Hub dataset id), and a board beside it or elsewhere."""

    release: str = "demo"
    board: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from the variables of a Space; its dataset by default from `settings.json`, if it was published."""
        stated = json.loads(PUBLISHED.read_bytes()) if PUBLISHED.is_file() else {}
        release = environment.get("IGBO_ALIGN_DATASET") or stated.get("dataset") or "demo"
        return cls(release, environment.get("IGBO_ALIGN_BOARD") or None)

    @property
    def is_hub(self) -> bool:
        """Whether the release is a dataset of the Hub."""
        return self.release != "demo" and not Path(self.release).exists()


@dataclass(frozen=True, eq=False)
class Shown:
    """One state of the board: immutable, so that a request sees one state from its beginning to its end.

    Attributes:
        board: rows, tests and release.
        records: the rows as the table needs them.
        source: in plain words where the board comes from.
    """

    board: Board
    records: dict[str, Record]
    source: str

    @property
    def release(self) -> Release:
        """The benchmark."""
        return self.board.release


class Source:
    """The newest board that could be had; `shown()` never waits for the network."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._shown = load(settings)
        self._loaded_at = time.monotonic()
        self._loading = threading.Lock()

    def shown(self) -> Shown:
        """The board, and a look for a newer one in the background if the last one is a while ago."""
        if self.settings.is_hub and time.monotonic() - self._loaded_at > _FRESH_S:
            threading.Thread(target=self._reload, daemon=True).start()
        return self._shown

    def _reload(self) -> None:
        if self._loading.acquire(blocking=False):
            try:
                self._loaded_at = time.monotonic()
                with suppress(ProblemsFound, OSError):  # what was shown last is better than the snapshot
                    self._shown = _wanted(self.settings)
            finally:
                self._loading.release()


def load(settings: Settings) -> Shown:
    """The board of the settings, or the bundled snapshot of the demo release with the reason."""
    try:
        return _wanted(settings)
    except (ProblemsFound, OSError) as error:
        if settings == Settings():
            raise
        reason = error.problems[0].found if isinstance(error, ProblemsFound) else "no such file"
    release = load_release("demo")
    board = read_board(SNAPSHOT.read_bytes(), release)
    source = f"Bundled snapshot of the demo release, {newest(board)}: {settings.release} cannot be shown ({reason})."
    return _state(board, source)


def _wanted(settings: Settings) -> Shown:
    release = load_release(settings.release)
    if settings.board is not None:
        board = read_board(Path(settings.board).read_bytes(), release)
        return _state(board, f"{os.path.basename(settings.board)}, newest row of {newest(board)}.")  # noqa: PTH119
    if settings.is_hub:
        board = read_board(hub_file(settings.release, BOARD_FILE).read_bytes(), release)
        return _state(board, f"Hub dataset {settings.release}, newest row of {newest(board)}.")
    own = release.folder / BOARD_FILE
    board = read_board((own if own.is_file() else SNAPSHOT).read_bytes(), release)
    return _state(board, f"Bundled snapshot, newest row of {newest(board)}.")


def _state(board: Board, source: str) -> Shown:
    return Shown(board, records_of(board), source)


def newest(board: Board) -> str:
    """Date of the newest row."""
    return max((row["card"]["created"] for row in board.rows.values()), default="no date")
