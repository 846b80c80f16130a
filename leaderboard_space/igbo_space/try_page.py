"""Try your own: what came of an upload, as a page."""

from __future__ import annotations

from collections.abc import Sequence

from igbo_align.problems import Problem, ProblemsFound
from igbo_align.protocol.spec import TRACKS
from igbo_align.report.markup import Html, element, joined

from .columns import interval, number, signed_interval
from .source import Shown
from .system_page import scores_table
from .tables import simple_table
from .trying import Tried, try_files

_MOST_NAMES = 4


def waiting_html(shown: Shown) -> Html:
    """Before anything was sent."""
    n = len(shown.release.ids)
    rows = [
        ["one file", "embeddings.parquet, .npz or .safetensors", f"ids, speech and text: {n} rows, matched by id"],
        ["one file", "similarity.npz", "speech_ids, text_ids, similarity: for systems without a shared space"],
        ["two files", "speech.npy and text.npy", f"({n}, d) each, rows in the order of the release"],
        ["optional", "submission.json", "the card, to have it checked too"],
    ]
    table = simple_table(["Send", "Named", "Holding"], rows, labels=3, caption="What can be tried")
    note = (
        "Your files are read in a sandbox, scored against this release, and deleted when the answer is there. Nothing "
        "is kept, published, or seen by others, and no account is needed."
    )
    return joined(table, element("p", note, class_="caption"))


def try_html(paths: Sequence[str] | None, trained: str, shown: Shown) -> Html:
    """All problems, or all scores."""
    if not paths:
        return joined(element("p", "Choose your files first.", class_="finding", role="status"), waiting_html(shown))
    try:
        tried = try_files(paths, trained, shown.board)
    except ProblemsFound as error:
        return _problems(error.problems)
    return _scores(tried, shown)


def _problems(problems: Sequence[Problem]) -> Html:
    count = "One problem" if len(problems) == 1 else f"{len(problems)} problems"
    items = [
        element(
            "li",
            element("p", element("code", item.code), " ", element("strong", item.where)),
            element(
                "dl",
                *(
                    joined(element("dt", name), element("dd", getattr(item, name)))
                    for name in ("found", "expected", "mend")
                ),
                class_="facts",
            ),
        )
        for item in problems
    ]
    head = element(
        "p", f"{count}, nothing was scored. Your files are deleted already.", class_="finding bad", role="alert"
    )
    return joined(head, element("ol", *items, class_="problems"))


def _scores(tried: Tried, shown: Shown) -> Html:
    gap = tried.scores.memorisation_gap
    flags = [element("li", element("code", flag.code), " ", flag.message) for flag in tried.scores.flags]
    rows = [_place_row(tried, track, shown) for track in TRACKS]
    return joined(
        element("p", _summary(tried, shown), class_="finding good", role="status"),
        simple_table(
            ["Track", "Would be", "MRR of both directions", "Cannot be told from"], rows, caption="Your place"
        ),
        element("ul", *flags, class_="flags") if flags else Html(),
        element("h3", "Scores"),
        scores_table(tried.scores.as_json()["tracks"]),
        element(
            "p",
            f"Train–test gap {signed_interval(gap.value, gap.low, gap.high)}. Your files are deleted; this page is all "
            "there is of them.",
            class_="caption",
        ),
        element("h3", "To submit it"),
        element("pre", how_to_submit(shown), class_="bibtex", tabindex="0"),
    )


def _summary(tried: Tried, shown: Shown) -> str:
    place = tried.places["heldout"]
    said = f"Rank {place.rank} in the track heldout, behind {place.ahead} of {place.of} systems"
    return (
        f"{said}, on {shown.release.spec.name} {shown.release.spec.version}. Every number is what the board would show."
    )


def _place_row(tried: Tried, track: str, shown: Shown) -> list[str]:
    from igbo_align.scoring.leaderboard import mean_mrr_estimate

    place, estimate = tried.places[track], mean_mrr_estimate(tried.scores, track).as_json()
    names = [shown.records[name].title for name in place.tied_with]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    tied = ", ".join(names[:_MOST_NAMES]) + more if names else "nobody: it would stand alone"
    return [track, f"rank {place.rank}", f"{number(estimate['value'])} [{interval(estimate)}]", tied]


def how_to_submit(shown: Shown) -> str:
    """What to type next."""
    release = shown.release.spec.name if shown.release.spec.name == "demo" else "ORG/RELEASE"
    return "\n".join(
        [
            "pip install igbo-align  # not on PyPI yet: take the wheel from this Space's files",
            "# card.json says what the system is: see docs/submitting.md",
            f"igbo-align pack --speech speech.npy --text text.npy --card card.json --release {release} \\",
            "    --out submissions/me__mine/1",
            f"igbo-align validate submissions/me__mine/1 --release {release}",
            f"igbo-align submit submissions/me__mine/1 --release {release} --repo ORG/NAME",
        ]
    )
