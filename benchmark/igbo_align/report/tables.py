"""The tables of a report."""

from __future__ import annotations

from ..diagnostics.predictors import PREDICTORS
from ..probing.result import ProbeResult
from ..protocol.spec import DIRECTIONS, TRACKS
from ..scoring.scores import Scores
from ..statistics.estimates import Estimate
from .blocks import Table
from .evidence import COMPARED_TRACKS, Evidence
from .probability import LEVEL, p_text
from .style import DIRECTION_LABELS

_HEADERS = {"mrr": "MRR", "mean_rank": "mean rank", "median_rank": "median rank"}


def headline_table(scores: Scores) -> Table:
    """Every metric of every track, with intervals and chance."""
    names = list(scores.tracks[TRACKS[0]][DIRECTIONS[0]].estimates)
    rows, faint = [], set()
    for track in TRACKS:
        for direction in DIRECTIONS:
            held = scores.tracks[track][direction]
            label = [track, DIRECTION_LABELS[direction]]
            rows.append([*label, *(with_interval(held[name], name) for name in names)])
        faint.add(len(rows))
        held = scores.tracks[track][DIRECTIONS[0]]
        rows.append(["", "chance", *(number(held[name].chance, name) for name in names)])
    sizes = "; ".join(
        f"{track} {held.n} queries, {held.pool} candidates"
        for track in TRACKS
        for held in [scores.tracks[track][DIRECTIONS[0]]]
    )
    caption = f"All tracks with 95 % bootstrap intervals. {sizes}."
    return Table(caption, ["track", "direction", *map(_header, names)], rows, labels=2, faint=frozenset(faint))


def baselines_table(evidence: Evidence) -> Table:
    """The submission minus every baseline, in words too."""
    rows = []
    for item in evidence.baselines:
        row = [item.name]
        for track in COMPARED_TRACKS:
            held = item.verdicts[track]
            difference = held.difference
            row += [
                f"{item.scores.mean_mrr(track):.3f}",
                f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]",
                p_text(held.p_holm),
                verdict(difference.difference, held.p_holm),
            ]
        rows.append(row)
    columns = [
        f"{track}: {name}"
        for track in COMPARED_TRACKS
        for name in ("MRR", "difference [95 %]", "p, corrected", "it is")
    ]
    own = ", ".join(f"{evidence.scores.mean_mrr(track):.3f} in {track}" for track in COMPARED_TRACKS)
    return Table(f"{evidence.name} (MRR {own}) minus each baseline.", ["baseline", *columns], rows)


def verdict(difference: float, p_holm: float) -> str:
    """Better, worse, or not separable."""
    if p_holm >= LEVEL:
        return "not separable"
    return "better" if difference > 0 else "worse"


def geometry_table(evidence: Evidence) -> Table | None:
    """Numbers of the two clouds; None where only similarities were submitted."""
    held = evidence.scores.diagnostics.geometry
    if held is None:
        return None
    undefined = "undefined"
    rows = [
        ["modality gap", f"{held.modality_gap:.3f}", "0 to 2: distance of the two centroids"],
        ["anisotropy, speech", f"{held.anisotropy_speech:.3f}", "mean cosine of two different recordings"],
        ["anisotropy, text", f"{held.anisotropy_text:.3f}", "mean cosine of two different texts"],
        ["effective rank, speech", _or(held.effective_rank_speech, ".1f", undefined), "dimensions in use, centred"],
        ["effective rank, text", _or(held.effective_rank_text, ".1f", undefined), "dimensions in use, centred"],
        ["linear CKA, debiased", _or(held.linear_cka, ".3f", undefined), "1: equal structure, about 0: none shared"],
        [
            "mutual neighbours",
            f"{with_interval(held.mutual_knn, '')}",
            f"share of 10 nearest in both modalities, chance {held.mutual_knn.chance or 0:.3f}",
        ],
    ]
    order = [[name, meaning, value] for name, value, meaning in rows]
    return Table("Geometry of the unit vectors.", ["", "meaning", "value"], order, labels=2)


def hubs_table(evidence: Evidence) -> Table:
    """Hubness of both directions and the largest hubs."""
    rows = []
    for direction, held in evidence.scores.diagnostics.hubness.items():
        summary = (
            f"skewness {_or(held.skewness, '.2f', 'undefined')} (chance {_or(held.skewness_chance, '.2f', '0')}), "
            f"Robin Hood index {held.robin_hood:.2f} (chance {held.robin_hood_chance:.2f}), "
            f"{held.never:.0%} of candidates never in a top {held.k}"
        )
        rows.append([DIRECTION_LABELS[direction], summary, ""])
        rows += [["", evidence.pair_names[position], f"{count:.4g}"] for position, count in held.top[:5]]
    return Table("The largest hubs: in how many queries' top 10 they are.", ["direction", "candidate", "N₁₀"], rows, 2)


