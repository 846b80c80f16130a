"""The Space as a person meets it: its server as a process of its own, and Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import igbo_align

SPACE = Path(__file__).resolve().parent.parent / "leaderboard_space"
_PATIENCE_S = 60


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
