"""Commands in a process that cannot import some libraries; prints the exit code and stderr of each as JSON.

Arguments: the libraries, separated by commas, and the commands as a JSON list of lists.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import PathFinder


def hide(names: set[str]) -> None:
    """As if the libraries were not installed: neither modules nor the metadata of their distributions are found."""
    find_module, find_distribution = PathFinder.find_spec, importlib.metadata.Distribution.from_name

    def find_spec(name, path=None, target=None):
        return None if name in names else find_module(name, path, target)

    def from_name(name):
        if name.replace("-", "_") in names:
            raise importlib.metadata.PackageNotFoundError(name)
        return find_distribution(name)

    PathFinder.find_spec = find_spec
    importlib.metadata.Distribution.from_name = from_name


if __name__ == "__main__":
    hide(set(sys.argv[1].split(",")))
    from igbo_align.cli.app import run

    ended = []
    for command in json.loads(sys.argv[2]):
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
            ended.append((run(command), said.getvalue()))
    json.dump(ended, sys.stdout)
