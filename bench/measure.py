"""One measurement in a process of its own: `measure.py SYSTEM SPEECH TEXT REPETITIONS` prints a JSON object.

With no repetition the system runs once, as in a script that ranks once. With repetitions the product runs before
each, so that both meet the same noise of the machine and their ratio means something.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from systems import PRODUCT, SYSTEMS


def main(name: str, speech_path: str, text_path: str, repetitions: str) -> None:
    """Import, run, and print seconds, metrics and the largest memory of the process in MB."""
    by_name = {system.name: system for system in SYSTEMS}
    system, product = by_name[name], by_name[PRODUCT]
    speech, text = np.load(speech_path), np.load(text_path)
    found = {}
    if system.module:
        found["import_s"], _ = timed(lambda: importlib.import_module(system.module))
    first, metrics = timed(lambda: system.run(speech, text))
    found |= {"first_s": first, "metrics": metrics, "seconds": [], "product_s": []}
    found["peak_mb"] = peak_mb()
    for _ in range(int(repetitions)):
        found["product_s"].append(timed(lambda: product.run(speech, text))[0])
        time.sleep(0.2)  # the threads of the BLAS spin on for a while
        found["seconds"].append(timed(lambda: system.run(speech, text))[0])
    sys.stdout.write(json.dumps(found) + "\n")


def peak_mb() -> float:
    """The largest memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` would count what the parent held when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], object]) -> tuple[float, object]:
    """Seconds of a call, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main(*sys.argv[1:])
