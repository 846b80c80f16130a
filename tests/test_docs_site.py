"""The site builds strictly: no broken link or anchor, every public name on the API page, nothing from other hosts."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import igbo_align
import pytest

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_on_the_api_page():
    named = re.findall(r"^::: igbo_align\.\S*\.?\b(\w+)$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(igbo_align.__all__)


def pages():
    """Every page as the site holds it, and every notebook as a page and as a file."""
    html = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    notebooks = [path.stem for path in (ROOT / "notebooks").glob("*.ipynb")]
    return [*html, "real-data.html", *(f"notebooks/{name}.{kind}" for name in notebooks for kind in ("html", "ipynb"))]


def test_site_builds_strictly_and_loads_nothing_from_other_hosts(tmp_path):
    absent = [name for name in ("mkdocs", "material", "mkdocstrings") if importlib.util.find_spec(name) is None]
    if absent and not os.environ.get("CI"):
        pytest.skip(f"the docs extra is not installed: {absent}")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    missing = [page for page in pages() if not (tmp_path / page).is_file()]
    assert missing == []
    index = (tmp_path / "decisions/index.html").read_text(encoding="utf-8")
    assert [page.stem for page in (ROOT / "docs/decisions").glob("0*.md") if f"{page.stem}.html" not in index] == []
    start = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "notebooks/score_my_encoder.html" in start
    assert ".ipynb" not in start
    html = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html"))
    loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"?(?:https?:)?//[^\s>\"]+", html)
    styles = [link for link in re.findall(r"<link[^>]*>", html) if "stylesheet" in link and "//" in link]
    assert loaded + styles == []
