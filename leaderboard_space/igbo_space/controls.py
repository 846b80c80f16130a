"""What can be chosen, as components in the order of the fields of `View`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import gradio as gr
from igbo_align.protocol.spec import DIRECTIONS, TRACKS

from .columns import COLUMNS
from .labels import LANGUAGES, label
from .records import Record, default_systems
from .view import METRICS, SIZES, STATUSES, TRAINED, View

_LANGUAGE_NAMES = {"en": "English", "ig": "Igbo"}
#: Field of the view -> key of its label; the others show none.
LABELS = {
    "track": "track",
    "direction": "direction",
    "search": "search",
    "status": "status",
    "family": "family",
    "trained": "trained",
    "open": "open",
    "size": "size",
    "sort": "sort",
    "reverse": "reverse",
    "columns": "columns",
    "metric": "metric",
    "first": "first",
    "second": "second",
    "system": "system",
    "lang": "language",
}


def direction_choices(language: str) -> list[tuple[str, str]]:
    """Directions, as people say them."""
    return [(label(f"direction.{name}", language), name) for name in ("both", *DIRECTIONS)]


def system_choices(records: Mapping[str, Record]) -> list[tuple[str, str]]:
    """Systems by title, best first."""
    return [(record.title, name) for name, record in records.items()]


def families(records: Mapping[str, Record]) -> list[str]:
    """Families of speech encoders on the board."""
    return sorted({record.family for record in records.values()})


class Controls:
    """Makes components where a page wants them, and keeps them by the name of their field."""

    def __init__(self, records: Mapping[str, Record]) -> None:
        self.records = records
        self.made: dict[str, gr.components.Component] = {}
        self._makers: dict[str, Callable[[], gr.components.Component]] = {
            "tab": lambda: gr.Textbox("board", visible=False),
            "track": lambda: _radio("track", [(name, name) for name in TRACKS]),
            "direction": lambda: _radio("direction", direction_choices("en")),
            "search": lambda: gr.Textbox(
                label=label("search"),
                placeholder=label("search.hint"),
                max_lines=1,
                max_length=200,
                elem_id="control-search",
            ),
            "status": lambda: gr.CheckboxGroup(list(STATUSES), label=label("status")),
            "family": lambda: gr.Dropdown(
                families(self.records), label=label("family"), multiselect=True, value=[], allow_custom_value=True
            ),
            "trained": lambda: gr.Dropdown(list(TRAINED), value="any", label=label("trained")),
            "open": lambda: gr.Checkbox(value=False, label=label("open")),
            "size": lambda: gr.Dropdown(list(SIZES), value="any", label=label("size")),
            "sort": lambda: gr.Dropdown(
                [(column.heading, name) for name, column in COLUMNS.items()], value=View.sort, label=label("sort")
            ),
            "reverse": lambda: gr.Checkbox(value=False, label=label("reverse")),
            "columns": lambda: gr.CheckboxGroup(
                [(column.heading, name) for name, column in COLUMNS.items()],
                value=list(View().columns),
                label=label("columns"),
            ),
            "metric": lambda: _radio("metric", [(COLUMNS[name].heading, name) for name in METRICS]),
            "first": lambda: self._system("first"),
            "second": lambda: self._system("second"),
            "system": lambda: self._system("system"),
            "lang": lambda: _radio("lang", [(_LANGUAGE_NAMES[name], name) for name in LANGUAGES], "language"),
        }

    def make(self, name: str) -> gr.components.Component:
        """Put the component of a field here."""
        self.made[name] = self._makers[name]()
        return self.made[name]

    def in_order(self) -> list[gr.components.Component]:
        """Components in the order of the fields of `View`."""
        return [self.made[field.name] for field in fields(View)]

    def _system(self, name: str) -> gr.Dropdown:
        default = default_systems(self.records)[name]
        # Custom values: the board may have grown since the choices were made, and unknown names do no harm.
        return gr.Dropdown(system_choices(self.records), value=default, label=label(name), allow_custom_value=True)


def _radio(name: str, choices: list[tuple[str, str]], key: str | None = None) -> gr.Radio:
    return gr.Radio(
        choices,
        value=getattr(View(), name),
        label=label(key or name),
        elem_id=f"control-{name}",
        elem_classes="segments",
        min_width=220,
    )


def view_of(values: tuple[Any, ...]) -> View:
    """The view that the components show."""
    return View().with_(**dict(zip((field.name for field in fields(View)), values, strict=True)))


def updates_for(view: View, records: Mapping[str, Record]) -> list[Any]:
    """Components set to a view and its language."""
    defaults = default_systems(records)
    updates = []
    for field in fields(View):
        value = getattr(view, field.name)
        if field.name in defaults and value not in records:
            value = defaults[field.name]
        change: dict[str, Any] = {"value": list(value) if isinstance(value, tuple) else value}
        if field.name in LABELS and view.lang != "en":
            change["label"] = label(LABELS[field.name], view.lang)
        if field.name == "direction" and view.lang != "en":
            change["choices"] = direction_choices(view.lang)
        if field.name in defaults:
            change["choices"] = system_choices(records)
        if field.name == "family":
            change["choices"] = families(records)
        updates.append(gr.update(**change))
    return updates
