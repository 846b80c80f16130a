"""Every file has a licence, every licence its text, and CITATION.cff says what the package says."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date

import igbo_align as ia
import pytest
import yaml
from documents import ROOT, page

REUSE = tomllib.loads(page("REUSE.toml"))["annotations"]


def test_every_licence_has_its_text_and_is_used():
    used = {name for item in REUSE for name in re.split(r" (?:AND|OR) ", item["SPDX-License-Identifier"])}
    assert used == {path.stem for path in (ROOT / "LICENSES").iterdir()}
    assert page("LICENSES/Apache-2.0.txt") == page("LICENSE")


def test_the_demo_has_the_licences_that_its_specification_names():
    licences = next(item for item in REUSE if "benchmark/igbo_align/demo/**" in item["path"])
    named = set(re.findall(r"CC-[A-Z0-9.-]+", ia.load_spec("demo").source.licence))
    assert named == set(licences["SPDX-License-Identifier"].split(" AND "))


def test_the_package_declares_all_of_them():
    declared = tomllib.loads(page("pyproject.toml"))["project"]["license"]
    assert set(declared.split(" AND ")) == {path.stem for path in (ROOT / "LICENSES").iterdir()}


def test_reuse_lint_passes(tmp_path):
    if importlib.util.find_spec("reuse") is None and not os.environ.get("CI"):
        pytest.skip("the test extra is not installed: reuse")
    ignored = [line.strip("/") for line in page(".gitignore").splitlines()]
    shutil.copytree(ROOT, tmp_path / "copy", ignore=shutil.ignore_patterns(".git", *ignored))
    command = [sys.executable, "-m", "reuse", "--root", str(tmp_path / "copy"), "lint", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_citation_is_valid():
    citation = yaml.safe_load(page("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == ia.__version__
    assert date.fromisoformat(citation["date-released"])
    assert citation["license"] == "Apache-2.0"
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= paper.keys()
    for author in [*citation["authors"], *paper["authors"]]:
        assert {"name"} <= author.keys() or {"family-names", "given-names"} <= author.keys()
