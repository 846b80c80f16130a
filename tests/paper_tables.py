"""The tables of docs/reproducing-the-paper.md, computed from two submissions; run it to write them into the page."""

from __future__ import annotations

import json
from pathlib import Path

import igbo_align as ia
import numpy as np
from documents import ROOT, between
from igbo_align.projection import Projection
from igbo_align.protocol.spec import DIRECTIONS
from igbo_align.scoring.leaderboard import reported_rows

PAGE = ROOT / "docs/reproducing-the-paper.md"
METRICS = {"recall@1": "R@1", "recall@5": "R@5", "recall@10": "R@10", "mrr": "MRR", "mean_rank": "mean rank"}
ARROWS = dict(zip(DIRECTIONS, ("S→T", "T→S"), strict=True))


def read(folder: Path) -> dict:
    """The score file of a submission."""
    return json.loads((folder / "scores.json").read_text())


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]) + "\n"


def interval(estimate: dict, digits: int = 3) -> str:
    """A value with its interval."""
    return "{value:.{d}f} [{low:.{d}f}, {high:.{d}f}]".format(d=digits, **estimate)


def table_1(scores: dict[str, dict]) -> str:
    """Table 1 and the median ranks of section 4.3."""
    rows = []
    for reported in reported_rows():
        name = reported["system"]
        for direction in DIRECTIONS:
            for metric, label in (METRICS | {"median_rank": "median rank"}).items():
                digits = 1 if "rank" in metric else 3
                held = [scores[name]["tracks"][track][direction][metric] for track in ("paper", "heldout")]
                paper = f"{reported['directions'][direction][metric]:g}"
                rows.append([name, ARROWS[direction], label, paper, *(interval(item, digits) for item in held)])
    columns = ["system", "direction", "metric", "paper, Igbo (`reported`)", "demo, `paper`", "demo, `heldout`"]
    return table(columns, rows)


def correlation(scores: dict, predictor: str, outcome: str) -> str:
    """Pearson's r with its interval."""
    held = scores["diagnostics"]["correlations"]
    item = next(c for c in held if (c["predictor"], c["outcome"]) == (predictor, outcome))
    return interval(item | {"value": item["r"]}, 2)


def ranks_by_gender(scores: dict) -> str:
    """Mean rank of each gender, and the corrected p of their difference."""
    slices = [item for item in scores["diagnostics"]["slices"] if item["kind"] == "gender"]
    means = " and ".join(f"{item['mean_rank']['value']:.1f}" for item in slices)
    return f"mean ranks {means}, p = {slices[0]['p_holm']:.3f} corrected"


def numbers(scores: dict[str, dict], folder: Path) -> str:
    """The numbers of the running text."""
    release = ia.load_release("demo")
    zero, projected = scores["zero-shot"], scores["projection"]
    profile, held = release.manifest["profile"], projected["similarity"]
    duration, words = (np.mean(release.column(name)) for name in ("duration_s", "n_words"))
    log = json.loads((folder / "baselines__projection/1/training_log.json").read_text())
    losses = {item["epoch"]: item["train_loss"] for item in log["epochs"]}
    gains = [
        projected["tracks"]["paper"][d]["recall@1"]["value"] / zero["tracks"]["paper"][d]["recall@1"]["value"]
        for d in DIRECTIONS
    ]
    rows = [
        ["3.1", "records, kept, speakers", "1,911, 1,343, 8", f"{profile['records']:,}, {profile['kept']:,}, {len(profile['speakers'])}"],
        ["3.1, figure 1", "mean duration, mean words", "12.2 s, 14.0", f"{duration:.1f} s, {words:.1f}"],
        ["3.3", "parameters of the projection", "147,840", f"{n_parameters():,}"],
        ["4.1", "zero-shot paired cosine", "-0.0009", interval(zero["similarity"]["paired_cosine"])],
        ["4.2, figure 3", "train loss, epochs 1 and 5", "3.86, 3.30", f"{losses[1]:.2f}, {losses[5]:.2f}"],
        ["4.2, figure 3", "train loss after mining again, epochs 8 and 15", "3.68, 4.80", f"{losses[8]:.2f}, {losses[15]:.2f}"],
        ["4.2", "lowest validation loss", "4.5985", f"{min(item['heldout_loss'] for item in log['epochs']):.2f}"],
        ["4.3", "R@1 of projected over zero-shot, S→T and T→S", "5.1, 5.0", ", ".join(f"{gain:.1f}" for gain in gains)],
        ["4.4, figure 5", "paired and unpaired mean", "0.112, 0.049", f"{held['paired_mean']:.3f}, {held['unpaired_mean']:.3f}"],
        ["4.4", "t and p (Student)", "15.95, 2.81e-54", f"{held['student']['t']:.2f}, {held['student']['p']:.2e}"],
        ["5.2, figure 6", "r of duration with rank", "-0.19", correlation(projected, "duration_s", "rank_speech_to_text")],
        ["5.2, figure 6", "r of words with paired similarity", "+0.29", correlation(projected, "n_words", "paired_similarity")],
        ["figure 6", "rank by gender", "no systematic effect", ranks_by_gender(projected)],
    ]  # fmt: skip
    return table(["where", "what", "paper, Igbo (`reported`)", "demo"], rows)


def n_parameters() -> int:
    """Of the paper's projection, counted on the fitted one."""
    generator = np.random.default_rng(0)
    return Projection.fit_matrices(*(generator.normal(size=(40, 384)) for _ in range(2))).n_parameters


def tables(folder: Path) -> dict[str, str]:
    """Both tables by their marker, from the folder that holds the two submissions."""
    scores = {name: read(folder / f"baselines__{name}/1") for name in ("zero-shot", "projection")}
    return {"table 1": table_1(scores), "numbers": numbers(scores, folder)}


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    for marker, content in tables(ROOT / "submissions").items():
        text = text.replace(
            f"<!-- {marker} -->\n{between(text, marker)}", f"<!-- {marker} -->\n\n{content.strip()}\n\n"
        )
    PAGE.write_text(text, encoding="utf-8")
