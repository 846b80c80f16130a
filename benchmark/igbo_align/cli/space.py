"""The verb `space`: the leaderboard in a browser, from this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ..extras import require_libraries
from ..problems import problem
from .console import say
from .options import ReleaseOption

_PACKAGE = Path(__file__).parent.parent
#: In an installed wheel the app lies in the package, in a checkout at the top.
_FOLDERS = (_PACKAGE / "leaderboard_space", _PACKAGE.parent.parent / "leaderboard_space")

#: How long the app may take to end when it is asked to.
_PATIENCE_S = 5.0


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
    _require_free(port)
    with tempfile.TemporaryDirectory(prefix="igbo-align-") as temporary:
        board = _board_of(submissions, release, Path(temporary))
        say(f"The leaderboard is at http://localhost:{port} until you press Ctrl-C.")
        with suppress(KeyboardInterrupt):
            with _exit_on_sigterm():
                code = _served(app, _environment(release, board, port))
            if code > 0:
                raise typer.Exit(code)


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


def _require_free(port: int) -> None:
    """Gradio would serve another port without a word."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that has just ended, too
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        raise problem(
            "usage",
            "--port",
            found=f"{port}: {os.strerror(error.errno) if error.errno else 'not to be had'}",
            expected="a port that is free",
            mend="Name another --port, or end the program that has this one.",
        ) from error


def _served(app: Path, environment: Mapping[str, str]) -> int:
    """Run the app and return its exit code; it ends with this process, or it would hold the port for ever."""
    child = subprocess.Popen([sys.executable, str(app)], env=environment)  # noqa: S603 - our own app
    try:
        return child.wait()
    finally:
        child.terminate()
        try:
            child.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()


@contextmanager
def _exit_on_sigterm() -> Generator[None]:
    """Let SIGTERM end this process as an exception, so that what has to be done before is done."""

    def exit_now(number: int, _frame: object) -> NoReturn:
        raise typer.Exit(128 + number)

    if threading.current_thread() is not threading.main_thread():  # the only one that may
        yield
        return
    previous = signal.signal(signal.SIGTERM, exit_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _board_of(submissions: Path | None, release: str, folder: Path) -> Path | None:
    """The scored board of a folder of submissions; a folder of a release that is not there is a mistake in any case."""
    from ..hub.loading import is_hub_id, load_release

    if submissions is None and is_hub_id(release):  # where the Hub is away the app shows its snapshot and says so
        return None
    loaded = load_release(release)
    if submissions is None:
        return None
    from ..files import write_text
    from ..scoring.leaderboard import board_text, build_leaderboard

    board = folder / "leaderboard.json"
    write_text(board, board_text(build_leaderboard(submissions, loaded).as_json()))
    return board


def _environment(release: str, board: Path | None, port: int) -> Mapping[str, str]:
    chosen = {"IGBO_ALIGN_DATASET": release, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    if board is not None:
        chosen["IGBO_ALIGN_BOARD"] = str(board)
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    return os.environ | chosen | {"PYTHONPATH": path}
