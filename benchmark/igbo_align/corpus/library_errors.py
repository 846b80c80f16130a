"""Errors of the `datasets` library, turned into problems."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..problems import problem

T = TypeVar("T")


def guarded(action: Callable[[], T], where: str, hub: bool = False) -> T:
    """Run one call of the `datasets` library and turn whatever it raises into a problem.

    The library raises exceptions of pyarrow, fsspec, httpx and its own; their texts hold paths and are not shown.

    Raises:
        ProblemsFound: a file of a folder cannot be read (`source.unreadable`).
        EnvironmentProblem: the Hub gave no answer that can be used (`environment.hub`).
    """
    try:
        return action()
    except Exception as error:
        if hub:
            raise problem(
                "environment.hub",
                where,
                found=f"an error while fetching ({type(error).__name__})",
                expected="the dataset at the pinned revision",
                mend="Check the id, the config, the revision and the network; what was fetched before works offline.",
            ) from error
        raise problem(
            "source.unreadable",
            where,
            found=f"a shard that cannot be read ({type(error).__name__})",
            expected="readable parquet files with equal columns",
            mend="Fetch the corpus again.",
        ) from error
