"""Reading the documentation's code: fenced blocks, commands, and what stands between two markers."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

from igbo_align.cli.app import run

ROOT = Path(__file__).resolve().parent.parent
#: Where the documentation lets users try things out below `submissions/`; git ignores it, nothing of it is stored.
TRIED_OUT = "me__*"


def page(name: str) -> str:
    """The text of a page, by its path in the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def is_stored(folder: Path) -> bool:
    """Whether a folder below `submissions/`, of a system or of its revision, is not one where a user tries things out."""
    return not any(fnmatch(part, TRIED_OUT) for part in folder.parts[-2:])


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def run_commands(block: str) -> None:
    """Run each line of a block; every one must be an `igbo-align` that exits with 0. A backslash joins it to the next."""
    for command in block.replace("\\\n", " ").splitlines():
        words = shlex.split(command, comments=True)
        assert words[0] == "igbo-align", command
        assert run(words[1:]) == 0, command


def run_snippet(code: str, where: str) -> dict:
    """Run a Python block; what it defined is returned."""
    names: dict = {"__name__": "snippet"}
    exec(compile(code, where, "exec"), names)
    return names


def between(text: str, marker: str) -> str:
    """What stands between `<!-- marker -->` and `<!-- /marker -->`."""
    return text.split(f"<!-- {marker} -->\n")[1].split(f"<!-- /{marker} -->", maxsplit=1)[0]
