"""Sentences in plain words: what is and what is not separable from chance and from the baselines."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnostics.predictors import PREDICTORS
from ..probing.result import ProbeResult
from ..protocol.spec import DIRECTIONS
from .evidence import COMPARED_TRACKS, Comparison, Evidence, Verdict
from .probability import LEVEL, p_equals
from .style import DIRECTION_LABELS

_OUTCOMES = {f"rank_{name}": f"rank ({label})" for name, label in DIRECTION_LABELS.items()} | {
    "paired_similarity": "paired similarity"
}


def findings(evidence: Evidence) -> list[str]:
    """The paragraph that a hurried reader reads, a sentence or two each."""
    return [
        _against_chance(evidence),
        _pools(evidence),
        *(_against_baselines(evidence.baselines, track) for track in COMPARED_TRACKS if evidence.baselines),
        _memory(evidence),
        _alignment(evidence),
        _corrections(evidence),
        _failures(evidence),
    ]


def warnings(evidence: Evidence) -> list[str]:
    """The signs that a score does not mean what it seems to."""
    return [f"Flag: found {flag.found}, where one would expect {flag.expected}." for flag in evidence.scores.flags]


def probe_finding(result: ProbeResult) -> str:
    """Which layer holds most of the pitch contour, and whether that is more than a spectrogram shows."""
    best = max(result.layers, key=lambda item: item.r2.value)
    held, reference = best.r2, result.log_mel.r2
    if held.low > reference.high:
        comparison = "more than"
    elif held.high < reference.low:
        comparison = "less than"
    else:
        comparison = "not separably more or less than"
    return (
        f"Of the layers of {result.speech_encoder.id}, layer {best.layer} holds most of the pitch contour linearly: R² "
        f"{held.value:.2f} [{held.low:.2f}, {held.high:.2f}], {comparison} the {reference.value:.2f} "
        f"[{reference.low:.2f}, {reference.high:.2f}] of a log-mel spectrogram."
    )


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def sorted_verdicts(verdicts: dict[str, Verdict]) -> tuple[list[str], list[str], list[str]]:
    """Names that the submission is better than, worse than, and cannot be told apart from."""
    better, worse, open_ = [], [], []
    for name, verdict in verdicts.items():
        side = better if verdict.difference.difference > 0 else worse
        (side if verdict.p_holm < LEVEL else open_).append(name)
    return better, worse, open_


def _against_chance(evidence: Evidence) -> str:
    better, worse, open_ = sorted_verdicts(dict(evidence.against_chance))
    parts = []
    if better:
        parts.append(f"finds pairs better than chance in {_tracks(better)}")
    if worse:
        parts.append(f"is worse than chance in {_tracks(worse)}")
    if open_:
        parts.append(f"cannot be told apart from chance in {_tracks(open_)}")
    return (
        f"{evidence.name} {listed(parts)} (mean reciprocal rank, both directions; Holm's correction over the tracks)."
    )


def _tracks(names: Sequence[str]) -> str:
    return f"track {names[0]}" if len(names) == 1 else f"the tracks {listed(names)}"


def _pools(evidence: Evidence) -> str:
    parts = []
    for direction in DIRECTIONS:
        held = [evidence.scores.tracks[track][direction] for track in ("heldout", "full")]
        first = [scores["recall@1"] for scores in held]
        shares = " and ".join(
            f"for {item.value:.1%} of queries among {scores.pool} {which}candidates (chance {item.chance or 0:.1%})"
            for item, scores, which in zip(first, held, ("held-out ", ""), strict=True)
        )
        parts.append(f"From {DIRECTION_LABELS[direction].replace('→', 'to')} the right answer comes first {shares}.")
    return " ".join(parts)


def _against_baselines(baselines: Sequence[Comparison], track: str) -> str:
    better, worse, open_ = sorted_verdicts(
        {item.name.removeprefix("baselines/"): item.verdicts[track] for item in baselines}
    )
    where = "On the held-out pairs" if track == "heldout" else "In the paper's pools, which hold pairs to train on,"
    parts = []
    if better:
        parts.append(f"is better than {listed(better)}")
    if worse:
        parts.append(f"is worse than {listed(worse)}")
    if open_:
        parts.append(f"cannot be told apart from {listed(open_)}")
    return f"{where} it {listed(parts)} (paired bootstrap, Holm's correction over all baselines and both tracks)."


def _memory(evidence: Evidence) -> str:
    gap, trained = evidence.scores.memorisation_gap, evidence.scores.trained_on_pairs
    interval = f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    if not gap.excludes_zero:
        return f"Train and test queries are found equally well, as far as one can tell (gap in MRR {interval})."
    if gap.value < 0:
        return f"Test queries are found better than train queries (gap in MRR {interval})."
    denial = " The card says that it was not trained on the pairs; that does not fit." if trained == "none" else ""
    return (
        f"Train queries are found better than test queries (gap in MRR {interval}): numbers of the tracks paper, full "
        f"and hard partly measure memory, and only track heldout says what happens with new sentences.{denial}"
    )


def _alignment(evidence: Evidence) -> str:
    tests = evidence.scores.similarity
    if tests.welch.t is None or tests.welch.p is None:
        return "All sampled similarities are equal, or nearly so: there is nothing to test."
    means = f"{tests.paired_mean:.3f} against {tests.unpaired_mean:.3f}"
    if tests.welch.p < LEVEL and tests.permutation_p < LEVEL:
        return f"Pairs are more similar than strangers ({means}; Welch {p_equals(tests.welch.p)})."
    return f"Pairs are not measurably more similar than strangers ({means}; Welch {p_equals(tests.welch.p)})."


def _corrections(evidence: Evidence) -> str:
    parts = []
    for name, variant in evidence.scores.diagnostics.variants.items():
        label, gain = {"csls": "CSLS", "centred": "mean-centring"}[name], variant.mrr_gain["full"]
        effect = (
            "would help" if gain.low > 0 else "would hurt" if gain.high < 0 else "would make no measurable difference"
        )
        parts.append(f"{label} {effect} ({gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}])")
    return f"As a correction after the fact, {listed(parts)}, by MRR among all candidates."


def _failures(evidence: Evidence) -> str:
    failures = evidence.failures
    labels = {predictor.name: predictor.label for predictor in PREDICTORS}
    real = [
        f"{labels[item.predictor]} with {_OUTCOMES[item.outcome]} (r = {item.r:+.2f})"
        for item in sorted(failures.correlations, key=lambda item: -abs(item.r or 0))
        if item.p_holm is not None and item.p_holm < LEVEL
    ]
    tested = sum(item.r is not None for item in failures.correlations)
    if not tested:
        first = "no correlation with properties of the pairs could be tested: ranks and similarities do not vary."
    elif not real:
        first = f"of {tested} tested correlations with properties of the pairs none survives correction."
    else:
        more = f", and {len(real) - 3} more" if len(real) > 3 else ""
        survive = "survives" if len(real) == 1 else "survive"
        first = f"of {tested} tested correlations {len(real)} {survive} correction: {', '.join(real[:3])}{more}."
    slices = [item for item in failures.slices if item.p_holm < LEVEL]
    second = f"{len(slices)} of {len(failures.slices)} slices differ from the other queries after correction."
    return f"In track {evidence.failure_track}: {first} {second}"
