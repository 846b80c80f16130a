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
from typing import NamedTuple

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


class Case(NamedTuple):
    """One damaged file: of which format, how it is damaged, and which one of that kind."""

    name: str
    kind: str
    index: int


def plan(mutations: int) -> list[Case]:
    """What is tried: all truncations and flips for a long run, a share of them for a short one."""
    stride = max(1, 10_000 // max(mutations, 1))
    share = mutations // len(ORIGINALS)
    cases = []
    for name, (_, data) in ORIGINALS.items():
        indices = {
            "truncation": range(0, len(data), stride),
            "flip": range(0, 8 * len(data), 4 * stride + 1 if stride > 1 else 1),
            "mutation": range(share - share // 5),
            "inner mutation": range(share // 5),
        }
        cases += [Case(name, kind, index) for kind in _KINDS for index in indices[kind]]
    return cases


def outcomes_of(cases: list[Case], mutations: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Outcomes in a child with the decoder's limits; where it dies or hangs, the real intake decides."""
    done = 0
    while done < len(cases):
        command = [sys.executable, "-W", "ignore", __file__, "--mutations", str(mutations), "--seed", str(seed)]
        child = subprocess.Popen([*command, "--from", str(done)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in _lines(child):
            yield cases[done], line.decode().rstrip("\n")
            done += 1
        child.kill()
        child.communicate()
        if done < len(cases):
            with Decoder(wall_seconds=HANG_S) as decoder:
                data = damaged(*cases[done], seed)
                yield cases[done], f"{outcome(cases[done].name, data, decoder)} after the decoder died"
            done += 1


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


def work(cases: list[Case], seed: int) -> None:
    """The child: one line for each outcome."""
    decoder = InProcessDecoder()
    for original in ORIGINALS.values():
        same_content(None, *original)  # imports what it needs before memory is limited
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, _WORKER_BYTES))
    for case in cases:
        result = outcome(case.name, damaged(*case, seed), decoder, inner=case.kind.startswith("inner"))
        sys.stdout.write(f"{result}\n")
        sys.stdout.flush()


def run(mutations: int, seed: int = 0) -> tuple[Counter[str], dict[str, Counter[str]], list[str]]:
    """Cases by kind, outcomes by kind, and what failed."""
    cases: Counter[str] = Counter()
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in _KINDS}
    failures = []
    for case, result in outcomes_of(plan(mutations), mutations, seed):
        cases[case.kind] += 1
        outcomes[case.kind][result] += 1
        if result.startswith(("ACCEPTED", "TRACEBACK", "same after")):
            failures.append(f"{case.name}, {case.kind} {case.index}, seed {seed}: {result}")
    return cases, outcomes, failures


def main() -> int:
    """Run, print what was found, and return 1 if anything was accepted or broke."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", type=int, dest="start", help="the child of a run: its cases from here on")
    options = parser.parse_args()
    if options.start is not None:
        work(plan(options.mutations)[options.start :], options.seed)
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
