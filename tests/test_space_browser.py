"""People use the Space: filter, sort, open, compare, upload, follow a link, on a phone and in the dark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from space_browser import Server, serving, visit

pytest.importorskip("gradio")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    with serving(GRADIO_TEMP_DIR=str(uploads)) as running:
        running.uploads = uploads
        yield running


@pytest.fixture
def at(server, browser):
    """Open the app at a query."""
    return lambda query="", **options: visit(browser, server.address + query, **options)


def rows(page):
    """Systems in the table, from top to bottom."""
    return page.locator("#page-board table.board >> nth=0").locator("tbody tr th").all_inner_texts()


def wait_for_rows(page, count):
    page.wait_for_function(
        "n => document.querySelector('#page-board table.board')?.querySelectorAll('tbody tr').length === n", arg=count
    )


def test_the_board_is_there_and_a_search_finds_a_system(at):
    with at() as page:
        wait_for_rows(page, 17)
        assert rows(page)[0].startswith("baselines/attentive")
        assert "chance" in rows(page)
        page.get_by_label("Search").fill("speaker")
        wait_for_rows(page, 2)
        assert "search=speaker" in page.url
        page.get_by_label("Search").fill("nothing like this")
        page.get_by_text("No system fits these filters").wait_for()


def test_a_heading_sorts_and_a_link_reproduces_the_view(at):
    with at() as page:
        wait_for_rows(page, 17)
        page.locator("button[data-sort=system]").click()
        page.locator("th[aria-sort=ascending]").wait_for()
        in_order = rows(page)
        assert in_order[0].startswith("baselines/attentive")
        page.get_by_label("hard", exact=True).check(force=True)
        page.get_by_text("track hard").wait_for()
        page.wait_for_function("location.search.includes('track=hard') && location.search.includes('sort=system')")
        query = page.url.split("/")[-1]
        page.locator("button[data-sort=system]").click()
        page.locator("th[aria-sort=descending]").wait_for()
        shown = rows(page)
    with at(query) as page:
        page.get_by_text("track hard").wait_for()
        assert [name for name in rows(page) if name != "chance"] == [n for n in shown[::-1] if n != "chance"]


def test_the_papers_figures_stand_apart_in_its_track(at):
    with at("?track=paper") as page:
        apart = page.locator("section.of-paper")
        apart.wait_for()
        assert apart.locator("tbody tr").count() == 2
        assert "never ranked" in apart.inner_text()


TABS = ("board", "real", "compare", "system", "try", "about")


def test_every_tab_opens_from_a_link_and_nothing_overflows_on_a_phone(at):
    for tab in TABS:
        with at(f"?tab={tab}", viewport={"width": 390, "height": 844}) as page:
            page.locator(f"#tabs [role=tab][aria-selected=true][data-tab-id={tab}]").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert f"tab={tab}" in page.url or tab == "board"


def test_a_system_opens_from_its_name_and_can_be_compared(at):
    with at() as page:
        page.get_by_role("link", name="baselines/cca", exact=True).click()
        page.locator("#page-system h2").get_by_text("baselines/cca").wait_for()
        page.wait_for_function("location.search.includes('system=baselines__cca')")
        text = page.locator("#page-system").inner_text()
        for part in (
            "Speech encoder",
            "canonical correlation",
            "Where it fails",
            "Worst queries",
            "Linear CKA",
            "@misc{",
        ):
            assert part in text
        assert page.locator("#page-system svg.chart").count() == 2
        page.get_by_role("tab", name="Compare").click()
        page.locator("#page-compare svg.chart circle").first.wait_for()
        page.get_by_role("combobox", name="Second system").click()
        page.get_by_role("option", name="baselines/random", exact=True).click()
        page.get_by_text("baselines/attentive is better, and the difference is real").wait_for()
        assert page.locator("#page-compare svg.chart circle, #page-compare svg.chart rect").count() == 140
        page.wait_for_function("location.search.includes('second=baselines__random')")


def test_is_it_real_tests_what_the_filters_leave(at):
    with at("?tab=real&search=baselines/ridge") as page:
        page.locator("table.matrix").wait_for()
        assert page.locator("table.matrix tbody tr").count() == 2
        assert page.locator("table.forest tbody tr:not(.axis)").count() == 2
        assert "1 tests" in page.locator("#page-real").inner_text()
        page.get_by_label("R@5", exact=True).check(force=True)
        page.locator("#page-real h3").get_by_text("R@5, track heldout").wait_for()


def uploaded(folder):
    """Files with content of visitors on the server's disk; Gradio leaves empty ones, which are swept up later."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]


def try_upload(page, *paths):
    page.locator("#files input[type=file]").set_input_files([str(path) for path in paths])
    page.locator("#files").get_by_text(paths[0].name.rsplit(".", 1)[0]).first.wait_for()
    page.get_by_role("button", name="Score them").click()


def test_a_good_upload_gets_its_scores_and_place_and_is_deleted(at, server):
    path = ROOT / "submissions" / "baselines__cca" / "1" / "embeddings.parquet"
    receipt = json.loads((path.parent / "scores.json").read_text())
    with at("?tab=try") as page:
        try_upload(page, path)
        page.get_by_text("Rank 2 in the track heldout").wait_for()
        text = page.locator("#page-try").inner_text()
        value = receipt["tracks"]["heldout"]["speech_to_text"]["mrr"]["value"]
        assert f"{value:.3f}" in text
        assert "igbo-align submit" in text
    assert uploaded(server.uploads) == []


