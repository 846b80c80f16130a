"""docs/performance.md and its figure, from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from systems import OURS, PRODUCT

FIGURE = "images/cost-against-n.png"
#: Sizes of the sizing table that nobody measures here.
EXTRAPOLATED = (1_000_000, 10_000_000)
DIMENSIONS = 384


def write_report(docs: Path, found: dict[str, Any]) -> None:
    """Write the page and draw the figure."""
    rows = found["rows"]
    sizes = sorted({row["n"] for row in rows})
    parts = [
        opening(found),
        headline(found),
        *(size_table(rows, n) for n in sizes),
        figure_text(),
        sizing(rows),
        CHECKS,
    ]
    (docs / "performance.md").write_text("\n".join(parts))
    draw(docs / FIGURE, rows)


def opening(found: dict[str, Any]) -> str:
    """Title, machine and what the columns mean."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# Performance

Written by `make bench`; do not edit. One run on {machine["cores"]} cores ({machine["architecture"]}) with
{machine["memory_gb"]:.0f} GB of memory, load {machine["load"]:.1f} at its end. Python {machine["python"]}, {versions}.

All systems get the same float32 vectors, d = {DIMENSIONS}. **Ours ranks both directions, every peer one.** A peer is
timed only after its R@1, R@5, R@10 and MRR@10 have been found equal to ours. `product` is the float32 matrix product in
blocks that overwrite each other; `product, all kept` stores its n x n result, as `speech @ text.T` does.

- *seconds*: median of repeated calls in one process, imports not counted.
- *x product*: median of the ratios to a product right before each call, so that both meet the same noise.
- *whole process*: a script that imports, ranks once and ends.
- *peak*: the largest memory of that process.
"""


def headline(found: dict[str, Any]) -> str:
    """The whole command against MTEB's whole process."""
    score = found["score"]
    text = (
        "## The whole command\n\n"
        "`igbo-align score` on the demo release (699 pairs: validation, four tracks in both directions, intervals, "
        f"tests, diagnostics) takes {score['seconds']:.2f} s from start to end "
        f"({score['spread'][0]:.2f} to {score['spread'][1]:.2f})"
    )
    peer = measured(found["rows"], "MTEB", 699)
    if peer:
        ratio = peer["whole_s"] / score["seconds"]
        text += f", MTEB's process for one direction of one track {peer['whole_s']:.2f} s: {ratio:.1f} times as long"
    return text + ".\n"


def size_table(rows: list[dict[str, Any]], n: int) -> str:
    """One size: every system, or why it is missing."""
    ours = measured(rows, OURS, n)
    lines = [
        f"## n = {n:,}\n",
        "| system | seconds | x product | x ours | whole process, s | peak, MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in (row for row in rows if row["n"] == n):
        if "skipped" in row:
            lines.append(f"| {row['system']} | {row['skipped']} | | | | |")
            continue
        against = f"{row['seconds'] / ours['seconds']:.2f}" if ours else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] and row["system"] != PRODUCT else ""
        lines.append(
            f"| {row['system']} | {row['seconds']:.3f} | {ratio} | {against} | {row['whole_s']:.2f} |"
            f" {row['peak_mb']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def measured(rows: list[dict[str, Any]], system: str, n: int) -> dict[str, Any] | None:
    """The row of a system at a size, if it was measured."""
    return next((row for row in rows if (row["system"], row["n"]) == (system, n) and "skipped" not in row), None)


def figure_text() -> str:
    """The figure and its caption."""
    return f"""## Cost against the size of the corpus

![Seconds against the number of pairs, both axes logarithmic]({FIGURE})

The dashed line grows with the square of n, as the product must.
"""


def sizing(rows: list[dict[str, Any]]) -> str:
    """Seconds and memory of ours: measured, and beyond by the formula."""
    own = sorted((row for row in rows if row["system"] == OURS and "skipped" not in row), key=lambda row: row["n"])
    largest = own[-1]
    rate = largest["seconds"] / (largest["n"] ** 2 * DIMENSIONS)
    formula = (
        f"seconds = {rate * 1e12:.2f}e-12 n^2 d on this machine, from the largest corpus measured. Memory of a process"
        " = 8 n d bytes for the vectors of both sides + 100 n bytes for limits and counts + 24 MB a thread. P processes"
        " (`accelerate launch --multi_gpu --num_processes P -m igbo_align rank ...`) take 1/P of the seconds each.\n"
    )
    lines = ["## What a corpus needs\n", formula, "| n | seconds | memory, MB | |", "|--:|--:|--:|---|"]
    lines += [f"| {row['n']:,} | {row['seconds']:,.2f} | {row['peak_mb']:,.0f} | measured |" for row in own]
    lines += [
        f"| {n:,} | {rate * n * n * DIMENSIONS:,.0f} | {(8 * n * DIMENSIONS + 100 * n) / 2**20 + 48:,.0f} | formula |"
        for n in EXTRAPOLATED
        if n > largest["n"]
    ]
    return "\n".join(lines) + "\n"


CHECKS = """## What is tested instead of seconds

Tests compare counts of operations, which no machine changes: the multiplications of all products are exactly n^2 d, no
product is larger than a tile, and at d = 384 fewer than one comparison in four thousand is left to exact arithmetic
(`tests/test_ranking_sweeps.py`).
"""


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Seconds against n on logarithmic axes, one line a system."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.8), layout="constrained")
    for system in dict.fromkeys(row["system"] for row in rows):
        points = [(row["n"], row["seconds"]) for row in rows if row["system"] == system and "skipped" not in row]
        if points:
            strong = system == OURS
            axes.loglog(
                *zip(*points, strict=True), marker="o", label=system, lw=2.6 if strong else 1.4, zorder=2 + strong
            )
    own = [(row["n"], row["seconds"]) for row in rows if row["system"] == OURS and "skipped" not in row]
    n, seconds = own[-1]
    sizes = [own[0][0], n]
    axes.loglog(sizes, [seconds * (size / n) ** 2 for size in sizes], "--", color="0.5", lw=1, label="square of n")
    axes.set(xlabel="pairs in the corpus (n)", ylabel="seconds (ours: both directions, peers: one)")
    axes.grid(which="major", color="0.9")
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
