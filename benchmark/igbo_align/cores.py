"""How much of the processor this process may use."""

from __future__ import annotations

import os


def allowed_cores() -> int:
    """Cores that this process may run on, at least 1; schedulers such as Slurm give a job fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
