"""What a reader relies on in every module: short functions, short modules, and docstrings that state shapes.

That every public module, class, function and method has a docstring is the linter's to check (its rules D100 to D104).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MAX_MODULE_LINES, MAX_FUNCTION_LINES = 300, 50
#: Modules and functions that may be longer, with the reason.
EXCEPTIONS: dict[str, str] = {}

SOURCE = sorted(path for part in ("benchmark", "leaderboard_space", "bench") for path in (ROOT / part).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
#: `(n,)`, `(n, d)`, `(4, rows, columns)`, `(resamples, ...)`.
SHAPE = re.compile(r"\([a-z0-9_][a-z0-9_ ./*+-]*,[^()]*\)", re.IGNORECASE)
#: A page of the documentation and, after a comma, the first word of a heading.
NAMED = re.compile(r"(docs/[\w/-]+\.md)(?:, ([A-Z]\w+))?")
ARRAY = re.compile(r"\b(NDArray|ArrayLike|Vectors|Frames|Indices|Similarities)\b")


def name_of(path: Path) -> str:
    """A path for people."""
    return path.relative_to(ROOT).as_posix()


def too_long_functions(source: str) -> list[str]:
    """Names of functions that are too long, decorators left out."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]


def public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    """Public functions and classes, and what is public in those classes."""
    found: list[ast.FunctionDef | ast.ClassDef] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            found += [node, *(public(node.body) if isinstance(node, ast.ClassDef) else [])]
    return found


def arrays_of(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether parameters and result of a function, or the fields of a class, hold arrays."""
    if isinstance(node, ast.ClassDef):
        annotations = [item.annotation for item in node.body if isinstance(item, ast.AnnAssign)]
    else:
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        annotations = [*(parameter.annotation for parameter in parameters), node.returns]
    return any(annotation is not None and ARRAY.search(ast.unparse(annotation)) for annotation in annotations)


def without_shapes(source: str) -> list[str]:
    """Public functions and classes with arrays whose docstrings tell no shape."""
    nodes = public(ast.parse(source).body)
    return [node.name for node in nodes if arrays_of(node) and not SHAPE.search(ast.get_docstring(node) or "")]


def test_a_module_fits_in_a_few_screens():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE}
    assert {name for name, length in lengths.items() if length > MAX_MODULE_LINES} <= EXCEPTIONS.keys()


def test_functions_are_short():
    found = {
        f"{name_of(path)}:{name}"
        for path in SOURCE + TESTS
        for name in too_long_functions(path.read_text(encoding="utf-8"))
    }
    assert found <= EXCEPTIONS.keys()


def test_public_functions_with_arrays_state_shapes():
    package = [path for path in SOURCE if path.is_relative_to(ROOT / "benchmark")]
    assert [f"{name_of(path)}:{name}" for path in package for name in without_shapes(path.read_text("utf-8"))] == []


def test_documents_that_the_source_names_exist():
    """`docs/protocol.md, Metrics` names a page and one of its headings."""
    for path in SOURCE:
        for page, heading in NAMED.findall(path.read_text(encoding="utf-8")):
            assert (ROOT / page).is_file(), (name_of(path), page)
            headings = re.findall(r"^## (.*)$", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert not heading or any(title.startswith(heading) for title in headings), (name_of(path), heading)


def test_exceptions_are_still_needed():
    for name in EXCEPTIONS:
        path, _, function = name.partition(":")
        source = (ROOT / path).read_text(encoding="utf-8")
        too_long = function in too_long_functions(source)
        assert too_long if function else len(source.splitlines()) > MAX_MODULE_LINES


def test_these_tests_can_fail():
    body = "    a = 1\n" * MAX_FUNCTION_LINES
    assert too_long_functions(f"def f():\n{body}") == ["f"]
    assert too_long_functions(f"class A:\n  def f():\n{body[10:]}") == []
    told = 'def f(x: NDArray[Any]) -> int:\n    """Of (n, d) numbers."""'
    assert without_shapes(told) == []
    assert without_shapes(told.replace("(n, d)", "some (or no)")) == ["f"]
    assert without_shapes(told.replace("def f", "def _f")) == []
    assert without_shapes('class A:\n    """x"""\n    b: Vectors\n    def c(self, d: ArrayLike): "x"') == ["A", "c"]
