"""Reports: complete, self-contained, escaped, for every kind of submission; and what a browser makes of them."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import igbo_align as ia
import numpy as np
import pyarrow as pa
import pytest
from igbo_align.cli.app import run
from igbo_align.diagnostics.memorisation import MemorisationGap
from igbo_align.probing.result import parse_probe
from igbo_align.progress import silent_progress
from igbo_align.report.blocks import Document, Panel, Paragraph, Table
from igbo_align.report.comparison import comparison_document
from igbo_align.report.evidence import Evidence, TrainingLog, Verdict, _others, gather_alone, read_training_log
from igbo_align.report.figures.retrieval import training_panel
from igbo_align.report.html_page import html_page
from igbo_align.report.markdown_page import escaped, markdown_page
from igbo_align.report.markup import Html, element
from igbo_align.report.sections import submission_document
from igbo_align.report.style import COLOURS, draw_panel, inline_svg
from igbo_align.report.words import findings, probe_finding
from igbo_align.report.writing import write_comparison, write_report
from igbo_align.scoring.comparison import TrackComparison
from igbo_align.statistics.comparison import PairedDifference
from igbo_align.submission.sandbox import Decoder
from igbo_align.tracks.similarity import similarity_of

pytest.importorskip("matplotlib")
SUBMISSIONS = Path(__file__).parent.parent / "submissions"
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """The tags, texts and links of a page; raises where tags do not match."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "action", "data", "srcset", "poster"):
                self.links.append(value)
            assert not name.startswith("on"), name

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data}"


def written(submission, folder, release):
    """Write a submission of either kind; returns its folder."""
    if isinstance(submission.content, ia.Embeddings):
        ia.write_submission(folder, submission.card, submission.content, release)
        return folder
    folder.mkdir(parents=True)
    (folder / "submission.json").write_text(json.dumps(submission.card.as_json()))
    np.savez(folder / "similarity.npz", **vars(submission.content))
    return folder


def degenerate(kind, demo, submission_of, make_card):
    """A submission that is extreme in one way."""
    text = demo.embeddings("text")
    vectors = {
        "constant": (np.full((699, 4), 0.5, np.float32),) * 2,
        "perfect": (text, text),
        "one dimension": (
            np.where(np.arange(699) % 2, 1, -1).astype(np.float32)[:, None],
            np.ones((699, 1), np.float32),
        ),
    }
    if kind in vectors:
        return submission_of(*vectors[kind])
    unit = demo.embeddings("speech"), text
    ids = np.array(demo.ids)
    return ia.Submission(make_card(), ia.SimilarityMatrix(ids, ids, (unit[0] @ unit[1].T).astype(np.float32)))


KINDS = ("constant", "perfect", "one dimension", "similarity")


@pytest.fixture(scope="module")
def degenerate_pages(demo, submission_of, make_card, tmp_path_factory):
    """Reports of degenerate submissions, kind -> file, each made once."""
    root, pages = tmp_path_factory.mktemp("degenerate"), {}

    def page_of(kind):
        if kind not in pages:
            name = kind.replace(" ", "-")
            folder = written(degenerate(kind, demo, submission_of, make_card), root / f"tests__{name}" / "1", demo)
            pages[kind] = root / f"{name}.html"
            write_report(folder, demo, pages[kind])
        return pages[kind]

    return page_of


@pytest.mark.parametrize("kind", KINDS)
def test_reports_of_degenerate_submissions_come_out(kind, degenerate_pages):
    html = degenerate_pages(kind).read_text(encoding="utf-8")
    page = Page(html)
    for number in ("nan", "inf", "None"):
        assert not re.search(rf"\b{number}\b", page.text), number
    expected = {
        "constant": ["cannot be told apart from chance in the tracks paper, heldout, full and hard", "nothing to test"],
        "perfect": ["finds pairs better than chance in the tracks paper, heldout, full and hard", "100.0% of queries"],
        "one dimension": ["cannot be told apart from chance"],
        "similarity": ["Only similarities were submitted"],
    }[kind]
    assert all(sentence in page.text for sentence in expected)


