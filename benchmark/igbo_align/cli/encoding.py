"""The verbs `encode` and `encoders`: from a release to the vectors of your own encoders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..problems import problem
from .console import print_json, progress_bar, say, stdout
from .options import JsonOption, ReleaseOption, SourceOption, SpeechOption, TextOption, WorkersOption

if TYPE_CHECKING:
    from ..pipeline.encode_request import EncodeRequest

_MtebOption = Annotated[
    str | None, typer.Option("--mteb-model", help="A model of MTEB that hears and reads, instead of two encoders.")
]
_PoolingOption = Annotated[str, typer.Option(help="mean, masked-mean, masked-mean-std, first or max.")]
_LayerOption = Annotated[int | None, typer.Option(min=0, help="Pool this hidden state instead of the last.")]
_LongAudioOption = Annotated[str, typer.Option(help="truncate to 30 s, or chunk into windows of 30 s.")]
_DtypeOption = Annotated[str, typer.Option(help="float32, or bfloat16: faster on some machines, recorded.")]
_PromptOption = Annotated[
    str | None, typer.Option(help="Put before every text; by default what belongs to the encoder, `` for nothing.")
]
_VariantOption = Annotated[str, typer.Option(help="as-is, or without diacritics: no-tone, no-dots, ascii.")]
_NameOption = Annotated[str | None, typer.Option(help="Name of the system; made from the encoders by default.")]
_DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one.")
]
_BatchOption = Annotated[
    int | None, typer.Option(min=1, help="Inputs that are encoded at once: 1 on a CPU, 16 on a GPU.")
]


def encode(
    out: Annotated[Path, typer.Option(help="The new submission folder.")],
    speech_encoder: SpeechOption = None,
    text_encoder: TextOption = None,
    mteb_model: _MtebOption = None,
    release: ReleaseOption = "demo",
    source: SourceOption = None,
    pooling: _PoolingOption = "mean",
    layer: _LayerOption = None,
    long_audio: _LongAudioOption = "truncate",
    dtype: _DtypeOption = "float32",
    prompt: _PromptOption = None,
    text_variant: _VariantOption = "as-is",
    name: _NameOption = None,
    org: Annotated[str, typer.Option(help="Who submits.")] = "local",
    workers: WorkersOption = None,
    device: _DeviceOption = "auto",
    batch_size: _BatchOption = None,
) -> None:
    """Encode a release with your own pair of encoders and write a submission."""
    if mteb_model is not None:
        if speech_encoder or text_encoder or prompt or layer is not None or text_variant != "as-is":
            raise _which_encoders("--mteb-model beside another encoder or its options")
        _encode_with_mteb(mteb_model, release, out, source, name, org)
    elif speech_encoder is None or text_encoder is None:
        raise _which_encoders("no speech encoder or no text encoder")
    else:
        from ..pipeline.encode_request import EncodeRequest

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
        _encode_with_two(request, release)


def _encode_with_two(request: EncodeRequest, release: str) -> None:
    from ..hub import load_release
    from ..pipeline.encode_release import encode_release

    if encode_release(request, load_release(release), progress_bar, lambda item: say(str(item))) is not None:
        stdout.print(str(request.out), soft_wrap=True)


def _encode_with_mteb(
    model: str, release: str, out: Path, source: list[str] | None, name: str | None, org: str
) -> None:
    from ..doors.mteb_encode import encode_with_mteb
    from ..hub import load_release

    encode_with_mteb(model, load_release(release), out, progress_bar, source=source, name=name, org=org)
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
