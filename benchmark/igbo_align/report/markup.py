"""HTML by construction: every string that is not `Html` is escaped, so no name, id or transcript can become a tag."""

from __future__ import annotations

import html
from typing import Any


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | None) -> Html:
    """An element with escaped children and attributes.

    Args:
        tag: its name.
        children: text to escape, or `Html`.
        attributes: values to escape; None leaves the attribute out; `_` in names is a hyphen, a final one is dropped.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{tag}{written}>{joined(*children)}</{tag}>")


def joined(*children: str) -> Html:
    """Children one after the other, text escaped."""
    return Html("".join(child if isinstance(child, Html) else html.escape(visible(child)) for child in children))


def visible(text: Any) -> str:
    """Text without control characters and without characters that change the direction of what follows."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text))
