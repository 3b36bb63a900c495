"""A built-in source: draws what a query names and serves it over HTTP, with dead links and duplicates like the web."""

from __future__ import annotations

import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from harvest.models import Hit
from harvest.providers import licence_parsing
from harvest.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from harvest.models import Query
    from harvest.web.request_search_pages import SearchSession

# What is served at these positions of every twenty; a distinct image at all others.
_DEFECTS = {4: "smaller copy", 9: "dead link", 12: "page", 15: "tiny", 17: "coarse copy"}
_CYCLE = 20


class Sample(Provider):
    """Images drawn by the program itself, for the demo and for trying things out: no key, no Internet."""

    name: ClassVar = "SAMPLE"
    label: ClassVar = "Sample"
    about: ClassVar = 'drawn here, for queries such as "red circle"; for the demo'
    in_all: ClassVar = False
    pace: ClassVar = 0.0
    most: ClassVar = 120
    probe: ClassVar = None
    supported_filters: ClassVar = frozenset({"licence"})  # stated for each image
    ephemeral: ClassVar = True

    _server: _Server | None = None
    _lock = threading.Lock()

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002 - uses its own server
        """Yield the URLs of drawings; a tenth are dead or not an image, a tenth are duplicates."""
        name = quote(query.text, safe="")
        for number in range(1, self.most + 1):
            yield Hit(
                url=f"http://{self._address()}/{number}/{name}.jpg",
                provider=self.name,
                source=f"sample:{name}/{number}",  # the port differs in every run
                rank=number,
                title=f"{query.text} {number}",
                author="harvest",
                licence=licence_parsing.CC0,
            )

    @property
    def trusted_hosts(self) -> frozenset[str]:
        """The one "host:port" that serves the drawings; its server starts on first use."""
        return frozenset({self._address()})

    def close(self) -> None:
        """Stop the server."""
        with self._lock:
            server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    def _address(self) -> str:
        with self._lock:
            if self._server is None:
                self._server = _Server(("127.0.0.1", 0), _Handler)
                serve = partial(self._server.serve_forever, poll_interval=0.05)
                threading.Thread(target=serve, name="sample", daemon=True).start()
            return f"127.0.0.1:{self._server.server_port}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection early."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        number, _, name = self.path.removeprefix("/").partition("/")
        if not (number.isascii() and number.isdecimal() and name.endswith(".jpg")):
            self.send_error(404)
            return
        status, kind, body = render_response(unquote(name.removesuffix(".jpg")), int(number[:9]))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: the program logs every download itself."""


def render_response(query: str, number: int) -> tuple[int, str, bytes]:
    """Return status, content type and body of the image with this number; bad ones are at fixed positions."""
    defect = _DEFECTS.get(number % _CYCLE)
    if defect == "dead link":
        return 404, "text/html", b"<h1>Not found</h1>"
    if defect == "page":
        return (
            200,
            "image/jpeg",
            b"<!DOCTYPE html><title>Sign in</title><p>Please sign in to see this picture.",
        )
    from harvest.providers.sample_drawing import draw  # noqa: PLC0415 - imports Pillow only to draw

    image = draw(query, number - 1 if defect and "copy" in defect else number)
    if defect == "tiny":
        image.thumbnail((48, 48))
    elif defect == "smaller copy":
        image.thumbnail((300, 300))
    return 200, "image/jpeg", _jpeg(image, 45 if defect == "coarse copy" else 88)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    body = BytesIO()
    image.save(body, "JPEG", quality=quality)
    return body.getvalue()
