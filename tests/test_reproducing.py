"""docs/reproducing-the-paper.md: its commands run on the demo release, and its numbers are what they give."""

from __future__ import annotations

import re

import pytest
from documents import between, blocks, page, run_commands
from paper_tables import tables

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
PAGE = page("docs/reproducing-the-paper.md")


def test_the_commands_give_the_numbers_and_figures_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_commands(blocks(PAGE, "bash")[0])
    for marker, content in tables(tmp_path / "mine").items():
        assert between(PAGE, marker).strip() == content.strip()
    drawn = {path.stem for path in (tmp_path / "paper-figures/figures").iterdir()}
    rows = [row for row in PAGE.split("## Figures\n")[1].splitlines() if re.match(r"\| \d:", row)]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[2])}
    assert len(rows) == 6
    assert named <= drawn
