"""Is everything in place to release the version that a tag names? `check_release.py v0.2.0 --notes NOTES`.

The tag, the package, CITATION.cff and the top of CHANGELOG.md must name one version, and the changelog its day.
Writes the changelog's section as the notes of the release. Exit code 1 lists all that is wrong.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERSION_FILE = "benchmark/igbo_align/__init__.py"
#: The one form of a section's heading; `unreleased` until the day is known.
_HEADING = re.compile(r"^## (\S+) \((unreleased|\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)
_TAG = re.compile(r"v\d+\.\d+(\.\d+)?((a|b|rc)\d+)?")


@dataclass(frozen=True)
class Section:
    """One version of the changelog: its day as YYYY-MM-DD or `unreleased`, and its text."""

    version: str
    day: str
    text: str


def changelog(text: str) -> list[Section]:
    """Sections of a changelog in their order.

    Raises:
        ValueError: a heading of the second level does not say `version (day)`.
    """
    headings = list(_HEADING.finditer(text))
    lines = [line for line in text.splitlines() if line.startswith("## ")]
    if [heading[0] for heading in headings] != lines:
        raise ValueError(
            "CHANGELOG.md: every `## ` heading must be `## VERSION (YYYY-MM-DD)` or `## VERSION (unreleased)`"
        )
    ends = [*(heading.start() for heading in headings[1:]), len(text)]
    return [Section(h[1], h[2], text[h.end() : end].strip()) for h, end in zip(headings, ends, strict=True)]


def package_version(root: Path) -> str:
    """The version that the package states and the wheel gets."""
    return _stated(root / VERSION_FILE, r'^__version__ = "([^"]+)"$')


def release_problems(tag: str, root: Path) -> list[str]:
    """All that stands against releasing a tag, a sentence each."""
    version, cited = package_version(root), _stated(root / "CITATION.cff", r"^version: (\S+)$")
    day = _stated(root / "CITATION.cff", r'^date-released: "([^"]+)"$')
    try:
        newest = changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"))[0]
    except (ValueError, IndexError) as error:
        return [str(error) if str(error).startswith("CHANGELOG") else "CHANGELOG.md: there is no section"]
    checks = {
        f"The tag {tag!a} is not of the form v0.2.0.": _TAG.fullmatch(tag) is not None,
        f"The tag {tag!a} is not v{version}, the version of {VERSION_FILE}.": tag == f"v{version}",
        f"CITATION.cff has version {cited}, not {version}.": cited == version,
        f"CHANGELOG.md begins with {newest.version}, not {version}.": newest.version == version,
        f"CHANGELOG.md has no day for {newest.version}: write it in place of `unreleased`.": newest.day != "unreleased",
        f"CITATION.cff was released on {day}, CHANGELOG.md says {newest.day}.": newest.day in (day, "unreleased"),
        f"CHANGELOG.md: {newest.day} is no day.": _is_day(newest.day),
        f"CHANGELOG.md says nothing about {newest.version}.": bool(newest.text),
    }
    return [problem for problem, holds in checks.items() if not holds]


def _is_day(text: str) -> bool:
    try:
        return text == "unreleased" or date.fromisoformat(text) is not None
    except ValueError:
        return False


def _stated(path: Path, pattern: str) -> str:
    """What a file states by a line of a form; empty where it does not."""
    found = re.search(pattern, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""


def main() -> int:
    """Check, write the notes, and return the exit code."""
    parser = argparse.ArgumentParser(description="Is everything in place to release a version?")
    parser.add_argument("tag", help="such as v0.2.0")
    parser.add_argument("--notes", type=Path, help="file for the changelog's section")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository; by default the one of this script")
    arguments = parser.parse_args()
    problems = release_problems(arguments.tag, arguments.root)
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    notes = changelog((arguments.root / "CHANGELOG.md").read_text(encoding="utf-8"))[0].text
    if arguments.notes:
        arguments.notes.write_text(f"{notes}\n", encoding="utf-8")
    sys.stdout.write(f"{arguments.tag} can be released.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
