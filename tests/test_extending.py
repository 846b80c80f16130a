"""docs/extending.md: its snippets and commands run one after the other in one folder."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from documents import between, blocks, page, run_commands, run_snippet
from igbo_align.corpus.layouts import LAYOUTS
from igbo_align.encoders import encoding

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("soundfile")


def test_the_page_runs_from_top_to_bottom(tmp_path, monkeypatch, encoders_folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IGBO_ALIGN_CACHE", str(tmp_path / "cache"))
    # Starting processes takes longer than encoding tones, and is tested where encoding is.
    monkeypatch.setattr(encoding, "allowed_cores", lambda: 1)
    shutil.copytree(encoders_folder / "tiny", tmp_path / "tiny")
    card = json.loads(blocks(page("docs/submitting.md"), "json")[0])
    (tmp_path / "card.json").write_text(json.dumps(card))
    monkeypatch.syspath_prepend(tmp_path)
    pattern = r"(?:<!-- test: (\w+\.py) -->\n)?```(python|bash)\n(.*?)```"
    fences = re.findall(pattern, page("docs/extending.md"), flags=re.DOTALL)
    assert [kind for _, kind, _ in fences].count("python") == 6
    for module, kind, code in fences:
        if module:
            (tmp_path / module).write_text(code)
        elif kind == "bash":
            run_commands(code)
        else:
            run_snippet(code, "docs/extending.md")


def test_the_table_of_layouts_is_that_of_the_code():
    rows = between(page("docs/extending.md"), "layouts").splitlines()[2:]
    shown = [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")][:2] for row in rows]
    assert [f"{name} ({columns})" for name, columns in shown] == [layout.needs() for layout in LAYOUTS]
