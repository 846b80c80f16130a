"""The verbs that write to the Hub: `submit` and `publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import print_json, say, stdout
from .options import JsonOption, ReleaseOption

RepositoryOption = Annotated[str, typer.Option("--repo", help="Dataset repository on the Hub, `org/name`.")]


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