@pytest.fixture(scope="session")
def probe_file(demo, tmp_path_factory):
    """What a probe of four layers wrote: the first holds less than the spectrogram, the third more."""

    def reading(value):
        control = {"value": -0.004, "low": -0.01, "high": 0.001}
        return {
            "r2": {"value": value, "low": value - 0.03, "high": value + 0.03},
            "penalty": 0.01,
            "control": control,
        }

    document = {
        "schema_version": 1,
        "benchmark": demo.benchmark(),
        "speech_encoder": {"id": "openai/whisper-tiny.en", "revision": "sha256:0"},
        "target": "pitch in semitones",
        "train": {"recordings": 500, "observations": 4000},
        "test": {"recordings": 120, "observations": 1000},
        "log_mel": reading(0.3),
        "layers": [reading(value) | {"layer": i} for i, value in enumerate((0.2, 0.4, 0.55, 0.5))],
    }
    path = tmp_path_factory.mktemp("probed") / "probe.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="session")
def zero_shot_page(zero_shot, demo, probe_file, tmp_path_factory):
    """The report of zero-shot beside a baseline, a training log and a probe: the page as a file."""
    root = tmp_path_factory.mktemp("report")
    card = zero_shot.card.model_copy(update={"alignment": zero_shot.card.alignment})
    folder = root / "submissions" / "tests__test" / "1"
    ia.write_submission(folder, card, zero_shot.content, demo)
    text = demo.embeddings("text")
    noise = np.random.default_rng(0).standard_normal(text.shape).astype(np.float32) * 0.1
    better = ia.Submission(card, ia.Embeddings(np.array(demo.ids), text + noise, text))
    ia.write_submission(root / "submissions" / "baselines__better" / "1", card, better.content, demo)
    rename = root / "submissions" / "baselines__better" / "1" / "submission.json"
    fields = json.loads(rename.read_text())
    fields["system"] |= {"name": "better", "org": "baselines"}
    rename.write_text(json.dumps(fields))
    log = {
        "epochs": [{"epoch": i, "train_loss": 4.0 - i / 10, "heldout_loss": 4.5} for i in range(1, 9)],
        "chance": {"train_loss": 4.56},
        "mining": [{"before_epoch": 1}, {"before_epoch": 5}],
    }
    (folder / "training_log.json").write_text(json.dumps(log))
    write_report(folder, demo, root / "report.html", probe=probe_file)
    return root / "report.html"


def test_a_probe_is_drawn_told_and_tabulated(zero_shot, demo, probe_file, tmp_path, capsys):
    folder = written(zero_shot, tmp_path / "tests__test" / "1", demo)
    assert run(["report", str(folder), "--probe", str(probe_file), "--out", str(tmp_path / "report.html")]) == 0
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Pitch in the hidden states" in page.text
    assert "layer 2 holds most of the pitch contour linearly: R² 0.55 [0.52, 0.58], more than the 0.30" in page.text
    assert "500 train recordings, scored on 120 test recordings" in page.text
    assert page.text.count("shuffled") >= 1
    both = ["report", "--compare", str(folder), str(folder), "--probe", str(probe_file)]
    assert run([*both, "--out", str(tmp_path / "x.html")]) == 2
    assert "a probe belongs to one encoder" in capsys.readouterr().err
    (tmp_path / "other.json").write_text(probe_file.read_text().replace(demo.fingerprint, "0" * 64))
    assert run(["report", str(folder), "--probe", str(tmp_path / "other.json"), "--out", str(tmp_path / "x.html")]) == 1
    assert "probe.unreadable" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "words"), [(0.30, "not separably more or less than"), (0.1, "less than"), (0.5, "more than")]
)
def test_a_probe_is_compared_with_the_spectrogram_by_their_intervals(value, words, probe_file, demo):
    document = json.loads(probe_file.read_text())
    document["layers"] = [document["layers"][0] | {"r2": {"value": value, "low": value - 0.05, "high": value + 0.05}}]
    assert f", {words} the 0.30" in probe_finding(parse_probe(json.dumps(document).encode(), "probe.json", demo))


