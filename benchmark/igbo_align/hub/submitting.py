"""`submit`: a submission becomes a pull request; a dataset repository of submissions becomes a folder of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..problems import problem
from ..protocol.release import Release
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.receipt import SCORES_FILE, receipt_text
from ..scoring.score import score
from ..scoring.scores import Scores
from ..submission.intake import take_in
from ..submission.limits import Limits
from ..submission.reading import CARD_FILE, read_files
from .commits import (
    PATIENCE,
    Committed,
    Destination,
    Patience,
    held_files,
    persist,
    propose_files,
    require_token,
    same_content,
)

_SHOWN = ("recall@1", "recall@10", "mrr")


def submit(folder: Path, release: Release, repository: str, patience: Patience = PATIENCE) -> Committed:
    """Validate and score a submission, then open a pull request that adds it to a dataset repository.

    Args:
        folder: of the submission.
        release: that it was made for.
        repository: `org/name` of a dataset repository.
        patience: with passing failures of the Hub.

    Returns:
        The address of the pull request, or of the repository if it holds the submission already.

    Raises:
        ProblemsFound: the submission has problems, or its revision is taken by other vectors (`submission.exists`).
        EnvironmentProblem: the Hub cannot be reached (`environment.hub`), or refuses the token (`environment.token`).
    """
    submission = take_in(folder, release)
    require_token(Destination(repository))
    scores = score(submission, release)
    read = read_files(folder, Limits(len(release.ids)))
    place = f"submissions/{submission.card.folder()}"  # the card's schema allows nothing that could lead away
    files = {
        f"{place}/{CARD_FILE}": read.card,
        f"{place}/{read.format.file}": read.data,
        f"{place}/{SCORES_FILE}": receipt_text(scores.as_json()).encode(),
    }
    return propose_submission(files, place, score_summary(scores), repository, patience)


def propose_submission(
    files: Mapping[str, bytes], place: str, description: str, repository: str, patience: Patience = PATIENCE
) -> Committed:
    """Open the pull request that adds these files below `place`; one that is open or merged already is found again."""
    from huggingface_hub import HfApi

    api, destination = HfApi(), Destination(repository)
    refuse_taken(api, destination, files, place, patience)
    title = f"Submission {place.removeprefix('submissions/')}"
    return propose_files(api, destination, files, title, description, patience)


def refuse_taken(
    api: Any, destination: Destination, files: Mapping[str, bytes], place: str, patience: Patience
) -> None:
    """Raise `submission.exists` if main holds other files at this place: a new result is a new revision."""

    def attempt() -> dict[str, str]:
        head = api.repo_info(destination.name, repo_type=destination.kind).sha  # fails at once where nobody answers
        return held_files(api, destination, head)

    held = persist(destination, attempt, patience)
    there = {path: name for path, name in held.items() if path.startswith(f"{place}/")}
    vectors_or_card = [path for path in files if not path.endswith(SCORES_FILE)]
    if there and not all(same_content(files[path], there.get(path)) for path in vectors_or_card):
        raise problem(
            "submission.exists",
            place,
            found="another submission under this name and revision",
            expected="a revision that is not taken",
            mend="Give `system.revision` in the card a new value, then submit again.",
        )


def score_summary(scores: Scores) -> str:
    """The description of a pull request: what was scored, and a table of scores with their 95 % intervals."""
    system, benchmark = scores.card["system"], scores.release.benchmark()
    on = f"{benchmark['name']} {benchmark['version']} (`{benchmark['fingerprint'][:12]}`)"
    lines = [
        f"**{system['org']}/{system['name']}**, revision {system['revision']}, on {on}.",
        "",
        "Recomputed from the vectors when it was submitted; the leaderboard computes it again.",
        "",
        "| track | direction | R@1 | R@10 | MRR |",
        "|---|---|---|---|---|",
    ]
    for track in TRACKS:
        for direction in DIRECTIONS:
            held = scores.tracks[track][direction]
            cells = [f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]" for e in (held[metric] for metric in _SHOWN)]
            lines.append(f"| {track} | {direction.replace('_', ' ')} | {' | '.join(cells)} |")
    lines += ["", *(f"- Flag `{flag.code}`: {flag.found}" for flag in scores.flags)]
    return "\n".join(lines).rstrip() + "\n"
