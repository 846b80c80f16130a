"""The verbs of the command line. Each imports what it needs when it runs, so that `--help` stays fast."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from .. import __version__
from ..extras import missing_library
from ..problems import EnvironmentProblem, Problem, ProblemsFound
from .baselines import WithNames, baseline
from .console import print_problems, say
from .encoding import encode, encoders
from .probing import probe
from .publishing import eval_results, publish, submit
from .ranking import rank
from .releases import build
from .reporting import report
from .space import space
from .submissions import compare, leaderboard, pack, score, validate
from .verification import verify

app = typer.Typer(
    name="igbo-align",
    help="Does a speech encoder put an Igbo sentence where a text encoder puts it? Measure it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130

_NO_MEMORY = Problem(
    "environment.memory",
    "this process",
    "no memory left",
    "memory for the release and the submission",
    "Close other programs, or use a machine with more memory.",
)


def run(arguments: list[str] | None = None) -> int:
    """Run the command with arguments (those of the process by default) and return its exit code."""
    as_json = "--json" in (arguments if arguments is not None else sys.argv)
    try:
        with _quiet_retries():
            result = app(args=arguments, standalone_mode=False)
    except ProblemsFound as error:
        print_problems(error.problems, as_json)
        return error.exit_code
    except MemoryError:
        print_problems([_NO_MEMORY], as_json)
        return EnvironmentProblem.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort: a bug is reported, never dumped on the user
        return _last_resort(error, as_json)
    if result == _INTERRUPTED:  # typer's own code for Ctrl-C
        say("Stopped. What was finished is kept; the same command goes on from there.")
    return result if isinstance(result, int) else 0


@contextmanager
def _quiet_retries() -> Generator[None]:
    """Keep the Hub's client from telling of every retry: what becomes of them is said in words."""
    logger = logging.getLogger("huggingface_hub.utils._http")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _last_resort(error: Exception, as_json: bool) -> int:
    show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is not None and exit_code is not None:  # the usage errors of typer's parser
        show()
        return exit_code
    absent = missing_library(error)
    if absent is None:
        return _report_bug()
    print_problems(absent.problems, as_json)
    return absent.exit_code


def _report_bug() -> int:
    descriptor, path = tempfile.mkstemp(prefix="igbo-align-bug-", suffix=".txt")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(traceback.format_exc())
    say(f"This is a bug in igbo-align {__version__}. Please report it with the file {path}.", "bold red")
    return 3


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the verb."""


for verb in (
    build,
    encode,
    encoders,
    baseline,
    pack,
    validate,
    score,
    compare,
    report,
    leaderboard,
    verify,
    probe,
    rank,
    submit,
    publish,
    eval_results,
    space,
):
    app.command(cls=WithNames if verb is baseline else None)(verb)
