"""The service itself: a page to try the network on, and what the page asks.

    GET  /          the page
    POST /classify  a picture, in one of three ways → [{"label": …, "probability": …}, …], best first
    GET  /health    what is served here, and that it is

Whatever else there is to say is {"error": "…"} under the right status.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from harvest import images
from harvest.harvesting.download import MemoryBudget
from harvest.models import Refusal
from harvest.serving import http_errors
from harvest.serving.batch_queue import BatchQueue
from harvest.serving.client_shares import Shares, client_of
from harvest.serving.http_errors import HttpError
from harvest.serving.request_guard import RequestGuard
from harvest.serving.service_limits import ServiceLimits
from harvest.serving.upload import UploadReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from starlette.requests import Request

    from harvest.web.image_client import ImageClient

TOP = 5
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Classifies(Protocol):
    """What is asked about pictures: a `Predictor`."""

    name: str
    engine: str
    labels: tuple[str, ...]
    size: int

    def prepare(self, picture: bytes) -> NDArray[np.uint8] | Refusal:
        """Return a picture as the network sees it, or why it cannot be read."""
        ...

    def predict_batch(self, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return a row of probabilities for each view."""
        ...

    def rank(self, row: NDArray[np.float32], top: int) -> Sequence[tuple[str, float]]:
        """Return the labels of the largest probabilities, best first."""
        ...


def make_app(
    judge: Classifies,
    bodies: Callable[[], ImageClient],
    *,
    names: Collection[str] = ("localhost",),
    bounds: ServiceLimits | None = None,
) -> RequestGuard:
    """Return the service as an ASGI application; `names` are those it is reached by, besides any number."""
    bounds = bounds or ServiceLimits()
    service = _Service(judge, bodies, bounds)
    app = Starlette(
        routes=[
            *(Route(path, _file(*told)) for path, told in _PAGE.items()),
            Route("/classify", service.classify, methods=["POST"]),
            Route("/health", service.health),
        ],
        exception_handlers={
            HttpError: _error_response,
            HTTPException: _not_found,
            Exception: _internal_error,
        },
        lifespan=service.lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host
    return RequestGuard(app, names, bounds)


class _Service:
    """Answers requests: decodes in threads within a budget, and lets the network see what waits together."""

    def __init__(self, judge: Classifies, bodies: Callable[[], ImageClient], bounds: ServiceLimits) -> None:
        self._judge = judge
        self._largest = bounds.body
        self._intake = UploadReader(bounds, bodies)
        self._work = Shares(bounds.requests, bounds.client_requests)
        self._memory = MemoryBudget(bounds.decoding)
        self._decoding = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="decode")
        self._judging = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._batches: BatchQueue[NDArray[np.uint8], NDArray[np.float32]] = BatchQueue(
            lambda views: list(judge.predict_batch(views)), self._judging, bounds.batch
        )

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for threads in (self._decoding, self._judging):
                threads.shutdown(wait=False, cancel_futures=True)

    async def classify(self, request: Request) -> Response:
        top = _top(request, len(self._judge.labels))
        with self._work.share(client_of(request)) as take:
            async with self._intake.read_image(request) as data:
                take(1)  # only now: a slow upload must not keep out a request that is complete
                view = await self._decode(data)
            row = await self._batches(view)
        ranked = self._judge.rank(row, top)
        return JSONResponse([{"label": label, "probability": probability} for label, probability in ranked])

    async def _decode(self, data: bytes) -> NDArray[np.uint8]:
        async with self._memory.share(images.memory_needed(data)):
            loop = asyncio.get_running_loop()
            view = await loop.run_in_executor(self._decoding, self._judge.prepare, data)
        if isinstance(view, Refusal):
            raise http_errors.http_error_for(view)
        return view

    async def health(self, _request: Request) -> Response:
        judge = self._judge
        told = {"model": judge.name, "engine": judge.engine, "size": judge.size, "labels": judge.labels}
        return JSONResponse({"status": "ok", **told, "largest": self._largest})


def _top(request: Request, most: int) -> int:
    text = request.query_params.get("top", str(TOP))
    if not (text.isascii() and text.isdecimal() and int(text[:9]) > 0):
        raise HttpError(400, "top is how many labels you want: ?top=3.")
    return min(int(text[:9]), most)


def _file(name: str, kind: str) -> Callable[[Request], Response]:
    content = (files("harvest.serving") / "page" / name).read_bytes()

    def answer(_request: Request) -> Response:
        return Response(content, headers={"Content-Type": kind})

    return answer


async def _error_response(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HttpError)
    return problem.response


async def _not_found(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "There is nothing here.", 405: "This cannot be done here."}.get(error.status_code)
    return HttpError(error.status_code, words or error.detail, **dict(error.headers or {})).response


async def _internal_error(_request: Request, _error: Exception) -> Response:
    return HttpError(500, "This is a bug in harvest; the terminal it runs in tells more.").response
