"""The parts of the Hugging Face Hub's protocol that push and pull use, on a server of this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class HubServer:
    """Repositories of models; all files are of the ordinary kind, none in the storage for large ones.

    Attributes:
        repositories: files by name, by the name of the repository.
        private: names of repositories that were made private.
        token: what a client has to send; empty for none.
        requests: method and path of each one, in order.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.token = ""
        self.requests: list[tuple[str, str]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, "GET")

            def do_HEAD(self) -> None:
                hub.answer(self, "HEAD")

            def do_POST(self) -> None:
                hub.answer(self, "POST")

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def commit_of(self, name: str) -> str:
        """The number of the state of a repository."""
        return hashlib.sha1(repr(sorted(self.repositories[name].items())).encode()).hexdigest()

    def answer(self, request: BaseHTTPRequestHandler, method: str) -> None:
        """Answer a request."""
        path = unquote(urlsplit(request.path).path)
        self.requests.append((method, path))
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            _send(request, 401, {"error": "Invalid credentials"}, {"X-Error-Code": "RepoNotFound"})
            return
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            self.repositories.setdefault(name, {})
            if asked.get("private") or asked.get("visibility") == "private":
                self.private.add(name)
            _send(request, 200, {"url": f"{self.url}/{name}", "name": name})
            return
        if path == "/api/validate-yaml":
            _send(request, 200, {"errors": [], "warnings": []})
            return
        name = "/".join(parts[2:4] if parts[0] == "api" else parts[:2])
        if name not in self.repositories:
            _send(request, 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        self._of_repository(request, name, parts, body)

    def _of_repository(self, request: BaseHTTPRequestHandler, name: str, parts: list[str], body: bytes) -> None:
        files = self.repositories[name]
        if parts[0] != "api":  # user/model/resolve/REVISION/FILE
            content = files.get("/".join(parts[4:]))
            if content is None:
                _send(request, 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
                return
            facts = {"X-Repo-Commit": self.commit_of(name), "ETag": f'"{_digest(content)}"'}
            _send(request, 200, content, facts)
            return
        kind = parts[4] if len(parts) > 4 else ""
        if kind in ("", "revision"):
            if kind and parts[5] not in ("main", self.commit_of(name)):
                _send(request, 404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
                return
            siblings = [{"rfilename": each} for each in files]
            facts = {"id": name, "modelId": name, "sha": self.commit_of(name), "siblings": siblings, "tags": []}
            _send(request, 200, facts | {"private": name in self.private, "downloads": 0, "likes": 0})
        elif kind == "tree":
            listed = [
                {"type": "file", "path": each, "size": len(content), "oid": _digest(content)}
                for each, content in files.items()
            ]
            _send(request, 200, listed)
        elif kind == "preupload":
            asked = [each["path"] for each in json.loads(body)["files"]]
            modes = [{"path": each, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for each in asked]
            _send(request, 200, {"files": modes})
        elif kind == "commit":
            for line in body.splitlines():
                action = json.loads(line)
                if action["key"] == "file":
                    files[action["value"]["path"]] = base64.b64decode(action["value"]["content"])
            commit = self.commit_of(name)
            _send(request, 200, {"commitUrl": f"{self.url}/{name}/commit/{commit}", "commitOid": commit})
        else:
            _send(request, 404, {"error": "unknown"})


def _digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _send(request: BaseHTTPRequestHandler, status: int, content: object, headers: dict[str, str] | None = None) -> None:
    sent = content if isinstance(content, bytes) else json.dumps(content).encode()
    request.send_response(status)
    kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
    for key, value in {"Content-Type": kind, "Content-Length": str(len(sent)), **(headers or {})}.items():
        request.send_header(key, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(sent)


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """A server, until the block is left."""
    server = HubServer()
    try:
        yield server
    finally:
        server.close()
