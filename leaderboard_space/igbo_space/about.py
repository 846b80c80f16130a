"""The page about the benchmark, in plain words."""

from __future__ import annotations

from pathlib import Path
from string import Template

from .source import Shown

_TEXT = Path(__file__).parent / "about.md"


def about_text(shown: Shown) -> str:
    """Markdown; only numbers and names of the release are filled in."""
    release, spec = shown.release, shown.release.spec
    n_test = int(release.is_test.sum())
    return Template(_TEXT.read_text(encoding="utf-8")).substitute(
        name=spec.name,
        version=spec.version,
        fingerprint=release.fingerprint,
        n=len(release.ids),
        n_test=n_test,
        n_train=len(release.ids) - n_test,
        resamples=spec.scoring.bootstrap_resamples,
        comparison_resamples=spec.scoring.comparison_resamples,
    )
