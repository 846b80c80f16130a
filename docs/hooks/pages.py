"""Hooks of the site: the menu and the list of decisions come from the files, so that no page can be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parents[1]
NOTEBOOKS = DOCS.parent / "notebooks"


def on_config(config: Any) -> Any:
    """Append decision notes to their section, and pages that no section names to the last one."""
    sections = {name: pages for section in config.nav for name, pages in section.items()}
    named = {page for pages in sections.values() for page in ([pages] if isinstance(pages, str) else pages)}
    sections["Decisions"] += [f"decisions/{path.name}" for path in notes()]
    sections["More"] += [path.name for path in sorted(DOCS.glob("*.md")) if path.name not in named]
    config.nav = [section for section in config.nav if all(section.values())]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Publish the notebooks, which lie beside `docs/`, under the site's own address."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to notebooks at their copies in the site, and list the decisions."""
    if page.file.src_uri == "decisions/index.md":
        markdown += "".join(f"\n- [{title(path)}]({path.name})" for path in notes())
    return markdown.replace("](../notebooks/", "](notebooks/")


def notes() -> list[Path]:
    """Decision notes by number."""
    return sorted((DOCS / "decisions").glob("0*.md"))


def title(path: Path) -> str:
    """The heading of a page."""
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
