"""The command `igbo-align`: results to stdout, progress and messages to stderr.

Exit codes: 0 fine, 1 the input has problems, 2 wrong usage, 3 a bug of ours, 4 the environment failed.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and end the process with its exit code."""
    from .app import run

    sys.exit(run())
