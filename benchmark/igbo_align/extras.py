"""Optional libraries: the extra of this package that brings each, and the problem of one that is not installed."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from .problems import ProblemsFound, problem

#: Library, as it is imported -> the extra that brings it.
_EXTRAS = {
    "accelerate": "build",
    "datasets": "build",
    "evaluate": "evaluate",
    "gradio": "space",
    "librosa": "build",
    "matplotlib": "report",
    "mteb": "mteb",
    "sentence_transformers": "build",
    "sklearn": "build",
    "soundfile": "build",
    "soxr": "build",
    "torch": "build",
    "transformers": "build",
}
#: What every encoding goes through, and what the cache keys of vectors name.
ENCODING = ("torch", "transformers", "sentence_transformers", "soundfile", "soxr")


def require_libraries(where: str, *names: str) -> None:
    """Fail before any work is done if a library is not installed.

    Raises:
        EnvironmentProblem: the first that is absent, with the extra that brings it (`environment.extra`).
    """
    for name in names:
        if not is_installed(name):
            raise absent(name, where)


def imported(name: str, where: str = "") -> Any:
    """An optional library, or a module of one, imported now.

    Args:
        name: as in an import, such as `matplotlib.figure`.
        where: what needs it; the library itself by default.

    Raises:
        EnvironmentProblem: it is not installed (`environment.extra`).
    """
    library = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise absent(library, where or library) from error


def missing_library(error: BaseException, where: str = "this command") -> ProblemsFound | None:
    """The problem `environment.extra` that a failed import stands for; None if it is none of an optional library."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    name = (error.name or "").partition(".")[0].replace("-", "_")  # of a distribution, where its version was asked for
    return absent(name, where) if name in _EXTRAS else None


def is_installed(name: str) -> bool:
    """Whether a library can be found, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def absent(name: str, where: str, extra: str = "") -> ProblemsFound:
    """The problem of a library that is not installed.

    Args:
        name: of the library.
        where: what needs it.
        extra: that brings it there; by default the one that brings it for the most.
    """
    extra = extra or _EXTRAS[name]
    return problem(
        "environment.extra",
        where,
        found=f"no {name}",
        expected=f"the extra `{extra}`",
        mend=f"Install it: pip install 'igbo-align[{extra}]'.",
    )
