"""The verb `space`: the leaderboard in a browser, from this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ..extras import require_libraries
from ..problems import problem
from .console import say
from .options import ReleaseOption

_PACKAGE = Path(__file__).parent.parent
#: In an installed wheel the app lies in the package, in a checkout at the top.
_FOLDERS = (_PACKAGE / "leaderboard_space", _PACKAGE.parent.parent / "leaderboard_space")


def space(
    release: ReleaseOption = "demo",
    submissions: Annotated[
        Path | None, typer.Option(help="Folder of submissions to show; by default the board that the release holds.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page is served.")] = 7860,
) -> None:
    """Show the leaderboard in a browser: filters, tests, failures, and a place to try your own vectors."""
    app = app_folder() / "app.py"
    require_libraries("space", "gradio")
    with tempfile.TemporaryDirectory(prefix="igbo-align-") as temporary:
        board = _board_of(submissions, release, Path(temporary))
        say(f"The leaderboard is at http://localhost:{port} until you press Ctrl-C.")
        with suppress(KeyboardInterrupt):
            code = subprocess.run([sys.executable, str(app)], env=_environment(release, board, port), check=False)  # noqa: S603 - our own app
            if code.returncode > 0:
                raise typer.Exit(code.returncode)


def app_folder() -> Path:
    """The folder of the Space.

    Raises:
        ProblemsFound: it was not installed (`folder.missing`).
    """
    for folder in _FOLDERS:
        if (folder / "app.py").is_file():
            return folder
    raise problem(
        "folder.missing",
        "leaderboard_space",
        found="no such folder",
        expected="the app that comes with the package",
        mend="Install the package again, or run the command in a checkout.",
    )


def _board_of(submissions: Path | None, release: str, folder: Path) -> Path | None:
    if submissions is None:
        return None
    from ..files import write_text
    from ..hub import load_release
    from ..scoring.leaderboard import board_text, build_leaderboard

    board = folder / "leaderboard.json"
    write_text(board, board_text(build_leaderboard(submissions, load_release(release)).as_json()))
    return board


def _environment(release: str, board: Path | None, port: int) -> Mapping[str, str]:
    chosen = {"IGBO_ALIGN_DATASET": release, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    if board is not None:
        chosen["IGBO_ALIGN_BOARD"] = str(board)
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    return os.environ | chosen | {"PYTHONPATH": path}
