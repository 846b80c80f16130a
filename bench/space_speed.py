"""How fast the leaderboard is with 500 systems: first view and filters in Chromium, measured on this machine.

    python bench/space_speed.py

Prints medians and the worst of a few runs. The board is the bundled snapshot, every row repeated under other names and
with shuffled scores, so that the table is as large and as varied as a real one.
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "leaderboard_space")]

from igbo_align.protocol.spec import TRACKS
from igbo_align.scoring.leaderboard import board_text
from space_browser import chromium, serving, visit

SYSTEMS = 500
RUNS = 7


def long_board(systems: int) -> dict[str, Any]:
    """The snapshot with its rows repeated up to a number of systems."""
    document = json.loads((ROOT / "leaderboard_space" / "leaderboard.json").read_text(encoding="utf-8"))
    rows = []
    for i in range(systems):
        row = copy.deepcopy(document["rows"][i % len(document["rows"])])
        row["submission"] = f"org{i % 37}__system-{i}/1"
        row["card"]["system"] |= {"org": f"org{i % 37}", "name": f"system-{i}", "n_parameters": 10**6 * (i + 1)}
        row["card"]["speech_encoder"]["id"] = f"org{i % 37}/{('whisper', 'mms', 'hubert')[i % 3]}-{i}"
        for track in TRACKS:
            row["mean_mrr"][track]["value"] *= 1 - i / (3 * systems)
            row["rank"][track] = i // 5 + 1
        rows.append(row)
    return document | {"rows": rows, "comparisons": {track: [] for track in TRACKS}}


def timed(page: Any, act: Any, rows: int | None) -> float:
    """Milliseconds from an action to the table that it asks for, as the browser's own clock sees it."""
    before = page.locator("#page-board .caption").first.inner_text()
    page.evaluate(
        """([before, rows]) => { window.seen = null;
        const done = () => document.querySelector('#page-board .caption').innerText !== before
            && (rows === null || document.querySelectorAll('table.board tbody tr').length === rows);
        const look = () => { if (done()) window.seen = performance.now(); else requestAnimationFrame(look); };
        for (const kind of ['click', 'keydown', 'paste', 'input'])
            document.addEventListener(kind, () => { window.began ??= performance.now(); }, {capture: true, once: true});
        window.began = null; look(); }""",
        [before, rows],
    )
    act()
    page.wait_for_function("window.seen !== null")
    return page.evaluate("window.seen - window.began")


def measure() -> None:
    """Print the table of times."""
    with tempfile.TemporaryDirectory() as folder:
        board = Path(folder) / "leaderboard.json"
        board.write_text(board_text(long_board(SYSTEMS)), encoding="utf-8")
        times: dict[str, list[float]] = {"first view": [], "search": [], "track": [], "clear search": [], "size": []}
        with serving(IGBO_ALIGN_BOARD=str(board)) as server, chromium() as browser:
            for _ in range(RUNS):
                began = time.perf_counter()
                with visit(browser, server.address) as page:
                    page.wait_for_function(
                        "n => document.querySelectorAll('table.board tbody tr').length === n", arg=SYSTEMS + 1
                    )
                    times["first view"].append(1000 * (time.perf_counter() - began))
                    box = page.get_by_label("Search")
                    box.focus()
                    times["search"].append(timed(page, lambda: page.keyboard.insert_text("org7/"), None))
                    times["clear search"].append(timed(page, box.clear, SYSTEMS + 1))
                    times["track"].append(timed(page, page.get_by_text("hard", exact=True).first.click, SYSTEMS + 1))
                    page.get_by_text("Filter, sort, choose columns").click()
                    page.get_by_label("Size").click()
                    option = page.get_by_role("option", name="up to 100 M")
                    times["size"].append(timed(page, option.click, None))
    for name, held in times.items():
        sys.stdout.write(f"{name:14} median {statistics.median(held):6.0f} ms   worst {max(held):6.0f} ms\n")


if __name__ == "__main__":
    measure()
