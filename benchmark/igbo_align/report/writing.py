"""Writing a report: one HTML file, or a folder with Markdown, PNG and SVG."""

from __future__ import annotations

from pathlib import Path

from .. import __version__
from ..files import new_folder, refuse_existing, write_bytes, write_text
from ..protocol.release import Release
from .blocks import Document
from .comparison import comparison_document
from .evidence import gather, gather_alone
from .html_page import html_page
from .markdown_page import FIGURES_FOLDER, markdown_page
from .sections import submission_document
from .style import draw_panel, require_matplotlib

HTML_SUFFIXES = (".html", ".htm")


def write_report(
    submission: Path, release: Release, out: Path, baselines: Path | None = None, probe: Path | None = None
) -> None:
    """Explain one submission.

    Args:
        submission: its folder.
        release: the benchmark.
        out: an `.html` file, which is written anew; or a folder, which must not exist.
        baselines: folder of submissions to compare with; by default the baselines beside the submission.
        probe: file that `igbo-align probe` wrote, to be shown too.

    Raises:
        ProblemsFound: problems of a submission, or the folder exists already (`folder.exists`).
        EnvironmentProblem: matplotlib is not installed (`environment.extra`).
    """
    _check(out)
    _write(submission_document(gather(submission, release, baselines, probe)), release, out)


def write_comparison(first: Path, second: Path, release: Release, out: Path) -> None:
    """Explain how two submissions differ; arguments and problems as of `write_report`."""
    _check(out)
    _write(comparison_document(*(gather_alone(folder, release) for folder in (first, second))), release, out)


def _check(out: Path) -> None:
    """Fail before any work is done."""
    require_matplotlib()
    if not _is_page(out):
        refuse_existing(out)


def _is_page(out: Path) -> bool:
    return out.suffix.lower() in HTML_SUFFIXES


def _write(document: Document, release: Release, out: Path) -> None:
    footer = (
        f"igbo-align {__version__}. {release.spec.name} {release.spec.version}, fingerprint {release.fingerprint}. "
        "Every number is recomputed from the submission; docs/diagnostics.md defines each of them."
    )
    drawings = {panel.name: draw_panel(panel, with_png=not _is_page(out)) for panel in document.panels()}
    if _is_page(out):
        write_text(out, html_page(document, drawings, footer))
        return
    with new_folder(out) as folder:
        write_text(folder / "report.md", markdown_page(document, footer))
        for name, drawing in drawings.items():
            figure = folder / FIGURES_FOLDER / name
            write_text(figure.with_suffix(".svg"), drawing.svg)
            write_bytes(figure.with_suffix(".png"), drawing.png or b"")
