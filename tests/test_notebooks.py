"""The notebooks run from top to bottom in a fresh kernel, and are stored without outputs."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest
from documents import ROOT, page

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: What the last cell of each prints.
ENDS = {"held_out_split": "fitted on everything", "score_my_encoder": "submission.json"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stored_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_linked_from_readme_and_documentation(path):
    assert f"(notebooks/{path.name})" in page("README.md")
    assert f"(../notebooks/{path.name})" in page("docs/index.md")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, tmp_path, monkeypatch):
    absent = [name for name in ("nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
    if absent and not os.environ.get("CI"):
        pytest.skip(f"the test extra is not installed: {absent}")
    import nbformat
    from nbclient import NotebookClient

    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    assert ENDS[path.stem] in last.outputs[0].text
