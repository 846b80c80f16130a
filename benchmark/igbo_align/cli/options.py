"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

ReleaseOption = Annotated[
    str, typer.Option("--release", help="`demo`, a folder, or a Hub dataset id `org/name@revision`.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
SpeechOption = Annotated[
    str | None,
    typer.Option(
        "--speech-encoder", help="Hub id, folder, or a short name of `igbo-align encoders`; optionally `id@revision`."
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option(
        "--text-encoder", help="Hub id, folder, or a short name of `igbo-align encoders`; optionally `id@revision`."
    ),
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="Where the recordings are, unless the release holds them; repeated as in its build if it has several.",
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes that encode; one a core by default.")
]
