"""Scores, comparisons and leaderboards as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from ..encoders.presets import Preset
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.comparison import TrackComparison
from ..scoring.leaderboard import Leaderboard, mean_mrr_estimate, reported_rows
from ..scoring.scores import Estimate, Scores
from ..scoring.seeds import SeedSpread

_ARROWS = {"speech_to_text": "S→T", "text_to_speech": "T→S"}
_HEADERS = {"mrr": "MRR", "mean_rank": "mean rank", "median_rank": "median"}


def score_table(scores: Scores) -> Table:
    """Every metric of every track, both directions with their 95 % intervals, and the chance level."""
    table = _table(f"{_system(scores)} on {scores.release.spec.name} {scores.release.spec.version}, 95 % intervals")
    for name in ("track", "metric", "speech to text", "text to speech", "chance"):
        table.add_column(name, justify="left" if name in ("track", "metric") else "right", no_wrap=True)
    for track in TRACKS:
        directions = [scores.tracks[track][direction] for direction in DIRECTIONS]
        size = f"{directions[0].n} queries, {directions[0].pool} candidates"
        labels = [track, *size.split(", ")]
        for i, metric in enumerate(directions[0].estimates):
            label = labels[i] if i < len(labels) else ""
            cells = [_interval(held[metric], metric) for held in directions]
            chance = _number(directions[0][metric].chance, metric)
            last = metric == "median_rank"
            table.add_row(Text(label, "bold" if i == 0 else "dim"), _header(metric), *cells, chance, end_section=last)
    return table


def presets_table(presets: Sequence[Preset]) -> Table:
    """Encoders that have a short name."""
    table = _table("Encoders by short name; licences of the weights as far as we know, their cards decide")
    for name in ("name", "encodes", "Hub id", "d", "prompt", "licence"):
        table.add_column(name, justify="right" if name == "d" else "left", no_wrap=True)
    for preset in presets:
        prompt = repr(preset.prompt) if preset.prompt else ""
        table.add_row(preset.name, preset.modality, preset.id, str(preset.dimensions), prompt, preset.licence)
    return table


def similarity_lines(scores: Scores) -> list[str]:
    """The tests of alignment and the memorisation gap, a line each."""
    tests, gap = scores.similarity, scores.memorisation_gap
    welch = _t_test("Welch", tests.welch.t, tests.welch.p)
    student = _t_test("Student, as in the paper", tests.student.t, tests.student.p)
    effect = "undefined" if tests.cohens_d is None else f"{tests.cohens_d:.3f}"
    return [
        f"paired cosine {_interval(tests.paired_cosine, 'cosine')}",
        f"sample of the tests: paired {tests.paired_mean:.4f}, unpaired {tests.unpaired_mean:.4f}",
        f"{welch}; {student}; permutation p = {tests.permutation_p:.2g}; Cohen's d = {effect}",
        f"memorisation gap (MRR of train minus test queries) {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
    ]


def leaderboard_table(board: Leaderboard, track: str) -> Table:
    """Tied ranks, systems, and both directions with intervals; chance as the last row."""
    table = _table(f"{board.release.spec.name} {board.release.spec.version}, track {track}, 95 % intervals below")
    metrics = [(d, m) for d in DIRECTIONS for m in ("recall@1", "recall@10")]
    table.add_column("rank", justify="right")
    table.add_column("system", overflow="fold", min_width=33)
    for name in ("MRR", *(f"{_header(m)} {_ARROWS[d]}" for d, m in metrics), "train-test gap"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("trained on")
    spread = dict(zip(board.names, board.seeds, strict=True))
    for rank, name, scores in board.rank_rows(track):
        cells = [_stacked(scores.tracks[track][d][m]) for d, m in metrics]
        gap, mean = scores.memorisation_gap, mean_mrr_estimate(scores, track)
        remembered = _stacked(Estimate(gap.value, gap.low, gap.high))
        system = Text.assemble(_system(scores), (_over_seeds(spread.get(name), track), "dim"))
        table.add_row(str(rank), system, _stacked(mean), *cells, remembered, scores.trained_on_pairs)
    first = board.scores[0].tracks[track]
    chance = [_number(first[d][m].chance, m) for d, m in metrics]
    mean_chance = sum(first[d]["mrr"].chance or 0 for d in DIRECTIONS) / len(DIRECTIONS)
    table.add_row("", "chance", _number(mean_chance, "mrr"), *chance, "", "", style="dim")
    return table


def trust_lines(board: Leaderboard, track: str) -> list[str]:
    """What a reader has to know of a row beside its numbers, a line for each row that has flags or is transductive."""
    lines = []
    for _, name, scores in board.rank_rows(track):
        notes = list(dict.fromkeys(flag.code for flag in board.flags(name, scores)))
        if method := scores.card["alignment"]["transductive"]:
            notes.append(f"transductive ({method})")
        if notes:
            lines.append(f"{_system(scores)}: {', '.join(notes)}")
    return lines


def reported_table() -> Table:
    """The paper's own figures with the paper's digits, apart from everything that was recomputed."""
    table = _table("Reported by the paper on waxal-igbo, track paper (not recomputed)")
    for name in ("system", "", "R@1", "R@5", "R@10", "MRR", "mean rank", "median"):
        table.add_column(name, justify="left" if name in ("system", "") else "right")
    for row in reported_rows():
        for direction, values in row["directions"].items():
            cells = [f"{value:g}" if metric.endswith("rank") else f"{value:.4f}" for metric, value in values.items()]
            table.add_row(row["system"], _ARROWS[direction], *cells, style="italic")
    return table


def comparison_table(names: Sequence[str], comparisons: dict[str, TrackComparison]) -> Table:
    """Difference of MRR in each track, with its interval, probability, and the queries that moved."""
    table = _table(f"{names[0]} minus {names[1]}: mean reciprocal rank, both directions")
    for name in ("track", "difference [95 %]", "p (Holm)", "first better", "second better", "n"):
        table.add_column(name, justify="left" if name == "track" else "right")
    for track, item in comparisons.items():
        difference = f"{item.mrr.difference:+.4f} [{item.mrr.low:+.4f}, {item.mrr.high:+.4f}]"
        table.add_row(
            track, difference, f"{item.p_holm:.2g}", str(item.first_better), str(item.second_better), str(item.n)
        )
    return table


def profile_lines(profile: dict[str, Any]) -> list[str]:
    """What a build found in its source, a line each."""
    held = profile["duration_s"]
    sources = [f"sources              {_listed(profile['sources'])}"] if "sources" in profile else []
    return [
        *sources,
        f"records              {profile['records']}",
        f"kept                 {profile['kept']}",
        f"excluded             {_listed(profile['excluded'])}",
        f"durations            {held['min']:.2f} to {held['max']:.2f} s, {held['total'] / 3600:.2f} h in all",
        f"                     median {held['median']:.2f} s, mean {held['mean']:.2f} s",
        f"speakers             {len(profile['speakers'])}: {_listed(profile['speakers'])}",
        f"genders              {_listed(profile['genders'])}",
        f"splits of the source {_listed(profile['splits'])}",
        f"words                {profile['mean_words']:.1f} a transcript",
        f"repeated transcripts {profile['repeated_transcripts']}",
        f"with tone marks      {profile['share_with_tone_marks']:.1%} of transcripts",
        f"with dotted letters  {profile['share_with_dotted_letters']:.1%} of transcripts",
    ]


def _table(title: str) -> Table:
    return Table(title=title, box=SIMPLE, title_style="bold", title_justify="left")


def _header(metric: str) -> str:
    return _HEADERS.get(metric, metric.replace("recall", "R"))


def _stacked(estimate: Estimate) -> Text:
    """The value, and its interval in a line below."""
    return Text.assemble(_number(estimate.value, ""), (f"\n{estimate.low:.2f}…{estimate.high:.2f}", "dim"))


def _over_seeds(seeds: SeedSpread | None, track: str) -> str:
    """A second line below the system: mean and standard deviation of its MRR over seeds."""
    if seeds is None:
        return ""
    mrr = seeds.tracks[track]["mrr"]
    return f"\n{len(seeds.seeds)} seeds: {mrr.mean:.3f} ± {mrr.spread:.3f}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name or 'unknown'}" for name, count in counts.items()) or "none"


def _system(scores: Scores) -> str:
    return f"{scores.card['system']['org']}/{scores.card['system']['name']}"


def _interval(estimate: Estimate, metric: str) -> Text:
    interval = f" [{_number(estimate.low, metric)}, {_number(estimate.high, metric)}]"
    return Text.assemble(_number(estimate.value, metric), (interval, "dim"))


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if metric.endswith("rank") else f"{value:.3f}"


def _t_test(name: str, t: float | None, p: float | None) -> str:
    if t is None or p is None:
        return f"{name}: undefined"
    return f"{name}: t = {t:.2f}, {f'p = {p:.3g}' if p > 0 else 'p < 1e-300'}"  # nothing is impossible, only too small
