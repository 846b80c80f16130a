"""All tabs of the app, put together: controls in, pages out, and the address of the page follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import gradio as gr
from igbo_align.report.markup import Html, element, joined

from .about import about_text
from .api import Api
from .board_table import board_csv, board_html, board_json
from .compare_page import compare_html
from .controls import Controls, updates_for, view_of
from .evidence_page import evidence_html
from .labels import label, labels_are_reviewed
from .source import Shown, Source
from .system_page import system_html
from .try_page import try_html, waiting_html
from .trying import SUFFIXES
from .view import TRAINED, View, parse_view

_FOLDER = Path(__file__).parent
#: Tabs that are drawn from the view, each from the same two things.
DRAWN: Mapping[str, Callable[[Shown, View], Html]] = {
    "board": board_html,
    "real": evidence_html,
    "compare": compare_html,
    "system": system_html,
}
#: Clicks inside a drawn page that change the view: a heading sorts, the name of a system opens its page.
_CLICKS = """
element.addEventListener('click', (event) => {
  const target = event.target.closest('[data-sort], [data-system]');
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  trigger('select', {sort: target.dataset.sort || '', system: target.dataset.system || ''});
});
"""
_ADDRESS = "(...values) => window.igboAddress(values)"
_DOWNLOAD = "(text) => window.igboDownload('{name}', '{kind}', text)"


class Pages:
    """Builds the app around a source of boards. Nothing is kept between requests: a view has all there is."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.built = source.shown()
        self.controls = Controls(self.built.records)
        self.drawn: dict[str, gr.HTML] = {}
        self.tabs: dict[str, gr.Tab] = {}

    def build(self) -> gr.Blocks:
        """The whole app."""
        with gr.Blocks(
            title="igbo-align leaderboard", delete_cache=(60, 600), analytics_enabled=False, fill_width=True
        ) as app:
            self.controls.make("tab")
            self._header()
            with gr.Tabs(selected="board", elem_id="tabs") as self.all_tabs:
                self._tab("board", self._board)
                self._tab("real", lambda: self._chosen("real", "metric"))
                self._tab("compare", lambda: self._chosen("compare", "first", "second"))
                self._tab("system", lambda: self._chosen("system", "system"))
                self._tab("try", self._try)
                self._tab("about", lambda: gr.Markdown(about_text(self.source.shown()), elem_classes="prose-page"))
            self._events(app)
        return app

    def _tab(self, name: str, fill: Callable[[], object]) -> None:
        with gr.Tab(label(f"tab.{name}"), id=name) as self.tabs[name]:
            fill()

    def _header(self) -> None:
        with gr.Row(elem_id="header"):
            self.head = gr.HTML(header_html(self.source.shown(), "en"), scale=4)
            self.controls.make("lang")
        with gr.Row(elem_id="what"):
            self.controls.make("track")
            self.controls.make("direction")

    def _page(self, name: str) -> None:
        """A drawn page; only the first is drawn before somebody looks at it."""
        value = DRAWN[name](self.source.shown(), View()) if name == "board" else ""
        self.drawn[name] = gr.HTML(value, js_on_load=_CLICKS, elem_id=f"page-{name}", apply_default_css=False)

    def _chosen(self, name: str, *controls: str) -> None:
        with gr.Row(elem_classes="choose"):
            for control in controls:
                self.controls.make(control)
        self._page(name)

    def _try(self) -> None:
        with gr.Row(elem_classes="choose"):
            self.files = gr.File(
                label=label("files"), file_count="multiple", file_types=list(SUFFIXES), height=150, elem_id="files"
            )
            with gr.Column(min_width=220):
                self.trained = gr.Radio(
                    list(TRAINED[1:]),
                    value="none",
                    label=label("trained"),
                    elem_id="try-trained",
                    elem_classes="segments",
                )
                self.start = gr.Button(label("score"), variant="primary", elem_id="try")
        self.tried = gr.HTML(waiting_html(self.source.shown()), elem_id="page-try", apply_default_css=False)

    def _board(self) -> None:
        with gr.Row(elem_id="find", equal_height=True):
            self.controls.make("search")
            with gr.Accordion(label("filters"), open=False, elem_id="filters") as self.filters:
                with gr.Row():
                    for name in ("status", "trained"):
                        self.controls.make(name)
                with gr.Row():
                    for name in ("family", "size"):
                        self.controls.make(name)
                with gr.Row():
                    for name in ("sort", "reverse", "open"):
                        self.controls.make(name)
                self.controls.make("columns")
        self._page("board")
        with gr.Row(elem_classes="actions"):
            self.downloads = {
                kind: gr.Button(label(f"download.{kind}"), size="sm", scale=0) for kind in ("csv", "json")
            }
            self.downloaded = gr.Textbox(visible=False)

    def _events(self, app: gr.Blocks) -> None:
        inputs = self.controls.in_order()
        outputs = [self.all_tabs, *inputs, *self.drawn.values()]
        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        for name, control in self.controls.made.items():
            if name in ("tab", "lang"):
                continue
            # A text box reports `input` only for keys that print: not for pasting, erasing or composing letters.
            changed = control.change if name == "search" else control.input
            changed(self._draw, inputs, list(self.drawn.values()), js=_ADDRESS, trigger_mode="always_last", **quiet)
        self.controls.made["lang"].input(None, inputs, None, js="(...values) => window.igboReload(values)", **quiet)
        for name, tab in self.tabs.items():
            script = f"(...values) => window.igboTab('{name}', values)"
            tab.select(self._opener(name), inputs, outputs, js=script, **quiet).then(
                None, inputs, None, js=_ADDRESS, **quiet
            )
        for page in self.drawn.values():
            page.select(self._clicked, inputs, outputs, **quiet).then(None, inputs, None, js=_ADDRESS, **quiet)
        for kind, write in (("csv", board_csv), ("json", board_json)):
            script = _DOWNLOAD.format(name=f"leaderboard.{kind}", kind=f"text/{kind}")
            button = self.downloads[kind]
            button.click(self._writer(write), inputs, self.downloaded, **quiet).then(
                None, self.downloaded, None, js=script, **quiet
            )
        # One upload is scored at a time, and the files are gone with the answer.
        trying: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "try"}
        self.start.click(
            self._tried, [self.files, self.trained], [self.tried, self.files], show_progress="minimal", **trying
        )
        api = Api(self.source)
        for endpoint in (api.list_systems, api.get_system, api.compare_systems):
            gr.api(endpoint, api_name=endpoint.__name__)
        self.words: list[tuple[Any, str, str]] = [
            (self.filters, "label", "filters"),
            (self.files, "label", "files"),
            (self.trained, "label", "trained"),
            (self.start, "value", "score"),
            *((button, "value", f"download.{kind}") for kind, button in self.downloads.items()),
            *((tab, "label", f"tab.{name}") for name, tab in self.tabs.items()),
        ]
        opened = [*outputs, self.head, *(component for component, _, _ in self.words)]
        app.load(self._load, None, opened, **quiet).then(None, None, None, js="() => window.igboReady()", **quiet)

    def _draw(self, *values: Any) -> Any:
        """The page that is open, drawn anew; the others stay."""
        drawn = self._drawn(view_of(values))
        return drawn if len(drawn) > 1 else drawn[0]

    def _drawn(self, view: View) -> list[Any]:
        shown = self.source.shown()
        return [DRAWN[name](shown, view) if name == view.tab else gr.skip() for name in self.drawn]

    def _tried(self, paths: list[str] | None, trained: str) -> tuple[Html, None]:
        return try_html(paths, trained, self.source.shown()), None

    def _opener(self, name: str) -> Callable[..., list[Any]]:
        def opened(*values: Any) -> list[Any]:
            view = view_of(values)
            if view.tab == name:  # the page is there already, or a link is being followed
                return [gr.skip() for _ in range(1 + len(fields(View)) + len(self.drawn))]
            view = view.with_(tab=name)
            controls = [gr.update(value=name) if f.name == "tab" else gr.skip() for f in fields(View)]
            return [gr.skip(), *controls, *self._drawn(view)]

        return opened

    def _clicked(self, event: gr.EventData, *values: Any) -> list[Any]:
        view = view_of(values)
        if event.system:
            view = view.with_(tab="system", system=str(event.system))
        elif event.sort:
            again = view.sort == event.sort and not view.reverse
            view = view.with_(sort=str(event.sort), reverse=again)
        return self._changed(view)

    def _changed(self, view: View) -> list[Any]:
        selected = gr.update(selected=view.tab)
        return [selected, *updates_for(view, self.source.shown().records), *self._drawn(view)]

    def _writer(self, write: Callable[[Shown, View], str]) -> Callable[..., str]:
        return lambda *values: write(self.source.shown(), view_of(values))

    def _load(self, request: gr.Request) -> list[Any]:
        """What a link asks for; the page as it was built needs no change where it asks for nothing."""
        view = parse_view(dict(request.query_params))
        if view == View() and self.source.shown() is self.built:
            return [gr.skip() for _ in range(2 + len(fields(View)) + len(self.drawn) + len(self.words))]
        if view.lang == "en":  # as it was built
            return [*self._changed(view), *(gr.skip() for _ in range(1 + len(self.words)))]
        words = [gr.update(**{part: label(key, view.lang)}) for _, part, key in self.words]
        return [*self._changed(view), header_html(self.source.shown(), view.lang), *words]


def header_html(shown: Shown, language: str) -> Html:
    """Title, what the release says of itself, and where the board comes from."""
    spec = shown.release.spec
    title = element("h1", "igbo-align")
    lead = element("p", "Does a speech encoder put an Igbo sentence where a text encoder puts it?", class_="lead")
    notice = [element("p", spec.notice, class_="notice")] if spec.notice else []
    where = element("p", f"Release {spec.name} {spec.version}. {shown.source}", class_="caption")
    drafted = "Igbo labels are a draft: no speaker has reviewed them yet."
    draft = [element("p", drafted, class_="notice")] if language == "ig" and not labels_are_reviewed() else []
    return joined(title, lead, *notice, *draft, where)


def head_script() -> str:
    """The script of the page, with the names and defaults of the view."""
    defaults = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(View()).items()}
    code = (_FOLDER / "behaviour.js").read_text(encoding="utf-8")
    return f"<script>window.igboDefaults = {json.dumps(defaults)};\n{code}</script>"
