"""A Hugging Face Hub on loopback: it creates a repository, answers that nothing is there, and records commits."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class FakeHub:
    """`created` are the repositories, `files` what was committed; `status` is the answer to the creation."""

    def __init__(self, status: int = 200, existing: tuple[str, ...] = ()) -> None:
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.tokens: set[str | None] = set()
        self.status = status
        self.existing = existing

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, body: bytes) -> tuple[int, Any]:
        """Return status and document for a request."""
        if path == "/api/repos/create":
            self.created.append(json.loads(body))
            return self.status, {"url": f"{self.url}/datasets/me/snakes", "name": "me/snakes", "error": "no"}
        if "/preupload/" in path:
            names = [each["path"] for each in json.loads(body)["files"]]
            return 200, {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
        if "/commit/" in path:
            self._commit(body)
            return 200, {"commitUrl": f"{self.url}/datasets/me/snakes/commit/{'a' * 40}", "commitOid": "a" * 40}
        if "/tree/" in path:
            return 200, [{"type": "file", "path": name, "oid": "b" * 40, "size": 1} for name in self.existing]
        if path == "/api/datasets/me/snakes" and self.existing:
            return 200, {"id": "me/snakes", "sha": "c" * 40}
        return (200, {}) if path == "/api/validate-yaml" else (404, {"error": "not found"})

    def _commit(self, body: bytes) -> None:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                self.deleted.append(line["value"]["path"])


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            hub.tokens.add(self.headers["Authorization"])
            status, document = hub.answer(self.path.partition("?")[0], body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 404:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
