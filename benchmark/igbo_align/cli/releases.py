"""The verb `build`: from recordings to a release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .console import progress_bar, say, stdout
from .options import SpeechOption, TextOption, WorkersOption


def build(
    out: Annotated[Path, typer.Option(help="The new release folder.")],
    source: Annotated[
        list[str] | None,
        typer.Option(help="`org/name` or `folder`, then `@revision` and `#config` if need be; may be repeated."),
    ] = None,
    config: Annotated[str | None, typer.Option(help="Config of the source, for example ibo_tts.")] = None,
    revision: Annotated[str | None, typer.Option(help="40-character commit of a Hub dataset.")] = None,
    speech_encoder: SpeechOption = None,
    text_encoder: TextOption = None,
    per_bucket: Annotated[int | None, typer.Option(min=1, help="Pairs from each duration bucket.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="Seed of every draw.")] = None,
    with_audio: Annotated[bool, typer.Option("--with-audio", help="Keep the recordings in the release.")] = False,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the transcripts out of the release.")] = False,
    acoustics: Annotated[
        bool, typer.Option("--acoustics", help="Measure pitch, rate, pauses and noise of every recording.")
    ] = False,
    spec: Annotated[str | None, typer.Option(help="Name or .json file of a specification.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Make a release: filter, sample, split, draw pools, and encode with two encoders."""
    from ..pipeline.build import build_release
    from ..pipeline.build_request import BuildRequest
    from ..protocol.address import parse_addresses
    from ..protocol.bundled_specs import spec_for

    request = BuildRequest(
        source=source,
        out=out,
        spec=spec_for(spec, parse_addresses(source, config, revision), per_bucket, seed),
        config=config,
        revision=revision,
        speech_encoder=speech_encoder,
        text_encoder=text_encoder,
        with_audio=with_audio,
        with_text=not no_text,
        with_acoustics=acoustics,
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
