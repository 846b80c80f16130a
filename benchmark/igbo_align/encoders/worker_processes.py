"""Work shared by processes of this machine: a bounded queue, results in order, no worker outlives the command."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import TypeVar

from ..problems import problem

Label = TypeVar("Label")
Item = TypeVar("Item")
Result = TypeVar("Result")


def results_in_order(
    function: Callable[[Item], Result],
    items: Iterable[tuple[Label, Item]],
    workers: int,
    ahead: int | None = None,
) -> Iterator[tuple[Label, Result]]:
    """Apply a function to labelled items.

    Args:
        function: that other processes can import; one worker is this process itself.
        items: taken only as fast as results are.
        workers: processes.
        ahead: items under way at most; twice as many as workers by default.

    Raises:
        EnvironmentProblem: a worker was ended from outside (`environment.memory`).
    """
    if workers == 1:
        yield from ((label, function(item)) for label, item in items)
        return
    pending: deque[tuple[Label, Future[Result]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            for label, item in items:
                pending.append((label, pool.submit(function, item)))
                if len(pending) >= (ahead or 2 * workers):
                    yield _first(pending)
            while pending:
                yield _first(pending)
        except BrokenProcessPool as error:
            raise problem(
                "environment.memory",
                "encoding",
                found="a worker process that was ended from outside, most likely for lack of memory",
                expected="workers that live",
                mend="Run the same command again, with fewer --workers; finished vectors are kept.",
            ) from error


def _first(pending: deque[tuple[Label, Future[Result]]]) -> tuple[Label, Result]:
    label, future = pending.popleft()
    return label, future.result()


def _end_with_parent() -> None:
    """Let a worker end when the command is killed, instead of waiting for work for ever."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
