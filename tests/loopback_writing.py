"""The writing half of the stand-in for the Hub: repositories, uploads, commits and pull requests."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from loopback_repository import Repository, etag, is_large

_WRITES = re.compile(
    r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)"
    r"/(?P<verb>preupload|commit|commits|discussions)(?:/(?P<rest>.+))?"
)
_BATCH = re.compile(r"/(?:(?P<kind>datasets|spaces)/)?(?P<name>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
#: Tokens that may do less than write anything.
READ_ONLY = "reader"


class Writing:
    """Endpoints that change something; mixed into the request handler, which has the rest."""

    def write(self, path: str, query: dict[str, list[str]], body: bytes) -> bool:
        """Answer a request if it is one of these; says whether it was."""
        if path == "/api/whoami-v2":
            self._json({"type": "user", "name": "nobody", "orgs": [], "auth": {"type": "access_token"}})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif path.startswith("/large-files/"):
            self.hub.large[path.rsplit("/", 1)[1]] = body
            self._send(200, b"")
        elif path == "/api/repos/create":
            self._may_write() and self._create(json.loads(body))
        elif match := _BATCH.fullmatch(path):
            self._may_write() and self._batch(json.loads(body))
        elif match := _WRITES.fullmatch(path):
            self._change(match, query, body)
        else:
            return False
        return True

    def _may_write(self) -> bool:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token and token != READ_ONLY:
            return True
        self._error("Forbidden" if token else "Unauthorized", status=403 if token else 401)
        return False

    def _create(self, wanted: dict[str, Any]) -> None:
        kind = f"{wanted.get('type', 'model')}s"
        name = f"{wanted.get('organization') or 'nobody'}/{wanted['name']}"
        url = f"{self.hub.address}/{'' if kind == 'models' else kind + '/'}{name}"
        with self.hub.lock:
            known = (kind, name) in self.hub.repositories
            if not known:
                private = wanted.get("visibility") == "private"
                self.hub.repositories[kind, name] = Repository({".gitattributes": b""}, private=private)
        status = 409 if known else 200
        self._send(status, json.dumps({"url": url, "error": "exists"} if known else {"url": url}).encode())

    def _batch(self, wanted: dict[str, Any]) -> None:
        def answer(item: dict[str, Any]) -> dict[str, Any]:
            upload = {"upload": {"href": f"{self.hub.address}/large-files/{item['oid']}"}}
            return item if item["oid"] in self.hub.large else item | {"actions": upload}

        self._json({"transfer": "basic", "objects": [answer(item) for item in wanted["objects"]]})

    def _change(self, match: re.Match, query: dict[str, list[str]], body: bytes) -> None:
        repository = self.hub.repositories.get((match["kind"], match["name"]))
        proposes = query.get("create_pr") == ["1"]
        revision = (match["rest"] or "main").replace("%2F", "/")
        if repository is None:
            self._error("RepoNotFound")
        elif match["verb"] == "discussions":
            self._discussions(repository, match["name"])
        elif match["verb"] == "commits":
            self._json([{"id": repository.commit, "title": t, "message": "", "authors": []} for t in repository.titles])
        elif not self._may_write():
            return
        elif match["verb"] == "preupload":
            self._preupload(repository.at(revision) or {}, json.loads(body))
        else:
            with self.hub.lock:
                self._commit(match, repository, [json.loads(line) for line in body.splitlines()], proposes)

    def _preupload(self, files: dict[str, bytes], wanted: dict[str, Any]) -> None:
        def answer(path: str) -> dict[str, Any]:
            known = {"oid": etag(path, files[path])} if path in files else {}
            return {"path": path, "uploadMode": "lfs" if is_large(path) else "regular", "shouldIgnore": False} | known

        self._json({"files": [answer(item["path"]) for item in wanted["files"]]})

    def _commit(self, match: re.Match, repository: Repository, lines: list[dict[str, Any]], proposes: bool) -> None:
        header = lines[0]["value"]
        parent = header.get("parentCommit")
        if parent and parent != repository.commit and not proposes:
            self._error("ParentMismatch", status=412)
            return
        files = dict((repository.at(parent) if parent else None) or repository.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
                assert hashlib.sha256(files[value["path"]]).hexdigest() == value["oid"]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        kind = "" if match["kind"] == "models" else f"{match['kind']}/"
        page = f"{self.hub.address}/{kind}{match['name']}"
        if proposes:
            number = repository.propose(files, header["summary"], header["description"])
            commit = repository.pull_requests[number].commit
            extra = {"pullRequestUrl": f"{page}/discussions/{number}"}
        else:
            commit, extra = repository.write(files, header["summary"]), {}
        self._json({"commitUrl": f"{page}/commit/{commit}", "commitOid": commit} | extra)

    def _discussions(self, repository: Repository, name: str) -> None:
        listed = [
            {
                "num": number,
                "title": request.title,
                "author": {"name": request.author},
                "createdAt": "2026-01-01T00:00:00.000Z",
                "status": request.status,
                "isPullRequest": True,
                "repo": {"name": name, "type": "dataset"},
            }
            for number, request in list(repository.pull_requests.items())
        ]
        self._json({"count": len(listed), "start": 0, "discussions": listed})
