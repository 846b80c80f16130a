"""Strangers' strings in every field of a board, and strangers' files: they stay text, and the disk stays bounded."""

from __future__ import annotations

import copy
import json
import os
import time
from html.parser import HTMLParser
from pathlib import Path

import igbo_align as ia
import numpy as np
import pytest
from browser import chromium
from hostile_strings import STRINGS
from igbo_align.problems import ProblemsFound
from igbo_align.protocol.spec import TRACKS
from igbo_align.scoring.board import read_board
from igbo_align.scoring.leaderboard import board_text
from igbo_space.board_table import board_csv, board_html
from igbo_space.columns import COLUMNS
from igbo_space.compare_page import compare_html
from igbo_space.evidence_page import evidence_html
from igbo_space.records import records_of
from igbo_space.source import Shown
from igbo_space.system_page import system_html
from igbo_space.try_page import try_html
from igbo_space.trying import bound_uploads, try_files
from igbo_space.view import View
from space_browser import serving, visit

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = json.loads((ROOT / "leaderboard_space" / "leaderboard.json").read_text())


def row_with(text, number, row):
    """A row of the board with a string in every field that a stranger writes."""
    changed = copy.deepcopy(row)
    changed["submission"] = f"{text}/{number}"
    card = changed["card"]
    card["system"] |= {"name": text, "org": text, "revision": text, "url": text, "licence": text}
    for side in ("speech_encoder", "text_encoder"):
        card[side] |= {"id": text, "revision": text, "pooling": text, "prompt": text}
    card["alignment"] |= {"method": text, "other_training_data": text, "transductive": text}
    card |= {"submitter": text, "notes": text}
    changed |= {
        "labels": [text],
        "flags": [dict.fromkeys(("code", "where", "message", "found", "expected", "mend"), text)],
    }
    for part in changed["diagnostics"]["slices"]:
        part |= {"kind": text, "name": text}
    for worst in changed["diagnostics"]["worst"].values():
        worst[0] |= {"id": text, "beaten_by": [{"id": text, "similarity": 0.5}]}
    return changed


def document_of(texts):
    rows = [row_with(text, i, SNAPSHOT["rows"][1]) for i, text in enumerate(texts)]
    return SNAPSHOT | {"rows": rows, "comparisons": {track: [] for track in TRACKS}}


@pytest.fixture(scope="module")
def shown_of(demo):
    def make(texts):
        board = read_board(board_text(document_of(texts)).encode(), demo)
        return Shown(board, records_of(board), "test")

    return make


class Structure(HTMLParser):
    """Elements and the names of their attributes; not their values, nor the text."""

    def __init__(self, page):
        super().__init__()
        self.seen = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, sorted(name for name, _ in attrs)))


def pages(shown):
    first, second = list(shown.records)[:2]
    every = View(columns=tuple(COLUMNS))
    return {
        "board": board_html(shown, every),
        "real": evidence_html(shown, every),
        "compare": compare_html(shown, every.with_(first=first, second=second)),
        "system": system_html(shown, every.with_(system=first)),
    }


def test_no_string_makes_an_element_on_any_page(shown_of):
    words = ("harmless", "harm/less")  # what stands before a slash is shown as the organisation
    harmless = [{name: Structure(page).seen for name, page in pages(shown_of([word, word])).items()} for word in words]
    assert len(harmless[0]) == 4
    for text in STRINGS:
        for name, page in pages(shown_of([text, text])).items():
            assert Structure(page).seen == harmless["/" in text][name], (name, text)


def test_no_cell_of_a_download_is_a_formula(shown_of):
    text = board_csv(shown_of(STRINGS), View())
    assert '"=HYPERLINK' not in text
    assert "\n=" not in text


