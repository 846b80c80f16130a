"""The verb `probe`: which layer of a speech encoder holds the pitch contour, which bears the tones of Igbo?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from .console import print_json, progress_bar, say_notice, stdout
from .options import JsonOption, ReleaseOption, WorkersOption

if TYPE_CHECKING:
    from ..probing.result import ProbeResult, Share


def probe(
    speech_encoder: Annotated[
        str, typer.Option("--speech-encoder", help="Hub id or folder, optionally `id@revision`.")
    ],
    release: ReleaseOption = "demo",
    source: Annotated[str | None, typer.Option(help="Where the recordings are, unless the release holds them.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result to this .json file, for `report --probe`.")] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how much of the pitch contour each layer of a speech encoder holds, linearly."""
    from ..files import readable_json, write_text
    from ..hub import load_release
    from ..probing.probe import ProbeRequest
    from ..probing.probe import probe as run_probe

    loaded = load_release(release)
    say_notice(loaded)
    result = run_probe(ProbeRequest(speech_encoder, source, workers), loaded, progress_bar)
    document = result.model_dump(mode="json")
    if out is not None:
        write_text(out, readable_json(document))
    if as_json:
        print_json(document)
    else:
        _print_table(result)


def _print_table(result: ProbeResult) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    title = f"{result.speech_encoder.id} on {result.benchmark.name}: R² of pitch, 95 % intervals"
    table = Table(title=title, box=SIMPLE, title_style="bold", title_justify="left")
    for name in ("read off", "R²", "shuffled contours", "penalty"):
        table.add_column(name, justify="left" if name == "read off" else "right", no_wrap=True)
    named = [("log-mel spectrogram", result.log_mel), *((f"layer {item.layer}", item) for item in result.layers)]
    for name, item in named:
        table.add_row(name, _interval(item.r2), _interval(item.control), f"{item.penalty:.0e}")
    stdout.print(table)
    for name, sample in (("Fitted", result.train), ("Scored", result.test)):
        stdout.print(f"{name} on {sample.recordings} recordings, {sample.observations} tenths of a second of voice.")


def _interval(share: Share) -> Text:
    return Text.assemble(f"{share.value:z.3f}", (f" [{share.low:z.3f}, {share.high:z.3f}]", "dim"))
