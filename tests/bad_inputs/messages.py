"""What is said about every bad input, word by word: `python tests/bad_inputs/messages.py` writes `messages.txt` again.

Error text is what strangers see of this benchmark, so a change of it is looked at like a change of code: as a diff.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from igbo_align.problems import Problem, ProblemsFound
from igbo_align.submission.intake import take_in

from bad_inputs.cases import Case, all_cases, make
from bad_inputs.fuzz import InProcessDecoder
from bad_inputs.small_release import release

_RECORDED = Path(__file__).with_name("messages.txt")
_BETWEEN = " · "


def lines(problems: Sequence[Problem]) -> set[str]:
    """What is said, one line a problem."""
    return {f"{problem.where}: [{problem.code}] {problem.message}" for problem in problems}


def recorded() -> dict[str, set[str]]:
    """The lines of each case by its name; the file has every line once, and below it the cases where it is said."""
    said = defaultdict(set)
    text = _RECORDED.read_text(encoding="utf-8").splitlines()
    for line, names in zip(text[::2], text[1::2], strict=True):
        for name in names.removeprefix("    ").split(_BETWEEN):
            said[name].add(line)
    return dict(said)


def _said(case: Case) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            take_in(make(Path(folder) / "folder", case.files), release(), InProcessDecoder())
        except ProblemsFound as error:
            return lines(error.problems)
    raise AssertionError(f"{case.name} was accepted")


def _write() -> None:
    names = defaultdict(list)
    for case in all_cases():
        for line in _said(case):
            names[line].append(case.name)
    text = "".join(f"{line}\n    {_BETWEEN.join(names[line])}\n" for line in sorted(names))
    _RECORDED.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
