"""The verbs `build` and `encode`: from recordings to a release, and to the vectors of your own encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..problems import problem
from .console import print_json, progress_bar, say, stdout
from .options import JsonOption, ReleaseOption, SourceOption, SpeechOption, TextOption, WorkersOption


def build(
    out: Annotated[Path, typer.Option(help="The new release folder.")],
    source: Annotated[
        list[str] | None,
        typer.Option(help="`org/name[@revision][#config]` on the Hub, or `folder[#config]`; may be repeated."),
    ] = None,
    config: Annotated[str | None, typer.Option(help="Config of the source, for example ibo_tts.")] = None,
    revision: Annotated[str | None, typer.Option(help="40-character commit of a Hub dataset.")] = None,
    speech_encoder: SpeechOption = None,
    text_encoder: TextOption = None,
    per_bucket: Annotated[int | None, typer.Option(min=1, help="Pairs from each duration bucket.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every draw.")] = None,
    with_audio: Annotated[bool, typer.Option("--with-audio", help="Keep the recordings in the release.")] = False,
    no_text: Annotated[bool, typer.Option("--no-text", help="Leave the transcripts out of the release.")] = False,
    acoustics: Annotated[
        bool, typer.Option("--acoustics", help="Measure pitch, rate, pauses and noise of every recording.")
    ] = False,
    spec: Annotated[str | None, typer.Option(help="Name or .json file of a specification.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Make a release: filter, sample, split, draw pools, and encode with two encoders."""
    from ..corpus.build import BuildRequest, build_release
    from ..protocol.address import parse_addresses
    from ..protocol.spec import spec_for

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


def encode(
    out: Annotated[Path, typer.Option(help="The new submission folder.")],
    speech_encoder: SpeechOption = None,
    text_encoder: TextOption = None,
    mteb_model: Annotated[
        str | None, typer.Option("--mteb-model", help="A model of MTEB that hears and reads, instead of two encoders.")
    ] = None,
    release: ReleaseOption = "demo",
    source: SourceOption = None,
    pooling: Annotated[str, typer.Option(help="mean, masked-mean, masked-mean-std, first or max.")] = "mean",
    layer: Annotated[int | None, typer.Option(min=0, help="Pool this hidden state instead of the last.")] = None,
    long_audio: Annotated[str, typer.Option(help="truncate to 30 s, or chunk into windows of 30 s.")] = "truncate",
    dtype: Annotated[str, typer.Option(help="float32, or bfloat16: faster on some machines, recorded.")] = "float32",
    prompt: Annotated[
        str | None, typer.Option(help="Put before every text; by default what belongs to the encoder, `` for nothing.")
    ] = None,
    text_variant: Annotated[str, typer.Option(help="as-is, or without diacritics: no-tone, no-dots, ascii.")] = "as-is",
    name: Annotated[str | None, typer.Option(help="Name of the system; made from the encoders by default.")] = None,
    org: Annotated[str, typer.Option(help="Who submits.")] = "local",
    workers: WorkersOption = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one.")
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Inputs that are encoded at once: 1 on a CPU, 16 on a GPU.")
    ] = None,
) -> None:
    """Encode a release with your own pair of encoders and write a submission."""
    from ..corpus.encode_release import encode_release
    from ..corpus.encode_request import EncodeRequest
    from ..hub import load_release

    if mteb_model is not None:
        if speech_encoder or text_encoder or prompt or layer is not None or text_variant != "as-is":
            raise _which_encoders("--mteb-model beside another encoder or its options")
        from ..doors.mteb_encode import encode_with_mteb

        encode_with_mteb(mteb_model, load_release(release), out, progress_bar, source=source, name=name, org=org)
        stdout.print(str(out), soft_wrap=True)
        return
    if speech_encoder is None or text_encoder is None:
        raise _which_encoders("no speech encoder or no text encoder")
    request = EncodeRequest(
        speech_encoder=speech_encoder,
        text_encoder=text_encoder,
        out=out,
        source=source,
        pooling=pooling,
        layer=layer,
        long_audio=long_audio,
        dtype=dtype,
        prompt=prompt,
        text_variant=text_variant,
        name=name,
        org=org,
        workers=workers,
        device=device,
        batch_size=batch_size,
    )
    _say_licences(speech_encoder, text_encoder)
    if encode_release(request, load_release(release), progress_bar, lambda item: say(str(item))) is not None:
        stdout.print(str(out), soft_wrap=True)


def _say_licences(*names: str) -> None:
    from ..encoders.presets import expand_preset, licence_of

    for name in (expand_preset(name).partition("@")[0] for name in names):
        if licence := licence_of(name):
            say(f"{name}: {licence} as far as we know; its card decides.")


def encoders(as_json: JsonOption = False) -> None:
    """List the encoders that have a short name, with their prompts and licences."""
    from ..encoders.presets import PRESETS
    from .tables import presets_table

    if as_json:
        print_json([vars(preset) for preset in PRESETS])
    else:
        stdout.print(presets_table(PRESETS))


def _which_encoders(found: str) -> Exception:
    return problem(
        "usage",
        "encode",
        found=found,
        expected="--speech-encoder and --text-encoder, or --mteb-model alone",
        mend="Name both encoders, or one model that hears and reads.",
    )
