"""A service on a free port, with a predictor without a network: it returns the dominant colour."""

from __future__ import annotations

import io
import socket
import threading
from typing import TYPE_CHECKING, Any, Self

import httpx
import numpy as np
from PIL import Image

from harvest.http_server.listener import listen
from harvest.http_server.server import Server
from harvest.http_server.service_limits import ServiceLimits
from harvest.images import inspect_image
from harvest.models import Refusal
from harvest.serving.app import make_app
from harvest.training.predictor import Classification, Explanation, LabelProbability, Scores
from harvest.web.image_client import ImageClient
from tests.pictures import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RED = encoded(Image.new("RGB", (40, 30), (200, 30, 10)), "PNG")


class Colours:
    """A predictor that uses the mean of each channel, and blocks while `hold` is not set.

    `seen` counts the images it could read, `most` is how many it read at the same time, and `sizes` lists the
    sizes of its batches.
    """

    name = "shapes/first"
    engine = "colours"
    labels = ("blue", "green", "red")
    size = 8

    def __init__(self) -> None:
        self.seen = self.most = self._reading = 0
        self.sizes: list[int] = []
        self.hold = threading.Event()
        self._lock = threading.Lock()
        self.hold.set()

    def prepare(self, picture: bytes) -> np.ndarray | Refusal:
        """Return the image as eight by eight pixels."""
        with self._lock:
            self._reading += 1
            self.most = max(self.most, self._reading)
        try:
            seen = inspect_image(picture)
            if isinstance(seen, Refusal):
                return seen
            return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB").resize((8, 8)))
        finally:
            with self._lock:
                self._reading -= 1
                self.seen += not isinstance(seen, Refusal)

    def predict_batch(self, views: list[np.ndarray]) -> list[Scores]:
        """Return the share of each colour; black is like none of them."""
        self.sizes.append(len(views))
        assert self.hold.wait(60)
        means = np.stack(views).mean((1, 2))[:, ::-1] + 1
        shares = (means / means.sum(1, keepdims=True)).astype(np.float32)
        return [Scores(row, float(levels.max() / 256), 0) for row, levels in zip(shares, means, strict=True)]

    def rank(self, scores: Scores, top: int) -> Classification:
        """Return the colours with the largest shares."""
        row = scores.probabilities
        ranked = tuple(LabelProbability(self.labels[number], float(row[number])) for number in np.argsort(-row)[:top])
        return Classification(ranked, scores.similarity > 0.1, scores.similarity, "blue/sky.jpg")

    can_explain = True

    def explain_view(self, view: np.ndarray) -> Explanation:
        """Return that the left half decides."""
        heat = np.zeros(view.shape[:2], np.float32)
        heat[:, : len(view) // 2] = 1
        return Explanation("red", 0.8, view, heat)


class Service:
    """A running service; send requests with `post`, `get` or, byte by byte, `raw`."""

    def __init__(
        self,
        predictor: Any = None,
        *,
        bounds: ServiceLimits | None = None,
        bodies: Callable[[], ImageClient] = ImageClient,
        names: Iterable[str] = ("localhost",),
    ) -> None:
        bounds = bounds or ServiceLimits()
        self.predictor = predictor or Colours()
        self.listener = listen("127.0.0.1", 0)
        self._server = Server(
            make_app(self.predictor, bodies, names=tuple(names), bounds=bounds), self.listener, bounds
        )
        self._thread = threading.Thread(target=self._server.run)
        self.client = httpx.Client(base_url=self.listener.url, trust_env=False, timeout=60)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def get(self, path: str = "/", **more: Any) -> httpx.Response:
        """Send a GET request."""
        return self.client.get(path, **more)

    def post(
        self, content: Any = RED, kind: str | None = "image/png", path: str = "/classify", **headers: str
    ) -> httpx.Response:
        """Send an image."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=content, headers={"Content-Type": kind, **given} if kind else given)

    def ask_for(self, url: object) -> httpx.Response:
        """Send the URL of an image."""
        return self.client.post("/classify", json={"url": url})

    def raw(self, *pieces: bytes, timeout: float = 60) -> bytes:
        """Send raw bytes, and return everything until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.listener.port), timeout) as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
                answer = b""
                while piece := line.recv(65536):
                    answer += piece
            except (ConnectionResetError, BrokenPipeError):
                return b""
            return answer
