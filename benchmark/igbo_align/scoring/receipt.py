"""The receipt of a score: `scores.json` beside the embeddings, and the comparison of a recomputation with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..files import write_text
from ..problems import Problem, ProblemsFound, printable
from ..submission.card import parse_json_object
from ..submission.reading import read_regular_file
from .scores import Scores

SCORES_FILE = "scores.json"
#: Versions of what scored: they are told, and may differ where not one other byte may.
_VERSIONS = ("package_version", "python", "numpy", "scipy", "pyarrow")
#: Largest receipt that is read: ids and standings of so many pairs, and the rest.
_BYTES_PER_PAIR, _OTHER_BYTES = 2000, 2**20


def receipt_text(document: dict[str, Any]) -> str:
    """A score document with one line for each top-level part, so that diffs show what changed."""
    parts = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_receipt(folder: Path, scores: Scores) -> None:
    """Write `scores.json` into a submission folder."""
    write_text(folder / SCORES_FILE, receipt_text(scores.as_json()))


def require_receipt(path: Path, scores: Scores) -> None:
    """Compare a score file with recomputed scores, byte for byte but for the versions of what computed them.

    Raises:
        ProblemsFound: every part that differs (`scores.mismatch`), or the file is no regular file.
    """
    data = read_regular_file(path, _OTHER_BYTES + _BYTES_PER_PAIR * len(scores.release.ids))
    problems = receipt_problems(data, scores, path.name)
    if problems:
        raise ProblemsFound(problems)


def receipt_problems(data: bytes, scores: Scores, where: str = SCORES_FILE) -> list[Problem]:
    """Parts of a score file that differ from recomputed scores; none if the bytes are those that scoring writes."""
    document = scores.as_json()
    try:
        stated = parse_json_object(data, where, len(data))
    except ProblemsFound:
        return [_mismatch(where, "no score file", "one JSON object")]
    recomputed = document | {"provenance": _with_versions(document["provenance"], stated.get("provenance"))}
    if data == receipt_text(recomputed).encode():
        return []
    parts = [
        _mismatch(f"{where}/{part}", *_difference(stated.get(part), recomputed.get(part)))
        for part in sorted({*recomputed, *stated})
        if _canonical(stated.get(part)) != _canonical(recomputed.get(part))
    ]
    return parts or [_mismatch(where, "the same values in other bytes", "the bytes that scoring writes")]


def _with_versions(provenance: dict[str, Any], stated: Any) -> dict[str, Any]:
    """The recomputed provenance with the versions that a receipt states; older receipts state fewer."""
    told = stated if isinstance(stated, dict) else {}
    return {name: told[name] if name in _VERSIONS else value for name, value in provenance.items() if _kept(name, told)}


def _kept(name: str, told: dict[str, Any]) -> bool:
    return name not in _VERSIONS or isinstance(told.get(name), str)


def _canonical(part: Any) -> str:
    return json.dumps(part, sort_keys=True)


def _difference(stated: Any, recomputed: Any, path: str = "") -> tuple[str, str]:
    """The first place where two JSON values differ, as found and expected."""
    if isinstance(stated, dict) and isinstance(recomputed, dict):
        both = {*stated} & {*recomputed}
        if lone := sorted({*stated, *recomputed} - both):
            found, expected = (
                printable(part[lone[0]]) if lone[0] in part else "nothing" for part in (stated, recomputed)
            )
            return f"{found} at {path}/{lone[0]}", expected
        key = next(key for key in sorted(both) if _canonical(stated[key]) != _canonical(recomputed[key]))
        return _difference(stated[key], recomputed[key], f"{path}/{key}")
    at = f" at {path}" if path else ""
    return f"{printable(stated)}{at}", printable(recomputed)


def _mismatch(where: str, found: str, expected: str) -> Problem:
    mend = "Score the submission again; receipts are generated, never edited."
    return Problem("scores.mismatch", where, found, expected, mend)
