"""The Space as a person meets it: its server as a process of its own, and Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import igbo_align
import pytest

SPACE = Path(__file__).resolve().parent.parent / "leaderboard_space"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE_S = 60


def skip_or_fail(reason):
    """Without a browser a test is skipped; in CI it fails, so that nothing is left out unseen."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


class Server:
    """One running app. `start` and `kill` may be repeated; the port stays."""

    def __init__(self, folder=SPACE, **variables):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        package = str(Path(igbo_align.__file__).parent.parent)
        python_path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        self.environment = os.environ | variables | {"GRADIO_SERVER_PORT": str(self.port), "PYTHONPATH": python_path}
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, str(self.folder / "app.py")],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + _PATIENCE_S
        while not answers(self.address):
            assert self.process.poll() is None, self.process.stdout.read().decode()[-3000:]
            assert time.monotonic() < end, "the app does not answer"
            time.sleep(0.1)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def serving(**options):
    server = Server(**options).start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def chromium():
    """A headless browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail("playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        skip_or_fail("no Chromium in the path; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visit(browser, address, script="", **options):
    """A page of a fresh visitor; nothing may be written to the console as an error, nor asked of another machine."""
    context = browser.new_context(**({"viewport": {"width": 1366, "height": 900}} | options))
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.add_init_script(script)
    errors, foreign = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    own = ("data:", "blob:", address.split("?")[0])
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.goto(address)
    page.wait_for_selector("html[data-ready=yes]")
    yield page
    context.close()
    assert errors == []
    assert foreign == []