def difference(value, p):
    """A difference of mean reciprocal ranks whose corrected probability is given."""
    return PairedDifference(value, value - 0.01, value + 0.01, p, p / 2)


@pytest.fixture(scope="module")
def evidence(zero_shot, zero_shot_scores):
    """What is told about zero-shot: better than chance in one track, worse in two, and not to be told apart in one."""
    numbers = {"paper": (0.1, 0.01), "heldout": (-0.1, 0.01), "full": (-0.2, 0.04), "hard": (-0.1, 0.05)}
    verdicts = {track: Verdict(difference(value, p), p) for track, (value, p) in numbers.items()}
    similarity = similarity_of((zero_shot.content.speech, zero_shot.content.text))
    return Evidence(zero_shot_scores, similarity, verdicts, [], None)


def with_diagnostics(evidence, **parts):
    """The same evidence with other diagnostics."""
    diagnostics = dataclasses.replace(evidence.scores.diagnostics, **parts)
    return dataclasses.replace(evidence, scores=dataclasses.replace(evidence.scores, diagnostics=diagnostics))


def test_a_system_may_be_worse_than_chance(evidence):
    assert findings(evidence)[0] == (
        "tests/test finds pairs better than chance in track paper, is worse than chance in the tracks heldout and full "
        "and cannot be told apart from chance in track hard (mean reciprocal rank, both directions; Holm's correction "
        "over the tracks)."
    )


EQUALLY = "Train and test queries are found equally well, as far as one can tell"


@pytest.mark.parametrize(
    ("gap", "sentence"),
    [
        ((-0.2, -0.3, -0.1), "Test queries are found better than train queries (gap in MRR -0.200 [-0.300, -0.100])."),
        ((0.1, -0.1, 0.3), f"{EQUALLY} (gap in MRR +0.100 [-0.100, +0.300])."),
    ],
)
def test_memory_in_words(gap, sentence, evidence):
    assert sentence in findings(with_diagnostics(evidence, memorisation_gap=MemorisationGap(*gap)))


def test_where_all_pairs_are_alike_no_slices_are_drawn(evidence):
    held = evidence.scores.diagnostics.failures
    without_slices = {track: dataclasses.replace(item, slices=[]) for track, item in held.items()}
    drawn, without = (
        {panel.name for panel in submission_document(item).panels()}
        for item in (evidence, with_diagnostics(evidence, failures=without_slices))
    )
    assert drawn - without == {"slices"}


def test_a_release_without_a_notice_has_none_on_its_page():
    pages = [
        markdown_page(Document("Title", "Subtitle", notice, [Paragraph("Text")]), "Footer")
        for notice in ("", "Not Igbo")
    ]
    assert pages[0] == "# Title\n\nSubtitle\n\nText\n\n---\n\nFooter\n"
    assert pages[1] == "# Title\n\nSubtitle\n\n> Not Igbo\n\nText\n\n---\n\nFooter\n"


def test_a_training_log_without_a_level_of_chance_has_no_line_of_it():
    losses = {"train_loss": [3.0, 2.0]}
    logs = [TrainingLog([1, 2], losses, chance, []) for chance in ({}, {"train_loss": 4.5})]
    drawn = [draw_panel(training_panel(log), with_png=False).svg for log in logs]
    assert ["loss under chance" in svg for svg in drawn] == [False, True]


def test_damaged_neighbours_only_matter_where_they_were_asked_for(demo, tmp_path):
    own, good, other, broken = (
        tmp_path / name / "1" for name in ("me__own", "baselines__ridge", "you__other", "baselines__broken")
    )
    for folder in (own, good, other):
        shutil.copytree(SUBMISSIONS / "baselines__ridge" / "1", folder)
        card = json.loads((folder / "submission.json").read_text())
        card["system"]["name"] = folder.parent.name
        (folder / "submission.json").write_text(json.dumps(card))
    shutil.copytree(good, broken)
    (broken / "submission.json").write_text("{")

    def others(baselines):
        return [item.card["system"]["name"] for item in _others(own, demo, baselines, decoder, silent_progress)]

    with Decoder() as decoder:
        assert others(None) == ["baselines__ridge"]
        with pytest.raises(ia.ProblemsFound) as caught:
            others(tmp_path)
        assert caught.value.problems[0].code == "card.json"
        shutil.rmtree(broken.parent)
        assert others(tmp_path) == ["baselines__ridge", "you__other"]


