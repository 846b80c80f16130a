"""The verb `baseline`: make the baselines that anyone must beat."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .console import progress_bar, say, say_notice, stdout
from .options import ReleaseOption, SourceOption, WorkersOption


class WithNames(TyperCommand):
    """The verb with a line for every baseline at the end of its help; the registry is read only when that is asked."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, the names below the options."""
        from ..baselines.registry import BASELINES

        self.epilog = "\n\n".join(["Baselines:", *(f"{item.name} - {item.summary}" for item in BASELINES)])
        super().format_help(ctx, formatter)


def baseline(
    names: Annotated[list[str] | None, typer.Argument(help="Baselines; all when none is named.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="Folder of submissions; one new folder below it for each baseline.")],
    release: ReleaseOption = "demo",
    seeds: Annotated[int, typer.Option(min=1, help="Repeat the trained ones with this many seeds.")] = 1,
    source: SourceOption = None,
    speech_encoder: Annotated[
        str | None, typer.Option("--speech-encoder", help="Of the frames; the release's reference encoder by default.")
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option("--text-encoder", help="Beside the frames; the release's reference vectors by default."),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Make baselines: zero-shot, the paper's projection, stronger maps, and controls."""
    from ..baselines.recordings import Sources
    from ..baselines.run import BaselineRequest, make_baselines
    from ..hub import load_release
    from .baseline_table import made_table

    request = BaselineRequest(out, names or (), seeds, Sources(source, speech_encoder, text_encoder, workers))
    loaded = load_release(release)
    made = []
    for item in make_baselines(request, loaded, progress_bar, lambda message: say(message, "yellow")):
        say(f"{item.baseline.name}: {item.fit_s:.2f} s, {item.folder}")
        made.append(item)
    say_notice(loaded)
    stdout.print(made_table(made))
