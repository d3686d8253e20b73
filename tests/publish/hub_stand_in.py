"""A small stand-in of the Hub's API that the real ``huggingface_hub`` client talks to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(.*))?$")
_LARGE = (".parquet", ".safetensors")
_RESOLVE = re.compile(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass
class Repository:
    """Commits of a branch, each a mapping of paths to bytes."""

    private: bool = False
    branches: dict[str, list[dict[str, bytes]]] = field(default_factory=lambda: {"main": [{}]})
    tags: dict[str, str] = field(default_factory=dict)

    def sha(self, revision: str) -> str:
        commits = self.branches[revision]
        text = json.dumps([sorted((k, _oid(v)) for k, v in one.items()) for one in commits])
        return hashlib.sha1(text.encode()).hexdigest()

    def files(self, revision: str) -> dict[str, bytes] | None:
        if revision in self.branches:
            return self.branches[revision][-1]
        wanted = self.tags.get(revision, revision)
        return next((c[-1] for b, c in self.branches.items() if self.sha(b) == wanted), None)


@dataclass
class StandIn:
    """What the server holds and was sent."""

    token: str
    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)
    fault: Callable[[str, str], int | None] = lambda method, path: None

    def commits(self, kind: str, name: str, branch: str = "main") -> int:
        return len(self.repositories[kind, name].branches[branch]) - 1

    def contents(self, kind: str, name: str, branch: str = "main") -> dict[str, bytes]:
        return self.repositories[kind, name].branches[branch][-1]


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def running_hub(token: str) -> Iterator[StandIn]:
    """Serve from threads."""
    stand_in = StandIn(token)

    class Handler(_Handler):
        hub = stand_in

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: StandIn

    def log_message(self, *_: object) -> None:
        pass

    def _send(
        self, status: int, body: object = None, headers: dict[str, str] | None = None
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _handle(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.hub.fault(self.command, path)
        if status is not None:
            self._send(status, {"error": "a fault"}, {"X-Error-Message": "a fault"})
            return
        given = self.headers.get("Authorization", "")
        if given != f"Bearer {self.hub.token}" and not path.startswith("/lfs/"):
            self._send(401, {"error": "who are you"}, {"X-Error-Message": "who are you"})
            return
        self._route(path, content)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _handle

    def _route(self, path: str, content: bytes) -> None:
        hub = self.hub
        if path == "/api/whoami-v2":
            self._send(200, {"name": "me", "type": "user", "auth": {}})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif path == "/api/repos/create":
            self._create(json.loads(content))
        elif path.startswith("/lfs/"):
            hub.large[path.rpartition("/")[2]] = content
            hub.uploaded.append(path.rpartition("/")[2])
            self._send(200, {})
        elif path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(content))
        elif found := _API.match(path):
            self._api(found[1].rstrip("s"), found[2], found[3] or "", content)
        elif found := _RESOLVE.match(path):
            self._resolve("dataset" if found[1] else "model", found[2], found[3], found[4])
        else:
            self._send(404, {"error": path})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        kind = wanted.get("type") or "model"
        url = f"{self.hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if (kind, name) in self.hub.repositories:
            self._send(409, {"error": "exists", "url": url})
            return
        made = Repository(bool(wanted.get("private") or wanted.get("visibility") == "private"))
        self.hub.repositories[kind, name] = made
        self._send(200, {"url": url, "name": name})

    def _batch(self, wanted: dict[str, Any]) -> None:
        objects = []
        for one in wanted["objects"]:
            row: dict[str, Any] = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.hub.large:
                row["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{one['oid']}"}}
            objects.append(row)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _api(self, kind: str, name: str, rest: str, content: bytes) -> None:
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            self._send(404, {"error": "no such repository"}, {"X-Error-Code": "RepoNotFound"})
            return
        what, _, more = rest.partition("/")
        if what == "preupload":
            files = json.loads(content)["files"]
            held = repository.branches[more][-1]
            answers = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs"
                    if one["path"].endswith((".parquet", ".safetensors"))
                    else "regular",
                    "shouldIgnore": False,
                    "oid": _known(one["path"], held),
                }
                for one in files
            ]
            self._send(200, {"files": answers})
        elif what == "commit":
            self._commit(repository, more, content)
        elif what == "tree":
            self._tree(repository, more.partition("/")[0])
        elif what == "branch":
            repository.branches[more] = [dict(repository.branches["main"][-1])]
            self._send(201, {})
        elif what == "tag":
            tag = json.loads(content)["tag"]
            known = tag in repository.tags
            repository.tags.setdefault(tag, repository.sha(more))
            self._send(409 if known else 201, {"error": "exists"} if known else {})
        elif what == "paths-info":
            revision, wanted = more, self._paths(content)
            files = repository.files(revision) or {}
            self._send(200, [_entry(p, files[p]) for p in wanted if p in files])
        else:
            revision = more or "main"
            files = repository.files(revision)
            if files is None:
                self._send(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
                return
            sha = repository.sha(revision) if revision in repository.branches else revision
            siblings = [{"rfilename": path} for path in sorted(files)]
            info = {"id": name, "sha": sha, "siblings": siblings, "private": repository.private}
            self._send(200, {**info, "tags": [], "downloads": 0, "likes": 0})

    @staticmethod
    def _paths(content: bytes) -> list[str]:
        try:
            paths: list[str] = json.loads(content)["paths"]
            return paths
        except ValueError:
            from urllib.parse import parse_qs

            return parse_qs(content.decode())["paths"]

    def _tree(self, repository: Repository, revision: str) -> None:
        files = repository.files(revision)
        if files is None:
            self._send(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
            return
        prefix = unquote(urlsplit(self.path).path).partition(f"/tree/{revision}")[2].strip("/")
        shown = {p: v for p, v in files.items() if not prefix or p.startswith(f"{prefix}/")}
        folders = sorted({p.rpartition("/")[0] for p in shown if "/" in p})
        entries = [
            {"type": "directory", "path": one, "oid": "0" * 40, "size": 0} for one in folders
        ]
        self._send(200, entries + [_entry(path, data) for path, data in sorted(shown.items())])

    def _commit(self, repository: Repository, branch: str, content: bytes) -> None:
        files = dict(repository.branches[branch][-1])
        for line in content.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif entry["key"] == "deletedFile":
                files.pop(value["path"], None)
        repository.branches[branch].append(files)
        sha, path = repository.sha(branch), urlsplit(self.path).path
        repo = path.removeprefix("/api/").removeprefix("models/").partition("/commit/")[0]
        url = f"{self.hub.url}/{repo}/commit/{sha}"
        self._send(200, {"commitOid": sha, "commitUrl": url, "success": True})

    def _resolve(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self.hub.repositories.get((kind, name))
        files = repository.files(revision) if repository else None
        if repository is None or files is None or path not in files:
            code = "EntryNotFound" if files is not None else "RepoNotFound"
            self._send(404, {"error": "not there"}, {"X-Error-Code": code})
            return
        data = files[path]
        sha = repository.sha(revision) if revision in repository.branches else revision
        headers = {
            "ETag": f'"{_oid(data)}"',
            "X-Repo-Commit": sha,
            "Content-Length": str(len(data)),
            "Accept-Ranges": "bytes",
        }
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            end = int(wanted[2]) if wanted[2] else len(data) - 1
            part = data[int(wanted[1]) : end + 1]
            headers |= {"Content-Length": str(len(part))}
            headers |= {"Content-Range": f"bytes {wanted[1]}-{end}/{len(data)}"}
            self._send(206, part, headers)
            return
        self._send(200, data, headers)


def _known(path: str, held: dict[str, bytes]) -> str | None:
    """What the Hub says of a file that it has: of large ones the SHA-256."""
    if path not in held:
        return None
    return hashlib.sha256(held[path]).hexdigest() if path.endswith(_LARGE) else _oid(held[path])


def _entry(path: str, data: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {"type": "file", "path": path, "oid": _oid(data), "size": len(data)}
    if path.endswith(_LARGE):
        digest = hashlib.sha256(data).hexdigest()
        row["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
    return row