def slices_table(evidence: Evidence) -> Table:
    """Every slice with both intervals, its corrected test and its worst member."""
    rows = [
        [
            item.kind.replace("_id", "").replace("_", " "),
            item.name,
            f"{item.n}{' (small)' if item.small else ''}",
            with_interval(item.mrr, "mrr"),
            with_interval(item.mean_rank, "mean_rank"),
            p_text(item.p_holm),
            f"{item.worst_rank:.4g}: {evidence.pair_names[item.worst]}",
        ]
        for item in evidence.failures.slices
    ]
    columns = ["by", "slice", "queries", "MRR [95 %]", "mean rank [95 %]", "p, corrected", "worst member"]
    faint = frozenset(i for i, item in enumerate(evidence.failures.slices) if item.small)
    caption = (
        f"Track {evidence.failure_track}, both directions averaged. p: Mann-Whitney test against "
        "all other queries, corrected by Holm."
    )
    return Table(caption, columns, rows, labels=2, faint=faint)


def correlations_table(evidence: Evidence) -> Table:
    """Every correlation with its interval and corrected probability."""
    labels = {predictor.name: predictor.label for predictor in PREDICTORS}
    rows = [
        [
            labels[item.predictor],
            item.outcome.replace("_", " "),
            str(item.n),
            "does not vary" if item.r is None else f"{item.r:+.3f} [{item.low:+.3f}, {item.high:+.3f}]",
            p_text(item.p_holm),
        ]
        for item in evidence.failures.correlations
    ]
    caption = (
        f"Track {evidence.failure_track}. Pearson's r with the 95 % bootstrap interval of each one "
        "alone; p of Student's t, corrected by Holm over all of them: with so many, an interval without 0 may be luck."
    )
    return Table(caption, ["property", "with", "queries", "r [95 %]", "p, corrected"], rows, labels=2)


def worst_table(evidence: Evidence, direction: str) -> Table:
    """The worst queries of a direction and what beat them."""
    rows = []
    for item in evidence.failures.worst[direction]:
        beaten = "; ".join(f"{evidence.pair_names[i]} {value:.3f}" for i, value in item.rivals) or "nothing"
        rows.append([evidence.pair_names[item.query], beaten, f"{item.rank:.4g}", f"{item.similarity:.3f}"])
    caption = (
        f"Worst queries, {DIRECTION_LABELS[direction]}, track {evidence.failure_track}, "
        "and the nearest of what beat them."
    )
    return Table(caption, ["query", "beaten by, with similarity", "rank", "its own similarity"], rows, labels=2)


def minimal_pairs_table(evidence: Evidence) -> Table | None:
    """Forced choices between texts that differ in diacritics alone."""
    held = evidence.scores.diagnostics.minimal_pairs
    if held is None:
        return None
    rows = [[DIRECTION_LABELS[name], with_interval(item, ""), "0.500"] for name, item in held.correct.items()]
    caption = (
        f"Minimal pairs: {held.n_pairs} pairs have a rival that differs from them in tone marks or dots alone. Share "
        f"of {held.n_choices} choices between the two that are right, with Wilson's interval."
    )
    return Table(caption, ["direction", "right", "chance"], rows)


def probe_table(result: ProbeResult) -> Table:
    """R² of every layer, of the spectrogram and of shuffled contours."""
    named = [("log-mel spectrogram", result.log_mel), *((f"layer {item.layer}", item) for item in result.layers)]
    rows = [
        [name, *(f"{x.value:z.3f} [{x.low:z.3f}, {x.high:z.3f}]" for x in (item.r2, item.control))]
        for name, item in named
    ]
    return Table(
        f"R² of pitch on test recordings. {result.target}.", ["read off", "R² [95 %]", "shuffled [95 %]"], rows
    )


def with_interval(estimate: Estimate, metric: str) -> str:
    """`0.123 [0.100, 0.150]`."""
    return f"{number(estimate.value, metric)} [{number(estimate.low, metric)}, {number(estimate.high, metric)}]"


def number(value: float | None, metric: str) -> str:
    """Three decimals, one for ranks."""
    if value is None:
        return ""
    return f"{value:.1f}" if metric.endswith("rank") else f"{value:.3f}"


def _header(metric: str) -> str:
    return _HEADERS.get(metric, metric.replace("recall", "R"))


def _or(value: float | None, form: str, otherwise: str) -> str:
    return otherwise if value is None else format(value, form)
