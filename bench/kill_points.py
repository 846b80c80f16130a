"""Encoding killed at random moments: does the same command go on and end with the same bytes?

    python bench/kill_points.py [--points 20] [--per-bucket 50] [--seed 1]

Real recordings and encoders are fetched as the tests fetch them. A release of the prompts is built once; then every
point starts from an empty cache, is killed with SIGKILL at a random moment, and is run again to its end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from cached_vectors import finished_vectors
from real_data.encoders import fetch_encoders
from real_data.fetching import REAL_DATA
from real_data.prompts_corpus import build_prompts_corpus

ENCODERS = ["--speech-encoder", "openai/whisper-tiny.en", "--text-encoder", "sentence-transformers/all-MiniLM-L6-v2"]


def start(arguments: list[str], cwd: Path, cache: Path) -> subprocess.Popen[bytes]:
    """The command line in a process group of its own."""
    environment = os.environ | {"IGBO_ALIGN_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "igbo_align", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=cwd, env=environment, **quiet)  # noqa: S603 - our own command


def main() -> None:
    """Print a line a point, and how many of the results are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--per-bucket", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    encoders, corpus = fetch_encoders(REAL_DATA / "encoders"), build_prompts_corpus(REAL_DATA / "prompts")
    moments = random.Random(options.seed)  # noqa: S311 - a seed, so that the same points can be tried again
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = ["build", "--source", str(corpus), "--per-bucket", str(options.per_bucket), *ENCODERS]
        if start([*build, "--out", str(folder / "release")], encoders, folder / "build").wait():
            sys.exit("the build failed")
        encode = ["encode", "--release", str(folder / "release"), "--source", str(corpus), *ENCODERS]
        encode += ["--pooling", "masked-mean"]
        began = time.monotonic()
        start([*encode, "--out", str(folder / "whole")], encoders, folder / "cache-whole").wait()
        duration = time.monotonic() - began
        wanted = digest(folder / "whole")
        sys.stdout.write(f"uninterrupted: {duration:.1f} s, {wanted[:12]}\n")
        equal = 0
        for point in range(options.points):
            moment = moments.uniform(0, duration)
            cache, out = folder / f"cache-{point}", folder / f"out-{point}"
            running = start([*encode, "--out", str(out)], encoders, cache)
            time.sleep(moment)
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
            kept = finished_vectors(cache)
            code = 0 if out.exists() else start([*encode, "--out", str(out)], encoders, cache).wait()
            same = code == 0 and digest(out) == wanted
            equal += same
            sys.stdout.write(
                f"killed after {moment:5.1f} s with {kept:4d} vectors kept: {'same' if same else 'OTHER'} bytes\n"
            )
            sys.stdout.flush()
        sys.stdout.write(f"{equal} of {options.points} results are equal to the uninterrupted one\n")
    sys.exit(equal != options.points)


def digest(submission: Path) -> str:
    """SHA-256 of the vectors of a submission."""
    return hashlib.sha256((submission / "embeddings.parquet").read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
