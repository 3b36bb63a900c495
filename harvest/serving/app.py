"""The ASGI application: a web page and an API to classify images.

    GET  /          the web page
    POST /classify  an image, sent in one of three ways → {"ranked": [{"label": …, "probability": …}, …], "known": …}
    POST /explain   an image, sent in the same way → a PNG that shows where the network sees its most probable label
    GET  /health    the model and its labels

Every error is {"error": "…"} with the matching status.
"""

from __future__ import annotations

import asyncio
import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harvest import classifier_page, images
from harvest.harvesting.download import MemoryBudget
from harvest.http_server import http_errors
from harvest.http_server.client_limits import Shares, client_of
from harvest.http_server.exception_handlers import EXCEPTION_HANDLERS
from harvest.http_server.http_errors import HttpError
from harvest.http_server.request_guard import HostRule, RequestGuard
from harvest.http_server.service_limits import ServiceLimits
from harvest.models import Refusal
from harvest.serving.batch_queue import BatchQueue
from harvest.serving.read_request_image import UploadReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from starlette.requests import Request

    from harvest.training.predictor import Classification, Explanation, Scores
    from harvest.web.image_client import ImageClient

TOP = 5
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_SHARED = {
    "/cards.css": ("cards.css", "text/css; charset=utf-8"),
    "/cards.js": ("cards.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Classifies(Protocol):
    """What the service needs of a `Predictor`."""

    name: str
    engine: str
    labels: tuple[str, ...]
    size: int

    def prepare(self, picture: bytes) -> NDArray[np.uint8] | Refusal:
        """Return the preprocessed image, or why it cannot be read."""
        ...

    def predict_batch(self, views: Sequence[NDArray[np.uint8]]) -> Sequence[Scores]:
        """Return the scores of each view."""
        ...

    def rank(self, scores: Scores, top: int) -> Classification:
        """Return the labels of the largest probabilities, best first, and whether the image is known."""
        ...

    @property
    def can_explain(self) -> bool:
        """Whether `explain_view` works for this model."""
        ...

    def explain_view(self, view: NDArray[np.uint8]) -> Explanation:
        """Return where in a view the network sees its most probable label."""
        ...


def make_app(
    predictor: Classifies,
    open_client: Callable[[], ImageClient],
    *,
    names: Collection[str] = ("localhost",),
    bounds: ServiceLimits | None = None,
) -> RequestGuard:
    """Return the ASGI application; `names` are the accepted host names, besides IP addresses."""
    limits = bounds or ServiceLimits()
    service = _Service(predictor, open_client, limits)
    app = Starlette(
        routes=[
            *(Route(path, _static_file(_read_own(name), kind)) for path, (name, kind) in _PAGE.items()),
            *(
                Route(path, _static_file(classifier_page.read_file(name), kind))
                for path, (name, kind) in _SHARED.items()
            ),
            Route("/classify", service.classify, methods=["POST"]),
            Route("/explain", service.explain, methods=["POST"]),
            Route("/health", service.health),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=service.lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header
    return RequestGuard(app, HostRule(names), limits, command="harvest serve")


class _Service:
    """Handles requests: decodes in threads within a memory budget, and classifies waiting images as one batch."""

    def __init__(self, predictor: Classifies, open_client: Callable[[], ImageClient], limits: ServiceLimits) -> None:
        self._predictor = predictor
        self._largest = limits.body
        self._upload = UploadReader(limits, open_client)
        self._requests = Shares(limits.requests, limits.client_requests)
        self._memory = MemoryBudget(limits.decoding)
        self._decoding = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="decode")
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._batches: BatchQueue[NDArray[np.uint8], Scores] = BatchQueue(
            predictor.predict_batch, self._inference, limits.batch
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for threads in (self._decoding, self._inference):
                threads.shutdown(wait=False, cancel_futures=True)

    async def classify(self, request: Request) -> Response:
        top = _top(request, len(self._predictor.labels))
        with self._requests.share(client_of(request)) as take:
            async with self._upload.read_image(request) as data:
                take(1)  # only now, so that a slow upload does not delay a complete request
                view = await self._decode(data)
            scores = await self._batches(view)
        return JSONResponse(self._predictor.rank(scores, top).as_json())

    async def explain(self, request: Request) -> Response:
        if not self._predictor.can_explain:
            raise HttpError(501, "This model cannot explain its answers: that needs PyTorch and the whole run.")
        with self._requests.share(client_of(request)) as take:
            async with self._upload.read_image(request) as data:
                take(1)
                view = await self._decode(data)
            loop = asyncio.get_running_loop()
            image = await loop.run_in_executor(self._inference, self._draw_explanation, view)
        return Response(image, headers={"Content-Type": "image/png"})

    def _draw_explanation(self, view: NDArray[np.uint8]) -> bytes:
        file = io.BytesIO()
        self._predictor.explain_view(view).draw().save(file, "PNG")
        return file.getvalue()

    async def _decode(self, data: bytes) -> NDArray[np.uint8]:
        async with self._memory.share(images.memory_needed(data)):
            loop = asyncio.get_running_loop()
            view = await loop.run_in_executor(self._decoding, self._predictor.prepare, data)
        if isinstance(view, Refusal):
            raise http_errors.http_error_for(view)
        return view

    async def health(self, _request: Request) -> Response:
        served = self._predictor
        model = {"model": served.name, "engine": served.engine, "size": served.size, "labels": served.labels}
        return JSONResponse({"status": "ok", **model, "largest": self._largest, "explains": served.can_explain})


def _top(request: Request, maximum: int) -> int:
    text = request.query_params.get("top", str(TOP))
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise HttpError(400, "top must be a positive number of labels, such as ?top=3.")
    return min(int(text[:9]), maximum)


def _read_own(name: str) -> bytes:
    return (files("harvest.serving") / "page" / name).read_bytes()


def _static_file(content: bytes, kind: str) -> Callable[[Request], Response]:
    def respond(_request: Request) -> Response:
        return Response(content, headers={"Content-Type": kind})

    return respond
