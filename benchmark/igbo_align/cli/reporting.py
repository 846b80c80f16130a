"""The verb `report`: why a submission scores as it does, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..problems import problem
from .console import progress_bar, say_notice, stdout
from .options import ReleaseOption


def report(
    submissions: Annotated[list[Path], typer.Argument(help="A submission folder; two with --compare.")],
    *,
    out: Annotated[Path, typer.Option(help="An .html file, or a new folder for Markdown, PNG and SVG.")],
    release: ReleaseOption = "demo",
    baselines: Annotated[
        Path | None,
        typer.Option(help="Folder of submissions to compare with; by default the baselines beside the submission."),
    ] = None,
    probe: Annotated[Path | None, typer.Option(help="File of `igbo-align probe`: pitch in the hidden states.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Two submissions: which queries flipped?")] = False,
) -> None:
    """Explain a submission: intervals, chance, baselines, failures, figures, in plain words too."""
    from ..hub import load_release
    from ..report.writing import write_comparison, write_report

    expected = 2 if compare else 1
    if len(submissions) != expected:
        raise problem(
            "usage",
            "SUBMISSIONS",
            found=f"{len(submissions)} folders",
            expected="two with --compare, one without",
            mend="Name that many submission folders.",
        )
    if compare and probe is not None:
        raise problem(
            "usage",
            "--probe",
            found="--probe beside --compare",
            expected="one of them: a probe belongs to one encoder",
            mend="Leave one of them out.",
        )
    loaded = load_release(release)
    say_notice(loaded)
    if compare:
        write_comparison(submissions[0], submissions[1], loaded, out, progress_bar)
    else:
        write_report(submissions[0], loaded, out, baselines, probe, progress_bar)
    stdout.print(str(out), soft_wrap=True)
