"""The server: limits, theme, and nothing that leaves the machine."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr

from .pages import Pages, head_script
from .source import Settings, Source
from .trying import bound_uploads, remove, upload_folder

_FOLDER = Path(__file__).parent
#: Largest upload: float32 vectors of 1,024 pairs in 8,192 dimensions, both sides.
MAX_FILE_SIZE = "64mb"
#: Events that may wait; the next one is told that the queue is full.
MAX_WAITING = 32
#: Seconds between two looks at the folder of uploads.
_LOOK_S = 5
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif"]


def theme() -> gr.themes.Base:
    """Fonts of the reader's own system, none is fetched; and fields that stand out by a line, not by a shade."""
    plain = gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        font=_FONTS,
        font_mono=["ui-monospace", "DejaVu Sans Mono", "monospace"],
    )
    return plain.set(
        input_border_width="1px",
        input_border_width_dark="1px",
        input_border_color="#868f99",
        input_border_color_dark="#6b7683",
        input_background_fill="*background_fill_primary",
        input_background_fill_dark="*background_fill_primary",
    )


def build_app(settings: Settings) -> gr.Blocks:
    """The app, ready to be launched."""
    app = Pages(Source(settings)).build()
    app.queue(max_size=MAX_WAITING, default_concurrency_limit=4)
    return app


def launch_options() -> dict[str, Any]:
    """How the app is served."""
    return {
        "theme": theme(),
        "css_paths": [_FOLDER / "style.css"],
        "head": head_script(),
        "max_file_size": MAX_FILE_SIZE,
        "show_error": False,
        "strict_cors": True,
        "ssr_mode": False,
        "mcp_server": importlib.util.find_spec("mcp") is not None,
        "footer_links": ["api", "settings"],
        "share": False,
    }


def serve() -> None:
    """Serve the app that the environment asks for, until it is stopped."""
    uploads = upload_folder()
    threading.Thread(target=_keep_bounded, args=(uploads,), daemon=True).start()
    try:
        build_app(Settings.of(os.environ)).launch(**launch_options())
    finally:
        remove(uploads)


def _keep_bounded(uploads: Path) -> None:
    """Files can be uploaded without ever being used; however many come, the disk does not fill up."""
    while True:
        time.sleep(_LOOK_S)
        bound_uploads(uploads)
