"""The receipt of a score: `scores.json` beside the embeddings, and the comparison of a recomputation with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import write_text
from ..problems import Problem, printable
from .scores import Scores

SCORES_FILE = "scores.json"
#: Facts about the machine that scored, which may differ where the scores may not.
_MACHINE_FIELDS = ("python", "numpy")


def receipt_text(document: dict[str, Any]) -> str:
    """A score document with one line for each top-level part, so that diffs show what changed."""
    parts = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_receipt(folder: Path, scores: Scores) -> None:
    """Write `scores.json` into a submission folder."""
    write_text(folder / SCORES_FILE, receipt_text(scores.as_json()))


def receipt_problems(stated: dict[str, Any], scores: Scores) -> list[Problem]:
    """Parts of a receipt that differ from the recomputed scores; versions of Python and NumPy may differ."""
    recomputed = json.loads(receipt_text(scores.as_json()))
    problems = []
    for part in sorted({*recomputed, *stated}):
        if _without_machine(stated.get(part)) != _without_machine(recomputed.get(part)):
            found, expected = printable(stated.get(part)), printable(recomputed.get(part))
            mend = "Score the submission again; receipts are generated, never edited."
            problems.append(Problem("scores.mismatch", f"{SCORES_FILE}/{part}", found, expected, mend))
    return problems


def _without_machine(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: value for key, value in part.items() if key not in _MACHINE_FIELDS}
    return part
