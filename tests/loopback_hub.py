"""A stand-in for the Hugging Face Hub on loopback, for the real clients: what can be read; `Writing` has the rest.

Only the standard library, because paths with `%2F` must stay as they are. Every answer carries Content-Length and,
where something is missing, the header `X-Error-Code`: over http the clients tell errors apart by nothing else.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from loopback_repository import Faults, Repository, entry, etag
from loopback_writing import Writing

__all__ = ["LoopbackHub", "Repository"]

_API = re.compile(
    r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)(?:/(?P<verb>revision|tree|paths-info)/(?P<rest>.+))?"
)
_RESOLVE = re.compile(r"/(?:(?P<kind>datasets|spaces)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class LoopbackHub:
    """The server; a context manager. `repositories` maps `(kind, name)` to what it holds, kind as in the API.

    Attributes:
        repositories: what is served. A repository may be pinned under other names of its commit in `pins`.
        pins: (kind, name) -> revisions that are accepted beside `main` and the commit itself.
        requests: method and path of every request so far.
        faults: what goes wrong.
        large: large files that were uploaded, by SHA-256.
    """

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    pins: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    large: dict[str, bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def environment(self, home) -> dict[str, str]:
        """Environment in which the real clients know nothing but this hub, with an empty home below `home`."""
        return {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(home),
            "HF_TOKEN": "nobody",
            "HF_HUB_DISABLE_XET": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
        }

    def commit(self, key: tuple[str, str]) -> str:
        """The revision under which a repository is known."""
        return self.pins.get(key) or self.repositories[key].commit


class _Server(ThreadingHTTPServer):
    request_queue_size = 256


class _Handler(Writing, BaseHTTPRequestHandler):
    hub: LoopbackHub
    fault: str | int | None = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        request = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.hub.lock:
            self.hub.requests.append(request)
            self.fault = self.hub.faults.take(request)
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if self.fault == "silence":
            time.sleep(self.hub.faults.silence_s)
            self._hang_up()
        elif self.fault == "drop":
            self._hang_up()
        elif isinstance(self.fault, int):
            self._send(self.fault, b'{"error": "injected"}', {"Retry-After": "0"} if self.fault == 429 else None)
        elif self.write(path, query, body):
            return
        elif match := _API.fullmatch(path):
            self._api(match, query, body)
        elif match := _RESOLVE.fullmatch(path):
            self._resolve(match)
        else:
            self._send(404, b'{"error": "not served here"}')

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _files(self, kind: str, name: str, revision: str) -> tuple[dict[str, bytes], str] | None:
        """Files and commit of a repository at a revision; None after an error was sent."""
        key, revision = (kind, name), unquote(revision)
        repository = self.hub.repositories.get(key)
        if repository is None:
            self._error("RepoNotFound")
            return None
        if revision in ("main", self.hub.commit(key)):
            return repository.files, self.hub.commit(key)
        files = repository.at(revision)
        if files is None:
            self._error("RevisionNotFound")
            return None
        request = re.fullmatch(r"refs/pr/(\d+)", revision)
        return files, repository.pull_requests[int(request[1])].commit if request else revision

    def _api(self, match: re.Match, query: dict, body: bytes) -> None:
        verb, (revision, _, path) = match["verb"], (match["rest"] or "main").partition("/")
        found = self._files(match["kind"], match["name"], revision)
        if found is None:
            return
        files, commit = found
        if verb in (None, "revision"):
            info = {"id": match["name"], "sha": commit, "sdk": "gradio"}
            self._json(info | {"siblings": [{"rfilename": name} for name in files], "tags": []})
        elif verb == "paths-info":
            wanted = parse_qs(body.decode()).get("paths", [])
            self._json([entry(name, files[name]) for name in wanted if name in files])
        else:
            self._tree(files, unquote(path), query.get("recursive") == ["true"])

    def _tree(self, files: dict[str, bytes], folder: str, recursive: bool) -> None:
        prefix = f"{folder.strip('/')}/" if folder else ""
        below = sorted(name for name in files if name.startswith(prefix))
        if folder and not below:
            self._error("EntryNotFound")
            return
        direct = [name for name in below if recursive or "/" not in name[len(prefix) :]]
        folders = {prefix + name[len(prefix) :].split("/")[0] for name in below if "/" in name[len(prefix) :]}
        listed = [{"type": "directory", "path": name, "oid": "0" * 40, "size": 0} for name in sorted(folders)]
        self._json([entry(name, files[name]) for name in direct] + listed)

    def _resolve(self, match: re.Match) -> None:
        kind, path = match["kind"] or "models", unquote(match["path"])
        found = self._files(kind, match["name"], match["revision"])
        if found is None:
            return
        files, commit = found
        known = {"X-Repo-Commit": commit}
        if path not in files:
            self._error("EntryNotFound", known)
            return
        name = etag(path, files[path])
        self._send(200, files[path], known | {"ETag": f'"{name}"', "Accept-Ranges": "none"})

    def _json(self, value) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, code: str, headers: dict | None = None, status: int = 404) -> None:
        extra = {"X-Error-Code": code, "X-Error-Message": code} | (headers or {})
        self._send(status, json.dumps({"error": code}).encode(), extra)

    def _send(self, status: int, data: bytes, headers: dict | None = None) -> None:
        if self.fault == "late-drop":
            self._hang_up()
            return
        if self.fault == "late":
            status, data, headers = 500, b'{"error": "injected"}', None
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
