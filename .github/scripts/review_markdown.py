"""A review as Markdown. What strangers wrote stands in code only, where nothing links, notifies, embeds or formats.

Headings hold names that the card's schema allows; sentences and tables hold our own words and numbers. The longest
run of backticks in a text decides by how many its code is enclosed, as CommonMark says (sections 4.5 and 6.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from igbo_align.problems import Problem, escaped
from igbo_align.protocol.spec import DIRECTIONS, TRACKS
from igbo_align.scoring.leaderboard import Leaderboard, mean_mrr_estimate
from igbo_align.scoring.scores import Estimate, Scores

#: GitHub takes comments of 65,536 characters; the rest is for whoever posts this one.
MAX_CHARACTERS = 60_000
_LAST_WORDS = 200
_METRICS = ("recall@1", "recall@5", "recall@10", "mrr")
_HEADERS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr": "MRR"}


def code(text: str, limit: int = 200) -> str:
    """The beginning of a text as inline code on one line. In tables it stands for names only: these have no `|`."""
    line = " ".join(escaped(text, limit).split())
    fence = "`" * (_longest_run(line) + 1)
    return f"{fence} {line} {fence}" if line.startswith("`") or line.endswith("`") else f"{fence}{line}{fence}"


def code_block(lines: Sequence[str]) -> str:
    """Lines as a block of code."""
    shown = [escaped(line) for line in lines]
    fence = "`" * max(3, 1 + max(map(_longest_run, shown), default=0))
    return "\n".join([f"{fence}text", *shown, fence])


def problem_section(title: str, problems: Sequence[Problem]) -> str:
    """A heading, and every problem as the command line prints it."""
    lines = []
    for item in problems:
        lines += [f"{item.code}  {item.where}", f"  found     {item.found}"]
        lines += [f"  expected  {item.expected}", f"  mend      {item.mend}", ""]
    return f"### {title}\n\n{code_block(lines[:-1])}"


def score_section(name: str, board: Leaderboard, receipt: str, flags: Sequence[Problem]) -> str:
    """A submission that can be scored: what it declares, where it stands, every main score, flags and receipt."""
    scores = board.scores[board.names.index(name)]
    parts = [f"### {code(name)}: can be scored", _declared(scores.card), _standing(name, board), _scores_table(scores)]
    parts += [receipt]
    if flags:
        listed = [f"{flag.code}  found {flag.found}; expected {flag.expected}" for flag in flags]
        parts += ["Flags, for people to look at; they reject nothing:", code_block(listed)]
    return "\n\n".join(part for part in parts if part)


def page(summary: str, sections: Sequence[str], notice: str, characters: int | None = None) -> str:
    """The whole review, or as many of its sections as fit into so many characters, and how many do not."""
    parts = [f"## {summary}", *([f"> {notice}"] if notice else [])]
    for shown, section in enumerate(sections):
        if characters is not None and len("\n\n".join([*parts, section])) > characters - _LAST_WORDS:
            parts.append(f"{len(sections) - shown} more sections are left out; the script prints them on any machine.")
            break
        parts.append(section)
    return "\n\n".join(parts) + "\n"


def _declared(card: Mapping[str, Any]) -> str:
    """What a reader should know of the card, in its author's words."""
    shown = {f"{side} encoder": card[f"{side}_encoder"]["id"] for side in ("speech", "text")}
    shown |= {name.replace("_", " "): value for name, value in card["alignment"].items()}
    return "\n".join(f"- {label}: {code(value)}" for label, value in shown.items() if value)


def _standing(name: str, board: Leaderboard) -> str:
    """Rank in every track, with those that cannot be told apart from it."""
    lines = [f"Rank among {len(board.names)} systems; who shares a rank cannot be told apart from its first system."]
    lines += ["", "| track | rank | MRR of both directions | shares its rank with |", "|---|--:|--:|---|"]
    for track in TRACKS:
        rows = board.rank_rows(track)
        rank = next(rank for rank, other, _ in rows if other == name)
        ties = [other for other_rank, other, _ in rows if other_rank == rank and other != name]
        shown = ", ".join(map(code, ties[:5])) + (f" and {len(ties) - 5} more" if len(ties) > 5 else "")
        mrr = mean_mrr_estimate(board.scores[board.names.index(name)], track)
        lines.append(f"| {track} | {rank} | {_interval(mrr)} | {shown or 'nobody'} |")
    return "\n".join(lines)


def _scores_table(scores: Scores) -> str:
    lines = ["Scores with 95 % intervals, and the level of chance:", ""]
    lines += [f"| track | direction | {' | '.join(code(_HEADERS[metric]) for metric in _METRICS)} | chance of MRR |"]
    lines += [f"|---|---|{'--:|' * (len(_METRICS) + 1)}"]
    for track in TRACKS:
        for direction in DIRECTIONS:
            held = scores.tracks[track][direction]
            cells = [_interval(held[metric]) for metric in _METRICS]
            lines.append(
                f"| {track} | {direction.replace('_', ' ')} | {' | '.join(cells)} | {held['mrr'].chance or 0:.3f} |"
            )
    gap = scores.memorisation_gap
    remembered = f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    lines += ["", f"Memorisation gap (MRR of train minus test queries): {remembered}"]
    return "\n".join(lines)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