def test_a_report_holds_every_part_and_asks_for_nothing(zero_shot_page):
    html = zero_shot_page.read_text(encoding="utf-8")
    page = Page(html)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []
    assert len(page.ids) == len(set(page.ids))
    for part in (
        "This is not Igbo", "Retrieval", "Track paper", "Track heldout", "Pool size", "Loss by epoch", "Against baselines",
        "Paired and unpaired similarity", "Welch", "Student, as in the paper", "first 60 train pairs",
        "first 60 held-out pairs", "Hubs", "CSLS and mean-centring", "Duration in s and rank", "Words and paired similarity",
        "Rank by gender", "Syllables/s of speech and rank", "Share of silence and rank", "Slices", "Pitch read off each layer", "Worst queries", "Duration of recordings", "Pairs by gender", "chance", "modality gap",
    ):  # fmt: skip
        assert part in page.text, part
    assert page.tags.count("figure") == page.tags.count("svg") == 29
    assert page.text.count("worse") >= 2  # than the better baseline, in both tracks
    assert "is worse than better" in page.text
    assert zero_shot_page.stat().st_size < 3_000_000


def test_every_colour_of_a_figure_follows_the_page(zero_shot_page):
    html = zero_shot_page.read_text(encoding="utf-8")
    body = html[html.index("<body") :]
    baked = set(re.findall(r"#[0-9a-fA-F]{6}\b", body)) - {"#000000"}
    assert not baked & {light for light, _ in COLOURS.values()}
    assert "var(--speech)" in body
    assert "prefers-color-scheme:dark" in html


NASTY = '<script>alert("x")</script><img src=x onerror=alert(1)> $x$ `*_[a](javascript:b)|'


@pytest.fixture(scope="module")
def nasty_document(demo, make_card, submission_of, tmp_path_factory):
    """A report of a release whose ids, speakers, genders and transcripts are attacks, and whose card is one too."""
    pairs = demo.pairs
    hostile = {
        "text": [f"{NASTY}\u202e\x07 {i}" for i in range(699)],
        "speaker_id": [NASTY if i % 2 else "</svg>]]>" for i in range(699)],
        "gender": ["<b>&amp;" if i % 3 else "" for i in range(699)],
    }
    for name, values in hostile.items():
        pairs = pairs.set_column(pairs.schema.get_field_index(name), name, pa.array(values))
    release = dataclasses.replace(demo, pairs=pairs)
    alignment = {"method": NASTY, "trained_on_pairs": "none"}
    submission = submission_of(demo.embeddings("speech"), demo.embeddings("text"), alignment=alignment)
    folder = tmp_path_factory.mktemp("nasty") / "tests__test" / "1"
    ia.write_submission(folder, submission.card, submission.content, demo)
    document = submission_document(gather_alone(folder, release))
    return document, {panel.name: draw_panel(panel, with_png=False) for panel in document.panels()}


def test_nothing_that_others_wrote_becomes_markup(nasty_document):
    document, drawings = nasty_document
    html = html_page(document, drawings, NASTY)
    page = Page(html)
    assert not {"script", "img", "b"} & set(page.tags)
    assert 'alert("x")' in page.text  # shown, as text
    assert "\u202e" not in html
    assert "\x07" not in html
    markdown = markdown_page(document, NASTY)
    assert "<script" not in markdown
    assert "<img" not in markdown
    assert not re.search(r"(?<!\\)\]\(javascript", markdown)
    for line in markdown.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {4, 5, 6, 8, 9, 10}


def test_elements_escape_text_and_attributes():
    assert element("p", "<&>", Html("<b>x</b>"), title='"&') == '<p title="&quot;&amp;">&lt;&amp;&gt;<b>x</b></p>'
    assert element("td", "a", class_=None) == "<td>a</td>"
    assert escaped("a|b_c\n<d>") == r"a\|b\_c &lt;d&gt;"


