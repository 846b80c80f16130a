"""One system: its card, scores, diagnostics, pool-size curve, slices, worst queries, and how to cite it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from igbo_align.diagnostics.failures import failure_track
from igbo_align.diagnostics.predictors import PREDICTORS
from igbo_align.protocol.spec import DIRECTIONS, TRACKS
from igbo_align.report.markup import Html, element, joined, visible
from igbo_align.report.pair_names import pair_names

from .audio import players
from .charts import pool_curve
from .columns import interval, millions, number, place_text, signed_interval
from .labels import label
from .records import Record, default_systems
from .source import Shown
from .tables import Line, facts, forest, p_text, simple_table
from .view import View

_LEVEL = 0.05
_PREDICTORS = {predictor.name: predictor.label for predictor in PREDICTORS}
_OUTCOMES = {
    "rank_speech_to_text": "rank, speech → text",
    "rank_text_to_speech": "rank, text → speech",
    "paired_similarity": "similarity of the pair",
}
_METRICS = ("recall@1", "recall@5", "recall@10", "mrr", "median_rank", "mean_rank")
_HEADINGS = ("Track", "Direction", "R@1", "R@5", "R@10", "MRR", "Median rank", "Mean rank")


def system_html(shown: Shown, view: View) -> Html:
    """The page of a system."""
    name = view.system if view.system in shown.records else default_systems(shown.records)["system"]
    if not name:
        return element("p", "The board is empty.", class_="empty")
    record = shown.records[name]
    row = record.row
    track = failure_track(record.card["alignment"]["trained_on_pairs"])
    failures = row["diagnostics"] if track == "paper" else row["diagnostics"][track]
    worst = joined(*(_worst(shown, failures["worst"][one], track, one) for one in DIRECTIONS))
    return joined(
        _head(record, view),
        _flags(row["flags"]),
        element("div", _card(record), _places(record), class_="pair"),
        element("h3", "Scores"),
        scores_table(row["tracks"]),
        element("h3", "How it depends on the pool"),
        element("div", *(_curve(row, one) for one in DIRECTIONS), class_="pair"),
        element("h3", "Where it fails"),
        _slices(row, failures, track),
        _correlations(failures["correlations"]),
        worst,
        element("h3", "Diagnostics"),
        _diagnostics(row),
        element("h3", "Cite"),
        element("pre", bibtex(record), class_="bibtex", tabindex="0"),
    )


def _head(record: Record, view: View) -> Html:
    row = record.row
    status = element("span", row["status"], class_=f"badge {row['status']}")
    labels = [element("span", text, class_="label") for text in row.get("labels", [])]
    places = f"Place {place_text(record.places[view.track])} in the track {view.track}."
    return joined(element("h2", record.title, " ", status, *labels), element("p", places, class_="caption"))


def _flags(flags: Sequence[Mapping[str, str]]) -> Html:
    if not flags:
        return Html()
    items = [element("li", element("code", flag["code"]), " ", flag["where"], ": ", flag["message"]) for flag in flags]
    return element("ul", *items, class_="flags")


def _card(record: Record) -> Html:
    card = record.card
    system, alignment = card["system"], card["alignment"]
    parameters = millions(system["n_parameters"]) if system["n_parameters"] is not None else ""
    return facts(
        [
            ("Speech encoder", _encoder(card["speech_encoder"])),
            ("Text encoder", _encoder(card["text_encoder"])),
            ("Alignment", alignment["method"]),
            ("Trained on the pairs", alignment["trained_on_pairs"]),
            ("Other training data", alignment["other_training_data"]),
            ("Transductive", alignment.get("transductive") or ""),
            ("Parameters", parameters),
            ("Licence", system["licence"]),
            ("Address", system["url"] or ""),
            ("Submitter", card["submitter"]),
            ("Date", card["created"]),
            ("Revision", system["revision"]),
            ("Notes", card["notes"]),
        ]
    )


def _encoder(encoder: Mapping[str, str | None]) -> str:
    parts = [encoder["id"]]
    if encoder["revision"]:
        revision = encoder["revision"]
        parts.append(f"@{revision[:19]}…" if len(revision) > 20 else f"@{revision}")
    if encoder["pooling"]:
        parts.append(f", {encoder['pooling']}")
    return "".join(part for part in parts if part)


def _places(record: Record) -> Html:
    rows = [
        [track, place_text(record.places[track]), _with_interval(record.row["mean_mrr"][track])] for track in TRACKS
    ]
    return simple_table(["Track", "Place", "MRR of both directions"], rows, caption="Places")


def _with_interval(estimate: Mapping[str, Any], digits: int = 3) -> str:
    return f"{number(estimate['value'], digits)} [{interval(estimate, digits)}]"


def scores_table(tracks: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Html:
    """Every metric of every track and direction, with intervals."""
    rows = []
    for track in TRACKS:
        for direction in DIRECTIONS:
            held = tracks[track][direction]
            cells = [_stacked(held[name], 1 if name.endswith("rank") else 3) for name in _METRICS]
            rows.append([track, label(f"direction.{direction}"), *cells])
    return simple_table(_HEADINGS, rows, labels=2, caption="Scores with 95 % intervals")


def _stacked(estimate: Mapping[str, Any], digits: int) -> Html:
    return joined(number(estimate["value"], digits), element("small", interval(estimate, digits)))


def _curve(row: Mapping[str, Any], direction: str) -> Html:
    title = f"Expected in random pools, {label('direction.' + direction)}"
    drawn = pool_curve(row["diagnostics"]["pool_size"][direction], title)
    note = "Bands: 95 % intervals. Dashed: chance."
    return element("figure", drawn, element("figcaption", f"{title}. {note}", class_="caption"))


def _slices(row: Mapping[str, Any], failures: Mapping[str, Any], track: str) -> Html:
    slices, overall = failures["slices"], row["mean_mrr"][track]["value"]
    if not slices:
        return Html()
    lines = [
        Line(
            f"{item['kind'].replace('_', ' ')}: {item['name']} ({item['n']})",
            item["mrr"],
            _with_interval(item["mrr"]),
            f"differs, {p_text(item['p_holm'])}" if item["p_holm"] < _LEVEL else "few" if item["small"] else "",
        )
        for item in slices
    ]
    legend = f"all queries: {number(overall)}. MRR in the track {track}; p: Mann-Whitney against the rest, after Holm."
    return forest(lines, 0.0, 1.0, overall, legend)


def _correlations(correlations: Sequence[Mapping[str, Any]]) -> Html:
    """What goes along with a bad rank or a low similarity; properties that are all alike have no correlation."""
    parts = {"predictor": _PREDICTORS, "outcome": _OUTCOMES}
    lines = [
        Line(
            " and ".join(words.get(item[part], item[part]) for part, words in parts.items()),
            {"value": item["r"], "low": item["low"], "high": item["high"]},
            signed_interval(item["r"], item["low"], item["high"]),
            p_text(item["p_holm"]) if item["p_holm"] < _LEVEL else "",
        )
        for item in correlations
        if item["r"] is not None and item["low"] is not None
    ]
    if not lines:
        return Html()
    widest = max(max(abs(line.estimate["low"]), abs(line.estimate["high"])) for line in lines)
    end = min(1.0, math.ceil(widest * 10) / 10)
    legend = "no correlation. Pearson's r with 95 % intervals; p where it is below 0.05 after Holm."
    return joined(element("h3", "What goes along with failure"), forest(lines, -end, end, 0.0, legend))


def _worst(shown: Shown, worst: Sequence[Mapping[str, Any]], track: str, direction: str) -> Html:
    names = dict(zip(shown.release.ids, pair_names(shown.release), strict=True))
    heard = players(shown.release, [item["id"] for item in worst])
    rows = []
    for item in worst:
        beaten_by = [(names[rival["id"]], number(rival["similarity"], 2)) for rival in item["beaten_by"]]
        rivals = ", ".join(f"{name} ({similarity})" for name, similarity in beaten_by)
        sound = [heard[item["id"]]] if item["id"] in heard else []
        cells = [
            joined(names[item["id"]], *sound),
            rivals or "–",
            f"{item['rank']:g}",
            number(item["similarity"]),
        ]
        rows.append(cells)
    caption = f"Worst queries, {label('direction.' + direction)}, track {track}"
    return simple_table(["Query", "Beaten by (cosine)", "Rank", "Cosine"], rows, labels=2, caption=caption)


def _diagnostics(row: Mapping[str, Any]) -> Html:
    held, tests = row["diagnostics"], row["similarity"]
    gap, geometry = held["memorisation_gap"], held["geometry"] or {}
    hubs = {one: held["hubness"][one]["skewness"] for one in DIRECTIONS}
    gains = {name: variant.get("mrr_gain", {}).get("heldout") for name, variant in held["variants"].items()}
    welch = tests["welch"]["p"]
    return facts(
        [
            ("Train–test gap", signed_interval(gap["value"], gap["low"], gap["high"])),
            ("Cosine of pairs", f"{tests['paired_mean']:.3f}, of others {tests['unpaired_mean']:.3f}"),
            ("Welch test", "undefined" if welch is None else p_text(welch)),
            ("Permutation test", p_text(tests["permutation"]["p"])),
            ("Modality gap", _if_there(geometry.get("modality_gap"))),
            ("Linear CKA", _if_there(geometry.get("linear_cka"))),
            (
                "Effective rank",
                " and ".join(_if_there(geometry.get(f"effective_rank_{s}"), 0) for s in ("speech", "text"))
                if geometry
                else "",
            ),
            ("Hubness (skewness)", ", ".join(f"{label('direction.' + one)} {hubs[one]:.2f}" for one in DIRECTIONS)),
            *(
                (f"Gain by {name}", signed_interval(gain["value"], gain["low"], gain["high"]))
                for name, gain in gains.items()
                if gain
            ),
        ]
    )


def _if_there(value: float | None, digits: int = 3) -> str:
    return "" if value is None else number(value, digits)


def bibtex(record: Record) -> str:
    """A citation of the row; braces and backslashes of strangers' text are left out."""
    system, card = record.card["system"], record.card
    key = re.sub(r"[^A-Za-z0-9]+", "_", record.name).strip("_")

    def plain(text: str) -> str:
        return re.sub(r"[\\{}%#$&~^_]", " ", visible(text)).strip()

    lines = [f"@misc{{{key},", f"  title  = {{{plain(system['name'])}, revision {plain(system['revision'])}}},"]
    lines += [f"  author = {{{plain(card['submitter'])}}},", f"  year   = {{{card['created'][:4]}}},"]
    if system["url"]:
        address = re.sub(r"[{}\\]", "", system["url"])
        lines.append(f"  howpublished = {{\\url{{{address}}}}},")
    benchmark = card["benchmark"]
    fingerprint = benchmark["fingerprint"][:12]
    lines.append(
        f"  note   = {{igbo-align leaderboard, release {plain(benchmark['name'])}, fingerprint {fingerprint}}}"
    )
    return "\n".join([*lines, "}"])
