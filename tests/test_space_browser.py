"""People use the Space: filter, sort, open, compare, upload, follow a link, on a phone and in the dark."""

from __future__ import annotations

import pytest
from space_browser import chromium, serving, visit

pytest.importorskip("gradio")


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


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
        apart = page.locator("section.reported")
        apart.wait_for()
        assert apart.locator("tbody tr").count() == 2
        assert "never ranked" in apart.inner_text()