def test_two_matrices_can_be_tried(at, server, demo, tmp_path):
    np.save(tmp_path / "my_speech.npy", demo.embeddings("speech"))
    np.save(tmp_path / "my_text.npy", demo.embeddings("text"))
    with at("?tab=try") as page:
        try_upload(page, tmp_path / "my_speech.npy", tmp_path / "my_text.npy")
        page.get_by_text("in the track heldout, behind").wait_for()
        assert "baselines/zero-shot" in page.locator("#page-try").inner_text()
    assert uploaded(server.uploads) == []


def test_bad_uploads_show_every_problem_and_are_deleted(at, server, demo, tmp_path):
    speech = demo.embeddings("speech").copy()
    speech[0, 0], speech[1] = np.nan, 0
    np.savez(tmp_path / "embeddings.npz", ids=np.array(demo.ids), speech=speech, text=demo.embeddings("text"))
    (tmp_path / "embeddings.parquet").write_bytes(b"PAR1 but not really PAR1")
    (tmp_path / "submission.json").write_text("{}")
    cases = {
        ("embeddings.npz",): ["array.non_finite", "array.norm"],
        ("embeddings.parquet",): ["file."],
        ("embeddings.npz", "embeddings.parquet"): ["folder.no_embeddings"],
    }
    with at("?tab=try") as page:
        page.get_by_role("button", name="Score them").click()
        page.get_by_text("Choose your files first").wait_for()
        for names, codes in cases.items():
            try_upload(page, *(tmp_path / name for name in names))
            for code in codes:
                page.locator(".problems code").get_by_text(code).first.wait_for()
            page.locator("#files").get_by_text("Drop File Here").wait_for()
    assert uploaded(server.uploads) == []


def test_in_the_dark_text_stands_out(at):
    with at(color_scheme="dark") as page:
        for selector in ("table.board td.number", "table.board small", "table.board a", ".caption", ".badge"):
            assert contrast(page, selector) >= 4.5, selector
    with at() as page:
        for selector in ("table.board td.number", "table.board small", "table.board a", ".caption", "tr.chance td"):
            assert contrast(page, selector) >= 4.5, selector


def contrast(page, selector):
    """WCAG contrast of the first element with the background that is behind it."""
    return page.evaluate(
        """selector => {
        const numbers = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        let element = document.querySelector(selector);
        const front = light(numbers(getComputedStyle(element).color));
        let back;
        do {
            back = numbers(getComputedStyle(element).backgroundColor);
            element = element.parentElement;
        } while (element && back.length === 4 && back[3] === 0);
        const pair = [front, light(back)].sort((a, b) => b - a);
        return (pair[0] + 0.05) / (pair[1] + 0.05);
        }""",
        selector,
    )


def test_the_keyboard_reaches_filters_headings_and_systems(at):
    with at() as page:
        page.get_by_label("Search").focus()
        reached = []
        for _ in range(12):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.dataset.sort || document.activeElement.innerText"))
        assert "rank" in reached
        assert "mrr" in reached
        page.locator("button[data-sort=date]").focus()
        page.keyboard.press("Enter")
        page.locator("th[aria-sort] button[data-sort=date]").wait_for()
        page.get_by_role("link", name="baselines/mlp").focus()
        page.keyboard.press("Enter")
        page.locator("#page-system h2").get_by_text("baselines/mlp").wait_for()


def test_igbo_labels_are_shown_and_said_to_be_a_draft(at):
    with at("?lang=ig") as page:
        page.get_by_text("no speaker has reviewed them yet").wait_for()
        page.get_by_role("tab", name="Bọọdụ asọmpi").wait_for()
        page.get_by_label("Chọọ").wait_for()


def test_a_download_holds_what_is_shown(at):
    with at("?search=baselines/ridge") as page:
        wait_for_rows(page, 3)
        with page.expect_download() as caught:
            page.get_by_role("button", name="Download CSV").click()
        rows_of_file = caught.value.path().read_text().splitlines()
        assert caught.value.suggested_filename == "leaderboard.csv"
        assert len(rows_of_file) == 3


def settled(page):
    """The text of the board, once Gradio has taken away the clock that it shows while an answer is on its way."""
    page.wait_for_function("!/^\\d+\\.\\ds/.test(document.querySelector('#page-board').innerText.trim())")
    return page.locator("#page-board").inner_text()


def test_after_a_kill_the_same_link_shows_the_same(browser):
    server = Server().start()
    try:
        with visit(browser, server.address + "?track=full&search=ridge") as page:
            page.get_by_text("track full").wait_for()
            before = settled(page)
        server.kill()
        server.start()
        with visit(browser, server.address + "?track=full&search=ridge") as page:
            page.get_by_text("track full").wait_for()
            assert settled(page) == before
    finally:
        server.kill()


@pytest.mark.parametrize("width", [1366, 390])
def test_nothing_jumps_while_the_page_arrives(width, at):
    watch = (
        "window.shifted = 0; new PerformanceObserver(list => list.getEntries().forEach(entry => "
        "{ if (!entry.hadRecentInput) window.shifted += entry.value; })).observe({type: 'layout-shift', buffered: true})"
    )
    with at("?track=paper", viewport={"width": width, "height": 900}, script=watch) as page:
        page.wait_for_timeout(300)
        assert page.evaluate("window.shifted") < 0.1
