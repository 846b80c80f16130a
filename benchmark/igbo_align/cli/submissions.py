"""The verbs about submissions: `pack`, `validate`, `score`, `compare` and `leaderboard`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ..problems import Problem, ProblemsFound, collected, problem
from .console import print_json, print_problems, say, say_notice, stdout
from .options import JsonOption, ReleaseOption
from .verification import check_receipt, print_flags, print_scores


def pack(
    speech: Annotated[Path, typer.Option(help=".npy matrix of speech vectors, (n, d).")],
    text: Annotated[Path, typer.Option(help=".npy matrix of text vectors, (n, d).")],
    card: Annotated[Path, typer.Option(help="The card, JSON.")],
    out: Annotated[Path, typer.Option(help="The new submission folder.")],
    ids: Annotated[
        Path | None, typer.Option(help="One id a line, in the order of the rows; release order without it.")
    ] = None,
    release: ReleaseOption = "demo",
) -> None:
    """Make a submission from two .npy matrices and a card."""
    from ..hub import load_release
    from ..submission.writing import pack as pack_submission

    loaded = load_release(release)
    if ids is None:
        _say_order(loaded)
    written = pack_submission(speech, text, card, loaded, out, ids)
    if len(out.parts) > 1 and out.resolve().parts[-2:] != Path(written.card.folder()).parts:
        say(f"Note: in a folder of submissions this one has to lie as {written.card.folder()}, as its card says.")
    stdout.print(str(out), soft_wrap=True)


def validate(submission: Path, release: ReleaseOption = "demo", as_json: JsonOption = False) -> None:
    """List every problem of a submission."""
    _taken_in([submission], release)
    if as_json:
        print_problems([], as_json=True)
    else:
        stdout.print(f"{submission}: no problems", soft_wrap=True)


def score(
    submission: Path,
    release: ReleaseOption = "demo",
    check: Annotated[
        Path | None, typer.Option("--check", help="Compare this score file with the scores, byte for byte.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score a submission on every track, with intervals and tests."""
    scores = _score(submission, release)
    if check is not None:
        check_receipt(check, scores, as_json)
        return
    if as_json:
        print_scores(scores)
        return
    from .tables import score_table, similarity_lines

    say_notice(scores.release)
    stdout.print(score_table(scores))
    for line in similarity_lines(scores):
        stdout.print(line)
    print_flags(scores)


def compare(first: Path, second: Path, release: ReleaseOption = "demo", as_json: JsonOption = False) -> None:
    """Compare two submissions: is the difference real?"""
    from ..scoring.comparison import compare as compare_scores
    from ..scoring.scores import rounded
    from .tables import comparison_table

    pair, loaded = _scored([first, second], release)
    comparisons = compare_scores(*pair)
    names = [f"{scores.card['system']['org']}/{scores.card['system']['name']}" for scores in pair]
    if as_json:
        tracks = {track: item.as_json() for track, item in comparisons.items()}
        about = {"schema_version": 1, "benchmark": loaded.benchmark(), "notice": loaded.spec.notice}
        print_json(rounded(about | {"first": names[0], "second": names[1], "tracks": tracks}))
    else:
        say_notice(loaded)
        stdout.print(comparison_table(names, comparisons))
        say(f"Where they differ: igbo-align report {first} {second} --compare --out compare.html")


def leaderboard(
    submissions: Annotated[Path | None, typer.Argument(help="Folder of submissions.")] = None,
    release: ReleaseOption = "demo",
    out: Annotated[Path | None, typer.Option(help="Also write the board as JSON to this file.")] = None,
    track: Annotated[str, typer.Option(help="Track to show and rank by: paper, heldout, full or hard.")] = "heldout",
    from_hub: Annotated[
        str | None, typer.Option("--from-hub", help="Dataset repository of submissions, instead of a folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score every submission below a folder, or of a repository on the Hub, and print the board."""
    from ..files import write_text
    from ..hub import load_release
    from ..protocol.spec import require_track
    from ..scoring.leaderboard import board_text, build_leaderboard

    require_track(track)
    with folder_of_submissions(submissions, from_hub) as folder:
        board = build_leaderboard(folder, load_release(release))
    _say_misplaced(board)
    if out:
        write_text(out, board_text(board.as_json()))
    if as_json:
        print_json(board.as_json())
        return
    from .tables import leaderboard_table, reported_table, trust_lines

    say_notice(board.release)
    stdout.print(leaderboard_table(board, track))
    if notes := trust_lines(board, track):
        stdout.print("\n".join([*notes, ""]), soft_wrap=True)
    stdout.print(reported_table())


def _say_misplaced(board: Any) -> None:
    """A copy under another name is a row like any other; whoever keeps the folder should know of it."""
    from ..submission.card import Card

    for name, scores in zip(board.names, board.scores, strict=True):
        if name != (expected := Card.model_validate(scores.card).folder()):
            say(f"Note: {name} holds the card of {expected}.")


def folder_of_submissions(folder: Path | None, repository: str | None) -> AbstractContextManager[Path]:
    """A folder of submissions: the one that is given, or what a repository of the Hub holds."""
    from ..hub.loading import hub_submissions

    if (folder is None) == (repository is None):
        raise problem(
            "usage",
            "SUBMISSIONS",
            found="neither a folder nor a repository" if folder is None else "a folder and a repository",
            expected="a folder of submissions, or --from-hub org/name",
            mend="Give one of the two.",
        )
    return hub_submissions(repository) if repository else nullcontext(folder or Path())


def _say_order(release: Any) -> None:
    """Nothing else tells rows in another order, sorted by id for example, from a system that finds nothing."""
    test = int(release.is_test.sum())
    counted = f"train {len(release.ids) - test}, then test {test}"
    say(f"Without --ids rows are taken in release order: {counted}, from {release.ids[0]} to {release.ids[-1]}.")


def _taken_in(folders: Sequence[Path], release: str) -> tuple[list[Any], Any]:
    """Submissions that can be scored, and the release; the decoder starts while the release is loaded."""
    from ..submission.sandbox import Decoder

    with Decoder() as decoder:
        decoder.prepare(folders[0])
        from ..hub import load_release
        from ..submission.intake import take_in

        loaded = load_release(release)
        problems: list[Problem] = []
        places = [str(folder) for folder in folders] if len(folders) > 1 else [""]
        taken = [
            collected(problems, partial(take_in, folder, loaded, decoder), place)
            for folder, place in zip(folders, places, strict=True)
        ]
        if problems:
            raise ProblemsFound(problems)
        return taken, loaded


def _score(submission: Path, release: str) -> Any:
    return _scored([submission], release)[0][0]


def _scored(folders: Sequence[Path], release: str) -> tuple[list[Any], Any]:
    submissions, loaded = _taken_in(folders, release)
    from ..scoring.score import score as score_submission

    return [score_submission(submission, loaded) for submission in submissions], loaded
