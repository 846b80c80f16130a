"""The verb `verify`, and `score --check`: what a reader can trust."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..problems import ProblemsFound
from .console import print_json, print_problems, progress_bar, say, say_notice, stdout
from .options import JsonOption, ReleaseOption, SourceOption, WorkersOption

_OUTCOMES = {
    "verified": "Verified: both sides of the sample are what the encoders return.",
    "partly verified": (
        "Partly verified: a mapped side cannot be recomputed from encoders alone, so the row keeps the badge `scored`."
    ),
    "not verifiable": (
        "Not verifiable: no vector of either side is what the encoders return. A map does that, and so do vectors that"
        " are made up; the row keeps the badge `scored`."
    ),
    "rejected": "Rejected: vectors differ from what the encoders return.",
}


def verify(
    submission: Path,
    release: ReleaseOption = "demo",
    source: SourceOption = None,
    sample: Annotated[int, typer.Option(min=1, help="Pairs to encode again.")] = 32,
    salt: Annotated[
        str, typer.Option(help="Something that nobody knew when the submission was made, for example a later commit.")
    ] = "",
    speech_encoder: Annotated[
        str | None, typer.Option("--speech-encoder", help="Your own copy of the encoder that the card names.")
    ] = None,
    text_encoder: Annotated[
        str | None, typer.Option("--text-encoder", help="Your own copy of the encoder that the card names.")
    ] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encode a random sample of a submission again, compare, and write verification.json beside it."""
    from ..hub import load_release
    from ..pipeline.verification import VerifyRequest, mismatches
    from ..pipeline.verification import verify as verify_submission
    from ..submission.intake import take_in

    loaded = load_release(release)
    request = VerifyRequest(sample, source, salt, speech_encoder, text_encoder, workers)
    verification = verify_submission(take_in(submission, loaded), loaded, request, progress_bar)
    if as_json:
        print_json(verification.model_dump(mode="json"))
    else:
        say_notice(loaded)
        for line in _lines(verification):
            stdout.print(line, soft_wrap=True)
    problems = mismatches(verification)
    if problems:
        print_problems(problems, as_json=False)
        raise typer.Exit(ProblemsFound.exit_code)


def check_receipt(path: Path, scores: Any, as_json: bool) -> None:
    """`score --check`: compare a score file with the recomputed scores, byte for byte."""
    from ..scoring.receipt import require_receipt

    require_receipt(path, scores)
    if as_json:
        print_problems([], as_json=True)
    else:
        say(f"{path}: byte for byte what scoring gives here", "green")


def print_scores(scores: Any) -> None:
    """`score --json`: the very bytes of a score file."""
    from ..scoring.receipt import receipt_text

    sys.stdout.write(receipt_text(scores.as_json()))


def print_flags(scores: Any) -> None:
    """The integrity flags of a submission, a line each, on stderr."""
    for flag in scores.flags:
        say(f"{flag.code} ({flag.where}): {flag.message}", "yellow")


def _lines(verification: Any) -> list[str]:
    size, pairs = len(verification.sample), verification.pairs
    lines = [
        f"{name}: {side.agreeing} of {size} vectors agree"
        f" (lowest cosine {'none' if side.lowest_cosine is None else f'{side.lowest_cosine:.6f}'}),"
        f" {side.state}; {side.encoder} {side.revision[:19]}"
        for name, side in verification.sides.items()
    ]
    chances = ", ".join(f"{float(share):.0%} with {p:.3f}" for share, p in verification.catches.items())
    lines.append(f"A sample of {size} of {pairs} pairs catches replaced vectors with probability: {chances}.")
    return [*lines, _OUTCOMES[verification.outcome]]
