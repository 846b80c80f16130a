"""Words of the interface in English and Igbo, from `strings.json`."""

from __future__ import annotations

import functools
import json
from pathlib import Path

LANGUAGES = ("en", "ig")
_FILE = Path(__file__).parent / "strings.json"


@functools.cache
def _labels() -> dict[str, dict[str, str]]:
    return json.loads(_FILE.read_text(encoding="utf-8"))["labels"]


def label(key: str, language: str = "en") -> str:
    """A label; English where the other language lacks it."""
    held = _labels()[key]
    return held.get(language, held["en"])


def labels_are_reviewed() -> bool:
    """Whether a speaker has reviewed the Igbo labels."""
    return bool(json.loads(_FILE.read_text(encoding="utf-8"))["reviewed_by"])
