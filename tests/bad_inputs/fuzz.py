"""Fuzzing of the intake: `python tests/bad_inputs/fuzz.py --mutations 50000`.

Every damaged file goes through the stages of the intake. It must be refused with registered codes, or be read as the
very numbers of the original. The decoders run in one child for many files here, with the limits of the real one; where
that child dies or hangs, the file goes through the real intake, which must refuse it and live.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from igbo_align.problems import ProblemsFound
from igbo_align.submission import worker
from igbo_align.submission.formats import FORMATS
from igbo_align.submission.limits import Limits
from igbo_align.submission.raw_arrays import RawArray
from igbo_align.submission.reading import SubmissionFiles, read_content
from igbo_align.submission.sandbox import Decoder
from igbo_align.submission.validation import check_all_ids, check_arrays

from bad_inputs.mutations import ORIGINALS, flip, inner_mutation, mutation, truncation
from bad_inputs.oracle import libraries_agree, same_content
from bad_inputs.small_release import release

HANG_S = 10.0
_WORKER_BYTES = 3 * 2**29
_KINDS = ("truncation", "flip", "mutation", "inner mutation")


class InProcessDecoder(Decoder):
    """The decoders without the child process around them."""

    def decode(self, file: str, data: bytes, limits: Limits) -> dict[str, RawArray]:
        """As in the child, but here; a decoder that dies takes this process with it."""
        try:
            return FORMATS[file].decode(data, limits, file)
        except MemoryError:
            raise worker.too_much_memory(file) from None


def damaged(name: str, kind: str, index: int, seed: int) -> bytes:
    """One damaged file."""
    data = ORIGINALS[name][1]
    if kind == "truncation":
        return truncation(data, index)
    if kind == "flip":
        return flip(data, index)
    return mutation(data, name, index, seed) if kind == "mutation" else inner_mutation(name, index, seed)


def outcome(name: str, data: bytes, decoder: Decoder, *, inner: bool = False) -> str:
    """What becomes of a damaged file: a code, `same` numbers as the original, `ACCEPTED` or `TRACEBACK`."""
    file, original = ORIGINALS[name]
    try:
        if not data or not FORMATS[file].recognises(data):
            return "file.format"
        content = read_content(SubmissionFiles(b"", FORMATS[file], data), Limits(len(release().ids)), decoder)
        problems = check_arrays(content) or check_all_ids(content, release())
    except ProblemsFound as error:
        problems = list(error.problems)
    except Exception as error:  # noqa: BLE001 - this is what fuzzing looks for
        return f"TRACEBACK {type(error).__name__}"
    if problems:
        return problems[0].code
    if same_content(content, file, original):
        return "same"
    return "another valid file" if inner and libraries_agree(content, file, data) else "ACCEPTED"


def counts(mutations: int) -> list[tuple[str, str, range]]:
    """What is tried: all truncations and flips for a long run, a share of them for a short one."""
    stride = max(1, 10_000 // max(mutations, 1))
    share = mutations // len(ORIGINALS)
    plan = []
    for name, (_, data) in ORIGINALS.items():
        plan.append((name, "truncation", range(0, len(data), stride)))
        plan.append((name, "flip", range(0, 8 * len(data), 4 * stride + 1 if stride > 1 else 1)))
        plan.append((name, "mutation", range(share - share // 5)))
        plan.append((name, "inner mutation", range(share // 5)))
    return plan


def run_batch(name: str, kind: str, indices: range, seed: int) -> Iterator[tuple[int, str]]:
    """Outcomes in a child with the decoder's limits; where it dies or hangs, the real intake decides."""
    position = 0
    while position < len(indices):
        rest = indices[position:]
        command = [sys.executable, "-W", "ignore", __file__, "--worker", name, kind, str(seed)]
        arguments = [str(number) for number in (rest.start, rest.stop, rest.step)]
        child = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in _lines(child):
            index, result = line.decode().rstrip("\n").split(" ", 1)
            yield int(index), result
            position += 1
        child.kill()
        child.communicate()
        if position < len(indices):
            with Decoder(wall_seconds=HANG_S) as decoder:
                data = damaged(name, kind, indices[position], seed)
                yield indices[position], f"{outcome(name, data, decoder)} after the decoder died"
            position += 1


def _lines(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Lines of the child until it ends, or until it says nothing for too long."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        rest = b""
        while selector.select(timeout=HANG_S):
            block = child.stdout.read1(2**16)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            yield from lines


def work(name: str, kind: str, seed: int, indices: range) -> None:
    """The child: one line for each outcome."""
    decoder = InProcessDecoder()
    same_content(None, *ORIGINALS[name])
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, _WORKER_BYTES))
    for index in indices:
        result = outcome(name, damaged(name, kind, index, seed), decoder, inner=kind.startswith("inner"))
        sys.stdout.write(f"{index} {result}\n")
        sys.stdout.flush()


def run(mutations: int, seed: int = 0) -> tuple[Counter[str], dict[str, Counter[str]], list[str]]:
    """Cases by kind, outcomes by kind, and what failed."""
    cases: Counter[str] = Counter()
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in _KINDS}
    failures = []
    for name, kind, indices in counts(mutations):
        for index, result in run_batch(name, kind, indices, seed):
            cases[kind] += 1
            outcomes[kind][result] += 1
            if result.startswith(("ACCEPTED", "TRACEBACK", "same after")):
                failures.append(f"{name}, {kind} {index}, seed {seed}: {result}")
    return cases, outcomes, failures


def main() -> int:
    """Run, print what was found, and return 1 if anything was accepted or broke."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", nargs=6)
    options = parser.parse_args()
    if options.worker:
        name, kind, seed, *bounds = options.worker
        work(name, kind, int(seed), range(*map(int, bounds)))
        return 0
    started = time.monotonic()
    cases, outcomes, failures = run(options.mutations, options.seed)
    for kind, found in outcomes.items():
        sys.stdout.write(f"{cases[kind]:7} {kind}s\n")
        for result, count in found.most_common():
            sys.stdout.write(f"{count:15} {result}\n")
    died = sum(count for found in outcomes.values() for result, count in found.items() if "died" in result)
    memory = [resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    sys.stdout.write(
        f"{sum(cases.values())} files in {time.monotonic() - started:.0f} s: {len(failures)} accepted or broken, "
        f"{died} ended the decoder and were refused; peak memory {memory[0]} MB here, {memory[1]} MB in the child; "
        f"NumPy {np.__version__}\n"
    )
    sys.stdout.writelines(f"FAILED {failure}\n" for failure in failures[:50])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
