"""`make bench`: measure ours and the peers on the same vectors in one run, and write docs/performance.md.

python bench/run.py [--sizes 699 5000 20000 50000 200000] [--most-seconds 300]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import igbo_align as ia
import numpy as np
from report import write_report
from systems import OURS, PRODUCT, SYSTEMS, System

BENCH = Path(__file__).parent
ROOT = BENCH.parent
SIZES = (699, 5_000, 20_000, 50_000, 200_000)
DIMENSIONS = 384
SUBMISSION = ROOT / "submissions" / "baselines__zero-shot" / "1"
#: One query in 10,000: a peer that ranks float32 scores may turn round two candidates whose scores differ by less than
#: their rounding, which happens in large corpora only.
TOLERANCE = 1e-4


def main() -> None:
    """Measure everything, print as it goes, write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--most-seconds", type=float, default=300.0, help="Peers that would need more are left out.")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for n in options.sizes:
            paths = save_vectors(n, Path(folder))
            for system in SYSTEMS:
                rows.append(row(system, n, paths, rows, options.most_seconds))
                say(rows[-1])
            for path in paths:
                path.unlink()
    write_report(ROOT / "docs", {"machine": machine(), "rows": rows, "score": whole_score()})


def save_vectors(n: int, folder: Path) -> tuple[Path, Path]:
    """The demo release's own vectors where it has n pairs; else random texts, and recordings that resemble them."""
    if n == len((release := ia.load_release("demo")).ids):
        speech, text = release.embeddings("speech"), release.embeddings("text")
    else:
        stream = np.random.default_rng(n)
        text, noise = stream.standard_normal((2, n, DIMENSIONS), dtype=np.float32)
        speech = 0.2 * text + noise
    paths = folder / "speech.npy", folder / "text.npy"
    for path, vectors in zip(paths, (speech, text), strict=True):
        np.save(path, vectors)
    return paths


def row(system: System, n: int, paths: tuple[Path, Path], rows: list[dict[str, Any]], most_seconds: float) -> dict:
    """What was measured, or why it was not."""
    reason = skip_reason(system, n, rows, most_seconds)
    if reason:
        return {"system": system.name, "n": n, "skipped": reason}
    started = time.perf_counter()
    once = measured(system, paths, 0)
    whole_s = time.perf_counter() - started
    if "failed" in once:
        return {"system": system.name, "n": n, "skipped": once["failed"]}
    agreement = disagreement(once["metrics"], n, rows)
    if agreement:
        return {"system": system.name, "n": n, "skipped": agreement}
    found = measured(system, paths, repetitions(once["first_s"]))
    seconds = found["seconds"] or [once["first_s"]]
    ratios = [own / product for own, product in zip(found["seconds"], found["product_s"], strict=True)]
    return {
        "system": system.name,
        "n": n,
        "seconds": statistics.median(seconds),
        "spread": [min(seconds), max(seconds)],
        "ratio": statistics.median(ratios) if ratios else None,
        "import_s": once.get("import_s", 0.0),
        "first_s": once["first_s"],
        "whole_s": whole_s,
        "peak_mb": once["peak_mb"],
        "metrics": once["metrics"],
    }


def skip_reason(system: System, n: int, rows: list[dict[str, Any]], most_seconds: float) -> str:
    """Why a system is not run: not installed, too much memory, or too slow by what the last size took."""
    if system.package:
        try:
            metadata.version(system.package)
        except metadata.PackageNotFoundError:
            return "not installed"
    needed, available = system.bytes_a_pair * n * n, memory_bytes()
    if needed > 0.8 * available:
        return f"needs {needed / 2**30:.0f} GB; {available / 2**30:.0f} GB are there"
    timed = [item for item in rows if item["system"] == system.name and "seconds" in item]
    ended = [item["skipped"] for item in rows if item["system"] == system.name and "skipped" in item]
    if ended and not ended[-1].startswith("would take"):
        return ended[-1]
    if timed and system.name not in (OURS, PRODUCT):
        expected = timed[-1]["seconds"] * (n / timed[-1]["n"]) ** 2
        if expected > most_seconds:
            return f"would take about {expected / 60:.0f} minutes"
    return ""


def repetitions(first_s: float) -> int:
    """Enough for a median where they are quick."""
    return max(1, min(9, int(40 / first_s)))


def measured(system: System, paths: tuple[Path, Path], repeated: int) -> dict[str, Any]:
    """What `measure.py` prints in a fresh process."""
    command = [sys.executable, str(BENCH / "measure.py"), system.name, *map(str, paths), str(repeated)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1][:120]}
    return json.loads(done.stdout.splitlines()[-1])


def disagreement(metrics: dict[str, float], n: int, rows: list[dict[str, Any]]) -> str:
    """What differs from ours; a peer that does not agree is not timed."""
    ours = next((item["metrics"] for item in rows if item["system"] == OURS and item["n"] == n), {})
    differing = [name for name in ours.keys() & metrics.keys() if abs(ours[name] - metrics[name]) > TOLERANCE]
    return "; ".join(f"{name} is {metrics[name]:.6f}, ours {ours[name]:.6f}" for name in sorted(differing))


def whole_score() -> dict[str, Any]:
    """Seconds of the whole command `igbo-align score`: validation, four tracks, intervals, tests and diagnostics."""
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        command = [sys.executable, "-m", "igbo_align", "score", str(SUBMISSION), "--release", "demo", "--json"]
        subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own command
        seconds.append(time.perf_counter() - started)
    return {"seconds": statistics.median(seconds), "spread": [min(seconds), max(seconds)]}


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    packages = ("numpy", *sorted({system.package for system in SYSTEMS if system.package}))
    versions = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": memory_bytes() / 2**30,
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "versions": versions,
    }


def memory_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def say(item: dict[str, Any]) -> None:
    """One line of progress."""
    found = item.get("skipped") or f"{item['seconds']:.3f} s, {item['ratio'] or 1:.2f} times the product"
    sys.stderr.write(f"{item['n']:>8} {item['system']:<24} {found}\n")


if __name__ == "__main__":
    main()
