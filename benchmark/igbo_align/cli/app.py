"""The verbs of the command line. Each imports what it needs when it runs, so that `--help` stays fast."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import __version__
from ..problems import EnvironmentProblem, Problem, ProblemsFound
from .baselines import baseline
from .console import print_json, print_problems, progress_bar, say, stdout
from .ranking import rank
from .reporting import report
from .verification import check_receipt, print_flags, print_scores, verify

app = typer.Typer(
    name="igbo-align",
    help="Does a speech encoder put an Igbo sentence where a text encoder puts it? Measure it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ReleaseOption = Annotated[
    str, typer.Option("--release", help="`demo`, a folder, or a Hub dataset id `org/name@revision`.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
SpeechOption = Annotated[
    str | None, typer.Option("--speech-encoder", help="Hub id or folder, optionally `id@revision`.")
]
TextOption = Annotated[str | None, typer.Option("--text-encoder", help="Hub id or folder, optionally `id@revision`.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes that encode; one a core by default.")
]


_INTERRUPTED = 130

_NO_MEMORY = Problem(
    "environment.memory",
    "this process",
    "no memory left",
    "memory for the release and the submission",
    "Close other programs, or use a machine with more memory.",
)


def run(arguments: list[str] | None = None) -> int:
    """Run the command with arguments (those of the process by default) and return its exit code."""
    as_json = "--json" in (arguments if arguments is not None else sys.argv)
    try:
        result = app(args=arguments, standalone_mode=False)
    except ProblemsFound as error:
        print_problems(error.problems, as_json)
        return error.exit_code
    except MemoryError:
        print_problems([_NO_MEMORY], as_json)
        return EnvironmentProblem.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort: a bug is reported, never dumped on the user
        show, exit_code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if show is None or exit_code is None:  # not the usage errors of typer's parser
            return _report_bug()
        show()
        return exit_code
    if result == _INTERRUPTED:  # typer's own code for Ctrl-C
        say("Stopped. What was finished is kept; the same command goes on from there.")
    return result if isinstance(result, int) else 0


def _report_bug() -> int:
    descriptor, path = tempfile.mkstemp(prefix="igbo-align-bug-", suffix=".txt")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(traceback.format_exc())
    say(f"This is a bug in igbo-align {__version__}. Please report it with the file {path}.", "bold red")
    return 3


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The options before the verb."""