def test_sixty_strings_in_a_browser(tmp_path):
    """All of them as rows of one board: no element that is not ours, nothing that runs, nothing that is fetched."""
    board = tmp_path / "board.json"
    board.write_text(board_text(document_of(STRINGS)))
    with serving(IGBO_ALIGN_BOARD=str(board)) as server, chromium() as browser:
        every = View(columns=tuple(COLUMNS))
        for query in (every.query(), "tab=real", "tab=compare", f"tab=system&{View(system=STRINGS[1] + '/1').query()}"):
            with visit(browser, f"{server.address}?{query}") as page:
                assert page.evaluate("window.hacked") is None
                page.evaluate(
                    "document.querySelectorAll('[data-sort], td, th').forEach(e => e.dispatchEvent(new Event('mouseover')))"
                )
                found = page.evaluate(
                    "[...document.querySelectorAll('[id^=page-] :is(script, img, iframe, object, embed, form, base, meta,"
                    " link, style, video, audio, input, textarea, select, math, template, details, custom-element)')].length"
                )
                assert found == 0
                assert page.evaluate("window.hacked") is None
                if "columns" in query:
                    assert page.locator("table.board tbody tr").count() == len(STRINGS) + 1


def test_uploads_are_deleted_and_their_names_are_text(shown_of, demo, tmp_path):
    shown = shown_of(["a", "b"])
    path = tmp_path / "<img src=x onerror=window.hacked=1>.txt"
    path.write_text("x")
    page = try_html([str(path)], "none", shown)
    assert "folder.no_embeddings" in page
    assert "<img" not in page
    assert not path.exists()
    card = tmp_path / "submission.json"
    card.write_text(json.dumps({"<script>": "</script>"}))
    vectors = tmp_path / "embeddings.npz"
    np.savez(vectors, ids=np.array(demo.ids), speech=demo.embeddings("speech"), text=demo.embeddings("text"))
    page = try_html([str(card), str(vectors)], "none", shown)
    assert "card.schema" in page
    assert "<script" not in page
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ((), "folder.no_embeddings"),
        (("speech.npy",), "folder.no_embeddings"),
        (("one.npy", "two.npy"), "folder.no_embeddings"),
        (("speech.npy", "text.npy"), "file."),
        (("embeddings.safetensors",), "file."),
        (("a.json", "b.json"), "folder.no_embeddings"),
    ],
)
def test_what_cannot_be_tried_is_told_in_words(names, code, shown_of, tmp_path):
    for name in names:
        (tmp_path / name).write_bytes(b"not a matrix")
    with pytest.raises(ProblemsFound) as caught:
        try_files([str(tmp_path / name) for name in names], "none", shown_of(["a", "b"]).board)
    assert caught.value.problems[0].code.startswith(code)
    assert list(tmp_path.iterdir()) == []


def test_a_good_file_gets_the_scores_of_the_package(shown_of, demo, tmp_path):
    for name, part in (("speech", "speech"), ("text", "text")):
        np.save(tmp_path / f"{name}.npy", demo.embeddings(part).astype(np.float16))
    own = ia.load_submission(ROOT / "submissions" / "baselines__zero-shot" / "1")
    tried = try_files([str(tmp_path / "speech.npy"), str(tmp_path / "text.npy")], "none", shown_of(["a", "b"]).board)
    assert tried.scores.mean_mrr("paper") == ia.score(own, demo).mean_mrr("paper")
    assert tried.places["paper"].ahead == 2


def test_a_flood_of_uploads_leaves_a_bounded_folder(tmp_path):
    for i in range(20):
        folder = tmp_path / f"{i:02}"
        folder.mkdir()
        (folder / "upload.npz").write_bytes(b"x" * 1000)
        os.utime(folder / "upload.npz", (i, i))
    (tmp_path / "empty").touch()
    os.utime(tmp_path / "empty", (1, 1))
    new = tmp_path / "new"
    new.touch()
    os.utime(new, (time.time(), time.time()))
    assert bound_uploads(tmp_path, most_bytes=5000) == 16
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["new", *["upload.npz"] * 5]
    for folder in tmp_path.iterdir():
        os.utime(folder, (1, 1))
    bound_uploads(tmp_path, most_bytes=5000)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["15", "16", "17", "18", "19"]
