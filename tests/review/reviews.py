"""A review of a dataset on a free port, for tests that send requests."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from harvest.dataset import Dataset
from harvest.http_server.listener import listen
from harvest.http_server.server import Server
from harvest.http_server.service_limits import ServiceLimits
from harvest.review.review_app import make_review_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harvest.review.model_results import ModelResults

TOKEN = "the-token-of-the-tests"
PATIENCE = 60  # seconds, for what takes a moment when the machine is quiet


class Review:
    """A running review; `client` has the cookie of the page."""

    def __init__(self, root: Path, model: ModelResults | None = None) -> None:
        self.root = root
        self.dataset = Dataset.open(root)
        self.listener = listen("127.0.0.1", 0)
        self.port = self.listener.port
        names = {"localhost", "127.0.0.1", "[::1]"}
        limits = ServiceLimits()
        app = make_review_app(self.dataset, TOKEN, names=names, port=self.port, limits=limits, model=model)
        self._server = Server(app, self.listener, limits)
        self._thread = threading.Thread(target=self._server.run)
        self.client = httpx.Client(base_url=self.listener.url, trust_env=False, timeout=PATIENCE)
        self.seq = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.client.get("/", params={"token": TOKEN}).status_code == 303
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        self.dataset.close()

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON of a GET request that succeeds."""
        response = self.client.get(path, params=parameters)
        assert response.status_code == 200, response.text
        return response.json()

    def send(self, path: str, document: object, **headers: str) -> httpx.Response:
        """Send JSON as the page does."""
        return self.client.post(path, json=document, headers={"Sec-Fetch-Site": "same-origin"} | headers)

    def post(self, path: str, **document: object) -> Any:
        """Return the JSON of a POST request that succeeds."""
        response = self.send(path, {"since": self.seq} | document)
        assert response.status_code == 200, response.text
        answer = response.json()
        self.seq = answer["seq"]
        return answer

    def decide(self, action: str, ids: list[int], **more: object) -> Any:
        """Make a decision."""
        return self.post("/api/decide", action=action, ids=ids, **more)

    def ids(self, **parameters: object) -> list[int]:
        """Return the ids of a list of images."""
        return self.get("/api/items", **parameters)["id"]

    def files(self, **parameters: object) -> dict[str, int]:
        """Return the ids of images by `class/name`."""
        rows = (self.get(f"/api/item/{number}") for number in self.ids(**parameters))
        return {f"{row['class']}/{row['name']}": row["id"] for row in rows}

    def raw(self, request: bytes) -> bytes:
        """Send raw bytes, and return everything until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as line:
            line.sendall(request)
            answer = b""
            while piece := line.recv(65536):
                answer += piece
            return answer


_PROCESS = """
import sys
from pathlib import Path
from tests.review.reviews import Review
with Review(Path(sys.argv[1])) as review:
    print(review.port, flush=True)
    sys.stdin.read()
"""


@contextmanager
def running_process(root: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Review a dataset in a process that can be killed; yield it and its port."""
    command = [sys.executable, "-c", _PROCESS, str(root)]
    where = Path(__file__).parents[2]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=where) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