@app.command()
def build(
    source: Annotated[str, typer.Option(help="Hub dataset id, or a folder of parquet shards in the WAXAL layout.")],
    out: Annotated[Path, typer.Option(help="The new release folder.")],
    config: Annotated[str | None, typer.Option(help="Config of the source, for example ibo_tts.")] = None,
    revision: Annotated[str | None, typer.Option(help="40-character commit of a Hub dataset.")] = None,
    speech_encoder: SpeechOption = None,
    text_encoder: TextOption = None,
    per_bucket: Annotated[int | None, typer.Option(min=1, help="Pairs from each duration bucket.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every draw.")] = None,
    with_audio: Annotated[bool, typer.Option("--with-audio", help="Keep the recordings in the release.")] = False,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the transcripts out of the release.")] = False,
    spec: Annotated[str | None, typer.Option(help="Name or .json file of a specification.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Make a release: filter, sample, split, draw pools, and encode with two encoders."""
    from ..corpus.build import BuildRequest, build_release
    from ..protocol.spec import spec_for

    request = BuildRequest(
        source=source,
        out=out,
        spec=spec_for(spec, source, per_bucket, seed),
        config=config,
        revision=revision,
        speech_encoder=speech_encoder,
        text_encoder=text_encoder,
        with_audio=with_audio,
        with_text=not no_text,
        workers=workers,
    )
    built = build_release(request, progress_bar, _say_profile)
    stdout.print(f"{out}  fingerprint {built.release.fingerprint}", soft_wrap=True)


def _say_profile(profile: dict[str, Any], unmet: list[dict[str, Any]]) -> None:
    from .tables import profile_lines

    for line in profile_lines(profile):
        say(line)
    for item in unmet:
        text = (
            f"UNEXPECTED: the specification counts {item['expected']} {item['name']}, this source has {item['found']}."
        )
        say(text, "bold red")


@app.command()
def encode(
    speech_encoder: Annotated[str, typer.Option(help="Hub id or folder, optionally `id@revision`.")],
    text_encoder: Annotated[str, typer.Option(help="Hub id or folder, optionally `id@revision`.")],
    out: Annotated[Path, typer.Option(help="The new submission folder.")],
    release: ReleaseOption = "demo",
    source: Annotated[str | None, typer.Option(help="Where the recordings are, unless the release holds them.")] = None,
    pooling: Annotated[str, typer.Option(help="mean, masked-mean, masked-mean-std, first or max.")] = "mean",
    prompt: Annotated[str | None, typer.Option(help="Put before every text, for example `query: `.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the system; made from the encoders by default.")] = None,
    org: Annotated[str, typer.Option(help="Who submits.")] = "local",
    workers: WorkersOption = None,
) -> None:
    """Encode a release with your own pair of encoders and write a submission."""
    from ..corpus.encode_release import EncodeRequest, encode_release
    from ..hub import load_release

    request = EncodeRequest(
        speech_encoder=speech_encoder,
        text_encoder=text_encoder,
        out=out,
        source=source,
        pooling=pooling,
        prompt=prompt,
        name=name,
        org=org,
        workers=workers,
    )
    encode_release(request, load_release(release), progress_bar)
    stdout.print(str(out), soft_wrap=True)


app.command()(baseline)
app.command()(report)
app.command()(verify)
app.command()(rank)


@app.command()
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

    pack_submission(speech, text, card, load_release(release), out, ids)
    stdout.print(str(out), soft_wrap=True)


@app.command()
def validate(submission: Path, release: ReleaseOption = "demo", as_json: JsonOption = False) -> None:
    """List every problem of a submission."""
    _taken_in([submission], release)
    if as_json:
        print_problems([], as_json=True)
    else:
        stdout.print(f"{submission}: no problems", soft_wrap=True)


@app.command()
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

    _say_notice(scores.release)
    stdout.print(score_table(scores))
    for line in similarity_lines(scores):
        stdout.print(line)
    print_flags(scores)


@app.command()
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
        document = {"schema_version": 1, "benchmark": loaded.benchmark(), "first": names[0], "second": names[1]}
        print_json(rounded(document | {"tracks": tracks}))
    else:
        stdout.print(comparison_table(names, comparisons))


@app.command()
def leaderboard(
    submissions: Path,
    release: ReleaseOption = "demo",
    out: Annotated[Path | None, typer.Option(help="Also write the board as JSON to this file.")] = None,
    track: Annotated[str, typer.Option(help="Track to show and rank by: paper, heldout, full or hard.")] = "heldout",
    as_json: JsonOption = False,
) -> None:
    """Score every submission below a folder and print the board."""
    from ..files import readable_json, write_text
    from ..hub import load_release
    from ..protocol.spec import require_track
    from ..scoring.leaderboard import build_leaderboard

    require_track(track)
    board = build_leaderboard(submissions, load_release(release))
    if out:
        write_text(out, readable_json(board.as_json()))
    if as_json:
        print_json(board.as_json())
        return
    from .tables import leaderboard_table, reported_table

    _say_notice(board.release)
    stdout.print(leaderboard_table(board, track))
    stdout.print(reported_table())


def _taken_in(folders: Sequence[Path], release: str) -> tuple[list[Any], Any]:
    """Submissions that can be scored, and the release; the decoder starts while the release is loaded."""
    from ..submission.sandbox import Decoder

    with Decoder() as decoder:
        decoder.prepare(folders[0])
        from ..hub import load_release
        from ..submission.intake import take_in

        loaded = load_release(release)
        return [take_in(folder, loaded, decoder) for folder in folders], loaded


def _score(submission: Path, release: str) -> Any:
    return _scored([submission], release)[0][0]


def _scored(folders: Sequence[Path], release: str) -> tuple[list[Any], Any]:
    submissions, loaded = _taken_in(folders, release)
    from ..scoring.score import score as score_submission

    return [score_submission(submission, loaded) for submission in submissions], loaded


def _say_notice(release: Any) -> None:
    if release.spec.notice:
        say(release.spec.notice, "yellow")
