"""Hooks of the site: the menu and the list of decisions come from the files, so that no page can be forgotten.

Pages that lie beside `docs/`, the notebooks and how tests get real data, are published below the site's own address.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parents[1]
NOTEBOOKS = DOCS.parent / "notebooks"
#: Link in `docs/` -> page of the site.
REAL_DATA = ("../tests/real_data/README.md", "real-data.md")


def on_config(config: Any) -> Any:
    """Append notebooks and decision notes to their sections, and pages that no section names to the last one."""
    sections = {name: pages for section in config.nav for name, pages in section.items()}
    named = {page for pages in sections.values() for page in ([pages] if isinstance(pages, str) else pages)}
    sections["Learn"] += [f"notebooks/{path.stem}.md" for path in notebooks()]
    sections["Decisions"] += [f"decisions/{path.name}" for path in notes()]
    sections["More"] += [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in named]
    sections["More"].append(REAL_DATA[1])
    config.nav = [section for section in config.nav if all(section.values())]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Publish each notebook as a page and as the file that it is, and the page about real data."""
    for path in notebooks():
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=notebook_page(path)))
    files.append(File.generated(config, REAL_DATA[1], abs_src_path=str(DOCS / REAL_DATA[0])))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to pages beside `docs/` at their copies in the site, and list the decisions."""
    if page.file.src_uri == "decisions/index.md":
        markdown += "".join(f"\n- [{title(path)}]({path.name})" for path in notes())
    for path in notebooks():
        markdown = markdown.replace(f"](../notebooks/{path.name})", f"](notebooks/{path.stem}.md)")
    return markdown.replace(f"]({REAL_DATA[0]})", f"]({REAL_DATA[1]})")


def notebooks() -> list[Path]:
    """Notebooks by name."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def notebook_page(path: Path) -> str:
    """A notebook as Markdown, below its heading how to run it: it is stored without outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    shown = [
        f"```python\n{text}\n```" if cell["cell_type"] == "code" else text
        for cell, text in zip(cells, texts, strict=True)
    ]
    heading, _, rest = shown[0].partition("\n")
    note = (
        f"This page shows what is typed, not what it prints. To run it, open `notebooks/{path.name}` of the clone, or "
        f"[this copy]({path.name}), with JupyterLab or an editor that knows notebooks."
    )
    return "\n\n".join([heading, note, rest, *shown[1:]])


def notes() -> list[Path]:
    """Decision notes by number."""
    return sorted((DOCS / "decisions").glob("0*.md"))


def title(path: Path) -> str:
    """The heading of a page."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
