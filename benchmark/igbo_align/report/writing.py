"""Writing a report: one HTML file, or a folder with Markdown, PNG and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..extras import imported
from ..files import new_folder, refuse_existing, write_bytes, write_text
from ..problems import problem
from ..progress import Progress, silent_progress
from ..protocol.release import Release
from .blocks import Document, Panel
from .comparison import comparison_document
from .evidence import gather, gather_alone
from .html_page import html_page
from .markdown_page import FIGURES_FOLDER, markdown_page
from .sections import submission_document
from .style import Drawing, draw_panel

HTML_SUFFIXES = (".html", ".htm")


def write_report(
    submission: Path,
    release: Release,
    out: Path,
    baselines: Path | None = None,
    probe: Path | None = None,
    progress: Progress = silent_progress,
) -> None:
    """Explain one submission.

    Args:
        submission: its folder.
        release: the benchmark.
        out: an `.html` file, which is written anew; or a folder, which must not exist.
        baselines: folder of submissions to compare with; by default the baselines beside the submission.
        probe: file that `igbo-align probe` wrote, to be shown too.
        progress: opens a progress bar; none by default.

    Raises:
        ProblemsFound: problems of a submission, or the folder exists already (`folder.exists`).
        UsageProblem: `out` has the suffix of a format that reports are not written in (`usage`).
        EnvironmentProblem: matplotlib is not installed (`environment.extra`).
    """
    _check(out)
    document = submission_document(gather(submission, release, baselines, probe, progress))
    _write(document, release, out, progress)


def write_comparison(
    first: Path, second: Path, release: Release, out: Path, progress: Progress = silent_progress
) -> None:
    """Explain how two submissions differ; arguments and problems as of `write_report`."""
    _check(out)
    document = comparison_document(*(gather_alone(folder, release) for folder in (first, second)))
    _write(document, release, out, progress)


def _check(out: Path) -> None:
    """Fail before any work is done."""
    imported("matplotlib", "report")
    if not _is_page(out) and out.suffix and not out.is_dir():
        raise problem(
            "usage",
            "--out",
            found=f"a file {out.suffix}",
            expected="a file .html, or a new folder, whose name has no suffix",
            mend="Name one of the two; a browser prints the page as PDF.",
        )
    if not _is_page(out):
        refuse_existing(out)


def _is_page(out: Path) -> bool:
    return out.suffix.lower() in HTML_SUFFIXES


def _write(document: Document, release: Release, out: Path, progress: Progress) -> None:
    footer = (
        f"igbo-align {__version__}. {release.spec.name} {release.spec.version}, fingerprint {release.fingerprint}. "
        "Every number is recomputed from the submission; docs/diagnostics.md defines each of them."
    )
    drawings = _drawn(document.panels(), not _is_page(out), progress)
    if _is_page(out):
        write_text(out, html_page(document, drawings, footer))
        return
    with new_folder(out) as folder:
        write_text(folder / "report.md", markdown_page(document, footer))
        for name, drawing in drawings.items():
            figure = folder / FIGURES_FOLDER / name
            write_text(figure.with_suffix(".svg"), drawing.svg)
            write_bytes(figure.with_suffix(".png"), drawing.png or b"")


def _drawn(panels: Sequence[Panel], with_png: bool, progress: Progress) -> dict[str, Drawing]:
    drawings: dict[str, Drawing] = {}
    with progress("Drawing figures", len(panels)) as advance:
        for panel in panels:
            drawings[panel.name] = draw_panel(panel, with_png)
            advance(1)
    return drawings