def test_svg_is_the_same_every_time_and_its_ids_are_its_own():
    panel = Panel("one", "One", "A line.", lambda axes: axes.plot([1, 2], [3, 4], label="$a$"))
    first, second = (draw_panel(panel, with_png=True) for _ in range(2))
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    inline = inline_svg(first.svg, "one")
    assert set(re.findall(r'href="#(\w+)-', inline)) <= {"one"}
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]+)"', inline))
    assert "<metadata" not in inline


def test_a_folder_holds_markdown_png_and_svg(zero_shot, demo, tmp_path, capsys):
    folders = [str(written(zero_shot, tmp_path / name, demo)) for name in ("first", "second")]
    out = tmp_path / "report"
    assert run(["report", "--compare", *folders, "--out", str(out)]) == 0
    markdown = (out / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"\((figures/[\w-]+\.(?:png|svg))\)", markdown)
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {"report.md", *linked}
    assert len(linked) == 8
    assert all((out / name).read_bytes()[:4] == b"\x89PNG" for name in linked if name.endswith("png"))
    assert "cannot be told apart" in markdown
    assert run(["report", "--compare", *folders, "--out", str(out)]) == 1
    assert "folder.exists" in capsys.readouterr().err


def test_progress_is_told_of_every_baseline_and_every_figure(zero_shot, demo, tmp_path):
    done: dict[str, list[int]] = {}

    @contextmanager
    def progress(title, total):
        done[title] = [total, 0]

        def advance(steps):
            done[title][1] += steps

        yield advance

    shutil.copytree(SUBMISSIONS / "baselines__ridge", tmp_path / "board" / "baselines__ridge")
    shutil.copytree(SUBMISSIONS / "baselines__random", tmp_path / "board" / "baselines__random")
    folder = written(zero_shot, tmp_path / "board" / "tests__test" / "1", demo)
    write_report(folder, demo, tmp_path / "report.html", progress=progress)
    assert done["Scoring baselines"] == [2, 2]
    total, drawn = done["Drawing figures"]
    assert total == drawn > 10


@pytest.mark.parametrize("name", ["report.pdf", "report.md", "report.htm5"])
def test_formats_that_reports_are_not_written_in_are_usage_problems(name, tmp_path, capsys):
    folder = str(SUBMISSIONS / "baselines__ridge" / "1")
    assert run(["report", folder, "--out", str(tmp_path / name)]) == 2
    assert f"a file {Path(name).suffix}" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    assert run(["report", folder, "--out", str(tmp_path / name)]) == 1
    assert "folder.exists" in capsys.readouterr().err


def test_compare_names_the_queries_that_flipped(demo, submission_of, tmp_path):
    text = demo.embeddings("text")
    speech = np.where((np.arange(699) == 5)[:, None], demo.embeddings("speech"), text)
    pair = [
        written(submission_of(vectors, text), tmp_path / name, demo)
        for name, vectors in (("first", speech), ("second", text))
    ]
    write_comparison(*pair, demo, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert demo.ids[5] in page.text
    assert "second only" in page.text
    assert "Where do they differ?" in page.text
    assert "gender" in page.text


FIRST, SECOND = "tests/test is better than tests/other", "tests/other is better than tests/test"
NEITHER = "the two cannot be told apart"
CORRECTED = " Mean reciprocal rank, paired bootstrap, Holm's correction over the tracks."


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ((0.1, 0.1, 0.1, 0.1), f"{FIRST} in the tracks paper, heldout, full and hard."),
        ((-0.1, -0.1, -0.1, -0.1), f"{SECOND} in the tracks paper, heldout, full and hard."),
        (
            (0.1, -0.1, 0, -0.2),
            f"{FIRST} in track paper. {SECOND} in the tracks heldout and hard. In track full {NEITHER}.",
        ),
    ],
)
def test_a_comparison_says_who_is_better_where(differences, words, evidence, monkeypatch):
    tracks = {
        track: TrackComparison(difference(value, 0.5), 0.01 if value else 0.5, 300, 200, 699)
        for track, value in zip(("paper", "heldout", "full", "hard"), differences, strict=True)
    }
    monkeypatch.setattr("igbo_align.report.comparison.compare", lambda *_: tracks)
    card = evidence.scores.card | {"system": evidence.scores.card["system"] | {"name": "other"}}
    other = dataclasses.replace(evidence, scores=dataclasses.replace(evidence.scores, card=card))
    document = comparison_document(evidence, other)
    assert document.title == "tests/test and tests/other"
    found = [block.text for block in document.blocks if isinstance(block, Paragraph) and block.kind == "finding"]
    assert found == [words + CORRECTED]


