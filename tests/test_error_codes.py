"""Registry, documentation and tests know the same codes: none is undocumented, unused or untested."""

from __future__ import annotations

import ast
import re
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import igbo_align as ia
import pytest
from igbo_align.cli import submissions as cli_submissions
from igbo_align.cli.app import run
from igbo_align.problems import CODES, EnvironmentProblem, ProblemsFound, UsageProblem, problem

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(ia.__file__).parent
PAGE = (ROOT / "docs" / "error-codes.md").read_text(encoding="utf-8")


def documented() -> dict[str, str]:
    """Code -> meaning, from the tables of the page."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| (.+?) \|$", PAGE, flags=re.MULTILINE)
    assert all(mend.endswith((".", "`")) for _, _, mend in rows)
    return {code: meaning for code, meaning, _ in rows}


def codes_used() -> set[str]:
    """First arguments of `Problem(...)`, `problem(...)` and their like in the package."""
    used = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Problem", "problem"}
            ):
                used |= {a.value for a in ast.walk(node.args[0]) if isinstance(a, ast.Constant)} if node.args else set()
    return {code for code in used if isinstance(code, str) and re.fullmatch(r"usage|[a-z]+\.[a-z_]+", code)}


def test_the_page_lists_every_code_with_its_meaning_and_a_mend():
    assert documented() == CODES


def test_every_code_in_the_package_is_registered():
    assert codes_used() <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_used_and_asserted_in_a_test(code):
    own = Path(__file__)
    in_package = [p for p in PACKAGE.rglob("*.py") if p.name != "problems.py" and f'"{code}"' in p.read_text()]
    in_tests = [p for p in (ROOT / "tests").rglob("*.py") if p != own and code in p.read_text().replace("\\.", ".")]
    assert in_package
    assert in_tests or code in own.read_text()


def test_codes_are_sorted_and_of_one_form():
    assert list(CODES) == sorted(CODES)
    assert all(re.fullmatch(r"usage|[a-z]+\.[a-z_]+", code) for code in CODES)
    assert all(meaning.endswith(".") for meaning in CODES.values())


@pytest.mark.parametrize("code", CODES)
def test_exit_codes_follow_from_the_code(code):
    error = problem(code, "x", found="a", expected="b", mend="c")
    expected = EnvironmentProblem if code.startswith("environment.") else ProblemsFound
    if code in {"usage", "baseline.unknown", "spec.unknown"}:
        expected = UsageProblem
    assert type(error) is expected
    assert error.exit_code == {ProblemsFound: 1, UsageProblem: 2, EnvironmentProblem: 4}[expected]


@pytest.mark.parametrize("code", ["ids.missing", "usage", "environment.memory"])
def test_a_problem_arrives_whole_from_another_process(code):
    error = problem(code, "x", found="a", expected="b", mend="c")
    arrived = ForkingPickler.loads(ForkingPickler.dumps(error))
    assert (type(arrived), arrived.problems, str(arrived)) == (type(error), error.problems, str(error))


@pytest.mark.parametrize(
    ("error", "exit_code", "word"),
    [
        (MemoryError("secret"), 4, "environment.memory"),
        (problem("environment.extra", "x", found="a", expected="b", mend="c"), 4, "environment.extra"),
        (problem("encoder.unsupported", "x", found="a", expected="b", mend="c"), 1, "encoder.unsupported"),
        (ValueError("secret /srv/path"), 3, "This is a bug"),
    ],
)
def test_the_command_says_the_code_and_never_the_exception(error, exit_code, word, monkeypatch, capsys):
    def broken(*_arguments):
        raise error

    monkeypatch.setattr(cli_submissions, "_score", broken)
    assert run(["score", "x"]) == exit_code
    printed = capsys.readouterr()
    assert word in printed.err
    assert "secret" not in printed.err + printed.out
    assert "Traceback" not in printed.err + printed.out
