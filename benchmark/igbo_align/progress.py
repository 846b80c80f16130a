"""Progress bars, as long work asks for them: the command line draws them, callers from Python need none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

#: Advances a progress bar by so many steps.
Report = Callable[[int], None]
#: Opens a progress bar: (title, total or None) -> context with the function that advances it.
Progress = Callable[[str, int | None], AbstractContextManager[Report]]


def silent_progress(_: str, __: int | None) -> AbstractContextManager[Report]:
    """No progress bar, for those who call from Python."""
    return nullcontext(lambda _: None)
