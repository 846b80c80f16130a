"""A stand-in for the Hugging Face Hub on loopback, for the real clients: repositories that can be read.

Only the standard library, because paths with `%2F` must stay as they are. Every answer carries Content-Length and,
where something is missing, the header `X-Error-Code`: over http the clients tell errors apart by nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

_API = re.compile(
    r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)(?:/(?P<verb>revision|tree|paths-info)/(?P<rest>.+))?"
)
_RESOLVE = re.compile(r"/(?:(?P<kind>datasets|spaces)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repository:
    """One repository at one commit: path -> bytes."""

    files: dict[str, bytes]

    @property
    def commit(self) -> str:
        """Name of the commit: a hash over everything in it."""
        listing = [(path, hashlib.sha1(data).hexdigest()) for path, data in sorted(self.files.items())]
        return hashlib.sha1(json.dumps(listing).encode()).hexdigest()

    def entry(self, path: str) -> dict:
        """A file as listings show it."""
        return {"type": "file", "path": path, "size": len(self.files[path]), "oid": blob_id(self.files[path])}


def blob_id(data: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class LoopbackHub:
    """The server; a context manager. `repositories` maps `(kind, name)` to what it holds, kind as in the API.

    Attributes:
        repositories: what is served. A repository may be pinned under other names of its commit in `pins`.
        pins: (kind, name) -> revisions that are accepted beside `main` and the commit itself.
        requests: method and path of every request so far.
    """

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    pins: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, home) -> dict[str, str]:
        """Environment in which the real clients know nothing but this hub, with an empty home below `home`."""
        return {
            "HF_ENDPOINT": f"http://127.0.0.1:{self._server.server_port}",
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


class _Handler(BaseHTTPRequestHandler):
    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = urlsplit(self.path).path
        query = parse_qs(urlsplit(self.path).query)
        if match := _API.fullmatch(path):
            self._api(match, query, body)
        elif match := _RESOLVE.fullmatch(path):
            self._resolve(match)
        else:
            self._send(404, b'{"error": "not served here"}')

    def _repository(self, kind: str, name: str, revision: str) -> Repository | None:
        key = (kind, name)
        repository = self.hub.repositories.get(key)
        if repository is None:
            self._error("RepoNotFound")
        elif unquote(revision) not in ("main", self.hub.commit(key)):
            self._error("RevisionNotFound")
        else:
            return repository
        return None

    def _api(self, match: re.Match, query: dict, body: bytes) -> None:
        verb, (revision, _, path) = match["verb"], (match["rest"] or "main").partition("/")
        repository = self._repository(match["kind"], match["name"], revision)
        if repository is None:
            return
        if verb in (None, "revision"):
            info = {"id": match["name"], "sha": self.hub.commit((match["kind"], match["name"]))}
            self._json(info | {"siblings": [{"rfilename": name} for name in repository.files], "tags": []})
        elif verb == "paths-info":
            wanted = parse_qs(body.decode()).get("paths", [])
            self._json([repository.entry(name) for name in wanted if name in repository.files])
        else:
            self._tree(repository, unquote(path), query.get("recursive") == ["true"])

    def _tree(self, repository: Repository, folder: str, recursive: bool) -> None:
        prefix = f"{folder.strip('/')}/" if folder else ""
        below = sorted(name for name in repository.files if name.startswith(prefix))
        if folder and not below:
            self._error("EntryNotFound")
            return
        direct = [name for name in below if recursive or "/" not in name[len(prefix) :]]
        folders = {prefix + name[len(prefix) :].split("/")[0] for name in below if "/" in name[len(prefix) :]}
        listed = [{"type": "directory", "path": name, "oid": "0" * 40, "size": 0} for name in sorted(folders)]
        self._json([repository.entry(name) for name in direct] + listed)

    def _resolve(self, match: re.Match) -> None:
        kind, path = match["kind"] or "models", unquote(match["path"])
        repository = self._repository(kind, match["name"], match["revision"])
        if repository is None:
            return
        commit = {"X-Repo-Commit": self.hub.commit((kind, match["name"]))}
        if path not in repository.files:
            self._error("EntryNotFound", commit)
            return
        data = repository.files[path]
        self._send(200, data, commit | {"ETag": f'"{blob_id(data)}"', "Accept-Ranges": "none"})

    def _json(self, value) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, code: str, headers: dict | None = None) -> None:
        extra = {"X-Error-Code": code, "X-Error-Message": code} | (headers or {})
        self._send(404, json.dumps({"error": code}).encode(), extra)

    def _send(self, status: int, data: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