def test_wrong_numbers_of_submissions_are_usage_problems(tmp_path, capsys):
    assert run(["report", "a", "b", "--out", str(tmp_path / "x.html")]) == 2
    assert run(["report", "a", "--compare", "--out", str(tmp_path / "x.html")]) == 2
    assert "two with --compare, one without" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"epochs": 3}', '{"epochs": []}', '{"epochs": [1]}', '{"epochs": [{"train_loss": "x"}]}',
     '{"epochs": [{"train_loss": 1e400}]}', '{"epochs": [{"train_loss": true}]}'],
)  # fmt: skip
def test_a_training_log_that_cannot_be_drawn_is_left_out(content, tmp_path):
    (tmp_path / "training_log.json").write_text(content)
    assert read_training_log(tmp_path) is None


def test_a_training_log_keeps_what_can_be_drawn(tmp_path):
    rows = [{"epoch": "<b>", "train_loss": 2 - i, "heldout_loss": None} for i in range(3)]
    mining = [{"before_epoch": e} for e in (1, 2, 9, "x", 2.5)]
    (tmp_path / "training_log.json").write_text(
        json.dumps({"epochs": rows, "mining": mining, "chance": {"train_loss": 4}})
    )
    log = read_training_log(tmp_path)
    assert dict(log.losses) == {"train_loss": [2, 1, 0]}
    assert list(log.epochs) == [1, 2, 3]
    assert log.mined_before == [2]
    assert log.chance == {"train_loss": 4}


def test_without_matplotlib_the_extra_is_named(demo, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ia.EnvironmentProblem, match="report"):
        write_report(tmp_path, demo, tmp_path / "x.html")


def test_tables_have_as_many_cells_as_columns(nasty_document):
    document, _ = nasty_document
    for table in (block for block in document.blocks if isinstance(block, Table)):
        assert {len(row) for row in table.rows} == {len(table.columns)}


LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1200, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1200, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 375, "height": 800}},
}
#: Texts of a figure that touch another or leave the figure. Rotated labels have a box of their own, as all others.
BAD_TEXTS = """() => {
  const bad = [];
  for (const svg of document.querySelectorAll("figure svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("g")].filter(g => /-text_\\d+$/.test(g.id));
    const boxes = texts.map(g => g.getBoundingClientRect()).filter(b => b.width > 0);
    boxes.forEach((a, i) => {
      const inside = a.left >= frame.left - 1 && a.right <= frame.right + 1
        && a.top >= frame.top - 1 && a.bottom <= frame.bottom + 1;
      if (!inside) bad.push(["cut", svg.innerHTML.slice(0, 60), i]);
      boxes.slice(i + 1).forEach((b, j) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 1) bad.push(["overlap", texts[i].id, texts[i + 1 + j].id]);
      });
    });
  }
  return bad;
}"""


@pytest.mark.parametrize("look", LOOKS)
def test_browsers_ask_for_nothing_complain_of_nothing_and_cut_nothing(look, browser, zero_shot_page):
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(zero_shot_page.as_uri())
    assert requests == [zero_shot_page.as_uri()]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(BAD_TEXTS) == []
    ink, paper = (COLOURS[name][look == "dark"] for name in ("ink", "paper"))
    rgb = [f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})" for colour in (ink, paper)]
    assert (
        page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]") == rgb
    )
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != (rgb[1] if look == "dark" else "")
    context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_browsers_cut_nothing_of_degenerate_reports(kind, browser, degenerate_pages):
    page = browser.new_page()
    page.goto(degenerate_pages(kind).as_uri())
    assert page.evaluate(BAD_TEXTS) == []
    page.close()
