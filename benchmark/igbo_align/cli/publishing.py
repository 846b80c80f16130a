"""The verbs that write to the Hub: `submit`, `publish` and `eval-results`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..problems import problem
from .console import print_json, say, say_notice, stdout
from .options import JsonOption, ReleaseOption
from .submissions import folder_of_submissions


def _repository_name(name: str | None) -> str | None:
    """The name, if the Hub could have such a repository: a dry run asks nobody."""
    if name is None:
        return None
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise typer.BadParameter(f"{name!r} is no name of a repository on the Hub, `org/name`.") from error
    if "/" not in name:
        raise typer.BadParameter(f"{name!r} names no organisation or user, `org/name`.")
    return name


def _repository_option(name: str, help_text: str) -> Any:
    return typer.Option(name, callback=_repository_name, help=help_text)


RepositoryOption = Annotated[str, _repository_option("--repo", "Dataset repository on the Hub, `org/name`.")]


def submit(
    submission: Path, repository: RepositoryOption, release: ReleaseOption = "demo", as_json: JsonOption = False
) -> None:
    """Validate and score a submission, and open a pull request on the Hub that adds it."""
    from ..hub import load_release
    from ..hub.submitting import submit as submit_folder

    done = submit_folder(submission, load_release(release), repository)
    if not done.changed:
        say("The Hub holds this submission already; nothing was sent.")
    if as_json:
        print_json({"url": done.url, "commit": done.commit, "changed": done.changed})
    else:
        stdout.print(done.url, soft_wrap=True)


def publish(
    release: Annotated[str, typer.Argument(help="`demo`, or the folder of a release.")],
    repository: RepositoryOption,
    space: Annotated[str | None, _repository_option("--space", "Also publish the Space, `org/name`.")] = None,
    metric: Annotated[str | None, _repository_option("--metric", "Also publish the metric, `org/name`.")] = None,
    licence: Annotated[
        list[str] | None, typer.Option("--licence", help="The licence that you confirm, such as cc-by-4.0.")
    ] = None,
    submissions: Annotated[
        Path | None, typer.Option(help="Folder of submissions: scored for the card's baselines and leaderboard.json.")
    ] = None,
    from_hub: Annotated[
        str | None, typer.Option("--from-hub", help="Dataset repository of submissions, instead of a folder.")
    ] = None,
    space_folder: Annotated[
        Path | None, typer.Option(help="What --space publishes; by default the app of this package.")
    ] = None,
    metric_folder: Annotated[Path, typer.Option(help="What --metric publishes.")] = Path("benchmark/evaluate_metric"),
    wheel: Annotated[Path | None, typer.Option(help="The built package; by default the newest in dist/.")] = None,
    private: Annotated[bool, typer.Option("--private", help="New repositories are private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List every file and the card; no network.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Publish a release as a dataset on the Hub, in one commit; the same release twice makes no second one."""
    from ..hub import load_release
    from ..hub.card import Publication, confirmed_licences
    from ..hub.publishing import metric_files, publish_folder, publish_release, release_files, space_files
    from .space import app_folder

    loaded = load_release(release)
    licences = confirmed_licences(loaded, licence or [])
    publication = Publication(loaded, repository, licences, _board(submissions, from_hub, loaded))
    apps = {}
    if space is not None:
        apps[space] = space_files(space_folder or app_folder(), repository) | _wheel(wheel)
    if metric is not None:
        apps[metric] = metric_files(metric_folder, metric) | _wheel(wheel)
    say_notice(loaded)
    if dry_run:
        _print_plan({repository: release_files(publication), **apps}, as_json)
        return
    done = {repository: publish_release(publication, private=private)}
    done |= {name: publish_folder(files, name, "gradio", private=private) for name, files in apps.items()}
    if as_json:
        print_json({name: vars(item) for name, item in done.items()})
        return
    for item in done.values():
        stdout.print(f"{item.url}  {'published' if item.changed else 'unchanged'} at {item.commit}", soft_wrap=True)


def eval_results(
    submission: Path,
    release: ReleaseOption = "demo",
    dataset: Annotated[
        str | None, typer.Option(help="`org/name@commit` of the published release, unless --release is one.")
    ] = None,
    source_url: Annotated[
        str | None, typer.Option("--source-url", help="Page that shows where the numbers come from.")
    ] = None,
    model: Annotated[
        str | None,
        _repository_option("--model", "Model repository `org/name` in which to open a pull request."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the scores as the Hub's own `.eval_results/*.yaml`, to stdout or as a pull request to a model."""
    from ..hub import load_release
    from ..hub.evaluation import eval_results_yaml, propose_eval_results, published_as
    from ..scoring.score import score
    from ..submission.intake import take_in

    loaded = load_release(release)
    name, revision = published_as(dataset or release, loaded)
    scores = score(take_in(submission, loaded), loaded)
    text = eval_results_yaml(scores, name, revision, source_url)
    if model is None:
        stdout.print(text, end="", soft_wrap=True)
        return
    done = propose_eval_results(text, scores, model)
    if as_json:
        print_json(vars(done))
    else:
        stdout.print(done.url, soft_wrap=True)


def _board(submissions: Path | None, from_hub: str | None, release: Any) -> Any:
    from ..scoring.leaderboard import build_leaderboard

    if submissions is None and from_hub is None:
        return None
    with folder_of_submissions(submissions, from_hub) as folder:
        return build_leaderboard(folder, release)


def _wheel(stated: Path | None) -> dict[str, bytes]:
    """The wheel that lies beside an app: the package need not be on any index."""
    from .. import __version__

    pattern = f"igbo_align-{__version__}-*.whl"
    built = stated or max(Path("dist").glob(pattern), default=None, key=lambda path: path.stat().st_mtime)
    if built is None or not built.is_file():
        raise problem(
            "publish.wheel",
            "--wheel",
            found=f"no {pattern} in dist/" if stated is None else "no such file",
            expected="the built package, of this version",
            mend="Make one with `python -m pip wheel --no-deps --wheel-dir dist .`, or name it with --wheel.",
        )
    return {built.name: built.read_bytes()}


def _print_plan(repositories: Mapping[str, Mapping[str, bytes]], as_json: bool) -> None:
    from ..files import sha256_of_bytes

    if as_json:
        print_json(
            {
                name: {path: {"bytes": len(data), "sha256": sha256_of_bytes(data)} for path, data in files.items()}
                for name, files in repositories.items()
            }
        )
        return
    for name, files in repositories.items():
        stdout.print(f"{name}: {len(files)} files", style="bold")
        for path, data in files.items():
            stdout.print(f"{len(data):>10}  {path}", soft_wrap=True)
    card = next(iter(repositories.values()))["README.md"].decode()
    stdout.print(card, soft_wrap=True)
