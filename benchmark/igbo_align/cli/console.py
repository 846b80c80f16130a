"""Printing: the two consoles, JSON, problems and progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from ..problems import Problem

#: Where the output is no terminal, tables are as wide as they need to be; 80 columns would cut numbers off. What is
#: printed are paths and strangers' words: nothing in them is markup.
stdout = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 140)
stderr = Console(stderr=True, highlight=False, markup=False, emoji=False)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_problems(problems: Sequence[Problem], as_json: bool) -> None:
    """All problems: as JSON on stdout, or as text on stderr."""
    if as_json:
        print_json({"ok": not problems, "problems": [item.as_json() for item in problems]})
        return
    for item in problems:
        stderr.print(Text.assemble((item.code, "bold red"), "  ", (item.where, "bold")), soft_wrap=True)
        stderr.print(
            Text(f"  found     {item.found}\n  expected  {item.expected}\n  mend      {item.mend}"), soft_wrap=True
        )


def say(message: str, style: str = "") -> None:
    """A message for people, on stderr."""
    stderr.print(Text(message, style=style), soft_wrap=True)


@contextmanager
def progress_bar(title: str, total: int | None) -> Generator[Callable[[int], None]]:
    """A progress bar on stderr; yields the function that advances it."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.advance(task, steps)


def say_notice(release: Any) -> None:
    """What a release must say of itself wherever it appears."""
    if release.spec.notice:
        say(release.spec.notice, "yellow")
