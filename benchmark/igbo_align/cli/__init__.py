"""The command `igbo-align`: results to stdout, progress and messages to stderr.

Exit codes: 0 fine, 1 the input has problems, 2 wrong usage, 3 a bug of ours, 4 the environment failed.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command and end the process with its exit code."""
    # Matrices of a benchmark are small: a BLAS loses more by waiting for its threads than they bring, on a busy machine
    # most of the time. Work that pays for threads starts its own. This counts only before NumPy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .app import run

    sys.exit(run())
